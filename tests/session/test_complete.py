"""`ChatSession.complete`: one request, one completion."""

import asyncio
import pickle

import pytest
from clockwork import Clockwork, session_on
from raw_server import serving

from aimlchat import (
    AIMLChatError,
    APIError,
    AuthenticationError,
    BadRequestError,
    ChatRequest,
    ChatSession,
    ConnectionFailedError,
    InsufficientCreditsError,
    InvalidRequestError,
    Limits,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    ServerError,
    Tool,
)
from aimlchat._client.prepare import RawRequest

OPTIONS = [
    {"system": "Be brief."},
    {"system": " "},
    {"tools": [Tool("look", parameters={"type": "object"})], "tool_choice": "look"},
    {"tools": []},
    {"stop": ["a", "b"], "temperature": 0.5, "max_tokens": 5},
    {"response_format": {"type": "json_object"}, "metadata": None},
    {"extra": {"later": 1, "model": "gpt-4o-mini"}},
    {"model": "anthropic/claude-opus-4", "thinking": 2048},
]


async def test_a_text_is_one_user_message_to_the_default_model(session, emulator):
    emulator.reply("Because of scattering.")

    completion = await session.complete("Why is the sky blue?")

    assert completion.text == "Because of scattering."
    body = emulator.requests[0].body
    assert body["model"] == "anthropic/claude-3.7-sonnet"
    assert body["messages"] == [{"role": "user", "content": "Why is the sky blue?"}]
    assert "stream" not in body


async def test_a_list_of_messages_is_sent_unchanged(session, emulator):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]

    await session.complete(messages, model="openai/gpt-4o")

    assert emulator.requests[0].body["messages"] == messages


async def test_options_replace_those_of_the_request(session, emulator):
    request = ChatRequest(model="openai/gpt-4o", temperature=0.1).user("Hi")

    await session.complete(request, temperature=0.9)

    assert emulator.requests[0].body["temperature"] == 0.9


async def test_reasoning_is_separate_from_the_answer(session, emulator):
    emulator.reply("Blue.", reasoning="Light scatters.")

    completion = await session.complete("Why?")

    assert (completion.reasoning, completion.text) == ("Light scatters.", "Blue.")


async def test_a_completion_has_ids_usage_and_cost(session, emulator):
    emulator.reply("Hi", cost=0.00124)

    completion = await session.complete("Hello", client_request_id="order-66")

    assert completion.client_request_id == "order-66"
    assert emulator.requests[0].client_request_id == "order-66"
    assert completion.inference_id == emulator.requests[0].inference_id
    assert completion.cost.usd == pytest.approx(0.00124)
    assert completion.cost.credits == pytest.approx(2480)
    assert completion.usage.total_tokens > 0
    assert completion.headers["X-Inference-Id"] == completion.inference_id
    assert [attempt.cause for attempt in completion.attempts] == [None]


async def test_a_client_request_id_is_generated_if_none_is_given(session, emulator):
    completion = await session.complete("Hello")

    assert completion.client_request_id
    assert emulator.requests[0].client_request_id == completion.client_request_id


async def test_the_completion_of_a_call_can_be_pickled(session, emulator):
    completion = await session.complete("Hello")

    assert pickle.loads(pickle.dumps(completion)) == completion


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, None, AuthenticationError),
        (402, None, InsufficientCreditsError),
        (403, "You've run out of credits.", InsufficientCreditsError),
        (404, None, NotFoundError),
        (429, None, RateLimitError),
        (500, None, ServerError),
        (524, None, ServerError),
        (418, "I'm a teapot", APIError),
    ],
)
async def test_an_error_status_is_an_error_of_its_class(session, emulator, status, message, kind):
    emulator.fail(status=status, message=message, retry_after=3)

    with pytest.raises(kind) as caught:
        await session.complete("Hello", retry=None)

    error = caught.value
    assert error.status == status
    assert error.inference_id
    assert error.request_id
    assert error.path == "/v1/chat/completions"
    assert error.retry_after == 3
    assert [attempt.cause for attempt in error.attempts] == [str(error)]
    if message:
        assert error.message == message


async def test_an_error_quotes_the_server_but_never_the_key(emulator):
    emulator.fail(status=401, message="Incorrect key provided: sk-very-secret")
    async with ChatSession("sk-very-secret", base_url=emulator.base_url) as session:
        with pytest.raises(AuthenticationError) as caught:
            await session.complete("Hello")

    assert "sk-very-secret" not in f"{caught.value} {caught.value!r} {caught.value.body}"


async def test_a_request_that_the_api_would_refuse_is_not_sent(session, emulator):
    with pytest.raises(InvalidRequestError) as caught:
        await session.complete("Hello", temperature=9)

    assert caught.value.field == "temperature"
    assert emulator.requests == []


async def test_a_refused_connection_is_an_error_that_sent_nothing():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()

    async with session_on(Clockwork(), f"http://127.0.0.1:{port}/v1") as session:
        with pytest.raises(ConnectionFailedError) as caught:
            await session.complete("Hello")

    assert isinstance(caught.value, ConnectionError)
    assert not caught.value.sent


async def test_a_connection_that_breaks_before_the_response_headers_counts_as_sent():
    async def hang_up(_, writer):
        writer.close()

    async with serving(hang_up) as server, session_on(Clockwork(), server.base_url) as session:
        with pytest.raises(ConnectionFailedError) as caught:
            await session.complete("Hello")

    assert caught.value.sent


@pytest.mark.parametrize(
    "body",
    [b"<html>hello</html>", b"null", b"[]", b"{", b"", b'{"choices":[]}', b'"text"', b"12"],
)
async def test_a_body_that_is_not_the_wire_format_is_a_protocol_error(session, emulator, body):
    emulator.reply(body=body)

    with pytest.raises(ProtocolError):
        await session.complete("Hello")


