"""Which failures are retried, and which are final."""

import asyncio

import pytest
from clockwork import Clockwork, session_on
from delivery import run_pending
from raw_server import serving

from aimlchat import (
    APIError,
    AuthenticationError,
    ConnectionFailedError,
    InsufficientCreditsError,
    ProtocolError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    StreamInterruptedError,
)

ROLE = {"choices": [{"index": 0, "delta": {"role": "assistant"}}]}


ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def clock():
    return Clockwork()


@pytest.fixture
async def session(emulator, clock):
    async with session_on(clock, emulator.base_url) as opened:
        yield opened


# --- status errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 524, 529])
async def test_a_transient_status_is_retried(session, emulator, status):
    emulator.fail(status=status)
    emulator.reply("Hello")

    completion = await session.complete("Hi")

    assert completion.text == "Hello"
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422])
async def test_a_permanent_status_is_final(session, emulator, status):
    emulator.fail(status=status)

    with pytest.raises(APIError) as caught:
        await session.complete("Hi")

    # A 404 also fetches the list of models.
    assert [request.method for request in emulator.requests].count("POST") == 1
    assert [attempt.number for attempt in caught.value.attempts] == [1]


async def test_a_429_for_lack_of_capacity_is_retried(emulator):
    emulator.fail(status=429, message="Insufficient capacity for this model, please retry.")
    async with session_on(Clockwork(), emulator.base_url) as session:
        completion = await session.complete("Hi")

    assert len(completion.attempts) == 2


@pytest.mark.parametrize(
    "message",
    [
        "Insufficient credits",
        "You have run out of credits.",
        "insufficient_quota",
        "Free tier limit",
    ],
)
async def test_a_429_about_credits_or_quota_is_final(emulator, message):
    emulator.fail(status=429, message=message)
    async with session_on(Clockwork(), emulator.base_url) as session:
        with pytest.raises(RateLimitError):
            await session.complete("Hi")

    assert len(emulator.requests) == 1


async def test_an_exhausted_free_tier_is_final(session, emulator):
    emulator.fail(status=429, message="Free-tier limit reached. Add credits to go on.")

    with pytest.raises(RateLimitError):
        await session.complete("Hi")

    assert len(emulator.requests) == 1


async def test_exhausted_credits_are_final(session, emulator):
    emulator.fail(status=403, message="You have run out of credits.", retry_after=1)

    with pytest.raises(InsufficientCreditsError):
        await session.complete("Hi")

    assert len(emulator.requests) == 1


async def test_a_200_whose_body_is_a_server_error_is_retried(session, emulator):
    emulator.reply(body={"error": {"message": "Overloaded", "type": "overloaded_error"}})
    emulator.reply("Hello")

    assert (await session.complete("Hi")).text == "Hello"


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (500, ServerError)])
@pytest.mark.parametrize("streamed", [True, False])
async def test_an_error_response_whose_body_stalls_is_still_that_error(status, kind, streamed):
    async def refuse(reader, writer):
        writer.write(b'HTTP/1.1 %d No\r\nContent-Length: 100\r\n\r\n{"message":' % status)
        await writer.drain()
        refused.set()
        await reader.read()
        raise ConnectionResetError

    refused, clock = asyncio.Event(), Clockwork()
    async with serving(refuse) as server, session_on(clock, server.base_url, retry=ONCE) as session:
        call = session.stream("Hi").collect() if streamed else session.complete("Hi")
        task = asyncio.ensure_future(call)
        await refused.wait()
        await run_pending()
        clock.advance(301)

        with pytest.raises(kind):
            await task
    assert len(server.requests) == 1


async def test_listing_the_models_is_retried(session, emulator):
    emulator.fail(status=503)

    assert await session.models()


# --- connections and whole responses --------------------------------------------------------------


async def test_a_refused_connection_is_retried(clock):
    async with session_on(clock, "http://127.0.0.1:9/v1") as session:
        with pytest.raises(ConnectionFailedError) as caught:
            await session.complete("Hi")

    assert [attempt.sent for attempt in caught.value.attempts] == [False] * 3


