"""Timers that all pages of an event loop share: heartbeats, patience, and pages that have gone."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from typing import TYPE_CHECKING, ClassVar, Protocol
from weakref import WeakKeyDictionary

from .errors import PageGoneError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable
    from typing import Literal, TypeAlias

__all__ = ["Monitor", "PolledPages"]

Purpose: TypeAlias = "Literal['limits', 'polls']"

# The time between two polls of a connection: a disconnect that only a poll or a write shows has to
# be noticed within 0.1 s.
_POLL_SECONDS = 0.08
_LEAST_SECONDS = 0.02  # between two checks of all objects of a monitor


class Monitored(Protocol):
    """What has to be checked from time to time."""

    def check(self, now: float) -> float:
        """Do what is due by ``now``, on the clock of the event loop; return when to check next."""


class Monitor:
    """Checks the objects of one event loop for one purpose when the earliest of them may be due.

    A page only notes when it was written to last: making and cancelling a timer for each frame
    would cost as much as writing the frame. All objects are checked at once, so that polls, which
    are frequent, have a monitor of their own.
    """

    _monitors: ClassVar[WeakKeyDictionary[AbstractEventLoop, dict[Purpose, Monitor]]] = (
        WeakKeyDictionary()
    )

    def __init__(self) -> None:
        self._monitored: set[Monitored] = set()
        self._timer: TimerHandle | None = None
        self._next_check = math.inf

    @classmethod
    def current(cls, purpose: Purpose) -> Monitor:
        """Return the monitor of the running event loop for a purpose."""
        loop = asyncio.get_running_loop()
        monitors = cls._monitors.get(loop)
        if monitors is None:
            monitors = cls._monitors[loop] = defaultdict(cls)
        return monitors[purpose]

    def add(self, monitored: Monitored, due: float) -> None:
        """Check an object from now on, first at ``due``, on the clock of the event loop."""
        self._monitored.add(monitored)
        self._check_at(due)

    def remove(self, monitored: Monitored) -> None:
        """Stop checking an object; safe to repeat."""
        self._monitored.discard(monitored)
        if not self._monitored and self._timer is not None:
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
        for monitored in tuple(self._monitored):
            next_due = min(next_due, monitored.check(now))
        if self._monitored:  # a check may have removed the last one
            self._check_at(max(next_due, now + _LEAST_SECONDS))


class PolledPage(Protocol):
    """A page whose connection has to be polled to notice that the page has gone."""

    def fail(self, error: Exception) -> None:
        """End the delivery with an error."""


class PolledPages:
    """Pages that have to be polled, and to which frames are written at the same time.

    A write notices a page that has gone as well as a poll does. Polling a connection costs a
    twentieth of a frame, since the connections are rarely in the caches of the processor.
    """

    def __init__(self) -> None:
        self.written_at = -math.inf
        """When frames were written to all of them, on the clock of the event loop."""
        self._is_gone: dict[PolledPage, Callable[[], bool]] = {}

    def add(self, page: PolledPage, is_gone: Callable[[], bool]) -> None:
        """Poll from now on whether a page has gone; then the page fails."""
        if not self._is_gone:
            due = asyncio.get_running_loop().time() + _POLL_SECONDS
            Monitor.current("polls").add(self, due)
        self._is_gone[page] = is_gone

    def remove(self, page: PolledPage) -> None:
        """Stop polling a page; safe to repeat."""
        self._is_gone.pop(page, None)
        if not self._is_gone:
            Monitor.current("polls").remove(self)

    def check(self, now: float) -> float:
        """Poll all pages, unless they were written to just before; return when that is due next."""
        due = self.written_at + _POLL_SECONDS
        if now < due:
            return due
        for page in [page for page, is_gone in self._is_gone.items() if is_gone()]:
            page.fail(PageGoneError())
        return now + _POLL_SECONDS
