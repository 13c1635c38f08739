"""An emulator on an event loop of its own, in a thread."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .server import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["running"]


@contextmanager
def running() -> Iterator[Emulator]:
    """Run an emulator in a background thread until the block is left.

    Raises:
        OSError: no socket could be opened.
    """
    emulator = Emulator()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(emulator, started)),
        name="aimlchat-emulator",
        daemon=True,
    )
    thread.start()
    loop, leave = started.result()
    try:
        yield emulator
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join()


async def _serve(
    emulator: Emulator, started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]
) -> None:
    leave = asyncio.Event()
    try:
        await emulator.start()
    except BaseException as error:  # noqa: BLE001 - it is raised where the test waits for it
        started.set_exception(error)
        return
    started.set_result((asyncio.get_running_loop(), leave))
    try:
        await leave.wait()
    finally:
        await emulator.close()
