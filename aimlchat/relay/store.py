"""Where the frames of a broadcast are kept for those who come late."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .frames import Frame

__all__ = ["MemoryStore", "Store"]


class Store(Protocol):
    """The frames of one broadcast, in order; the first one is number 1.

    A frame is a dictionary that goes through JSON and back unharmed. One task appends, any number
    read. Cancelling is safe in all of them: a call's frames are all there, or none of them.
    """

    async def append(self, frames: Sequence[Frame]) -> None:
        """Put frames at the end."""

    async def end(self, frames: Sequence[Frame]) -> None:
        """Put the last frames at the end; no more will come."""

    async def read(self, after: int) -> Sequence[Frame]:
        """Return all frames behind that number, waiting for the first; none once it has ended."""


class MemoryStore:
    """Keeps the frames in this process."""

    def __init__(self) -> None:
        self._frames: list[Frame] = []
        self._ended = False
        self._more = asyncio.Event()

    async def append(self, frames: Sequence[Frame]) -> None:
        """Put frames at the end; never waits."""
        self._frames += frames
        self._wake()

    async def end(self, frames: Sequence[Frame]) -> None:
        """Put the last frames at the end; never waits."""
        self._frames += frames
        self._ended = True
        self._wake()

    async def read(self, after: int) -> Sequence[Frame]:
        """Return all frames behind that number, waiting for the first; none once it has ended."""
        while len(self._frames) <= after and not self._ended:
            await self._more.wait()
        return self._frames[after:]

    def _wake(self) -> None:
        # A fresh event each time: whoever reads again waits for what comes after this.
        more, self._more = self._more, asyncio.Event()
        more.set()
