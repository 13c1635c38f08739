"""Work through many lines without blocking the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["LINES_PER_TURN", "iterate_cooperatively"]

_T = TypeVar("_T")
LINES_PER_TURN = 200
"""How many lines are read before yielding to the event loop; they take about a millisecond."""


async def iterate_cooperatively(items: Iterator[_T]) -> AsyncIterator[_T]:
    """Yield the items, and yield to the event loop every `LINES_PER_TURN` of them."""
    for count, item in enumerate(items, 1):
        yield item
        if count % LINES_PER_TURN == 0:
            await asyncio.sleep(0)
