"""Frames out to one page, and what the page says meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Protocol

import msgspec

from .buffer import PageTooSlowError
from .frames import HEARTBEAT, error_frames
from .sockets import PageGoneError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .frames import Frame
    from .pump import Pump
    from .sockets import Socket

__all__ = ["Feed", "attend", "beating"]

_logger = logging.getLogger("aimlchat")


class Feed(Protocol):
    """What one page has still to be sent."""

    async def take(self) -> Frame | None:
        """Return the next frame as soon as there is one, None at the end. Cancelling is safe."""


class _Said(msgspec.Struct):
    type: str


async def attend(
    feed: Feed,
    socket: Socket,
    *,
    stop: Callable[[], Awaitable[None]],
    on_message: Callable[[str | bytes], object] | None,
    heartbeat: float | None,
    patience: float | None,
    pump: Pump | None = None,
) -> None:
    """Send a page all of its feed, and listen to it until then.

    ``stop`` is called when the page asks for that. Raises `PageGoneError` when it has gone,
    `PageTooSlowError` when it takes nothing. Cancelling is safe; no task is left behind.
    """
    sending = asyncio.create_task(_send_all(feed, socket, heartbeat, patience))
    listening = asyncio.create_task(_listen(socket, stop, on_message))
    ours = {sending, listening}
    watched = ours if pump is None else ours | {pump.start()}
    try:
        while not sending.done():
            done, watched = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if pump is not None and pump.overran:
                pump.outcome()
            for task in done & ours:
                task.result()
    except PageTooSlowError as error:
        await _end(sending, listening)
        await _say_last(socket, error)
        raise
    finally:
        await _end(sending, listening)


async def beating(feed: Feed, heartbeat: float | None) -> Frame | None:
    """Return the next frame of a feed, or a heartbeat if none comes within so many seconds."""
    try:
        async with asyncio.timeout(heartbeat):
            return await feed.take()
    except TimeoutError:
        return HEARTBEAT


async def _send_all(
    feed: Feed, socket: Socket, heartbeat: float | None, patience: float | None
) -> None:
    while (frame := await beating(feed, heartbeat)) is not None:
        try:
            async with asyncio.timeout(patience) as limit:
                await socket.send(frame)
        except TimeoutError as error:
            if not limit.expired():
                raise
            msg = f"the page took nothing for {patience:g} s"
            raise PageTooSlowError(msg) from error


async def _listen(
    socket: Socket,
    stop: Callable[[], Awaitable[None]],
    on_message: Callable[[str | bytes], object] | None,
) -> None:
    while True:
        message = await socket.receive()
        if _asks_to_stop(message):
            await stop()
        elif on_message is not None:
            try:
                on_message(message)
            except Exception:  # a hook that fails is not the stream's fault
                _logger.exception("the hook %r failed", on_message)


def _asks_to_stop(message: str | bytes) -> bool:
    try:
        return msgspec.json.decode(message, type=_Said).type == "stop"
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


async def _say_last(socket: Socket, error: PageTooSlowError) -> None:
    """Lay the error behind what the connection still holds, for a page that wakes up later."""
    for frame in error_frames(error):
        # No time at all: what is sent gets into the buffer at once, and waits only after that.
        with contextlib.suppress(TimeoutError, PageGoneError):
            async with asyncio.timeout(0):
                await socket.send(frame)


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
