"""Runs an emulator in a background thread."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .server import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["run_in_thread"]


@contextmanager
def run_in_thread(**settings: Any) -> Iterator[Emulator]:
    """Run an emulator on its own event loop, in a background thread, until the block ends.

    Args:
        settings: the arguments of `Emulator`.

    Raises:
        Exception: a function given to the emulator failed, see `Emulator.script_errors`.
        OSError: no socket could be opened.
    """
    emulator = Emulator(**settings)
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(emulator, started)),
        name="aimlchat-emulator",
        daemon=True,
    )
    thread.start()
    loop, stop = started.result()
    try:
        yield emulator
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
    emulator.raise_script_errors()


async def _serve(
    emulator: Emulator, started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]
) -> None:
    stop = asyncio.Event()
    try:
        await emulator.start()
    except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for the start
        started.set_exception(error)
        return
    started.set_result((asyncio.get_running_loop(), stop))
    try:
        await stop.wait()
    finally:
        await emulator.close()
