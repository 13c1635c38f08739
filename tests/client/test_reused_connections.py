"""Only a reused connection that dies before the first byte is replaced at once."""

import pytest
from clockwork import Clockwork, session_on
from raw_server import serving

from aimlchat import ConnectionFailedError, RetryPolicy


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
        body = b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def test_a_reused_connection_that_dies_without_a_byte_is_replaced_at_once(clock):
    async with (
        serving(ClosesAtSecondRequest()) as server,
        session_on(clock, server.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        await session.complete("One")
        completion = await session.complete("Two")

    assert len(server.requests) == 3
    assert clock.sleeps == []
    assert [attempt.number for attempt in completion.attempts] == [1]


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
