"""Only a reused connection that dies before the first byte is replaced at once."""

import asyncio

import pytest
from clockwork import Clockwork, session_on
from raw_server import serving
from virtual_time import run_in_virtual_time

from aimlchat import ChatSession, ConnectionFailedError, RetryPolicy
from aimlchat.batch.batches_api import create_batch

BODY = b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


@pytest.fixture
def clock():
    return Clockwork()


class ClosesAtSecondRequest:
    """A server that closes a connection without a byte when the next request has arrived."""

    def __init__(self, answers=1) -> None:
        self.seen = 0
        self._answers = answers

    async def __call__(self, _, writer):
        self.seen += 1
        if self.seen == self._answers + 1:
            writer.close()
            return
        writer.write(RESPONSE)


async def test_a_reused_connection_that_dies_without_a_byte_is_replaced_at_once(clock):
    async with (
        serving(ClosesAtSecondRequest()) as server,
        session_on(clock, server.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        await session.complete("One")
        await session.complete("Two")

    assert len(server.requests) == 3
    assert clock.sleeps == []


async def test_a_replaced_connection_is_an_attempt_that_was_sent_and_is_reported(clock):
    retries = []
    async with (
        serving(ClosesAtSecondRequest()) as server,
        session_on(
            clock, server.base_url, retry=RetryPolicy(attempts=1), on_retry=retries.append
        ) as session,
    ):
        await session.complete("One")
        completion = await session.complete("Two")

    first, second = completion.attempts
    assert (first.number, first.sent, first.delay) == (1, True, 0.0)
    assert "the connection broke before a response" in first.cause
    assert (second.number, second.cause) == (2, None)
    (record,) = retries
    assert (record.attempt, record.delay) == (1, 0.0)
    assert isinstance(record.error, ConnectionFailedError)


class WorksThreeSeconds:
    """A server that works on each request but the first, and then closes without a byte."""

    def __init__(self) -> None:
        self.seen = 0

    async def __call__(self, _, writer):
        self.seen += 1
        if self.seen > 1:
            await asyncio.sleep(3)
            writer.close()
        else:
            writer.write(RESPONSE)


@pytest.mark.parametrize(
    "send", [lambda session: session.complete("Two"), lambda session: session.models()]
)
def test_a_reused_connection_that_dies_after_half_a_second_is_not_replaced(send):
    """The server may have worked on the request by then, and the account has been charged."""

    async def send_two():
        async with (
            serving(WorksThreeSeconds()) as server,
            ChatSession("key", base_url=server.base_url, retry=RetryPolicy(attempts=1)) as session,
        ):
            await session.complete("One")
            with pytest.raises(ConnectionFailedError) as caught:
                await send(session)
        return server.requests, caught.value

    requests, error = run_in_virtual_time(send_two())

    assert len(requests) == 2
    assert [(attempt.number, attempt.sent) for attempt in error.attempts] == [(1, True)]


async def test_the_creation_of_a_batch_is_never_sent_twice(clock):
    async with (
        serving(ClosesAtSecondRequest()) as server,
        session_on(clock, server.base_url) as session,
    ):
        await session.complete("One")
        with pytest.raises(ConnectionFailedError) as caught:
            await create_batch(session, [b"{}"])

    assert caught.value.sent
    assert len(server.requests) == 2


async def test_a_new_connection_that_dies_without_a_byte_is_not_replaced(clock):
    async with (
        serving(ClosesAtSecondRequest(answers=0)) as server,
        session_on(clock, server.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        with pytest.raises(ConnectionFailedError):
            await session.complete("One")

    assert len(server.requests) == 1


async def test_a_reused_connection_that_dies_within_the_response_headers_is_not_replaced(clock):
    async def half(_, writer):
        if len(server.requests) == 1:
            writer.write(RESPONSE)
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
