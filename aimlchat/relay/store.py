"""Where a broadcast keeps its frames for pages that join late or reconnect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .frames import Frame

__all__ = ["MemoryStore", "Store"]


class Store(Protocol):
    """The frames of one broadcast, in order, numbered from 1.

    A frame is a dictionary that survives a round trip through JSON. One task appends, any number
    of tasks read. Cancelling any method must be safe: either all frames of a call are stored, or
    none.
    """

    async def append(self, frames: Sequence[Frame]) -> None:
        """Append frames."""

    async def end(self, frames: Sequence[Frame]) -> None:
        """Append the last frames; no more will come."""

    async def read(self, after: int) -> Sequence[Frame]:
        """Return all frames numbered above ``after``, at least one.

        Waits while there is none. Returns an empty sequence once the broadcast has ended and
        ``after`` is its last frame.
        """


class MemoryStore:
    """A `Store` that keeps the frames in the memory of this process."""

    def __init__(self) -> None:
        self._frames: list[Frame] = []
        self._has_ended = False
        self._changed = asyncio.Event()

    async def append(self, frames: Sequence[Frame]) -> None:
        """Append frames; never waits."""
        self._frames += frames
        self._wake_readers()

    async def end(self, frames: Sequence[Frame]) -> None:
        """Append the last frames; never waits."""
        self._frames += frames
        self._has_ended = True
        self._wake_readers()

    async def read(self, after: int) -> Sequence[Frame]:
        """Return all frames numbered above ``after``; wait while there is none, until the end."""
        while len(self._frames) <= after and not self._has_ended:
            await self._changed.wait()
        return self._frames[after:]

    def _wake_readers(self) -> None:
        # Each change gets an event of its own, so a reader that returns waits for the next one.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
