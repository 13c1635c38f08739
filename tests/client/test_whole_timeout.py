"""Bodies that trickle: a whole response has a timeout of its own, an error's body five seconds."""

import asyncio

import pytest
from clockwork import Clockwork, session_on
from delivery import run_pending, wait_until_sent
from raw_server import serving

from aimlchat import APIError, RequestTimeoutError, RetryPolicy, ServerError, Timeouts
from aimlchat.batch.batches_api import fetch_results

ONCE = RetryPolicy(attempts=1)
BODY = b'{"data": [], "choices": [{"message": {"content": "%s"}, "finish_reason": "stop"}]}'


class TricklingServer:
    """A server that sends its headers, and then a space of the body every so many seconds."""

    def __init__(self, clock, *, status=200, every=0.3, end=None, headers=True) -> None:
        self._clock = clock
        self._headers = b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status
        self._pieces = [self._headers] if headers else [b""]
        self._every = every
        self._end = end  # after how many seconds the body ends
        self.requests = 0

    async def __call__(self, reader, writer):
        self.requests += 1
        began = self._clock.now
        if not self._pieces[0]:
            await reader.read()
            raise ConnectionResetError
        writer.write(self._headers)
        while not reader.at_eof():
            await wait_until_sent(writer)
            await run_pending()
            self._clock.advance(self._every)
            if self._end is not None and self._clock.now - began > self._end:
                writer.write(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
                return
            writer.write(b"1\r\n \r\n")
        raise ConnectionResetError


CALLS = {
    "complete": lambda session: session.complete("Hi"),
    "models": lambda session: session.models(),
    "results of a batch": lambda session: fetch_results(session, "b1"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("timeouts", [Timeouts(), Timeouts(1, 1, 1, 1, 1, whole=12)], ids=repr)
async def test_a_whole_response_that_trickles_ends_and_is_not_requested_again(call, timeouts):
    clock = Clockwork()
    handler = TricklingServer(clock, every=min(timeouts.idle, 30) / 2)
    async with (
        serving(handler) as server,
        session_on(clock, server.base_url, timeouts=timeouts) as session,
    ):
        began = clock.now
        with pytest.raises(RequestTimeoutError, match="not whole within") as caught:
            await call(session)
        await server.gone.wait()

    assert caught.value.phase == "whole"
    assert clock.now - began == pytest.approx(timeouts.whole, abs=timeouts.idle)
    assert handler.requests == 1


async def test_it_runs_from_the_sending_of_the_attempt():
    clock = Clockwork()
    handler = TricklingServer(clock, headers=False)
    async with (
        serving(handler) as server,
        session_on(clock, server.base_url, timeouts=Timeouts(whole=12)) as session,
    ):
        call = asyncio.ensure_future(session.complete("Hi"))
        await server.requested.wait()
        await run_pending()
        clock.advance(11)
        await run_pending()
        assert not call.done()
        clock.advance(2)
        with pytest.raises(RequestTimeoutError) as caught:
            await call

    assert caught.value.phase == "whole"
    assert caught.value.attempts[0].sent


async def test_each_attempt_has_its_own():
    clock = Clockwork()

    async def respond(_, writer):
        if len(server.requests) < 3:
            clock.advance(8)
            writer.write(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")
        else:
            clock.advance(8)
            body = BODY % b"ok"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    timeouts = Timeouts(whole=12)
    async with (
        serving(respond) as server,
        session_on(clock, server.base_url, timeouts=timeouts) as session,
    ):
        assert (await session.complete("Hi")).text == "ok"


async def test_a_stream_is_not_limited_by_it():
    clock = Clockwork()

    async def respond(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for text in ("a", "b"):
            event = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % text.encode()
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await wait_until_sent(writer)
            await run_pending()
            clock.advance(20)
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    timeouts = Timeouts(whole=12)
    async with (
        serving(respond) as server,
        session_on(clock, server.base_url, timeouts=timeouts) as session,
    ):
        assert (await session.stream("Hi").collect()).text == "ab"


# --- the body of an error -------------------------------------------------------------------------


@pytest.mark.parametrize("is_stream", [False, True])
async def test_the_body_of_an_error_has_five_seconds_in_all(is_stream):
    clock = Clockwork()
    handler = TricklingServer(clock, status=503)
    async with (
        serving(handler) as server,
        session_on(clock, server.base_url, retry=ONCE) as session,
    ):
        began = clock.now
        call = session.stream("Hi").collect() if is_stream else session.complete("Hi")
        with pytest.raises(ServerError, match="did not end within 5 s"):
            await call
        await server.gone.wait()

    assert clock.now - began == pytest.approx(5, abs=1)


async def test_a_body_of_an_error_that_takes_four_seconds_is_read():
    clock = Clockwork()
    handler = TricklingServer(clock, status=400, end=4)
    async with (
        serving(handler) as server,
        session_on(clock, server.base_url, retry=ONCE) as session,
    ):
        with pytest.raises(APIError) as caught:
            await session.complete("Hi")

    assert caught.value.body == {}


async def test_an_error_whose_body_trickles_is_retried_like_any_other():
    clock = Clockwork()
    handler = TricklingServer(clock, status=503)
    async with serving(handler) as server, session_on(clock, server.base_url) as session:
        with pytest.raises(ServerError) as caught:
            await session.complete("Hi")

    assert handler.requests == len(caught.value.attempts) == 3
