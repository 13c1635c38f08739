"""Send a stream as server-sent events: through aiohttp.web, or as bytes for any other server."""

from __future__ import annotations

import asyncio
import contextlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, Self

import attrs

from aimlchat.errors import AIMLChatError

from .buffer import PageBuffer
from .delivery import deliver, take_or_heartbeat
from .errors import PageGoneError, PageTooSlowError
from .frames import HEARTBEAT, encode_frame
from .pump import Pump

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web

    from aimlchat.stream import DeltaStream

    from .delivery import FrameSource
    from .extra_frames import ExtraFrames
    from .frames import Frame

__all__ = ["SSE_HEADERS", "SSEEvents", "send_response", "sse_events", "sse_response"]

SSE_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache, no-transform",  # a proxy that compresses also buffers
        "X-Accel-Buffering": "no",  # the same for nginx
        "x-vercel-ai-ui-message-stream": "v1",  # AI SDK, "Stream Protocols"
    }
)
"""The headers of a response of server-sent events; they keep proxies from buffering it."""

_HEARTBEAT_EVENT = b": heartbeat\n\n"  # a comment, which every reader ignores
_DONE_EVENT = b"data: [DONE]\n\n"
# A disconnect has to be noticed within 0.1 s, and aiohttp does not notify the handler of it.
_DISCONNECT_POLL_SECONDS = 0.05


class FrameProducer(Protocol):
    """What makes the frames of a source available."""

    def start(self) -> object:
        """Begin to produce frames, unless it has begun."""

    def cancel(self) -> None:
        """Stop producing, without waiting for the end; safe to repeat."""


