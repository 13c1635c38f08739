"""A `Broadcast` with a user's own store, which may be slow or fail."""

import asyncio
import json

import pytest

from aimlchat import ServerError
from aimlchat.relay import Broadcast, BroadcastTooLargeError, MemoryStore


class RemoteStore:
    """A store like one in another process: it keeps JSON, and every call waits."""

    def __init__(self) -> None:
        self._lines = []
        self._has_ended = False

    async def append(self, frames):
        await asyncio.sleep(0)
        self._lines += map(json.dumps, frames)

    async def end(self, frames):
        await self.append(frames)
        self._has_ended = True

    async def read(self, after):
        while len(self._lines) <= after and not self._has_ended:  # noqa: ASYNC110 - as if remote
            await asyncio.sleep(0.001)
        return [
            json.loads(line) | {"number": number}
            for number, line in enumerate(self._lines[after:], after + 1)
        ]


async def test_a_broadcast_keeps_its_frames_in_the_given_store(emulator, session, make_page):
    emulator.reply(chunks=["One ", "two"], pace=0.01)
    broadcast, page = Broadcast(session.stream("Go"), store=RemoteStore()), make_page()

    completion = await broadcast.relay(page)

    text = "".join(frame["delta"] for frame in page.frames if frame["type"] == "text-delta")
    assert text == completion.text == "One two"
    await broadcast.aclose()


async def test_a_stop_while_the_store_is_sent_an_error_stays_an_error(emulator, session, make_page):
    emulator.fail(status=500)
    is_ending = asyncio.Event()

    class StuckStore(RemoteStore):
        async def end(self, frames):
            if not is_ending.is_set():
                is_ending.set()
                await asyncio.Event().wait()
            await super().end(frames)

    broadcast, page = Broadcast(session.stream("Go"), store=StuckStore()), make_page()

    broadcast.start()
    await is_ending.wait()
    await broadcast.stop()
    with pytest.raises(ServerError):
        await broadcast.relay(page)

    assert page.frames[-1]["type"] == "error"
    await broadcast.aclose()


async def test_an_error_of_the_store_ends_the_call_and_the_pages(
    upstream, upstream_session, make_page, event_timeout
):
    upstream.opening = ("One",)

    class BrokenStore(RemoteStore):
        async def read(self, after):
            if after:
                await upstream.requested.wait()  # else there is no call yet
                raise LookupError
            return await super().read(after)

    broadcast = Broadcast(upstream_session.stream("Go"), store=BrokenStore(), grace=0)

    with pytest.raises(LookupError):
        await broadcast.relay(make_page())
    async with event_timeout():
        await upstream.closed.wait()


async def test_an_error_of_the_store_is_raised_to_events_that_nobody_awaits_just_then(
    upstream, upstream_session, event_timeout
):
    upstream.opening = ("One",)
    has_failed = asyncio.Event()

    class BrokenStore(RemoteStore):
        async def read(self, after):
            if after:
                has_failed.set()
                raise LookupError
            return await super().read(after)

    broadcast = Broadcast(upstream_session.stream("Go"), store=BrokenStore())
    events = broadcast.sse_events(heartbeat=None)
    assert b'"start"' in await anext(events)
    async with event_timeout():
        await has_failed.wait()
        for followed in (events, broadcast.sse_events(heartbeat=None)):
            with pytest.raises(LookupError):
                async for _ in followed:
                    pass
    await broadcast.aclose()


async def test_an_answer_larger_than_the_store_ends_with_an_error_and_closes_the_call(
    upstream, upstream_session, make_page, event_timeout
):
    upstream.opening = ("x" * 2000, "y")
    broadcast = Broadcast(upstream_session.stream("Go"), store=MemoryStore(max_size=1000), grace=0)
    page = make_page()

    with pytest.raises(BroadcastTooLargeError, match="1,000 bytes") as caught:
        await broadcast.relay(page)
    async with event_timeout():
        await upstream.closed.wait()

    assert caught.value.partial.text.startswith("x" * 2000)
    assert page.frames[-2]["data"] == {"code": "too_large"}
