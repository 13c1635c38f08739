"""What is tried again, what is not, and how long the wait is."""

import asyncio
import logging
import pickle
from email.utils import formatdate

import pytest
from clockwork import Clockwork, session_on
from raw_server import CHUNKED, http_chunk, serving

from aimlchat import (
    APIError,
    ConnectionFailedError,
    InsufficientCreditsError,
    ProtocolError,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    StreamInterruptedError,
    Timeouts,
)
from aimlchat.records import RetryRecord

ROLE = {"choices": [{"index": 0, "delta": {"role": "assistant"}}]}


@pytest.fixture
def clock():
    return Clockwork()


@pytest.fixture
async def session(emulator, clock):
    async with session_on(clock, emulator.base_url) as opened:
        yield opened


# --- what is tried again ------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 524, 529])
async def test_a_status_that_may_pass_is_tried_again(session, emulator, status):
    emulator.fail(status=status)
    emulator.reply("Hello")

    completion = await session.complete("Hi")

    assert completion.text == "Hello"
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422])
async def test_a_status_that_will_not_pass_is_final(session, emulator, status):
    emulator.fail(status=status)

    with pytest.raises(APIError) as caught:
        await session.complete("Hi")

    assert len(emulator.requests) == 1
    assert [attempt.number for attempt in caught.value.attempts] == [1]


async def test_the_free_tiers_end_is_final(session, emulator):
    emulator.fail(status=429, message="Free-tier limit reached. Add credits to go on.")

    with pytest.raises(RateLimitError):
        await session.complete("Hi")

    assert len(emulator.requests) == 1


async def test_exhausted_credits_are_final(session, emulator):
    emulator.fail(status=403, message="You have run out of credits.", retry_after=1)

    with pytest.raises(InsufficientCreditsError):
        await session.complete("Hi")

    assert len(emulator.requests) == 1


async def test_a_refused_connection_is_tried_again(clock):
    async with session_on(clock, "http://127.0.0.1:9/v1") as session:
        with pytest.raises(ConnectionFailedError) as caught:
            await session.complete("Hi")

    assert [attempt.sent for attempt in caught.value.attempts] == [False] * 3


async def test_a_request_without_an_answer_is_tried_again_and_recorded_as_sent(clock):
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


async def test_a_200_that_holds_a_servers_fault_is_tried_again(session, emulator):
    emulator.reply(body={"error": {"message": "Overloaded", "type": "overloaded_error"}})
    emulator.reply("Hello")

    assert (await session.complete("Hi")).text == "Hello"


async def test_one_attempt_is_truly_one(session, emulator):
    emulator.fail(status=503)

    with pytest.raises(ServerError):
        await session.complete("Hi", retry=RetryPolicy(attempts=1))

    assert len(emulator.requests) == 1


async def test_a_whole_answer_that_is_cut_is_not_asked_for_again(clock):
    async def cut(_, writer):
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"choices":')
        writer.close()

    async with serving(cut) as server, session_on(clock, server.base_url) as session:
        with pytest.raises(ProtocolError, match="cut off"):
            await session.complete("Hi")

    assert len(server.requests) == 1


async def test_every_try_bears_the_same_request_id(session, emulator):
    emulator.fail(status=500)

    completion = await session.complete("Hi")

    ids = {request.headers["X-Client-Request-Id"] for request in emulator.requests}
    assert ids == {completion.client_request_id}


async def test_the_list_of_models_is_tried_again_too(session, emulator):
    emulator.fail(status=503)

    assert await session.models()


# --- streams ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "events",
    [
        [ROLE, {"error": {"message": "Overloaded", "type": "overloaded_error"}}],
        [{"error": {"message": "Overloaded", "type": "overloaded_error"}}],
        [ROLE],
        [],
    ],
    ids=["error event behind the role", "error event", "cut behind the role", "empty"],
)
async def test_a_stream_that_fails_before_its_first_delta_is_tried_again(session, emulator, events):
    emulator.reply(events=events, done=False)
    emulator.reply("Hello", reasoning="Greet.")

    stream = session.stream("Hi")
    completion = await stream.collect()

    assert (completion.reasoning, completion.text) == ("Greet.", "Hello")
    assert [attempt.cause is None for attempt in stream.attempts] == [False, True]
    assert completion.attempts == stream.attempts


