"""Relay one stream over one web socket."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from .adapters import adapt_websocket
from .buffer import PageBuffer
from .delivery import deliver
from .errors import PageGoneError, PageTooSlowError, attach_partial
from .page import Page
from .pump import Pump

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.completions import Completion
    from aimlchat.runs import ToolRun
    from aimlchat.stream import DeltaStream

    from .adapters import WebSocket
    from .extra_frames import ExtraFrames

__all__ = ["relay"]


async def relay(
    stream: DeltaStream[Any] | ToolRun[Any],
    websocket: WebSocket,
    *,
    on_message: Callable[[str | bytes], object] | None = None,
    heartbeat: float | None = 15.0,
    max_buffer: int = 262_144,
    patience: float | None = 60.0,
    message_id: str | None = None,
    extra: ExtraFrames | None = None,
) -> Completion:
    """Send a stream over a web socket, frame by frame, until the stream ends.

    The frames are those of the AI SDK's UI message stream, one JSON object per message. While the
    relay runs, only the relay may receive from the web socket. When the page sends
    ``{"type": "stop"}`` or disconnects, the upstream connection is closed and what has been
    received is returned. The web socket stays open. Cancelling closes the upstream connection and
    leaves no task behind.

    Args:
        stream: what `ChatSession.stream` or `ChatSession.run` returns, not entered yet.
        websocket: a prepared ``aiohttp.web.WebSocketResponse``, an accepted Starlette or FastAPI
            ``WebSocket``, a connection of the package ``websockets``, or an async callable that
            sends a ``str``. The relay receives nothing from a callable, and treats the page as
            disconnected when the callable raises a `ConnectionError`.
        on_message: called with every other message of the page. It is a plain callable, not a
            coroutine function; an exception in it is logged.
        heartbeat: seconds without a frame after which a heartbeat is sent; None for never.
        max_buffer: how much may wait for a page that reads slowly, in characters of text plus 64
            for each frame. Waiting deltas of one part are joined into one frame.
        patience: seconds that the page may take to accept one frame; None for no limit.
        message_id: the id that the page's message gets; by default the page chooses one. If the
            last message that the page posted is the assistant's, as after a tool call that the page
            executed, pass that message's id or none: with another id `useChat` would show the turn
            twice.
        extra: an async iterator of frames of your own, such as a `DataPart`, to send while the
            answer runs, as they come. It is closed when the answer ends. If it raises, or yields a
            frame that the AI SDK would fail on, that is logged, and the answer continues without
            it.

    Returns:
        The whole completion. If the page stopped the stream or disconnected, the part that had been
        received; its ``is_complete`` is False.

    Raises:
        AIMLChatError: the stream failed; the page has been sent an ``error`` frame.
        PageTooSlowError: more than ``max_buffer`` was waiting, or the page did not accept a frame
            within ``patience``.
        TypeError: ``websocket`` is none of the above, or ``extra`` is not an async iterator.
    """
    connection = adapt_websocket(websocket)
    buffer = PageBuffer(max_buffer)
    pump = Pump(stream, buffer, message_id, extra=extra, logs_failures=False)
    page = Page(buffer, connection, heartbeat=heartbeat, patience=patience)
    buffer.feed(page)
    try:
        with contextlib.suppress(PageGoneError):
            await deliver(page, connection, stop=pump.stop, on_message=on_message, pump=pump)
    except PageTooSlowError as error:
        attach_partial(error, stream)
        raise
    finally:
        await pump.close()
    return pump.result()
