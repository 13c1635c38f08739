"""A page that reads slowly or not at all is bounded, and delays no other page."""

import asyncio
import contextlib
import json

import pytest
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import ChatSession
from aimlchat.relay import Broadcast, PageTooSlowError, relay


class SlowPage:
    """A page, as a callable, that accepts nothing until ``reads`` is set."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.frames = []

    async def __call__(self, text):
        await self.reads.wait()
        self.frames.append(json.loads(text))


async def test_a_slow_page_gets_waiting_deltas_in_one_frame(emulator):
    emulator.reply(chunks=["One ", "two ", "three"], reasoning="Hm.", pace=0.001)
    page, call_records = SlowPage(), asyncio.Queue()

    async with ChatSession(
        "k", base_url=emulator.base_url, on_finish=call_records.put_nowait
    ) as session:
        relaying = asyncio.create_task(relay(session.stream("Go"), page))
        record = await call_records.get()  # the page did not delay the upstream
        page.reads.set()
        completion = await relaying

    assert record.outcome == "complete"
    assert completion.text == "One two three"
    assert [frame["type"] for frame in page.frames] == [
        "start",
        "start-step",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "text-start",
        "text-delta",
        "text-end",
        "finish-step",
        "finish",
    ]
    assert page.frames[6]["delta"] == "One two three"


async def test_too_much_that_waits_for_a_page_ends_the_relay_and_the_call(emulator, session):
    emulator.reply(chunks=["0123456789"] * 1000, pace=0.001)

    with pytest.raises(PageTooSlowError, match=r"more than 500 characters.*max_buffer") as caught:
        await relay(session.stream("Go"), SlowPage(), max_buffer=500)
    await emulator.requests[0].finished()

    assert emulator.requests[0].outcome == "left"
    assert 0 < len(caught.value.partial.text) < 10_000


@pytest.mark.parametrize("broadcasts", [True, False])
async def test_the_error_about_a_slow_page_hides_what_the_server_has_echoed(broadcasts):
    async def echo(reader, writer):
        headers = CHUNKED.replace(b"\r\n\r\n", b"\r\nX-Echo: sk-very-secret\r\n\r\n")
        writer.write(headers + http_chunk(content("x" * 1000)))
        await reader.read()

    key = "sk-very-secret"
    async with serving(echo) as server, ChatSession(key, base_url=server.base_url) as session:
        stream = session.stream("Go")
        if broadcasts:
            broadcast = Broadcast(stream)
            relaying = broadcast.relay(SlowPage(), patience=0.01)
        else:
            relaying = relay(stream, SlowPage(), max_buffer=500)
        with pytest.raises(PageTooSlowError) as caught:
            await relaying
        await stream.aclose()

    assert caught.value.partial.headers["x-echo"] == "***"


async def test_a_page_that_accepts_nothing_for_its_patience_ends_the_relay(
    upstream, upstream_session, event_timeout
):
    upstream.opening = ("One",)
    relaying = relay(upstream_session.stream("Go"), SlowPage(), patience=0.05)

    with pytest.raises(PageTooSlowError, match=r"nothing for 0\.05 s.*patience") as caught:
        await relaying
    async with event_timeout():
        await upstream.closed.wait()

    assert caught.value.partial is not None


async def test_a_timeout_error_of_the_callable_is_raised_as_it_is(upstream_session):
    async def send(_):
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await relay(upstream_session.stream("Go"), send, patience=None)


# Not on uvicorn: it waits until it can write before it writes anything.
@pytest.mark.parametrize("server", ["aiohttp", "websockets"], indirect=True)
async def test_a_page_that_resumes_reading_too_late_still_reads_the_error(
    server, emulator, session, event_timeout
):
    emulator.reply(chunks=["0123456789" * 400] * 4000)
    relay_has_failed = asyncio.Event()

    async def handle(websocket):
        with contextlib.suppress(PageTooSlowError):
            await relay(session.stream("Go"), websocket, max_buffer=100_000)
            return "whole"
        relay_has_failed.set()
        return "too slow"

    async with server.page(handle, max_queue=1, compression=None, max_size=None) as page:
        async with event_timeout():
            await relay_has_failed.wait()
        frames = await page.frames()

    assert await server.result() == "too slow"
    assert [frame["type"] for frame in frames[-2:]] == ["data-error", "error"]
    assert frames[-2]["data"] == {"code": "too_slow"}


async def test_a_page_that_reads_nothing_does_not_delay_another(
    aiohttp_websockets, emulator, session
):
    emulator.reply(chunks=["0123456789" * 400] * 1000)
    emulator.reply("Hello")
    streams = iter([session.stream("Much"), session.stream("Little")])

    async with (
        aiohttp_websockets.serve(lambda ws: relay(next(streams), ws, max_buffer=10**9)) as connect,
        connect(max_queue=1, compression=None) as stuck_page,
    ):
        await stuck_page.until("text-delta")
        async with connect() as page:
            frames = await page.frames()
        assert (await aiohttp_websockets.result()).text == "Hello"
        stuck_page.abort()  # a closing handshake would wait for the page to read

    assert frames[-1]["type"] == "finish"
