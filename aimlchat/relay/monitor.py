"""One timer for all pages of an event loop: heartbeats, patience, and connections that are gone."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from weakref import WeakKeyDictionary

from .errors import PageGoneError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable

__all__ = ["PageMonitor"]

# The time between two looks at all connections: a disconnect that only a look shows has to be
# noticed within 0.1 s. A look costs a twentieth of a frame, since the connections are rarely in the
# caches of the processor.
_POLL_SECONDS = 0.08
_LEAST_SECONDS = 0.04  # between two checks of all pages


class MonitoredPage(Protocol):
    """A page that has something to watch."""

    def check(self, now: float) -> float:
        """Do what is due by ``now``, on the clock of the event loop; return what is due next."""


class PolledPage(MonitoredPage, Protocol):
    """A page whose connection does not tell that the page has gone."""

    def fail(self, error: Exception) -> None:
        """End the delivery with an error."""


class PageMonitor:
    """Checks the pages of one event loop when the earliest of them may be due.

    A page only notes when it was written to last. Making and cancelling a timer for each frame
    would cost as much as writing the frame. Connections that do not tell when the page
    has gone are polled all at once, since a check of each page would cost a tenth of a frame.
    """

    _monitors: ClassVar[WeakKeyDictionary[AbstractEventLoop, PageMonitor]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._pages: set[MonitoredPage] = set()
        self._timer: TimerHandle | None = None
        self._next_check = math.inf
        self._polled: dict[Any, Callable[[], bool]] = {}  # by pages of the kind `PolledPage`
        self._poll_timer: TimerHandle | None = None

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

    def poll(self, page: PolledPage, is_gone: Callable[[], bool]) -> None:
        """Poll from now on whether a page has gone; it fails then."""
        self._polled[page] = is_gone
        if self._poll_timer is None:
            self._poll_later()

    def remove(self, page: MonitoredPage) -> None:
        """Stop to check and to poll a page; safe to repeat."""
        self._pages.discard(page)
        if not self._pages and self._timer is not None:
            self._timer.cancel()
            self._timer, self._next_check = None, math.inf
        self._polled.pop(page, None)
        if not self._polled and self._poll_timer is not None:
            self._poll_timer.cancel()
            self._poll_timer = None

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
            self._check_at(max(next_due, now + _LEAST_SECONDS))

    def _poll_later(self) -> None:
        self._poll_timer = asyncio.get_running_loop().call_later(_POLL_SECONDS, self._poll)

    def _poll(self) -> None:
        self._poll_timer = None
        for page in [page for page, is_gone in self._polled.items() if is_gone()]:
            page.fail(PageGoneError())
        if self._polled:
            self._poll_later()
