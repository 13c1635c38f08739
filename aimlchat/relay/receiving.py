"""Receive the messages of a page, without a task until there is a message."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from .first_step import resume

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["Receiving"]


class Receiving:
    """Runs a coroutine that receives messages, from now until `cancel`.

    Most pages send nothing while an answer arrives. Creating and cancelling a task for each page
    costs as much as a few frames.

    Args:
        coroutine: receives the messages.
        needs_task: whether it depends from the start on the task that runs it. Otherwise it first
            waits for a future, and needs no task until it awaits something else.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None], *, needs_task: bool) -> None:
        self._coroutine = coroutine
        self._task: asyncio.Task[None] | None = None
        self._awaited: asyncio.Future[Any] | None = None
        if needs_task:
            self._task = asyncio.create_task(coroutine)
            return
        with contextlib.suppress(StopIteration):  # the connection was closed before
            self._awaited = coroutine.send(None)
            self._awaited.add_done_callback(self._go_on)

    def cancel(self) -> tuple[asyncio.Task[None], ...]:
        """End the coroutine; return its task, if there is one, which ends soon. Safe to repeat."""
        if self._task is not None:
            self._task.cancel()
            return (self._task,)
        if self._awaited is not None:
            self._awaited.remove_done_callback(self._go_on)
            self._awaited = None
            with contextlib.suppress(asyncio.CancelledError):
                # Not `close`: the web socket of aiohttp would still count a reader that waits.
                self._coroutine.throw(asyncio.CancelledError())
        return ()

    def _go_on(self, _: asyncio.Future[Any]) -> None:
        if self._awaited is None:  # it was cancelled in the same pass of the event loop
            return
        self._awaited = None
        # At once, as a task would continue. When a browser crashes, the connection ends right after
        # the close frame, and a pass of the loop later aiohttp would report code 1006.
        with contextlib.suppress(StopIteration):
            awaited = self._coroutine.send(None)
            self._task = asyncio.create_task(_run(self._coroutine, awaited))


async def _run(coroutine: Coroutine[Any, Any, None], awaited: Any) -> None:
    await resume(coroutine, awaited)
