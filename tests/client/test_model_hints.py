"""The similar available models in an error that says that there is no such model."""

import pickle

import pytest
from clockwork import Clockwork, session_on
from model_api import GONE, SONNETS, ModelAPI, failure_of, http, listing
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import (
    BadRequestError,
    ChatSession,
    NotFoundError,
    PermissionDeniedError,
    RetryPolicy,
    ServerError,
)
from aimlchat.errors import APIError
from aimlchat.session import endpoints_of


@pytest.fixture
async def api():
    api = ModelAPI()
    async with serving(api) as api.raw:
        yield api


@pytest.fixture
async def session(api):
    async with ChatSession("the-key-of-the-user", base_url=api.raw.base_url) as opened:
        yield opened


# --- what the message says ------------------------------------------------------------------------


async def test_the_message_names_the_nearest_models_and_what_to_do(session):
    error = await failure_of(session)

    assert error.message == (
        "The model has been retired. Available models similar to anthropic/claude-3.7-sonnet:"
        f" {SONNETS}. Choose one with model=, --model or the environment variable AIMLAPI_MODEL."
    )
    assert str(error) == f"{error.message} (status 404)"
    assert error.body == GONE


async def test_it_survives_a_pickle_and_is_in_the_repr(session):
    error = await failure_of(session)

    assert pickle.loads(pickle.dumps(error)).message == error.message
    assert SONNETS in repr(error)


async def test_a_stream_has_it_as_well(session):
    with pytest.raises(NotFoundError, match="similar to openai/gpt-4: openai/gpt-4o"):
        await session.stream("Hi", model="openai/gpt-4").collect()


async def test_the_hook_gets_the_error_with_it(api):
    records = []
    async with ChatSession("k", base_url=api.raw.base_url, on_finish=records.append) as session:
        await failure_of(session)

    assert "Available models" in records[0].error.message
    assert [attempt.number for attempt in records[0].attempts] == [1]


async def test_a_400_that_says_no_such_model_has_it(api, session):
    api.refusal = http(400, {"message": "openai/gpt-4 is not a valid model ID"})

    error = await failure_of(session, BadRequestError, model="openai/gpt-4")

    assert "Available models similar to openai/gpt-4: openai/gpt-4o." in error.message


async def test_a_403_with_that_code_has_it(api, session):
    api.refusal = http(403, {"error": {"message": "No access", "code": "model_not_found"}})

    assert "Available models" in (await failure_of(session, PermissionDeniedError)).message


async def test_a_bare_404_has_it_if_the_model_is_not_listed(api, session):
    api.refusal = http(404, b"")

    assert SONNETS in (await failure_of(session)).message
    assert "Living" not in (await failure_of(session, model="openai/gpt-4o")).message


async def test_an_alias_is_listed_as_well(api, session):
    api.refusal = http(404, b"")
    api.models = http(200, {"data": [{"id": "a/b-1", "aliases": ["b-one"]}, {"id": "a/b-2"}]})

    assert "Living" not in (await failure_of(session, model="b-one")).message


async def test_a_listed_model_that_is_refused_is_not_named(api, session):
    api.refusal = http(404, {"message": "This model has been retired."})

    message = (await failure_of(session, model="anthropic/claude-sonnet-5")).message

    assert message.startswith("This model has been retired. Available models")
    assert "claude-sonnet-5: anthropic/claude-sonnet-4.5, anthropic/claude-opus-4.8." in message


async def test_without_a_model_that_is_near_it_says_where_all_are_listed(session):
    message = (await failure_of(session, model="no-such")).message

    assert "no model whose name is like no-such" in message
    assert "aimlchat models" in message


async def test_models_of_other_endpoints_and_names_that_cannot_be_shown_are_not_named(api, session):
    chat = "openai/chat-completions"
    api.models = http(
        200,
        {
            "data": [
                {"id": "x/gpt-9", "type": "openai/image-generations"},
                {"id": "x/gpt-8\x1b[2J", "type": chat},
                {"id": "x/gpt-7 and more", "type": chat},
                {"id": "x/gpt-6" + "x" * 100, "type": chat},
                {"id": "x/gpt-5", "type": chat},
                {"id": "x/gpt-4"},
            ]
        },
    )

    assert (
        "similar to gpt-3: x/gpt-5, x/gpt-4. " in (await failure_of(session, model="gpt-3")).message
    )


async def test_a_key_that_the_list_echoes_is_masked(api, session):
    api.models = listing("claude-sonnet-the-key-of-the-user")

    message = (await failure_of(session)).message

    assert "Available models" in message
    assert "the-key-of-the-user" not in message


# --- when it is looked for ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "max_tokens is too large for this model"),
        (401, "no key, no model"),
        (403, "this model is not for you"),
        (429, "model not found"),
        (500, "the model was not found"),
    ],
)
async def test_other_errors_do_not_fetch_the_list(api, status, message):
    api.refusal = http(status, {"message": message})
    once = RetryPolicy(attempts=1)
    async with ChatSession("k", base_url=api.raw.base_url, retry=once) as session:
        error = await failure_of(session, APIError)

    assert error.message == message
    assert api.lists == 0


async def test_of_several_models_only_the_last_one_fetches_it(api, session):
    error = await failure_of(session, models=["anthropic/claude-3.7-sonnet", "openai/gpt-4"])

    assert "Available models similar to openai/gpt-4: openai/gpt-4o." in error.message
    assert [request.split(b" ")[0] for request in api.raw.requests] == [b"POST", b"POST", b"GET"]


async def test_other_endpoints_do_not_fetch_it(api, session):
    api.models = http(404, GONE)
    with pytest.raises(NotFoundError) as caught:
        await session.models()
    assert api.lists == 1
    assert caught.value.message == GONE["message"]

    with pytest.raises(NotFoundError):
        await endpoints_of(session).send("POST", "batches", bytes, b"{}")
    assert api.lists == 1


async def test_an_error_event_before_the_first_delta_has_it_and_one_after_it_has_not(api, session):
    event = b'data: {"error": {"message": "Retired", "code": "model_not_found"}}\n\n'
    api.refusal = CHUNKED + http_chunk(event) + b"0\r\n\r\n"
    with pytest.raises(NotFoundError, match=r"Retired\. Available models"):
        await session.stream("Hi").collect()
    assert api.lists == 1

    api.refusal = CHUNKED + http_chunk(content("One")) + http_chunk(event) + b"0\r\n\r\n"
    async with ChatSession("k", base_url=api.raw.base_url) as other:
        with pytest.raises(NotFoundError) as caught:
            await other.stream("Hi").collect()
    assert caught.value.message == "Retired"
    assert api.lists == 1


async def test_a_retried_error_has_it_only_when_it_is_final(api):
    api.refusal = http(503, {"error": {"message": "model not found", "code": "model_not_found"}})
    async with session_on(Clockwork(), api.raw.base_url) as session:
        await failure_of(session, ServerError)

    assert api.lists == 0