async def test_a_request_without_a_response_is_retried_and_recorded_as_sent(clock):
    async def hang_up(_, writer):
        writer.close()

    async with (
        serving(hang_up) as server,
        session_on(clock, server.base_url) as session,
    ):
        with pytest.raises(ConnectionFailedError) as caught:
            await session.complete("Hi")

    assert len(server.requests) == 3
    assert [attempt.sent for attempt in caught.value.attempts] == [True] * 3


async def test_one_attempt_means_no_retry(session, emulator):
    emulator.fail(status=503)

    with pytest.raises(ServerError):
        await session.complete("Hi", retry=RetryPolicy(attempts=1))

    assert len(emulator.requests) == 1


async def test_a_whole_body_that_is_cut_is_not_requested_again(clock):
    async def cut(_, writer):
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"choices":')
        writer.close()

    async with serving(cut) as server, session_on(clock, server.base_url) as session:
        with pytest.raises(ProtocolError, match="cut off"):
            await session.complete("Hi")

    assert len(server.requests) == 1


async def test_every_attempt_has_the_same_request_id(session, emulator):
    emulator.fail(status=500)

    completion = await session.complete("Hi")

    ids = {request.headers["X-Client-Request-Id"] for request in emulator.requests}
    assert ids == {completion.client_request_id}


async def test_a_closed_session_does_not_retry(clock, pinging_server):
    async with session_on(clock, pinging_server.base_url) as session:
        stream = await session.stream("Hi").__aenter__()
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await session.close()
        with pytest.raises(StreamInterruptedError):
            await reading

    assert len(pinging_server.requests) == 1


# --- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "events",
    [
        [ROLE, {"error": {"message": "Overloaded", "type": "overloaded_error"}}],
        [{"error": {"message": "Overloaded", "type": "overloaded_error"}}],
        [ROLE],
        [],
    ],
    ids=["error event after the role", "error event", "cut after the role", "empty"],
)
async def test_a_stream_that_fails_before_its_first_delta_is_retried(session, emulator, events):
    emulator.reply(events=events, done=False)
    emulator.reply("Hello", reasoning="Greet.")

    stream = session.stream("Hi")
    completion = await stream.collect()

    assert (completion.reasoning, completion.text) == ("Greet.", "Hello")
    assert [attempt.cause is None for attempt in stream.attempts] == [False, True]
    assert completion.attempts == stream.attempts


@pytest.mark.parametrize("kind", ["content", "reasoning_content"])
async def test_a_stream_is_not_retried_after_its_first_delta(session, emulator, kind):
    event = {"choices": [{"index": 0, "delta": {kind: "He"}}]}
    emulator.reply(events=[event, {"error": {"message": "Overloaded", "code": 529}}])

    stream = session.stream("Hi")
    assert (await anext(stream)).text == "He"
    with pytest.raises(ServerError) as caught:
        await anext(stream)

    assert len(emulator.requests) == 1
    assert "He" in (caught.value.partial.text, caught.value.partial.reasoning)
    assert [attempt.cause for attempt in caught.value.attempts] == [str(caught.value)]


async def test_a_stream_that_fails_every_time_raises_with_its_attempts(session, emulator):
    for _ in range(3):
        emulator.reply(events=[ROLE], done=False)

    with pytest.raises(StreamInterruptedError) as caught:
        await session.stream("Hi").collect()

    assert [attempt.number for attempt in caught.value.attempts] == [1, 2, 3]
    assert caught.value.partial is not None


async def test_an_error_event_of_a_permanent_error_is_final(session, emulator):
    emulator.reply(events=[{"error": {"message": "No.", "type": "invalid_request_error"}}])

    with pytest.raises(APIError):
        await session.stream("Hi").collect()

    assert len(emulator.requests) == 1


async def test_html_instead_of_a_stream_is_final(session, emulator):
    emulator.reply(body=b"<html>Hi</html>", content_type="text/html")

    with pytest.raises(ProtocolError):
        await session.stream("Hi").collect()

    assert len(emulator.requests) == 1


async def test_entering_a_stream_retries_until_the_response_headers(session, emulator):
    emulator.fail(status=502)

    async with session.stream("Hi") as stream:
        assert [attempt.number for attempt in stream.attempts] == [1, 2]
