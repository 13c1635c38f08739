"""What Ctrl-C and SIGTERM do: they end a command at once and cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .exit_status import INTERRUPTED
from .terminal import end_interrupted_line

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .delta_printer import DeltaPrinter

__all__ = ["listen_for_sigterm", "run_interruptible"]

T = TypeVar("T")


def run_interruptible(main: Coroutine[Any, Any, T], printer: DeltaPrinter | None = None) -> T:
    """Run a coroutine and return its result.

    Ctrl-C cancels the coroutine, then ends the command with status 130. A second Ctrl-C cancels it
    once more, and a third one does not wait for its end. ``printer`` prints the coroutine's answer,
    if it has one.
    """
    tasks: list[asyncio.Task[Any]] = []

    async def run_main() -> T:
        tasks.extend(filter(None, [asyncio.current_task()]))
        return await main

    with asyncio.Runner() as runner:
        try:
            return runner.run(run_main())
        except KeyboardInterrupt:
            with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
                for task in tasks:
                    if not task.done():  # it has yet to write its files and print its summary
                        task.cancel()
                        runner.get_loop().run_until_complete(task)
            # A printer that has printed something ended its line when it was closed.
            if not (printer and printer.has_printed):
                end_interrupted_line()
            _exit_if_threads_run()
            raise click.exceptions.Exit(INTERRUPTED) from None


def _exit_if_threads_run() -> None:
    """Exit the process here if a thread of asyncio could delay its exit.

    asyncio looks up host names in a thread, and the look-up cannot be cancelled. Both the closing
    of the loop and Python's exit would wait for it. Whatever has to be closed was closed when the
    coroutine was cancelled.
    """
    if any(thread.name.startswith("asyncio_") for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)


def listen_for_sigterm() -> asyncio.Event:
    """Return an event that SIGTERM sets from now on, for servers that shut down cleanly."""
    stopped = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows has no such signal
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    return stopped
