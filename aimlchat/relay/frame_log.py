"""The frames of one answer in this process, and the pages that follow it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol

from .buffer import FrameQueue
from .encoding import EncodedFrames, take_frames
from .history import FrameHistory
from .monitor import PolledPages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .frames import Frame

__all__ = ["FrameLog", "LogCursor"]


class FollowingPage(Protocol):
    """A page that gets new frames."""

    def offer(self, batches: Sequence[EncodedFrames], after: int, now: float) -> None:
        """Take frames, if it waits for frames and has every frame up to the number ``after``."""

    def wake(self) -> None:
        """Take the frames of its source, if it waits for frames; end if the source has ended."""


class FrameLog:
    """Keeps the frames of an answer, and passes each new one to every page that follows.

    Frames that are added in one pass of the event loop are joined and encoded once for all pages
    that have all earlier frames. Any other page reads the history at its own pace, so a page that
    reads nothing keeps only the number of its last frame.
    """

    def __init__(self) -> None:
        self.has_ended = False
        self.start = 0
        """The number before that of the first frame."""
        self.error: Exception | None = None
        """The error that ended the answer in place of a last frame."""
        self.polled = PolledPages()
        """The pages that have to be polled and take their frames at once."""
        self._history = FrameHistory()
        self._unsent = FrameQueue()
        self._unsent_after = 0  # the number of the frame before those
        self._is_scheduled = False
        self._pages: dict[FollowingPage, None] = {}  # a set that keeps the order

    def start_after(self, number: int) -> None:
        """Number the first frame ``number + 1``; called before it is added."""
        self.start = self._history.last_number = number

    @property
    def last_number(self) -> int:
        """The number of the last frame."""
        return self._history.last_number

    @property
    def size(self) -> int:
        """About how many bytes are kept."""
        return self._history.size

    def add(self, frames: Iterable[Frame]) -> None:
        """Keep frames, and pass them to the pages."""
        if not self._pages:
            self._unsent.clear()  # left by the last page; new frames would follow a gap
        if not self._unsent:
            self._unsent_after = self._history.last_number
        for frame in frames:
            numbered = self._history.add(frame)
            if self._pages:
                self._unsent.add(numbered)
        if self._pages and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._send)

    def end(self, frames: Iterable[Frame]) -> None:
        """Keep the last frames, and pass them to the pages, which end with them."""
        self.has_ended = True
        self.add(frames)

    def fail(self, error: Exception) -> None:
        """Raise an error to each page, now and later, once it has all frames before it."""
        self.error = error
        for page in tuple(self._pages):
            page.wake()

    def read(self, after: int) -> list[Frame]:
        """Return frames numbered above ``after``, with neighboring deltas of one part joined."""
        return self._history.read(after)

    def follow(self, page: FollowingPage) -> None:
        """Pass frames to a page, from the position of its source on."""
        self._pages[page] = None
        page.wake()

    def unfollow(self, page: FollowingPage) -> None:
        """Pass no more frames to a page; safe to repeat."""
        self._pages.pop(page, None)

    def _send(self) -> None:
        self._is_scheduled = False
        batches = [*iter(partial(take_frames, self._unsent), None)]
        now = asyncio.get_running_loop().time()
        if batches:
            self.polled.written_at = now
        for page in tuple(self._pages):
            page.offer(batches, self._unsent_after, now)
        if self.has_ended:
            for page in tuple(self._pages):
                page.wake()


class LogCursor:
    """The frames of a log that one page has not been sent yet.

    ``position`` is the number of the last frame that the page has. A number that no frame of the
    log has belongs to another answer, and means the beginning.
    """

    def __init__(self, log: FrameLog, position: int) -> None:
        self.polled = log.polled
        self._log = log
        self._read: list[Frame] = []  # in reverse order
        self.position = position if log.start <= position <= log.last_number else log.start

    @property
    def has_ended(self) -> bool:
        """Whether the page has the last frame."""
        return self._log.has_ended and self.position == self._log.last_number

    def take(self) -> Frame | None:
        """Return the next frame, with neighboring deltas joined; None if there is none yet.

        After the last frame of a log that has failed, it raises the error of the log.
        """
        if not self._read:
            self._read = self._log.read(self.position)[::-1]
            if not self._read:
                if self._log.error is not None:
                    raise self._log.error
                return None
        frame = self._read.pop()
        self.position = frame["number"]
        return frame
