"""The table of models, the list `GET /v1/models`, and the models that an emulator refuses."""

import pytest

from aimlchat.emulator import Emulator
from aimlchat.emulator.models import load_models

CLAUDE = "anthropic/claude-3.7-sonnet"
SONNET = "anthropic/claude-sonnet-4.5"


@pytest.fixture
async def listing(emulator, http):
    async with http.get(f"{emulator.base_url}/models?include=all") as response:
        assert response.status == 200
        return response.headers, await response.json()


async def list_ids(emulator, http):
    async with http.get(f"{emulator.base_url}/models") as response:
        return {item["id"] for item in (await response.json())["data"]}


def test_the_table_has_dozens_of_models_of_every_family_and_each_name_once():
    models = load_models()
    assert sum(not model.is_retired for model in models) >= 60
    assert sum(model.is_retired for model in models) >= 20
    names = [name for model in models for name in (model.id, *model.all_aliases)]
    assert len(set(names)) == len(names)


def test_the_list_needs_no_key_and_has_the_models_that_are_served(listing):
    _, body = listing
    assert body["object"] == "list"
    ids = [item["id"] for item in body["data"]]
    assert ids == [model.id for model in load_models() if not model.is_retired]
    assert CLAUDE in ids


def test_every_item_has_the_apis_shape(listing):
    for item in listing[1]["data"]:
        assert item["type"] == "openai/chat-completions"
        assert item["info"].keys() >= {"name", "developer", "description", "contextLength"}
        assert item["info"].get("outputMax", 1) < item["info"]["contextLength"]
        assert item["tags"]


def test_an_item_has_aliases_release_and_prices_where_the_vendor_gives_them(listing):
    item = next(item for item in listing[1]["data"] if item["id"] == SONNET)
    assert item["aliases"][:2] == ["claude-sonnet-4.5", "claude-sonnet-4-5"]
    assert item["info"]["releasedAt"] == "2025-09-29"
    assert [unit["measure"] for unit in item["pricing"]["units"]] == ["input", "output"]
    item = next(item for item in listing[1]["data"] if item["id"] == "zhipu/glm-5")
    assert "pricing" not in item
    assert "releasedAt" not in item["info"]


@pytest.mark.parametrize("if_none_match", ["{etag}", 'W/{etag}, "other"', "*"])
async def test_a_matching_etag_gets_304_and_no_body(emulator, http, listing, if_none_match):
    headers = {"If-None-Match": if_none_match.format(etag=listing[0]["ETag"])}
    async with http.get(f"{emulator.base_url}/models?include=all", headers=headers) as response:
        assert response.status == 304
        assert response.headers["ETag"] == listing[0]["ETag"]
        assert await response.read() == b""


async def test_another_etag_gets_the_list(emulator, http):
    headers = {"If-None-Match": '"stale"'}
    async with http.get(f"{emulator.base_url}/models", headers=headers) as response:
        assert response.status == 200


@pytest.mark.parametrize("model", ["no-such-model", "unknown/thing", "Qwen/Qwen9", "claude-9"])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_unknown_model_gets_a_404_that_names_it(client, model, stream):
    response = await client.ask(model=model, stream=stream)
    assert response.status == 404
    assert response.body["statusCode"] == 404
    assert response.body["message"] == f"The model '{model}' was not found"


@pytest.mark.parametrize(
    "model", ["gpt-4", "claude-3-opus-20240229", "claude-3-opus", "Qwen/QwQ-32B"]
)
async def test_a_retired_model_gets_a_404_by_every_name(client, model):
    response = await client.ask(model=model)
    assert response.status == 404
    assert response.body["message"] == f"The model '{model}' has been retired"


@pytest.mark.parametrize("name", [CLAUDE, "claude-3-7-sonnet-latest"])
async def test_the_first_model_of_this_sdk_is_served(client, name):
    assert (await client.ask(model=name)).status == 200


class TestAddedModels:
    @pytest.fixture
    async def emulator(self):
        async with Emulator(models=["my/fine-tune", "gpt-4", "Qwen/QwQ-32B"]) as emulator:
            yield emulator

    async def test_they_are_served_and_listed(self, emulator, client, http):
        assert (await client.ask(model="my/fine-tune")).body["model"] == "fine-tune"
        assert await list_ids(emulator, http) >= {"my/fine-tune", "gpt-4", "Qwen/QwQ-32B", CLAUDE}

    async def test_a_retired_one_is_served_again_as_the_table_says(self, client):
        message = (await client.ask(model="Qwen/QwQ-32B")).message
        assert message["content"].startswith("<think>\n")

    async def test_one_that_is_not_in_the_table_reasons_if_asked(self, client):
        message = (await client.ask(model="my/fine-tune")).message
        assert "reasoning_content" not in message
        message = (await client.ask(model="my/fine-tune", reasoning_effort="low")).message
        assert message["reasoning_content"]


class TestRetiredModels:
    @pytest.fixture
    async def emulator(self):
        retire = ("claude-sonnet-4-5-20250929", "my/fine-tune")
        async with Emulator(retire=retire) as emulator:
            yield emulator

    @pytest.mark.parametrize("name", [SONNET, "claude-sonnet-4-5", "my/fine-tune"])
    async def test_an_alias_retires_all_names_of_a_model(self, client, name):
        response = await client.ask(model=name)
        assert response.status == 404
        assert "retired" in response.body["message"]

    async def test_they_are_not_listed(self, emulator, http):
        ids = await list_ids(emulator, http)
        assert SONNET not in ids
        assert CLAUDE in ids


def test_a_model_cannot_be_both_added_and_retired():
    with pytest.raises(ValueError, match=r"gpt-4 is in both models and retire"):
        Emulator(models=["gpt-4"], retire=["gpt-4"])


@pytest.mark.parametrize("names", ["gpt-4", ["a", ""], [" "], [None], None, 5])
@pytest.mark.parametrize("field", ["models", "retire"])
def test_names_are_given_as_a_list(field, names):
    with pytest.raises(TypeError, match=f"{field} takes the ids of models in a list"):
        Emulator(**{field: names})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("id=GPT-4o,openai/o3", {"openai/gpt-4o", "openai/o3"}),
        ("id=gpt-4o&id=openai/o3", {"openai/gpt-4o", "openai/o3"}),
        ("id=gpt-4o&input_modalities=image", {"openai/gpt-4o"}),
        ("id=gpt-4o&output_modalities=image", set()),
        ("type=no/such", set()),
        ("id=gpt-4o&capabilities=tools,fly", {"openai/gpt-4o"}),
        ("id=gpt-4o&unknown=1", {"openai/gpt-4o"}),
    ],
)
async def test_the_query_selects_models(emulator, http, query, found):
    async with http.get(f"{emulator.base_url}/models?{query}") as response:
        assert {item["id"] for item in (await response.json())["data"]} == found


@pytest.mark.parametrize(
    ("query", "sections"),
    [
        ("", set()),
        ("&include=pricing", {"pricing"}),
        ("&include=Pricing,capabilities", {"pricing", "capabilities"}),
        ("&include=all", {"pricing", "modalities", "capabilities"}),
        ("&details=true", {"pricing", "modalities", "capabilities"}),
        ("&include=typo", set()),
    ],
)
async def test_sections_come_only_where_they_are_asked_for(emulator, http, query, sections):
    async with http.get(f"{emulator.base_url}/models?id={SONNET}{query}") as response:
        [item] = (await response.json())["data"]
    assert item.keys() & {"pricing", "modalities", "capabilities"} == sections
