"""Servers of pages: the relay of aimlchat, and what a user would write by hand.

Those by hand send a frame for each delta, one that opens its part, without which the AI SDK fails
on the first delta, and one that ends the answer, without which a page cannot tell a whole answer
from one that was cut off. They have no heartbeat, no buffer, and nothing that notices a page that
is stuck or has gone.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import machine
import msgspec
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

READERS = Path(__file__).parent / "page_readers.py"
SSE_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
OPENING = {"type": "text-start", "id": "text-1"}
END = {"type": "finish", "finishReason": "stop"}


class ByHand:
    """A stream for each page, or one for all, over any client that yields its texts."""

    def __init__(self, client) -> None:
        self.client = client
        self.pages = []
        self.has_ended = asyncio.Event()

    async def send_own(self, request: web.Request) -> web.StreamResponse:
        """Send a page a stream of its own."""
        page, send = await open_page(request)
        await send(encode(request, OPENING))
        async for text in self.client.texts():
            await send(encode(request, {"type": "text-delta", "id": "text-1", "delta": text}))
        await send(encode(request, END))
        return page

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Send a page the stream that all pages share."""
        page, send = await open_page(request)
        await send(encode(request, OPENING))
        self.pages.append(send)
        await self.has_ended.wait()
        await send(encode(request, END))
        return page

    async def run_shared(self, kind: str) -> None:
        """Send a stream to all pages that follow it."""
        number = 0
        async for text in self.client.texts():
            number += 1
            data = encode_numbered(kind, number, text)
            for send in self.pages:
                await send(data)
        self.has_ended.set()


class Ours:
    """The relay of aimlchat."""

    def __init__(self, client) -> None:
        from aimlchat import relay  # noqa: PLC0415 - only in its own environment

        self.relay = relay
        self.session = client.session
        self.all_follow = asyncio.Event()
        self.broadcast = relay.Broadcast(HeldStream(self.session.stream("Why?"), self.all_follow))

    async def send_own(self, request: web.Request) -> web.StreamResponse:
        """Send a page a stream of its own."""
        stream = self.session.stream("Why?")
        if request.path == "/sse":
            return await self.relay.sse_response(request, stream)
        page, _ = await open_page(request)
        await self.relay.relay(stream, page)
        return page

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Send a page the stream that all pages share."""
        if request.path == "/sse":
            return await self.broadcast.sse_response(request)
        page, _ = await open_page(request)
        await self.broadcast.relay(page)
        return page

    async def run_shared(self, kind: str) -> None:  # noqa: ARG002 - the pages decide
        """Begin the stream."""
        self.all_follow.set()


class HeldStream:
    """A stream that begins when all pages follow, as by hand, and not when the first one does."""

    def __init__(self, stream, may_begin: asyncio.Event) -> None:
        self.stream = stream
        self.may_begin = may_begin

    def __getattr__(self, name: str):
        return getattr(self.stream, name)

    def __aiter__(self):
        return self.stream.__aiter__()

    async def __aenter__(self):
        await self.may_begin.wait()
        return await self.stream.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await self.stream.__aexit__(*error)


async def open_page(request: web.Request) -> tuple[web.StreamResponse, Callable[..., Awaitable]]:
    """Return the response to a page, and what sends data into it."""
    if request.path == "/sse":
        page = web.StreamResponse(headers=SSE_HEADERS)
        await page.prepare(request)
        return page, page.write
    page = web.WebSocketResponse(compress=False)
    await page.prepare(request)
    return page, page.send_str


def encode(request: web.Request, frame: dict[str, str]) -> bytes | str:
    """Return a frame for one page; behind the last event comes ``[DONE]``."""
    data = msgspec.json.encode(frame)
    if request.path != "/sse":
        return data.decode()
    return b"data: %b\n\n%b" % (data, b"data: [DONE]\n\n" if frame is END else b"")


def encode_numbered(kind: str, number: int, text: str) -> bytes | str:
    """Return a frame for all pages."""
    frame = {"type": "text-delta", "id": "text-1", "delta": text}
    if kind == "sse":
        return b"id: %d\ndata: %b\n\n" % (number, msgspec.json.encode(frame))
    return msgspec.json.encode(frame | {"number": number}).decode()


class PageServer:
    """Serves a number of pages, which `page_readers.py` opens, and measures what they cost."""

    def __init__(self, relay, kind: str, pages: int, stuck: int, *, is_shared: bool) -> None:
        self.relay = relay
        self.kind = kind
        self.count = pages
        self.stuck = stuck
        self.is_shared = is_shared
        self.open_count = 0
        self.is_full = asyncio.Event()
        self.may_start = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve a page once all are there; those that share a stream join it first."""
        self.open_count += 1
        if self.open_count == self.count:
            self.is_full.set()
        if self.is_shared:
            page = await self.relay.follow(request)
        else:
            await self.may_start.wait()
            page = await self.relay.send_own(request)
        if isinstance(page, web.WebSocketResponse):
            await page.close()
        return page

    async def measure(self) -> dict[str, float]:
        """Serve the pages to their end, and return the cost and the delay of the last frame."""
        app = web.Application()
        app.add_routes([web.get(f"/{self.kind}", self.handle)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=8192).start()
        memory = machine.memory()
        machine.reset_peak_memory()
        arguments = (runner.addresses[0][1], self.count, self.stuck, self.kind)
        readers = await asyncio.create_subprocess_exec(
            sys.executable, READERS, *map(str, arguments), stdout=asyncio.subprocess.PIPE
        )
        await self.is_full.wait()
        gc.collect()  # as before the other scenarios: what the start has left is not measured
        started, cpu = time.perf_counter(), time.process_time()
        self.may_start.set()
        if self.is_shared:
            await self.relay.run_shared(self.kind)
        output, _ = await readers.communicate()
        ended, used = time.perf_counter(), time.process_time()
        await runner.cleanup()
        return msgspec.json.decode(output) | {
            "cpu": used - cpu,
            "wall": ended - started,
            "peak": machine.peak_memory(),
            "grown": machine.peak_memory() - memory,
        }
