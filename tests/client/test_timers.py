"""The timeouts of a call: each ends only the wait that it limits."""

import asyncio
import socket

import pytest
from clockwork import Clockwork, session_on
from delivery import HANG, run_pending, wait_until_sent
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import (
    ChatSession,
    Limits,
    RequestTimeoutError,
    RetryPolicy,
    Timeouts,
    TransportError,
)

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
PING = b": ping\n\n"
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def clock():
    return Clockwork()


class ScriptedServer:
    """A server that sends what the test gives it, when the test gives it."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self._writer = None
        self.requests = 0

    async def __call__(self, reader, writer):
        self._writer = writer
        self.requests += 1
        self.requested.set()
        await reader.read()
        raise ConnectionResetError

    async def send(self, data, client):
        """Send, return once the client has read it, and check that this did not end its task."""
        self._writer.write(data)
        await wait_until_sent(self._writer)
        await run_pending()
        assert client is None or not client.done()


@pytest.fixture
async def server():
    handler = ScriptedServer()
    async with serving(handler) as server:
        handler.base_url = server.base_url
        handler.gone = server.gone
        yield handler


async def start(server, call):
    """Start a call and return its task once the server has the request."""
    task = asyncio.ensure_future(call)
    await server.requested.wait()
    server.requested.clear()
    await run_pending()
    return task


async def phase_of(task):
    with pytest.raises(RequestTimeoutError) as caught:
        await task
    assert isinstance(caught.value, TimeoutError)
    return caught.value.phase


# --- first token --------------------------------------------------------------------------------


async def test_a_whole_response_without_headers_times_out(clock, server):
    async with session_on(clock, server.base_url) as session:
        call = await start(server, session.complete("Hi"))
        clock.advance(299)
        await run_pending()
        assert not call.done()
        clock.advance(2)

        assert await phase_of(call) == "first_token"
        await server.gone.wait()
    assert server.requests == 1  # no retry: the model is at work, and the response will be billed


async def test_a_stream_without_response_headers_is_retried(clock, server):
    async with session_on(clock, server.base_url, retry=RetryPolicy(attempts=2)) as session:
        call = await start(server, session.stream("Hi").collect())
        clock.advance(301)
        await server.requested.wait()
        await run_pending()
        clock.advance(301)

        assert await phase_of(call) == "first_token"
    assert server.requests == 2


@pytest.mark.parametrize("sign", [PING, ROLE, b"data: {}\n\n"])
async def test_pings_and_empty_chunks_do_not_count_as_the_first_token(clock, server, sign):
    async with session_on(clock, server.base_url, retry=ONCE) as session:
        call = await start(server, session.stream("Hi").collect())
        await server.send(CHUNKED, call)
        for _ in range(29):
            clock.advance(10)
            await server.send(http_chunk(sign), call)
        clock.advance(11)

        assert await phase_of(call) == "first_token"
        await server.gone.wait()


async def test_a_model_may_think_for_two_minutes(clock, server):
    async with session_on(clock, server.base_url) as session:
        call = await start(server, session.stream("Hi").collect())
        clock.advance(120)
        await server.send(CHUNKED, call)
        clock.advance(120)
        await server.send(http_chunk(content("Hello", '"stop"')) + b"0\r\n\r\n", None)

        assert (await call).text == "Hello"


async def test_the_first_token_timeout_pauses_between_the_response_headers_and_the_first_read(
    clock, server
):
    async with session_on(clock, server.base_url, retry=ONCE) as session:
        stream = session.stream("Hi")
        entering = await start(server, stream.__aenter__())
        clock.advance(200)
        await server.send(CHUNKED, None)
        await entering
        clock.advance(1000)  # the caller does something else
        reading = asyncio.ensure_future(anext(stream))
        await run_pending()
        clock.advance(99)
        await run_pending()
        assert not reading.done()
        clock.advance(2)

        assert await phase_of(reading) == "first_token"


# --- next token ---------------------------------------------------------------------------------


async def test_pings_without_a_further_token_time_out(clock, server):
    async with session_on(clock, server.base_url) as session:
        stream = session.stream("Hi")
        reading = await start(server, anext(stream))
        await server.send(CHUNKED + http_chunk(content("One")), None)
        assert (await reading).text == "One"
        reading = asyncio.ensure_future(anext(stream))
        await run_pending()
        for _ in range(30):
            clock.advance(9.99)
            await server.send(http_chunk(PING), reading)
        clock.advance(1)

        assert await phase_of(reading) == "next_token"
        assert stream.partial.text == "One"
        await server.gone.wait()


async def test_each_token_restarts_the_next_token_timeout(clock, server):
    async with session_on(clock, server.base_url) as session:
        stream = session.stream("Hi")
        reading = await start(server, anext(stream))
        await server.send(CHUNKED + http_chunk(content("One")), None)
        await reading
        for _ in range(5):
            reading = asyncio.ensure_future(anext(stream))
            await run_pending()
            clock.advance(299)
            await server.send(http_chunk(content("more")), None)
            assert (await reading).text == "more"
        await stream.aclose()


async def test_no_timeout_runs_while_the_caller_handles_a_delta(clock, server):
    async with session_on(clock, server.base_url) as session:
        stream = session.stream("Hi")
        reading = await start(server, anext(stream))
        await server.send(CHUNKED + http_chunk(content("One")), None)
        await reading
        clock.advance(100_000)
        reading = asyncio.ensure_future(anext(stream))
        await run_pending()
        await server.send(http_chunk(content("Two")), None)

        assert (await reading).text == "Two"
        await stream.aclose()


# --- idle ---------------------------------------------------------------------------------------


async def test_silence_between_bytes_ends_a_stream(clock, server):
    times = Timeouts(idle=20)
    async with session_on(clock, server.base_url, timeouts=times, retry=ONCE) as session:
        call = await start(server, session.stream("Hi").collect())
        await server.send(CHUNKED, call)
        clock.advance(19)
        await server.send(http_chunk(PING), call)
        clock.advance(19)
        await server.send(http_chunk(PING), call)
        clock.advance(21)

        assert await phase_of(call) == "idle"


async def test_silence_within_a_whole_body_ends_it(clock, server):
    async with session_on(clock, server.base_url) as session:
        call = await start(server, session.complete("Hi"))
        clock.advance(200)
        await server.send(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"choices":', call)
        clock.advance(299)
        await server.send(b"[", call)
        clock.advance(301)

        assert await phase_of(call) == "idle"
    assert server.requests == 1


# --- deadline -----------------------------------------------------------------------------------


async def test_the_deadline_covers_all_attempts_and_delays(clock, server):
    times = Timeouts(deadline=30, first_token=12)
    policy = RetryPolicy(attempts=9, base_delay=2, max_delay=2)
    async with session_on(clock, server.base_url, timeouts=times, retry=policy) as session:
        call = await start(server, session.stream("Hi").collect())
        began = clock.now
        for _ in range(2):
            clock.advance(12.5)
            await server.requested.wait()
            server.requested.clear()
            await run_pending()
        clock.advance(12)

        assert await phase_of(call) == "deadline"
        assert clock.now - began < 40


async def test_the_deadline_runs_while_the_caller_handles_a_delta(clock, server):
    times = Timeouts(deadline=30)
    async with session_on(clock, server.base_url, timeouts=times) as session:
        stream = session.stream("Hi")
        reading = await start(server, anext(stream))
        await server.send(CHUNKED + http_chunk(content("One")), None)
        await reading
        clock.advance(31)
        await server.gone.wait()  # although the stream is not being read

        assert await phase_of(asyncio.ensure_future(anext(stream))) == "deadline"
        assert stream.partial.text == "One"


async def test_what_arrived_before_the_deadline_is_yielded(clock, server):
    async with session_on(clock, server.base_url, timeouts=Timeouts(deadline=30)) as session:
        stream = session.stream("Hi")
        reading = await start(server, anext(stream))
        await server.send(CHUNKED + http_chunk(content("One")), None)
        await reading
        await server.send(http_chunk(content("Two")), None)
        clock.advance(31)

        assert (await anext(stream)).text == "Two"
        assert await phase_of(asyncio.ensure_future(anext(stream))) == "deadline"


async def test_a_stream_that_has_arrived_by_the_deadline_is_complete(clock, server):
    async with session_on(clock, server.base_url, timeouts=Timeouts(deadline=30)) as session:
        stream = session.stream("Hi")
        reading = await start(server, anext(stream))
        await server.send(CHUNKED + http_chunk(content("One")), None)
        await reading
        await server.send(http_chunk(content("Two", '"stop"')), None)
        clock.advance(31)

        assert (await stream.collect()).text == "OneTwo"


# --- queue and connect --------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [Limits(concurrency=1), Limits(max_connections=1)])
async def test_the_queue_timeout_limits_the_wait_for_the_limits_of_the_session(
    clock, server, limits
):
    times = Timeouts(queue=5)
    async with session_on(clock, server.base_url, limits=limits, timeouts=times) as session:
        first = await start(server, session.complete("One"))
        second = asyncio.ensure_future(session.complete("Two"))
        await run_pending()
        clock.advance(6)

        assert await phase_of(second) == "queue"
        assert not first.done()
        first.cancel()
    assert server.requests == 1


async def test_the_slot_of_a_cancelled_call_goes_to_the_next(clock, server):
    async with session_on(clock, server.base_url, limits=Limits(concurrency=1)) as session:
        first = await start(server, session.stream("One").collect())
        second = asyncio.ensure_future(session.stream("Two").collect())
        await run_pending()
        assert server.requests == 1
        first.cancel()
        await server.requested.wait()

        assert server.requests == 2
        second.cancel()


async def test_a_connection_that_is_never_accepted_is_a_connect_timeout():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        host, port = busy.getsockname()
        with socket.create_connection((host, port)), socket.socket() as third:
            third.settimeout(0)
            third.connect_ex((host, port))  # the backlog is full: the kernel answers no handshake
            times = Timeouts(connect=0.05)
            url = f"http://{host}:{port}/v1"
            async with session_on(Clockwork(), url, timeouts=times, retry=ONCE) as session:
                call = asyncio.ensure_future(session.complete("Hi"))

                assert await phase_of(call) == "connect"


# --- the cost of timeouts -----------------------------------------------------------------------


async def test_a_read_sets_no_timer(clock, server):
    async with session_on(clock, server.base_url) as session:
        stream = session.stream("Hi")
        reading = await start(server, anext(stream))
        await server.send(CHUNKED + http_chunk(content("One")), None)
        await reading
        timers = []
        clock.call_later = lambda *timer: timers.append(timer)
        for _ in range(20):
            reading = asyncio.ensure_future(anext(stream))
            await run_pending()
            clock.advance(0.05)
            await server.send(http_chunk(content("more")), None)
            await reading

        assert timers == []
        del clock.call_later
        await stream.aclose()


async def test_no_timer_is_left_after_a_call(clock, emulator):
    async with session_on(clock, emulator.base_url) as session:
        await session.complete("Hi")
        await session.stream("Hi").collect()
        clock.advance(1_000)

        assert clock.timers == 0


async def test_a_call_without_timeouts_sets_no_timer(clock, emulator):
    none = Timeouts(connect=None, first_token=None, next_token=None, idle=None, whole=None)
    async with session_on(clock, emulator.base_url, timeouts=none) as session:
        await session.complete("Hi")

        assert clock.timers == 0


async def test_a_connect_timeout_of_zero_ends_the_call():
    async with ChatSession(
        "test-key", base_url="http://127.0.0.1:9/v1", timeouts=Timeouts(connect=0), retry=ONCE
    ) as session:
        with pytest.raises(TransportError):
            await asyncio.wait_for(session.complete("Hi"), HANG)
