"""Work through many lines without blocking the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["LINES_PER_TURN", "finish_in_thread", "iterate_cooperatively"]

_T = TypeVar("_T")
LINES_PER_TURN = 200
"""How many lines are read before yielding to the event loop; they take about a millisecond."""


async def iterate_cooperatively(items: Iterator[_T]) -> AsyncIterator[_T]:
    """Yield the items, and yield to the event loop every `LINES_PER_TURN` of them."""
    for count, item in enumerate(items, 1):
        yield item
        if count % LINES_PER_TURN == 0:
            await asyncio.sleep(0)


async def finish_in_thread(function: Callable[[], _T]) -> _T:
    """Call a function in a thread, and return what it returns.

    Cancelling waits for the function: what it uses may be closed next.
    """
    running = asyncio.get_running_loop().run_in_executor(None, function)
    cancellation: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation
    return running.result()
