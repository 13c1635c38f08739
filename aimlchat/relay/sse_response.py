"""Send a stream as server-sent events through aiohttp.web."""

from __future__ import annotations

import contextlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aimlchat.errors import AIMLChatError

from .buffer import PageBuffer
from .delivery import deliver
from .direct_write import write_directly
from .errors import PageGoneError, PageTooSlowError
from .first_step import run_first_step
from .page import Page
from .pump import Pump
from .sse_events import DONE_EVENT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web

    from aimlchat.runs import ToolRun
    from aimlchat.stream import DeltaStream

    from .encoding import EncodedFrames
    from .extra_frames import ExtraFrames
    from .page import FrameSource

__all__ = ["SSE_HEADERS", "send_response", "sse_response"]

SSE_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache, no-transform",  # a proxy that compresses also buffers
        "X-Accel-Buffering": "no",  # the same for nginx
        "x-vercel-ai-ui-message-stream": "v1",  # AI SDK, "Stream Protocols"
    }
)
"""The headers of a response of server-sent events; they keep proxies from buffering it."""


async def sse_response(
    request: web.Request,
    stream: DeltaStream[Any] | ToolRun[Any],
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
        stream: what `ChatSession.stream` or `ChatSession.run` returns, not entered yet.
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
            buffer.feed,
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
    feed: Callable[[Page], object],
    *,
    stop: Callable[[], Awaitable[None]],
    headers: Mapping[str, str] | None,
    heartbeat: float | None,
    patience: float | None,
    pump: Pump | None = None,
) -> web.StreamResponse:
    """Send all frames of a source as the response to a request. Cancelling is safe.

    ``feed`` is called with the page, to wake it for each frame. The other parameters are those of
    `sse_response` and `deliver`.
    """
    from aiohttp import web  # noqa: PLC0415 - a caller with such a request has loaded aiohttp

    response = web.StreamResponse(headers={**(headers or {}), **SSE_HEADERS})
    writer = await response.prepare(request)
    if request.method == "HEAD":  # which `web.get` takes as well; its response has no body
        return response
    if request.transport is None:  # the page has gone
        return response
    connection = _SSEConnection(response, writer)
    page = Page(
        source,
        connection,
        heartbeat=heartbeat,
        patience=patience,
        is_gone=request.transport.is_closing,  # aiohttp does not tell the handler
    )
    feed(page)
    try:
        await deliver(page, connection, stop=stop, on_message=None, pump=pump)
        await connection.end()
    except (PageGoneError, ConnectionError):
        return response
    except PageTooSlowError:
        # A regular end of the response would wait for the page to read what is still buffered.
        if request.transport is not None:
            request.transport.abort()
    finally:
        connection.log_size()
    return response


class _SSEConnection:
    """A response as a connection to a page, from which nothing is received."""

    receive = None
    needs_task_to_receive = False

    def __init__(self, response: web.StreamResponse, writer: Any) -> None:
        # A caller with such a request has loaded aiohttp.
        from aimlchat._client.aiohttp_hooks import chunk_transport  # noqa: PLC0415

        self._response = response
        self._writer = writer
        self._transport = chunk_transport(writer)
        self._size = 0  # of what was written directly, until it is in the log of accesses

    def write(self, frames: EncodedFrames) -> Callable[[], Awaitable[None]] | None:
        chunk = frames.chunk
        if self._transport is not None and write_directly(self._transport, chunk):
            self._size += len(chunk)
            return None
        return run_first_step(self._send(b"".join(frames.events)))

    async def end(self) -> None:
        """Write the event after the last frame, and the end of the response with it.

        To a page that has not read everything the server writes the end, and waits for it.
        """
        self.log_size()
        if self._transport is not None and not self._transport.get_write_buffer_size():
            await self._response.write_eof(DONE_EVENT)
        else:
            await self._response.write(DONE_EVENT)

    def log_size(self) -> None:
        """Tell the writer of aiohttp, for the log of accesses, how much was written directly.

        Not for each frame: the writer is rarely in the caches of the processor.
        """
        self._writer.output_size += self._size
        self._size = 0

    async def _send(self, event: bytes) -> None:
        try:
            await self._response.write(event)
        except ConnectionError as error:
            raise PageGoneError from error