async def test_a_200_whose_body_is_an_error_raises_that_error(session, emulator):
    emulator.reply(body={"error": {"message": "busy", "type": "overloaded_error"}})

    with pytest.raises(ServerError) as caught:
        await session.complete("Hello")

    assert caught.value.status == 529
    assert caught.value.inference_id


async def test_a_body_that_is_cut_off_is_a_protocol_error():
    async def cut(_, writer):
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"choices":')
        writer.close()

    async with serving(cut) as server, ChatSession("k", base_url=server.base_url) as session:
        with pytest.raises(ProtocolError, match="cut off"):
            await session.complete("Hello")


async def test_a_redirect_is_not_followed_with_the_key():
    async def redirect(_, writer):
        writer.write(
            b"HTTP/1.1 307 Temporary\r\nLocation: http://elsewhere.invalid/\r\n"
            b"Content-Length: 0\r\n\r\n"
        )

    async with serving(redirect) as server, ChatSession("k", base_url=server.base_url) as session:
        with pytest.raises(APIError) as caught:
            await session.complete("Hello")

    assert caught.value.status == 307
    assert len(server.requests) == 1


async def test_a_response_with_large_headers_is_read():
    async def respond(_, writer):
        body = b'{"choices":[{"index":0,"message":{"content":"ok"},"finish_reason":"stop"}]}'
        writer.write(
            b"HTTP/1.1 201 Created\r\nX-Policy: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (b"x" * 20_000, len(body), body)
        )

    async with serving(respond) as server, ChatSession("k", base_url=server.base_url) as session:
        assert (await session.complete("Hello")).text == "ok"


async def test_a_request_of_megabytes_arrives_whole(session, emulator):
    text = "x" * 3_000_000

    await session.complete(text, model="google/gemini-2.5-pro")  # one with a long context

    assert emulator.requests[0].body["messages"][0]["content"] == text
    assert int(emulator.requests[0].headers["Content-Length"]) > 3_000_000


async def test_calls_share_one_connection(session, emulator):
    for _ in range(3):
        await session.complete("Hello")

    assert emulator.open_connections == 1


async def test_listing_the_models_sends_no_key(session, emulator):
    models = await session.models()

    claude = next(model for model in models if model.goes_by("anthropic/claude-3.7-sonnet"))
    assert claude.type.endswith("chat-completions")
    assert "authorization" not in {name.lower() for name in emulator.requests[0].headers}


async def test_closing_the_session_ends_calls_that_wait_for_a_connection(stalling_server):
    limits = Limits(max_connections=1)
    async with ChatSession("k", base_url=stalling_server.base_url, limits=limits) as session:
        stream = session.stream("Count")
        await anext(stream)
        waiting = asyncio.create_task(session.complete("Hello"))
        await asyncio.sleep(0)

        await session.close()

        with pytest.raises(ConnectionFailedError) as caught:
            await waiting
        assert not caught.value.sent
        await stream.aclose()


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "bad key sk-very-secret", "type": "authentication_error"}},
        b"<html>sk-very-secret",
        b'{"sk-very-secret":',
    ],
)
async def test_a_200_that_quotes_the_key_raises_an_error_without_it(emulator, body):
    async with ChatSession("sk-very-secret", base_url=emulator.base_url) as session:
        for call in (session.complete, lambda text: session.stream(text).collect()):
            emulator.reply(body=body)
            with pytest.raises(AIMLChatError) as caught:
                await call("Hello")
            error = caught.value
            while error is not None:
                assert "sk-very-secret" not in f"{error} {error!r} {vars(error)}"
                error = error.__cause__


async def test_an_error_body_nested_beyond_the_recursion_limit_is_still_read(session, emulator):
    body = b'{"message": "no", "deep": %s1%s}' % (b"[" * 900, b"]" * 900)
    emulator.fail(status=400, body=body)

    with pytest.raises(BadRequestError) as caught:
        await session.complete("Hello")

    assert caught.value.message == "no"


async def test_a_raw_request_is_sent_unchanged(session, emulator):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "later": 1}

    (outcome,) = await session.complete_many([RawRequest(body, "mine")]).gather()

    assert outcome.unwrap().client_request_id == "mine"
    assert emulator.requests[0].body == body


async def test_a_raw_request_for_a_stream_is_refused(session, emulator):
    (outcome,) = await session.complete_many([RawRequest({"stream": True})]).gather()

    assert isinstance(outcome.error, InvalidRequestError)
    assert emulator.requests == []


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
async def test_options_have_the_same_payload_as_a_request_with_them(session, emulator, options):
    options = {"model": "gpt-4o", **options}
    await session.complete("Hi", **options)
    await session.complete(ChatRequest(**options).user("Hi"))
    await session.stream("Hi", **options).collect()

    from_text, from_request, streamed = (request.body for request in emulator.requests)
    del streamed["stream"]
    streamed.pop("stream_options", None)
    assert from_text == from_request == streamed


async def test_an_unknown_option_is_a_type_error(session):
    with pytest.raises(TypeError, match="unknown option 'tempo'"):
        await session.complete("Hi", tempo=3)
    with pytest.raises(TypeError, match="unknown option 'tempo'"):
        session.stream("Hi", tempo=3)


async def test_messages_changed_before_a_stream_starts_are_sent_as_they_were(session, emulator):
    messages = [{"role": "user", "content": "Hi"}]
    stream = session.stream(messages)
    messages[0]["content"] = "Ho"
    await stream.collect()

    assert emulator.requests[0].body["messages"][0]["content"] == "Hi"
