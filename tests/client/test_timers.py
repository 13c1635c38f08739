"""The six clocks: each ends what it watches, and nothing else."""

import asyncio
import socket

import pytest
from clockwork import Clockwork, session_on
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import Limits, RequestTimeoutError, RetryPolicy, Timeouts

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
PING = b": ping\n\n"
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def clock():
    return Clockwork()


class Slow:
    """A server that sends what the test tells it to, when it tells it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._writer = None
        self.requests = 0

    async def __call__(self, reader, writer):
        self._writer = writer
        self.requests += 1
        self.asked.set()
        await reader.read()
        raise ConnectionResetError

    async def send(self, data, client):
        """Send, and return once the client has taken it in."""
        self._writer.write(data)
        await self._writer.drain()
        # Bytes on loopback are there at once; the client's loop, this one, has to look at them.
        for _ in range(5):
            await asyncio.sleep(0)
        assert client is None or not client.done()


@pytest.fixture
async def slow():
    handler = Slow()
    async with serving(handler) as server:
        handler.base_url = server.base_url
        handler.gone = server.gone
        yield handler


async def begun(slow, call):
    """Start a call and return once the server has its request."""
    task = asyncio.ensure_future(call)
    await slow.asked.wait()
    slow.asked.clear()
    await turn()
    return task


async def turn():
    for _ in range(5):
        await asyncio.sleep(0)


async def phase_of(task):
    with pytest.raises(RequestTimeoutError) as caught:
        await task
    assert isinstance(caught.value, TimeoutError)
    return caught.value.phase


# --- first token --------------------------------------------------------------------------------


async def test_a_whole_answer_without_a_head_is_too_slow(clock, slow):
    async with session_on(clock, slow.base_url) as session:
        call = await begun(slow, session.complete("Hi"))
        clock.advance(299)
        await turn()
        assert not call.done()
        clock.advance(2)

        assert await phase_of(call) == "first_token"
        await slow.gone.wait()
    assert slow.requests == 1  # the model works on it, and it will be billed


async def test_a_stream_without_a_head_is_tried_again(clock, slow):
    async with session_on(clock, slow.base_url, retry=RetryPolicy(attempts=2)) as session:
        call = await begun(slow, session.stream("Hi").collect())
        clock.advance(301)
        await slow.asked.wait()
        await turn()
        clock.advance(301)

        assert await phase_of(call) == "first_token"
    assert slow.requests == 2


@pytest.mark.parametrize("sign", [PING, ROLE, b"data: {}\n\n"])
async def test_pings_and_empty_chunks_are_no_first_token(clock, slow, sign):
    async with session_on(clock, slow.base_url, retry=ONCE) as session:
        call = await begun(slow, session.stream("Hi").collect())
        await slow.send(CHUNKED, call)
        for _ in range(29):
            clock.advance(10)
            await slow.send(http_chunk(sign), call)
        clock.advance(11)

        assert await phase_of(call) == "first_token"
        await slow.gone.wait()


async def test_a_model_that_thinks_for_two_minutes_is_waited_for(clock, slow):
    async with session_on(clock, slow.base_url) as session:
        call = await begun(slow, session.stream("Hi").collect())
        clock.advance(120)
        await slow.send(CHUNKED, call)
        clock.advance(120)
        await slow.send(http_chunk(content("Hello", '"stop"')) + b"0\r\n\r\n", None)

        assert (await call).text == "Hello"


async def test_the_clock_of_the_first_token_stands_still_between_head_and_reading(clock, slow):
    async with session_on(clock, slow.base_url, retry=ONCE) as session:
        stream = session.stream("Hi")
        entering = await begun(slow, stream.__aenter__())
        clock.advance(200)
        await slow.send(CHUNKED, None)
        await entering
        clock.advance(1000)  # the caller is busy
        reading = asyncio.ensure_future(anext(stream))
        await turn()
        clock.advance(99)
        await turn()
        assert not reading.done()
        clock.advance(2)

        assert await phase_of(reading) == "first_token"


# --- next token ---------------------------------------------------------------------------------


async def test_pings_over_a_dead_model_end(clock, slow):
    async with session_on(clock, slow.base_url) as session:
        stream = session.stream("Hi")
        reading = await begun(slow, anext(stream))
        await slow.send(CHUNKED + http_chunk(content("One")), None)
        assert (await reading).text == "One"
        reading = asyncio.ensure_future(anext(stream))
        await turn()
        for _ in range(30):
            clock.advance(9.99)
            await slow.send(http_chunk(PING), reading)
        clock.advance(1)

        assert await phase_of(reading) == "next_token"
        assert stream.partial.text == "One"
        await slow.gone.wait()


async def test_each_token_starts_the_clock_anew(clock, slow):
    async with session_on(clock, slow.base_url) as session:
        stream = session.stream("Hi")
        reading = await begun(slow, anext(stream))
        await slow.send(CHUNKED + http_chunk(content("One")), None)
        await reading
        for _ in range(5):
            reading = asyncio.ensure_future(anext(stream))
            await turn()
            clock.advance(299)
            await slow.send(http_chunk(content("more")), None)
            assert (await reading).text == "more"
        await stream.aclose()


async def test_a_caller_who_holds_a_delta_is_not_hurried(clock, slow):
    async with session_on(clock, slow.base_url) as session:
        stream = session.stream("Hi")
        reading = await begun(slow, anext(stream))
        await slow.send(CHUNKED + http_chunk(content("One")), None)
        await reading
        clock.advance(100_000)
        reading = asyncio.ensure_future(anext(stream))
        await turn()
        await slow.send(http_chunk(content("Two")), None)

        assert (await reading).text == "Two"
        await stream.aclose()


# --- idle ---------------------------------------------------------------------------------------


async def test_silence_between_bytes_ends_a_stream(clock, slow):
    times = Timeouts(idle=20)
    async with session_on(clock, slow.base_url, timeouts=times, retry=ONCE) as session:
        call = await begun(slow, session.stream("Hi").collect())
        await slow.send(CHUNKED, call)
        clock.advance(19)
        await slow.send(http_chunk(PING), call)
        clock.advance(19)
        await slow.send(http_chunk(PING), call)
        clock.advance(21)

        assert await phase_of(call) == "idle"


async def test_silence_in_the_middle_of_a_whole_answer_ends_it(clock, slow):
    async with session_on(clock, slow.base_url) as session:
        call = await begun(slow, session.complete("Hi"))
        clock.advance(200)
        await slow.send(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"choices":', call)
        clock.advance(299)
        await slow.send(b"[", call)
        clock.advance(301)

        assert await phase_of(call) == "idle"
    assert slow.requests == 1


# --- deadline -----------------------------------------------------------------------------------


async def test_the_deadline_holds_over_all_tries_and_waits(clock, slow):
    times = Timeouts(deadline=30, first_token=12)
    policy = RetryPolicy(attempts=9, base_delay=2, max_delay=2)
    async with session_on(clock, slow.base_url, timeouts=times, retry=policy) as session:
        call = await begun(slow, session.stream("Hi").collect())
        start = clock.now
        for _ in range(2):
            clock.advance(12.5)
            await slow.asked.wait()
            slow.asked.clear()
            await turn()
        clock.advance(12)

        assert await phase_of(call) == "deadline"
        assert clock.now - start < 40


async def test_the_deadline_runs_while_the_caller_holds_a_delta(clock, slow):
    times = Timeouts(deadline=30)
    async with session_on(clock, slow.base_url, timeouts=times) as session:
        stream = session.stream("Hi")
        reading = await begun(slow, anext(stream))
        await slow.send(CHUNKED + http_chunk(content("One")), None)
        await reading
        clock.advance(31)
        await slow.gone.wait()  # at once, though nobody reads

        assert await phase_of(asyncio.ensure_future(anext(stream))) == "deadline"
        assert stream.partial.text == "One"


async def test_what_had_come_before_the_deadline_is_handed_out(clock, slow):
    async with session_on(clock, slow.base_url, timeouts=Timeouts(deadline=30)) as session:
        stream = session.stream("Hi")
        reading = await begun(slow, anext(stream))
        await slow.send(CHUNKED + http_chunk(content("One")), None)
        await reading
        await slow.send(http_chunk(content("Two")), None)
        clock.advance(31)

        assert (await anext(stream)).text == "Two"
        assert await phase_of(asyncio.ensure_future(anext(stream))) == "deadline"


async def test_an_answer_that_is_there_at_the_deadline_is_complete(clock, slow):
    async with session_on(clock, slow.base_url, timeouts=Timeouts(deadline=30)) as session:
        stream = session.stream("Hi")
        reading = await begun(slow, anext(stream))
        await slow.send(CHUNKED + http_chunk(content("One")), None)
        await reading
        await slow.send(http_chunk(content("Two", '"stop"')), None)
        clock.advance(31)

        assert (await stream.collect()).text == "OneTwo"


# --- queue and connect --------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [Limits(concurrency=1), Limits(max_connections=1)])
async def test_the_wait_for_the_sessions_own_limits_is_the_queue(clock, slow, limits):
    times = Timeouts(queue=5)
    async with session_on(clock, slow.base_url, limits=limits, timeouts=times) as session:
        first = await begun(slow, session.complete("One"))
        second = asyncio.ensure_future(session.complete("Two"))
        await turn()
        clock.advance(6)

        assert await phase_of(second) == "queue"
        assert not first.done()
        first.cancel()
    assert slow.requests == 1


async def test_a_place_that_is_given_up_goes_to_the_next(clock, slow):
    async with session_on(clock, slow.base_url, limits=Limits(concurrency=1)) as session:
        first = await begun(slow, session.stream("One").collect())
        second = asyncio.ensure_future(session.stream("Two").collect())
        await turn()
        assert slow.requests == 1
        first.cancel()
        await slow.asked.wait()

        assert slow.requests == 2
        second.cancel()


async def test_a_connection_that_nobody_takes_is_a_connect_timeout():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        host, port = deaf.getsockname()
        with socket.create_connection((host, port)), socket.socket() as third:
            third.settimeout(0)
            third.connect_ex((host, port))  # the backlog is full: no handshake is answered now
            times = Timeouts(connect=0.05)
            url = f"http://{host}:{port}/v1"
            async with session_on(Clockwork(), url, timeouts=times, retry=ONCE) as session:
                call = asyncio.ensure_future(session.complete("Hi"))

                assert await phase_of(call) == "connect"


# --- what the clocks cost -----------------------------------------------------------------------


async def test_no_timer_is_made_for_a_read(clock, slow):
    async with session_on(clock, slow.base_url) as session:
        stream = session.stream("Hi")
        reading = await begun(slow, anext(stream))
        await slow.send(CHUNKED + http_chunk(content("One")), None)
        await reading
        made = []
        clock.call_later = lambda *asked: made.append(asked)
        for _ in range(20):
            reading = asyncio.ensure_future(anext(stream))
            await turn()
            clock.advance(0.05)
            await slow.send(http_chunk(content("more")), None)
            await reading

        assert made == []
        del clock.call_later
        await stream.aclose()


async def test_no_clock_runs_once_a_call_is_over(clock, emulator):
    async with session_on(clock, emulator.base_url) as session:
        await session.complete("Hi")
        await session.stream("Hi").collect()
        clock.advance(1_000)

        assert clock.timers == 0


async def test_no_limit_is_no_timer(clock, emulator):
    none = Timeouts(connect=None, first_token=None, next_token=None, idle=None)
    async with session_on(clock, emulator.base_url, timeouts=none) as session:
        await session.complete("Hi")

        assert clock.timers == 0