@pytest.mark.parametrize("kind", ["content", "reasoning_content"])
async def test_a_stream_is_never_begun_again_once_text_was_shown(session, emulator, kind):
    said = {"choices": [{"index": 0, "delta": {kind: "He"}}]}
    emulator.reply(events=[said, {"error": {"message": "Overloaded", "code": 529}}])

    stream = session.stream("Hi")
    assert (await anext(stream)).text == "He"
    with pytest.raises(ServerError) as caught:
        await anext(stream)

    assert len(emulator.requests) == 1
    assert "He" in (caught.value.partial.text, caught.value.partial.reasoning)
    assert [attempt.cause for attempt in caught.value.attempts] == [str(caught.value)]


async def test_a_stream_that_is_not_to_be_had_says_what_was_tried(session, emulator):
    for _ in range(3):
        emulator.reply(events=[ROLE], done=False)

    with pytest.raises(StreamInterruptedError) as caught:
        await session.stream("Hi").collect()

    assert [attempt.number for attempt in caught.value.attempts] == [1, 2, 3]
    assert caught.value.partial is not None


async def test_an_error_event_that_will_not_pass_is_final(session, emulator):
    emulator.reply(events=[{"error": {"message": "No.", "type": "invalid_request_error"}}])

    with pytest.raises(APIError):
        await session.stream("Hi").collect()

    assert len(emulator.requests) == 1


async def test_junk_in_place_of_a_stream_is_final(session, emulator):
    emulator.reply(body=b"<html>Hi</html>", content_type="text/html")

    with pytest.raises(ProtocolError):
        await session.stream("Hi").collect()

    assert len(emulator.requests) == 1


async def test_entering_a_stream_tries_again_before_its_head(session, emulator):
    emulator.fail(status=502)

    async with session.stream("Hi") as stream:
        assert [attempt.number for attempt in stream.attempts] == [1, 2]


# --- how long -----------------------------------------------------------------------------------


async def test_the_wait_doubles_and_is_jittered_in_full(session, emulator, clock):
    for _ in range(4):
        emulator.fail(status=500)

    await session.complete("Hi", retry=RetryPolicy(attempts=5, base_delay=1, max_delay=3))

    assert clock.sleeps == [0.5, 1.0, 1.5, 1.5]


@pytest.mark.parametrize(
    "headers",
    [{"Retry-After": "7"}, {"retry-after-ms": "7000"}],
    ids=["seconds", "milliseconds"],
)
async def test_retry_after_is_a_floor_with_jitter_on_top(session, emulator, clock, headers):
    emulator.fail(status=503, headers=headers)

    await session.complete("Hi")

    assert clock.sleeps == [7.25]


async def test_retry_after_may_be_a_date(session, emulator, clock):
    date = formatdate(clock.wall_time() + 30, usegmt=True)
    emulator.fail(status=503, headers={"Retry-After": date})

    await session.complete("Hi")

    assert clock.sleeps == [pytest.approx(30.25)]


async def test_a_retry_after_that_is_too_long_fails_at_once(session, emulator, clock):
    emulator.fail(status=429, retry_after=121)

    with pytest.raises(RateLimitError) as caught:
        await session.complete("Hi")

    assert caught.value.retry_after == 121
    assert clock.sleeps == []
    assert len(emulator.requests) == 1


async def test_a_wait_that_ends_behind_the_deadline_is_not_begun(session, emulator, clock):
    emulator.fail(status=503, retry_after=20)

    with pytest.raises(RequestTimeoutError) as caught:
        await session.complete("Hi", timeouts=Timeouts(deadline=10))

    assert caught.value.phase == "deadline"
    assert isinstance(caught.value.__cause__, ServerError)
    assert clock.sleeps == []


async def test_what_was_tried_is_on_the_result(session, emulator):
    emulator.fail(status=503)

    completion = await session.complete("Hi")

    first, second = completion.attempts
    assert (first.number, first.delay) == (1, 0.25)
    assert "503" in first.cause
    assert (second.number, second.cause, second.delay) == (2, None, 0.0)


# --- reused connections -------------------------------------------------------------------------