class SSEEvents:
    """An async iterator of server-sent events, each as ``bytes``.

    Made by `sse_events` and `Broadcast.sse_events`. Nothing is sent upstream before the first
    step. Cancelling a step, `aclose` and dropping the iterator each close the upstream connection
    at once. A failure of the stream is not raised but becomes an event.
    """

    def __init__(
        self, source: FrameSource, producer: FrameProducer, heartbeat: float | None
    ) -> None:
        self._source = source
        self._producer = producer
        self._heartbeat = heartbeat
        self._is_closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._is_closed:
            raise StopAsyncIteration
        self._producer.start()
        try:
            frame = await take_or_heartbeat(self._source, self._heartbeat)
        except BaseException:
            self._close()
            raise
        if frame is not None:
            return _encode_event(frame)
        self._close()
        return _DONE_EVENT

    async def aclose(self) -> None:
        """End the iteration and close the upstream connection; safe to repeat, and to cancel."""
        self._close()

    def _close(self) -> None:
        self._is_closed = True
        self._producer.cancel()

    def __del__(self) -> None:
        """Close the upstream connection of a response that was dropped before its end."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the task
            self._producer.cancel()


def sse_events(
    stream: DeltaStream,
    *,
    heartbeat: float | None = 15.0,
    max_buffer: int = 262_144,
    message_id: str | None = None,
    extra: ExtraFrames | None = None,
) -> SSEEvents:
    """Turn a stream into the body of a response, as for Starlette's ``StreamingResponse``.

    Send the response with `SSE_HEADERS`. Afterwards the stream holds the result:
    ``stream.completion`` is the whole completion or raises what failed, ``stream.partial`` is what
    had been received.

    Args:
        stream: what `ChatSession.stream` returns, not entered yet.
        heartbeat: seconds without a frame after which a comment is sent; None for never.
        max_buffer: how much may wait for a page that reads slowly, in characters of text plus 64
            for each frame. Beyond that the stream is closed, and the page is sent an error.
        message_id: as for `aimlchat.relay.relay`.
        extra: as for `aimlchat.relay.relay`.
    """
    buffer = PageBuffer(max_buffer)
    return SSEEvents(buffer, Pump(stream, buffer, message_id, extra=extra), heartbeat)


async def sse_response(
    request: web.Request,
    stream: DeltaStream,
    *,
    headers: Mapping[str, str] | None = None,
    heartbeat: float | None = 15.0,
    max_buffer: int = 262_144,
    patience: float | None = 60.0,
    message_id: str | None = None,
    extra: ExtraFrames | None = None,
) -> web.StreamResponse:
    """Answer a request of aiohttp.web with a stream; return the response after it has been sent.

    Afterwards the stream holds the result: ``stream.completion`` is the whole completion or raises
    what failed, ``stream.partial`` is what had been received before the page disconnected. A
    failure of the stream is sent to the page and not raised, since the response has begun by then.
    Cancelling closes the upstream connection and leaves no task behind.

    Args:
        request: the request to answer.
        stream: what `ChatSession.stream` returns, not entered yet.
        headers: headers to send besides `SSE_HEADERS`, which take precedence.
        heartbeat: seconds without a frame after which a comment is sent; None for never.
        max_buffer: how much may wait for a page that reads slowly, in characters of text plus 64
            for each frame. Beyond that the connection is aborted.
        patience: seconds that the page may take to accept one event before the connection is
            aborted; None for no limit.
        message_id: as for `aimlchat.relay.relay`.
        extra: as for `aimlchat.relay.relay`.
    """
    buffer = PageBuffer(max_buffer)
    pump = Pump(stream, buffer, message_id, extra=extra)
    try:
        response = await send_response(
            request,
            buffer,
            stop=pump.stop,
            headers=headers,
            heartbeat=heartbeat,
            patience=patience,
            pump=pump,
        )
    finally:
        await pump.close()
    with contextlib.suppress(AIMLChatError):  # already sent to the page, and kept by the stream
        pump.result()
    return response


async def send_response(
    request: web.Request,
    source: FrameSource,
    *,
    stop: Callable[[], Awaitable[None]],
    headers: Mapping[str, str] | None,
    heartbeat: float | None,
    patience: float | None,
    pump: Pump | None = None,
) -> web.StreamResponse:
    """Send all frames of a source as the response to a request. Cancelling is safe.

    The parameters are those of `sse_response` and `deliver`.
    """
    from aiohttp import web  # noqa: PLC0415 - a caller with such a request has loaded aiohttp

    response = web.StreamResponse(headers={**(headers or {}), **SSE_HEADERS})
    await response.prepare(request)
    try:
        await deliver(
            source,
            _SSEConnection(request, response),
            stop=stop,
            on_message=None,
            heartbeat=heartbeat,
            patience=patience,
            pump=pump,
        )
        await response.write(_DONE_EVENT)
    except (PageGoneError, ConnectionError):
        return response
    except PageTooSlowError:
        # A regular end of the response would wait for the page to read what is still buffered.
        if request.transport is not None:
            request.transport.abort()
    return response


@attrs.frozen
class _SSEConnection:
    """A response as a connection to a page: nothing is received until the page disconnects."""

    _request: web.Request
    _response: web.StreamResponse

    async def send(self, frame: Frame) -> None:
        try:
            await self._response.write(_encode_event(frame))
        except ConnectionError as error:
            raise PageGoneError from error

    async def receive(self) -> str | bytes:
        while not self._is_closed:  # noqa: ASYNC110 - aiohttp has no event to wait for
            await asyncio.sleep(_DISCONNECT_POLL_SECONDS)
        raise PageGoneError

    @property
    def _is_closed(self) -> bool:
        transport = self._request.transport
        return transport is None or transport.is_closing()


def _encode_event(frame: Frame) -> bytes:
    if frame is HEARTBEAT:
        return _HEARTBEAT_EVENT
    if "number" not in frame:
        return b"data: %b\n\n" % encode_frame(frame)
    fields = {name: value for name, value in frame.items() if name != "number"}
    return b"id: %d\ndata: %b\n\n" % (frame["number"], encode_frame(fields))
