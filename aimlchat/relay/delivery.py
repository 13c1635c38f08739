"""Deliver frames to one page, and handle the messages that the page sends meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from aimlchat._client.hooks import call_hook

from .encoding import EncodedFrames
from .errors import PageGoneError, PageTooSlowError
from .frames import error_frames
from .receiving import Receiving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .adapters import Connection
    from .page import Page
    from .pump import Pump

__all__ = ["deliver"]


class _PageMessage(msgspec.Struct):
    type: str


async def deliver(
    page: Page,
    connection: Connection,
    *,
    stop: Callable[[], Awaitable[None]],
    on_message: Callable[[str | bytes], object] | None,
    pump: Pump | None = None,
) -> None:
    """Receive the messages of a page until its last frame has been written.

    Cancelling is safe; no task is left behind.

    Args:
        page: writes the frames; it has been woken.
        connection: the page's connection.
        stop: called when the page sends ``{"type": "stop"}``.
        on_message: called with every other message of the page; an exception in it is logged.
        pump: fills the buffer, if this page has one of its own; it is started here, and ends the
            delivery if the buffer overflows.

    Raises:
        PageGoneError: the page closed its connection.
        PageTooSlowError: the page did not accept a frame within its patience, or its buffer
            overflowed.
    """
    if pump is not None:
        pump.start().add_done_callback(lambda _: _end_if_overflowed(page, pump))
    receiving = None
    if connection.receive is not None:
        messages = _receive_all(page, connection.receive, stop, on_message)
        receiving = Receiving(messages, needs_task=connection.needs_task_to_receive)
    try:
        await page.ended
    except PageTooSlowError as error:
        await _end(page, receiving)
        await _send_error(connection, error)
        raise
    finally:
        await _end(page, receiving)


def _end_if_overflowed(page: Page, pump: Pump) -> None:
    if pump.overflow is not None:
        page.fail(pump.overflow)


async def _receive_all(
    page: Page,
    receive: Callable[[], Awaitable[str | bytes]],
    stop: Callable[[], Awaitable[None]],
    on_message: Callable[[str | bytes], object] | None,
) -> None:
    try:
        while True:
            message = await receive()
            if asyncio.current_task() is None:  # see `Receiving`
                await asyncio.sleep(0)  # the code of the service runs in a task
            if _is_stop_message(message):
                await stop()
            else:
                call_hook(on_message, message)
    except Exception as error:  # noqa: BLE001 - raised by `page.ended`
        page.fail(error)


def _is_stop_message(message: str | bytes) -> bool:
    try:
        return msgspec.json.decode(message, type=_PageMessage).type == "stop"
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


async def _send_error(connection: Connection, error: PageTooSlowError) -> None:
    """Write the error after the data that the connection has not sent yet, without waiting.

    A page that starts reading again finds it there.
    """
    for frame in error_frames(error):
        with contextlib.suppress(TimeoutError, PageGoneError):
            rest = connection.write(EncodedFrames([frame]))
            if rest is not None:
                # With a timeout of 0 the frame still enters the connection's write buffer; only
                # the wait for the page to read it is cancelled.
                async with asyncio.timeout(0):
                    await rest()


async def _end(page: Page, receiving: Receiving | None) -> None:
    tasks = page.close()
    if receiving is not None:
        tasks += receiving.cancel()
    if tasks:
        await asyncio.wait(tasks)
