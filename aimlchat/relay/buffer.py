"""Frames that wait to be sent to one page."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

import attrs

from .errors import PageTooSlowError
from .frames import DELTA_FIELDS, MAX_JOINED_LENGTH
from .monitor import PolledPages

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

    def __len__(self) -> int:
        return len(self._queued)

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

    def take(self) -> Frame | None:
        """Remove and return the oldest frame; None if the queue is empty."""
        if not self._queued:
            return None
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


class BufferedPage(Protocol):
    """The page of a buffer."""

    def write_now(self, frames: Sequence[Frame]) -> bool:
        """Take frames and return True, or return False to let them wait."""

    def wake(self) -> None:
        """Take the frames in the buffer, as many as the page accepts."""


class PageBuffer:
    """The bounded buffer between a stream and one page, which is woken for new frames.

    Args:
        limit: how much may wait, counted as `FrameQueue.size`.
    """

    position = 0  # its frames have no numbers

    def __init__(self, limit: int) -> None:
        self.polled = PolledPages()
        self._limit = limit
        self._queue = FrameQueue()
        self._is_ending = False
        self._is_scheduled = False
        self._page: BufferedPage | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the last frame has been taken."""
        return self._is_ending and not self._queue

    def feed(self, page: BufferedPage) -> None:
        """Wake this page for each frame; called once."""
        self._page = page
        page.wake()

    def append(self, frames: Sequence[Frame]) -> None:
        """Add frames.

        Over the limit, drops all waiting frames and raises `PageTooSlowError`.
        """
        if not self._queue.size and self._page is not None and self._page.write_now(frames):
            return
        for frame in frames:
            self._queue.add(frame)
        if self._queue.size > self._limit:
            self._wake()  # a page that reads may not have been woken yet for a sudden flood
        if self._queue.size > self._limit:
            self._queue.clear()
            msg = (
                f"the page reads too slowly: more than {self._limit:,} characters were waiting for"
                " it; max_buffer sets that limit"
            )
            raise PageTooSlowError(msg)
        self._schedule()

    async def end(self, frames: Sequence[Frame]) -> None:
        """Add the last frames without waiting; the limit does not apply to them."""
        for frame in frames:
            self._queue.add(frame)
        self._is_ending = True
        self._schedule()

    def take(self) -> Frame | None:
        """Remove and return the next frame, with waiting deltas joined; None if none waits."""
        return self._queue.take()

    def _schedule(self) -> None:
        # In the next pass of the event loop, so that the deltas of one read are joined.
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        self._is_scheduled = False
        if self._page is not None:
            self._page.wake()
