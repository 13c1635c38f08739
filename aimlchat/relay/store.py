"""Where a broadcast keeps its frames for pages that join late or reconnect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from .errors import BroadcastTooLargeError
from .history import FrameHistory

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
        """Append ``frames``. What it raises ends the broadcast. Cancelling must be safe."""

    async def end(self, frames: Sequence[Frame]) -> None:
        """Append the last ``frames``; no more will come. Cancelling must be safe."""

    async def read(self, after: int) -> Sequence[Frame]:
        """Return frames numbered above ``after``, in order and without a gap, at least one.

        Each has its number in the field ``number``. A store may join neighboring deltas of one
        part; such a frame has the number of the last one in it. Waits while there is no frame.
        Returns an empty sequence once the broadcast has ended and ``after`` is its last frame. A
        number that no frame has yet is that of another answer, and stands for 0. Cancelling must be
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
        self._history = FrameHistory()
        self._last_frames: list[Frame] = []  # those of the last call, which most readers lack
        self._has_ended = False
        self._changed = asyncio.Event()

    async def append(self, frames: Sequence[Frame]) -> None:
        """Append ``frames``; never waits, so it cannot be cancelled.

        Raises:
            BroadcastTooLargeError: the frames before these already exceed the size to keep.
        """
        if self._history.size > self._max_size:
            msg = (
                f"the answer takes more than {self._max_size:,} bytes, the most that is kept for"
                " pages that join late; MemoryStore(max_size=...) sets that limit"
            )
            raise BroadcastTooLargeError(msg)
        self._add(frames)

    async def end(self, frames: Sequence[Frame]) -> None:
        """Append the last ``frames``, which have no limit; never waits, so cannot be cancelled."""
        self._has_ended = True
        self._add(frames)

    async def read(self, after: int) -> Sequence[Frame]:
        """Return frames numbered above ``after``; wait while there is none, until the end.

        Cancelling is safe.
        """
        if after > self._history.count:
            after = 0
        while self._history.count <= after and not self._has_ended:
            await self._changed.wait()
        if after == self._history.count - len(self._last_frames):
            return self._last_frames
        return self._history.read(after)

    def _add(self, frames: Sequence[Frame]) -> None:
        self._last_frames = [self._history.add(frame) for frame in frames]
        # Each change gets an event of its own, so a reader that returns waits for the next one.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
