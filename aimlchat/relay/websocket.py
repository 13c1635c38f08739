"""One stream into one web socket."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from .buffer import Outbox, PageTooSlowError
from .delivery import attend
from .pump import Pump
from .sockets import PageGoneError, socket_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.completions import Completion
    from aimlchat.iterators import DeltaStream

    from .sockets import WebSocket

__all__ = ["relay"]


async def relay(
    stream: DeltaStream,
    websocket: WebSocket,
    *,
    on_message: Callable[[str | bytes], object] | None = None,
    heartbeat: float | None = 15.0,
    max_buffer: int = 262_144,
    patience: float | None = 60.0,
) -> Completion:
    """Send a stream into a web socket, frame by frame, until its end.

    The frames are those of the AI SDK's UI message stream, one JSON object in each message. While
    it runs, the web socket's ``receive`` belongs to it: ``{"type": "stop"}`` from the page closes
    the upstream connection and keeps what has come, and so does a page that goes. The web socket
    is left open.

    Args:
        stream: what `ChatSession.stream` returns, not entered yet.
        websocket: a prepared ``aiohttp.web.WebSocketResponse``, an accepted Starlette or FastAPI
            ``WebSocket``, a connection of the package ``websockets``, or an async callable that
            sends a ``str``; that one is never listened to, and has gone when it raises a
            `ConnectionError`.
        on_message: called with every other message of the page. It is a plain callable; what it
            raises is logged.
        heartbeat: seconds of silence after which a heartbeat is sent; None for never.
        max_buffer: how much may wait for a page that reads slowly, in characters of text (and 64
            for each frame). Deltas of one kind that wait are joined into one.
        patience: seconds that the page may take for one frame; None for no limit.

    Returns:
        The completion: the whole one, or, when the page stopped it or went, what had come. The
        ``finish_reason`` of that is None: the model had not finished.

    Raises:
        AIMLChatError: the stream failed, and the page has been sent the frame ``error``.
        PageTooSlowError: more than ``max_buffer`` waited, or one frame longer than ``patience``.
        TypeError: this is no web socket.

    Cancelling closes the upstream connection and leaves no task behind.
    """
    socket = socket_of(websocket)
    outbox = Outbox(max_buffer)
    pump = Pump(stream, outbox)
    try:
        with contextlib.suppress(PageGoneError):
            await attend(
                outbox,
                socket,
                stop=pump.stop,
                on_message=on_message,
                heartbeat=heartbeat,
                patience=patience,
                pump=pump,
            )
    except PageTooSlowError as error:
        error.partial = stream.partial
        raise
    finally:
        await pump.leave()
    return pump.outcome()
