"""Stopping, disconnecting and cancelling close the upstream connection at once."""

import asyncio
import contextlib
import gc
import json

import pytest

from aimlchat import Completion, StreamInterruptedError
from aimlchat.relay import relay


async def test_a_page_that_sends_stop_keeps_what_it_has_received(
    server, upstream, upstream_session, event_timeout
):
    upstream.opening = ("One",)

    async with server.page(lambda ws: relay(upstream_session.stream("Go"), ws)) as page:
        await page.until("text-delta")
        await page.send(type="stop")
        async with event_timeout():
            await upstream.closed.wait()
        rest = await page.frames()

    assert [frame["type"] for frame in rest] == ["text-end", "abort"]
    completion = await server.result()
    assert isinstance(completion, Completion)
    assert (completion.text, completion.finish_reason) == ("One", None)
    assert not completion.is_complete


async def test_a_page_can_stop_a_silent_stream(
    server, silent_upstream, upstream_session, event_timeout
):
    async with server.page(lambda ws: relay(upstream_session.stream("Go"), ws)) as page:
        await silent_upstream.requested.wait()
        await page.send(type="stop")
        async with event_timeout():
            await silent_upstream.closed.wait()
        assert (await page.frames())[-1] == {"type": "abort", "reason": "stopped"}

    assert (await server.result()).finish_reason is None


@pytest.mark.parametrize("way", ["closing handshake", "abort"])
async def test_a_page_that_disconnects_closes_the_upstream(
    server, silent_upstream, upstream_session, event_timeout, way
):
    async with server.page(lambda ws: relay(upstream_session.stream("Go"), ws)) as page:
        await silent_upstream.requested.wait()
        closing = None
        if way == "abort":
            page.abort()
        else:
            closing = asyncio.create_task(page.connection.close())
        async with event_timeout():
            await silent_upstream.closed.wait()
        if closing is not None:
            await closing
        completion = await server.result()

    assert isinstance(completion, Completion)
    assert completion.finish_reason is None


async def test_cancelling_the_relay_closes_the_upstream(
    server, silent_upstream, upstream_session, event_timeout
):
    tasks = asyncio.Queue()

    async def handle(websocket):
        task = asyncio.ensure_future(relay(upstream_session.stream("Go"), websocket))
        tasks.put_nowait(task)
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return task.cancelled()

    async with server.page(handle):
        task = await tasks.get()
        await silent_upstream.requested.wait()
        task.cancel()
        async with event_timeout():
            await silent_upstream.closed.wait()

        assert await server.result() is True


async def test_cancelling_is_safe_at_every_step(emulator, session):
    async def send(_):
        await asyncio.sleep(0)

    for steps in range(60):
        emulator.reply(chunks=["One", "Two"], pace=0.001)
        task = asyncio.create_task(relay(session.stream("Go"), send))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for request in emulator.requests:
        await request.finished()


async def test_the_upstream_is_closed_without_the_cycle_collector(
    aiohttp_websockets, upstream, upstream_session, event_timeout
):
    upstream.opening = ("One",)
    gc.disable()
    try:
        async with aiohttp_websockets.page(
            lambda ws: relay(upstream_session.stream("Go"), ws)
        ) as page:
            await page.until("text-delta")
            page.abort()
            async with event_timeout():
                await upstream.closed.wait()
            await aiohttp_websockets.result()
    finally:
        gc.enable()


async def test_relaying_a_stream_that_another_task_uses_fails_and_closes_it(
    aiohttp_websockets, silent_upstream, upstream_session, event_timeout
):
    stream = upstream_session.stream("Go")
    other_task = asyncio.create_task(stream.collect())
    await silent_upstream.requested.wait()
    if silent_upstream.opening:
        while not stream.partial.text:  # noqa: ASYNC110 - a stream has no event for it
            await asyncio.sleep(0)
    # Otherwise the other task is still opening the stream, so entering it raises.

    async with aiohttp_websockets.page(lambda ws: relay(stream, ws)) as page:
        frames = await page.frames()
        error = await aiohttp_websockets.result()
        async with event_timeout():
            await silent_upstream.closed.wait()

    assert isinstance(error, RuntimeError)
    assert "another task is reading this stream" in str(error)
    assert frames[2]["data"] == {"code": "internal"}
    assert "task" not in json.dumps(frames)
    with pytest.raises(StreamInterruptedError):
        await other_task


async def test_a_connection_that_is_reset_while_a_write_waits_is_a_page_that_has_left(
    upstream, upstream_session, event_timeout
):
    upstream.opening = ("One",)

    class ResetWebSocket:
        """As aiohttp's: a write waits for the page, and fails once the connection is lost."""

        async def send_frame(self, *_):
            await asyncio.sleep(0)
            raise ConnectionResetError

        async def receive(self):
            await asyncio.Event().wait()

    async with event_timeout():
        completion = await relay(upstream_session.stream("Go"), ResetWebSocket())
        assert not completion.is_complete
