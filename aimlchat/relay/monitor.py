"""One timer for all pages of an event loop: heartbeats, patience, and connections that are gone."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, ClassVar, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle

__all__ = ["POLL_SECONDS", "PageMonitor"]

# The least time between two checks. A disconnect that only a look at the connection shows has to be
# noticed within 0.1 s.
POLL_SECONDS = 0.04


class MonitoredPage(Protocol):
    """A page that has something to watch."""

    def check(self, now: float) -> float:
        """Do what is due by ``now``, on the clock of the event loop; return what is due next."""


class PageMonitor:
    """Checks the pages of one event loop when the earliest of them may be due.

    A page only notes when it was written to last. Making and cancelling a timer for each frame
    would cost as much as writing the frame.
    """

    _monitors: ClassVar[WeakKeyDictionary[AbstractEventLoop, PageMonitor]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._pages: set[MonitoredPage] = set()
        self._timer: TimerHandle | None = None
        self._next_check = math.inf

    @classmethod
    def current(cls) -> PageMonitor:
        """Return the monitor of the running event loop."""
        loop = asyncio.get_running_loop()
        monitor = cls._monitors.get(loop)
        if monitor is None:
            monitor = cls._monitors[loop] = cls()
        return monitor

    def add(self, page: MonitoredPage, due: float) -> None:
        """Check a page from now on, first at ``due``, on the clock of the event loop."""
        self._pages.add(page)
        self._check_at(due)

    def remove(self, page: MonitoredPage) -> None:
        """Stop to check a page; safe to repeat."""
        self._pages.discard(page)
        if not self._pages and self._timer is not None:
            self._timer.cancel()
            self._timer, self._next_check = None, math.inf

    def _check_at(self, due: float) -> None:
        if due >= self._next_check:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._next_check = due
        self._timer = asyncio.get_running_loop().call_at(due, self._check)

    def _check(self) -> None:
        # The loop may run a timer early, by less than the resolution of its clock.
        now = max(asyncio.get_running_loop().time(), self._next_check)
        self._timer, self._next_check = None, math.inf
        next_due = math.inf
        for page in tuple(self._pages):
            next_due = min(next_due, page.check(now))
        if self._pages:  # a check may have removed the last one
            self._check_at(max(next_due, now + POLL_SECONDS))
