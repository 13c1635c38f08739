"""Frames as server-sent events: for aiohttp.web, and as bytes for everybody else."""

from __future__ import annotations

import asyncio
import contextlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, Self

import attrs

from aimlchat.errors import AIMLChatError

from .buffer import Outbox, PageTooSlowError
from .delivery import attend, beating
from .frames import HEARTBEAT, encoded
from .pump import Pump
from .sockets import PageGoneError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web

    from aimlchat.iterators import DeltaStream

    from .delivery import Feed
    from .frames import Frame

__all__ = ["SSE_HEADERS", "SSEEvents", "respond", "sse_events", "sse_response"]

SSE_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache, no-transform",  # nor may a proxy compress it: that buffers
        "X-Accel-Buffering": "no",  # nginx
        "x-vercel-ai-ui-message-stream": "v1",  # AI SDK, "Stream Protocols"
    }
)
"""The headers of a response of server-sent events that no proxy holds back."""

_HEARTBEAT = b": heartbeat\n\n"  # a comment, which every reader passes over
_DONE = b"data: [DONE]\n\n"
# A page that goes is to be noticed within 0.1 s, and aiohttp tells a handler nothing of it.
_LOOK_EVERY = 0.05


class Source(Protocol):
    """What fills a feed."""

    def start(self) -> object:
        """Begin, if it has not begun."""

    def drop(self) -> None:
        """Begin to leave; safe to repeat."""


class SSEEvents:
    """Server-sent events as an async iterator of ``bytes``, one event in each.

    Made by `sse_events` and `Broadcast.sse_events`. Nothing is sent upstream before the first
    step. Whoever leaves early is cancelled within it, calls `aclose`, or drops it: each closes
    the upstream connection at once. A failure is an event as well and is not raised.
    """

    def __init__(self, feed: Feed, source: Source, heartbeat: float | None) -> None:
        self._feed = feed
        self._source = source
        self._heartbeat = heartbeat
        self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._over:
            raise StopAsyncIteration
        self._source.start()
        try:
            frame = await beating(self._feed, self._heartbeat)
        except BaseException:
            self._leave()
            raise
        if frame is not None:
            return _event(frame)
        self._leave()
        return _DONE

    async def aclose(self) -> None:
        """Leave; safe to repeat."""
        self._leave()

    def _leave(self) -> None:
        self._over = True
        self._source.drop()

    def __del__(self) -> None:
        """Leave the stream of a response that was dropped while it sent."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and has ended the task
            self._source.drop()


def sse_events(
    stream: DeltaStream, *, heartbeat: float | None = 15.0, max_buffer: int = 262_144
) -> SSEEvents:
    """Make a stream the body of a response, as for Starlette's ``StreamingResponse``.

    Give the response `SSE_HEADERS` too. What came of it is read from the stream afterwards:
    ``stream.completion`` is the whole one or raises what failed, ``stream.partial`` what had come.

    Args:
        stream: what `ChatSession.stream` returns, not entered yet.
        heartbeat: seconds of silence after which a comment is sent; None for never.
        max_buffer: how much may wait for a page that reads slowly, in characters of text (and 64
            for each frame); beyond, the stream is left, and the page told so.
    """
    outbox = Outbox(max_buffer)
    return SSEEvents(outbox, Pump(stream, outbox), heartbeat)


async def sse_response(
    request: web.Request,
    stream: DeltaStream,
    *,
    headers: Mapping[str, str] | None = None,
    heartbeat: float | None = 15.0,
    max_buffer: int = 262_144,
    patience: float | None = 60.0,
) -> web.StreamResponse:
    """Answer a request of aiohttp.web with a stream; return the response once it is sent.

    What came of it is read from the stream: ``stream.completion`` is the whole one or raises what
    failed, ``stream.partial`` what had come before the page went. A failure of the stream is told
    to the page and not raised, since the response has long begun. Cancelling closes the upstream
    connection and leaves no task behind.

    Args:
        request: the request to answer.
        stream: what `ChatSession.stream` returns, not entered yet.
        headers: sent beside `SSE_HEADERS`.
        heartbeat: seconds of silence after which a comment is sent; None for never.
        max_buffer: how much may wait for a page that reads slowly, in characters of text (and 64
            for each frame); beyond, the connection is cut.
        patience: seconds that the page may take for one event before the connection is cut; None
            for no limit.
    """
    outbox = Outbox(max_buffer)
    pump = Pump(stream, outbox)
    try:
        response = await respond(
            request,
            outbox,
            stop=pump.stop,
            headers=headers,
            heartbeat=heartbeat,
            patience=patience,
            pump=pump,
        )
    finally:
        await pump.leave()
    with contextlib.suppress(AIMLChatError):  # the page was told, and the stream has it
        pump.outcome()
    return response


async def respond(
    request: web.Request,
    feed: Feed,
    *,
    stop: Callable[[], Awaitable[None]],
    headers: Mapping[str, str] | None,
    heartbeat: float | None,
    patience: float | None,
    pump: Pump | None = None,
) -> web.StreamResponse:
    """Send a feed as the response to a request. Cancelling is safe."""
    from aiohttp import web  # noqa: PLC0415 - whoever has such a request has aiohttp

    response = web.StreamResponse(headers={**(headers or {}), **SSE_HEADERS})
    await response.prepare(request)
    try:
        await attend(
            feed,
            _Response(request, response),
            stop=stop,
            on_message=None,
            heartbeat=heartbeat,
            patience=patience,
            pump=pump,
        )
        await response.write(_DONE)
    except (PageGoneError, ConnectionError):
        return response
    except PageTooSlowError:
        # What the connection holds can never be sent, and its end would wait for that.
        if request.transport is not None:
            request.transport.abort()
    return response


@attrs.frozen
class _Response:
    """A response as a socket that says nothing until it is closed."""

    _request: web.Request
    _response: web.StreamResponse

    async def send(self, frame: Frame) -> None:
        try:
            await self._response.write(_event(frame))
        except ConnectionError as error:
            raise PageGoneError from error

    async def receive(self) -> str | bytes:
        while not self._is_closed:  # noqa: ASYNC110 - aiohttp has no event to wait for
            await asyncio.sleep(_LOOK_EVERY)
        raise PageGoneError

    @property
    def _is_closed(self) -> bool:
        transport = self._request.transport
        return transport is None or transport.is_closing()


def _event(frame: Frame) -> bytes:
    if frame is HEARTBEAT:
        return _HEARTBEAT
    if "number" not in frame:
        return b"data: %b\n\n" % encoded(frame)
    rest = {name: value for name, value in frame.items() if name != "number"}
    return b"id: %d\ndata: %b\n\n" % (frame["number"], encoded(rest))
