"""Where a broadcast keeps its frames for pages that join late or reconnect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from .errors import BroadcastTooLargeError
from .frame_log import FrameLog

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
        """Append ``frames``. An exception ends the broadcast. Cancelling must be safe."""

    async def end(self, frames: Sequence[Frame]) -> None:
        """Append the last ``frames``; no more will come. Cancelling must be safe."""

    async def read(self, after: int) -> Sequence[Frame]:
        """Return frames numbered above ``after``, in order and without a gap, at least one.

        Each has its number in the field ``number``. A store may join neighboring deltas of one
        part; such a frame has the number of the last one in it. Waits while there is no frame.
        Returns an empty sequence once the broadcast has ended and ``after`` is its last frame. A
        number that no frame has yet belongs to another answer, and counts as 0. Cancelling must be
        safe.
        """


class MemoryStore:
    """A `Store` that keeps the frames in the memory of this process.

    Args:
        max_size: the most to keep, in bytes, for text in ASCII. A larger answer is ended with a
            `BroadcastTooLargeError`.
    """

    def __init__(self, *, max_size: int = 64 * 1024 * 1024) -> None:
        self._max_size = max_size
        self._changed: asyncio.Event | None = None  # of the readers that wait
        self.log = FrameLog()
        """The frames; the pages of this process get each new one."""

    async def append(self, frames: Sequence[Frame]) -> None:
        """Append ``frames``; never waits, so it cannot be cancelled.

        Raises:
            BroadcastTooLargeError: the frames before these already exceed the size to keep.
        """
        if self.log.size > self._max_size:
            msg = (
                f"the answer takes more than {self._max_size:,} bytes, the most that is kept for"
                " pages that join late; MemoryStore(max_size=...) sets that limit"
            )
            raise BroadcastTooLargeError(msg)
        self.log.add(frames)
        self._note_change()

    async def end(self, frames: Sequence[Frame]) -> None:
        """Append the last ``frames``, which have no limit; never waits, so cannot be cancelled."""
        self.log.end(frames)
        self._note_change()

    async def read(self, after: int) -> Sequence[Frame]:
        """Return frames numbered above ``after``; wait while there is none, until the end.

        Cancelling is safe.
        """
        if not self.log.start <= after <= self.log.last_number:
            after = self.log.start
        while self.log.last_number <= after and not self.log.has_ended:
            if self._changed is None:
                self._changed = asyncio.Event()
            await self._changed.wait()
        return self.log.read(after)

    def _note_change(self) -> None:
        # Each change gets an event of its own, so a reader that returns waits for the next one.
        if self._changed is not None:
            self._changed.set()
            self._changed = None
