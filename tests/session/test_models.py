"""`ChatSession.models`: its filters, its prices, and the list that it keeps."""

import pytest

from aimlchat import InvalidRequestError, Model
from aimlchat._protocol.model_list import parse_models

SONNET = "anthropic/claude-sonnet-4.5"


async def test_all_models_come_without_their_prices(session):
    models = await session.models()
    assert {SONNET, "openai/gpt-4o"} < {model.id for model in models}
    assert {model.input_price for model in models} == {None}


async def test_one_model_comes_with_its_price(session):
    [model] = await session.models(id="claude-sonnet-4-5", include=["pricing", "capabilities"])
    assert model.id == SONNET
    assert (model.input_price, model.output_price) == (3.9, 19.5)
    assert "tools" in model.capabilities


async def test_the_filters_are_sent_as_the_vendor_documents_them(session, emulator):
    await session.models(input_modalities="image", capabilities=("tools", "vision"))
    assert emulator.requests[0].query == "input_modalities=image&capabilities=tools,vision"


async def test_an_unchanged_list_is_not_sent_again(session, emulator):
    first = await session.models(include="all")
    first.clear()  # the caller's own list
    second = await session.models(include="all")
    assert second
    assert emulator.requests[1].headers["If-None-Match"]
    assert await session.models(include="pricing") != second
    assert "If-None-Match" not in emulator.requests[2].headers


async def test_an_unknown_filter_is_a_type_error_that_names_the_known_ones(session):
    with pytest.raises(TypeError, match="'familiy'; it takes capabilities, id, include"):
        await session.models(familiy="claude")


@pytest.mark.parametrize("value", [None, 3, [3], {"a": 1}])
async def test_a_filter_that_is_no_text_is_refused(session, value):
    with pytest.raises(InvalidRequestError, match="neither a text nor a list") as caught:
        await session.models(id=value)
    assert caught.value.field == "id"


def unit(price, per=1_000_000, **facts):
    return {"name": "token", "price": price, "per": per} | facts


@pytest.mark.parametrize(
    ("units", "prices"),
    [
        ([unit("3.25", measure="output")], (None, 3.25)),
        ([unit(0.002, 1000, origin="input")], (2.0, None)),
        ([unit(1, 0, origin="input")], (None, None)),
        ([unit(1, 1, measure="input", name="second")], (None, None)),
        ([unit(9, measure="input", content="audio"), unit(1, measure="input")], (1.0, None)),
        ([unit(1, measure="input", content="text"), 7, None], (1.0, None)),
        ([], (None, None)),
        (None, (None, None)),
    ],
)
def test_a_price_is_for_a_million_tokens_of_text(units, prices):
    [model] = parse_models([{"id": "m", "pricing": {"kind": "fixed", "units": units}}])
    assert (model.input_price, model.output_price) == prices


@pytest.mark.parametrize(
    "pricing",
    [
        {"currency": "EUR", "units": [unit(1, measure="input")]},
        {"kind": "variants", "variants": [{"price": 0.39}]},
        [],
        None,
    ],
)
def test_other_prices_are_left_in_raw(pricing):
    [model] = parse_models([{"id": "m", "pricing": pricing}])
    assert model.input_price is None
    assert model.raw["pricing"] == pricing


def test_modalities_and_tags_are_read():
    entry = {
        "id": "m",
        "tags": ["a", 1],
        "modalities": {"input": ["text", "image"], "output": ["text"]},
    }
    assert parse_models([entry]) == [
        Model(
            id="m",
            tags=("a",),
            input_modalities=("text", "image"),
            output_modalities=("text",),
            raw=entry,
        )
    ]
