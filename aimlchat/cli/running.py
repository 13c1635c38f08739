"""Running a coroutine so that Ctrl-C ends it at once and cleanly."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .failures import INTERRUPTED
from .terminal import end_interrupted_line

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .terminal import Page

__all__ = ["run"]

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T], page: Page | None = None) -> T:
    """Run a coroutine. Ctrl-C cancels it, and ends the command with status 130.

    ``page`` is what it writes on, if that is standard output.
    """
    with asyncio.Runner() as runner:
        try:
            return runner.run(main)
        except KeyboardInterrupt:
            # The end of the page has ended the line already, if it stands on one.
            if not (page and page.begun):
                end_interrupted_line()
            _leave_threads()
            raise click.exceptions.Exit(INTERRUPTED) from None


def _leave_threads() -> None:
    """End the process here if a thread could hold it up.

    The look-up of a host's name runs in a thread and cannot be cancelled: closing the loop, and
    Python's own exit, would wait for it, and with it the user who pressed Ctrl-C. All that had to
    be closed was closed when the coroutine was cancelled.
    """
    if any(thread.name.startswith("asyncio_") for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