class Forgetful:
    """A server that closes each connection at its second request, without a byte."""

    def __init__(self, answers=1) -> None:
        self.seen = 0
        self._answers = answers

    async def __call__(self, _, writer):
        self.seen += 1
        if self.seen == self._answers + 1:
            writer.close()
            return
        body = b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def test_a_reused_connection_that_dies_without_a_byte_is_replaced_at_once(clock):
    async with (
        serving(Forgetful()) as server,
        session_on(clock, server.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        await session.complete("One")
        completion = await session.complete("Two")

    assert len(server.requests) == 3
    assert clock.sleeps == []
    assert [attempt.number for attempt in completion.attempts] == [1]


async def test_a_new_connection_that_dies_without_a_byte_is_not(clock):
    async with (
        serving(Forgetful(answers=0)) as server,
        session_on(clock, server.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        with pytest.raises(ConnectionFailedError):
            await session.complete("One")

    assert len(server.requests) == 1


async def test_a_reused_connection_that_dies_within_the_head_is_not(clock):
    async def half(_, writer):
        if len(server.requests) == 1:
            body = b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-")
            writer.close()

    async with (
        serving(half) as server,
        session_on(clock, server.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        await session.complete("One")
        with pytest.raises(ConnectionFailedError) as caught:
            await session.complete("Two")

    assert caught.value.sent
    assert len(server.requests) == 2


# --- hooks, log and budget ----------------------------------------------------------------------


async def test_on_retry_gets_one_record_for_each_further_try(emulator, clock):
    records = []
    emulator.fail(status=429, retry_after=2)
    async with session_on(clock, emulator.base_url, on_retry=records.append) as session:
        completion = await session.complete("Hi", client_request_id="mine")

    (record,) = records
    assert isinstance(record, RetryRecord)
    assert (record.attempt, record.delay, record.client_request_id) == (1, 2.25, "mine")
    assert isinstance(record.error, RateLimitError)
    assert record.model == "anthropic/claude-3.7-sonnet"
    assert len(completion.attempts) == 2


async def test_a_hook_that_fails_is_logged_and_breaks_nothing(emulator, clock, caplog):
    def broken(_):
        raise KeyError

    emulator.fail(status=500)
    async with session_on(clock, emulator.base_url, on_retry=broken, on_finish=broken) as session:
        await session.complete("Hi")

    assert [record.name for record in caplog.records] == ["aimlchat", "aimlchat"]


async def test_the_log_holds_no_content(emulator, clock, caplog):
    caplog.set_level(logging.DEBUG, "aimlchat")
    emulator.fail(status=500, message="cannot answer SECRET-QUESTION")
    emulator.reply("SECRET-ANSWER")
    async with session_on(clock, emulator.base_url) as session:
        await session.complete("SECRET-QUESTION")

    assert "ServerError 500" in caplog.text
    assert "complete" in caplog.text
    assert "SECRET" not in caplog.text
    assert "test-key" not in caplog.text


async def test_when_most_fails_no_more_is_tried_again(session, emulator):
    for _ in range(60):
        emulator.fail(status=500)

    tries = []
    for _ in range(10):
        with pytest.raises(ServerError) as caught:
            await session.complete("Hi")
        tries.append(len(caught.value.attempts))

    assert tries[:6] == [3] * 6
    assert set(tries[7:]) == {1}
    assert "most of what this session tried" in caught.value.__notes__[0]


async def test_one_failure_in_four_is_never_felt(session, emulator):
    for _ in range(60):
        emulator.fail(status=500)
        completion = await session.complete("Hi")
        assert len(completion.attempts) == 2
        for _ in range(2):
            await session.complete("Hi")


async def test_an_error_that_was_tried_again_survives_pickling(session, emulator):
    for _ in range(3):
        emulator.fail(status=503)

    with pytest.raises(ServerError) as caught:
        await session.complete("Hi")

    assert pickle.loads(pickle.dumps(caught.value)).attempts == caught.value.attempts


async def test_a_closed_session_does_not_try_again(clock):
    async def think(reader, writer):
        writer.write(CHUNKED + http_chunk(b": thinking\n\n"))
        await reader.read()
        raise ConnectionResetError

    async with serving(think) as server, session_on(clock, server.base_url) as session:
        stream = await session.stream("Hi").__aenter__()
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await session.close()
        with pytest.raises(StreamInterruptedError):
            await reading

    assert len(server.requests) == 1


def test_delays_are_data():
    policy = RetryPolicy(attempts=6, base_delay=0.5, max_delay=4)

    assert list(policy.delays(lambda: 1.0)) == [0.5, 1, 2, 4, 4]
    assert list(RetryPolicy(attempts=1).delays(lambda: 1.0)) == []
