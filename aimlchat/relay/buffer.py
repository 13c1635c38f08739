"""Frames that wait to be sent to one page."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import attrs

from .errors import PageTooSlowError
from .frames import DELTA_FIELDS, MAX_JOINED_LENGTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .frames import Frame

__all__ = ["FrameQueue", "PageBuffer"]

# Counted for each frame besides its text, in characters: frames without text are not free either.
_FRAME_OVERHEAD = 64


@attrs.define
class _QueuedFrame:
    frame: Frame
    texts: list[str]  # joined once, when the frame is taken: joining on each delta is quadratic
    size: int


class FrameQueue:
    """An unbounded first-in, first-out queue that joins neighboring deltas of one part.

    No text is lost and the order is kept. ``size`` is what is queued, in characters of text plus
    64 for each frame.
    """

    def __init__(self) -> None:
        self._queued: deque[_QueuedFrame] = deque()
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._queued)

    def add(self, frame: Frame) -> None:
        """Append a frame, or join its text to the last queued one; ``frame`` is not changed."""
        fields = DELTA_FIELDS.get(frame["type"])
        if fields is None:
            self._append(_QueuedFrame(frame, [], _FRAME_OVERHEAD))
            return
        text_field, part_field = fields
        text = frame[text_field]
        last = self._queued[-1] if self._queued else None
        if (
            last is None
            or last.frame["type"] != frame["type"]
            or last.frame[part_field] != frame[part_field]
            or last.size + len(text) > MAX_JOINED_LENGTH
        ):
            self._append(_QueuedFrame(frame, [text], _FRAME_OVERHEAD + len(text)))
            return
        last.texts.append(text)
        last.frame = frame  # a joined frame carries the number of the last one in it
        last.size += len(text)
        self.size += len(text)

    def take(self) -> Frame:
        """Remove and return the oldest frame. Raises `IndexError` if the queue is empty."""
        queued = self._queued.popleft()
        self.size -= queued.size
        if len(queued.texts) < 2:  # noqa: PLR2004 - nothing was joined to it
            return queued.frame
        text_field, _ = DELTA_FIELDS[queued.frame["type"]]
        return queued.frame | {text_field: "".join(queued.texts)}

    def clear(self) -> None:
        """Drop all frames."""
        self._queued.clear()
        self.size = 0

    def _append(self, queued: _QueuedFrame) -> None:
        self._queued.append(queued)
        self.size += queued.size


class PageBuffer:
    """The bounded buffer between a stream and one page. One task appends, one task takes.

    ``limit`` is how much may wait, counted as `FrameQueue.size`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue = FrameQueue()
        self._has_ended = False
        self._waiting_reader: asyncio.Future[None] | None = None

    async def append(self, frames: Sequence[Frame]) -> None:
        """Add frames without waiting.

        Over the limit, drops all waiting frames and raises `PageTooSlowError`.
        """
        for frame in frames:
            self._queue.add(frame)
        if self._queue.size > self._limit:
            self._queue.clear()
            msg = (
                f"the page reads too slowly: more than {self._limit:,} characters were waiting for"
                " it; max_buffer sets that limit"
            )
            raise PageTooSlowError(msg)
        self._wake_reader()

    async def end(self, frames: Sequence[Frame]) -> None:
        """Add the last frames without waiting; the limit does not apply to them."""
        for frame in frames:
            self._queue.add(frame)
        self._has_ended = True
        self._wake_reader()

    async def take(self) -> Frame | None:
        """Wait for the next frame and return it; None after the last. Cancelling is safe."""
        while not self._queue:
            if self._has_ended:
                return None
            self._waiting_reader = asyncio.get_running_loop().create_future()
            try:
                await self._waiting_reader
            finally:
                self._waiting_reader = None
        return self._queue.take()

    def _wake_reader(self) -> None:
        if self._waiting_reader is not None and not self._waiting_reader.done():
            self._waiting_reader.set_result(None)
