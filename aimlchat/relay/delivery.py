"""Deliver frames to one page, and handle the messages that the page sends meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

import msgspec

from aimlchat._client.hooks import call_hook

from .errors import PageGoneError, PageTooSlowError
from .frames import HEARTBEAT, error_frames

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .adapters import Connection
    from .frames import Frame
    from .pump import Pump

__all__ = ["FrameSource", "deliver", "take_or_heartbeat"]


class FrameSource(Protocol):
    """The frames that are still to be sent to one page."""

    async def take(self) -> Frame | None:
        """Wait for the next frame and return it; None after the last. Cancelling is safe."""


class _PageMessage(msgspec.Struct):
    type: str


async def deliver(
    source: FrameSource,
    connection: Connection,
    *,
    stop: Callable[[], Awaitable[None]],
    on_message: Callable[[str | bytes], object] | None,
    heartbeat: float | None,
    patience: float | None,
    pump: Pump | None = None,
) -> None:
    """Send all frames of a source to a page, and receive its messages until the last frame.

    Cancelling is safe; no task is left behind.

    Args:
        source: where the frames come from.
        connection: the page.
        stop: called when the page sends ``{"type": "stop"}``.
        on_message: called with every other message of the page; what it raises is logged.
        heartbeat: seconds without a frame after which a heartbeat is sent; None for never.
        patience: seconds that the page may take to accept one frame; None for no limit.
        pump: what fills the source; it is started here, and ends the delivery if it overflows.

    Raises:
        PageGoneError: the page closed its connection.
        PageTooSlowError: the page did not accept a frame within ``patience``, or the pump's buffer
            overflowed.
    """
    sending = asyncio.create_task(_send_all(source, connection, heartbeat, patience))
    receiving = asyncio.create_task(_receive_all(connection, stop, on_message))
    own_tasks = {sending, receiving}
    pending = own_tasks if pump is None else own_tasks | {pump.start()}
    try:
        while not sending.done():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if pump is not None and pump.has_overflowed:
                pump.result()
            for task in done & own_tasks:
                task.result()
    except PageTooSlowError as error:
        await _cancel_all(sending, receiving)
        await _send_error(connection, error)
        raise
    finally:
        await _cancel_all(sending, receiving)


async def take_or_heartbeat(source: FrameSource, heartbeat: float | None) -> Frame | None:
    """Return the next frame of a source, or `HEARTBEAT` if none comes within those seconds."""
    try:
        async with asyncio.timeout(heartbeat):
            return await source.take()
    except TimeoutError:
        return HEARTBEAT


async def _send_all(
    source: FrameSource, connection: Connection, heartbeat: float | None, patience: float | None
) -> None:
    while (frame := await take_or_heartbeat(source, heartbeat)) is not None:
        try:
            async with asyncio.timeout(patience) as limit:
                await connection.send(frame)
        except TimeoutError as error:
            if not limit.expired():  # the connection raised a timeout of its own
                raise
            msg = f"the page accepted nothing for {patience:g} s; patience sets that limit"
            raise PageTooSlowError(msg) from error


async def _receive_all(
    connection: Connection,
    stop: Callable[[], Awaitable[None]],
    on_message: Callable[[str | bytes], object] | None,
) -> None:
    while True:
        message = await connection.receive()
        if _is_stop_message(message):
            await stop()
        else:
            call_hook(on_message, message)


def _is_stop_message(message: str | bytes) -> bool:
    try:
        return msgspec.json.decode(message, type=_PageMessage).type == "stop"
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


async def _send_error(connection: Connection, error: PageTooSlowError) -> None:
    """Queue the error after the data that the connection has not sent yet, without waiting.

    A page that starts to read again finds it there.
    """
    for frame in error_frames(error):
        # With a timeout of 0 the frame still enters the connection's write buffer; only the wait
        # for the page to read it is cancelled.
        with contextlib.suppress(TimeoutError, PageGoneError):
            async with asyncio.timeout(0):
                await connection.send(frame)


async def _cancel_all(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
