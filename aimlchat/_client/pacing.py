"""The pace of runs of many calls: how many attempts a server accepts in which time.

Most servers count requests in windows: a number in each second or minute. A `Pacer` learns both
numbers from the rejections of one model, and then starts as many attempts as the server accepts,
without a setting and whether or not the server sends ``Retry-After``. It does nothing before the
first rejection.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .timers import Clock

__all__ = ["Pacer", "Window"]

# A window without a known limit ends after this time, a little more than the longest usual window
# (a minute), so that attempts that were accepted long ago do not count.
_LONGEST_WINDOW = 75.0
_MIN_PROBE_DELAY = 0.1
_MAX_PROBE_DELAY = 10.0
_PROBE_BACKOFF = 0.2  # of the time since the server began to reject
# After a trial has failed, a probe tests whether the next window opens earlier than expected.
_EARLY = 0.9
# A window in which everything was rejected began too early.
_TOO_SHORT = 1.5
# Timers and networks are not exact, and an attempt that is a little early is rejected.
_MARGIN = 1.02
# After a window that was too large, this many windows pass before one has more attempts than are
# known to fit.
_TRIAL_INTERVAL = 4
# A server that rejects does so quickly. A probe that is still running after twice the time that a
# rejection took was accepted.
_SILENCE = 2.0
_MIN_SILENCE = 0.05
_MIN_DELAY = 0.001  # so that a timer that fires a little early does not fire again at once


class Window:
    """The attempts that started in one window of the server, as far as it is known."""

    __slots__ = (
        "budget",
        "closed_at",
        "gap",
        "is_probe",
        "length",
        "rejected",
        "sent",
        "start",
        "streak",
    )

    def __init__(self, start: float, budget: float, *, is_probe: bool = False) -> None:
        self.start = start
        self.budget = budget
        """How many attempts may start in it."""
        self.is_probe = is_probe
        """Whether its only attempt is a probe, to find out if the server accepts requests again."""
        self.length = 0.0
        """The seconds since the last good window."""
        self.gap = 0.0
        """The length of a window, in seconds, as it was known when this one began."""
        self.sent = 0
        self.rejected = 0
        self.streak = -1
        """The number of the streak of windows in which it was counted."""
        self.closed_at: float | None = None
        """When the first attempt that was rejected had started."""


class Pacer:
    """Starts the attempts that runs make with one model, in order of arrival.

    `enter` waits for the turn of an attempt. Afterwards `accepted` or `rejected` has to be called
    with the window that it returned; an attempt that ends in another way needs neither.

    After a rejection no attempt starts until the next window opens: after ``Retry-After`` if the
    server sends it; else after the known length of a window; else once a probe, a single attempt
    that is repeated after growing delays, is accepted.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: deque[asyncio.Future[tuple[Window, float]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._window = Window(clock.time(), math.inf)
        self._last_good = self._window  # the last window in which an attempt was accepted
        self._closed_since: float | None = None  # since when every attempt is rejected
        self._floor = 0.0  # the end of the longest wait that the server has requested
        self._opens_at = 0.0  # when the next window opens
        self._opens_with_probe = False
        self._size = math.inf  # how many attempts the server accepts in a window
        self._length = 0.0  # the seconds from one window to the next; 0 if not known
        self._growth = 1
        self._windows_until_trial = 0
        self._is_trial = False  # whether the window has more attempts than are known to fit
        # A streak is the windows from one with a rejection to the next. Their mean is the size for
        # a token bucket, which may be full at first and nearly empty at the end.
        self._streak = 0
        self._streak_accepted = 0
        self._streak_windows = 0
        self._rejection_seconds = 0.0  # how long the last rejection took

    @property
    def has_room(self) -> bool:
        """Whether the server would accept more attempts than there are."""
        window = self._window
        return not self._queue and window.closed_at is None and window.sent < window.budget

    @property
    def is_learned(self) -> bool:
        """Whether the size of the server's windows is known, and limits the pace."""
        return self._size < math.inf

    def seconds_until_allowed(self) -> float:
        """Return what is left of the wait that the server has requested."""
        return max(self._floor - self._clock.time(), 0.0)

    def enter_at_once(self) -> tuple[Window, float] | None:
        """Return the window of an attempt, and the time, if it may start now."""
        now = self._clock.time()
        return self._start(now) if not self._queue and self._may_start(now) else None

    async def enter(self) -> tuple[Window, float]:
        """Return the window of an attempt, and the time, once it may start; cancelling is safe."""
        now = self._clock.time()
        if not self._queue and self._may_start(now):
            return self._start(now)
        turn: asyncio.Future[tuple[Window, float]] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._schedule(now)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn came at the same moment
                turn.result()[0].sent -= 1
            self._admit()
            raise

    def accepted(self, window: Window) -> None:
        """Note that the server has accepted an attempt of this window."""
        if not window.is_probe:
            return
        if window is self._window and not window.rejected:
            self._reopen()
            self._admit()
        elif _MIN_PROBE_DELAY < window.length < self._length:
            self._length = window.length

    def rejected(self, window: Window, sent_at: float, retry_after: float | None) -> None:
        """Note that the server has rejected an attempt that started at ``sent_at``."""
        now = self._clock.time()
        window.rejected += 1
        self._rejection_seconds = now - sent_at
        if retry_after is not None:
            self._floor = max(self._floor, now + retry_after)
            if retry_after < _MIN_PROBE_DELAY:
                retry_after = None  # gateways send 0, which does not say when the window opens
        if window is not self._window:
            self._note_late_rejection(window)
        elif retry_after is not None and self._floor < window.start + self._length / 2:
            window.sent -= 1  # the window continues after a short wait
            window.rejected -= 1
        elif window.closed_at is None:
            window.closed_at = sent_at
            self._close(window, now, retry_after)
        elif window.rejected == window.sent:
            self._close(window, now, retry_after)
        self._schedule(now)

    def hold(self, seconds: float) -> None:
        """Start nothing for this many seconds: the server has made another call wait."""
        self._floor = max(self._floor, self._clock.time() + seconds)

    # --- windows ------------------------------------------------------------------------------

    def _may_start(self, now: float) -> bool:
        """Open the next window if it is time; return whether an attempt may start in it."""
        if now < self._floor:
            return False
        window = self._window
        if window.closed_at is None and window.sent < window.budget:
            if now - window.start > _LONGEST_WINDOW and not self.is_learned:
                self._window = self._last_good = Window(now, math.inf)
            elif self.is_learned and now >= window.start + self._length:
                self._open(now)
        elif now < self._next_at():
            return False
        elif window.closed_at is not None or not window.is_probe:
            self._open(now, with_probe=self._opens_with_probe)
        elif now >= self._silent_at(window):
            self._reopen()
        else:
            self._open(now)
        return self._window.sent < self._window.budget

    def _next_at(self) -> float:
        """Return when an attempt may start at the earliest."""
        window = self._window
        if window.closed_at is None and window.sent < window.budget:
            return self._floor
        if window.is_probe and window.closed_at is None:
            return max(min(self._silent_at(window), self._regular_at(window)), self._floor)
        return max(self._opens_at, self._floor)

    def _silent_at(self, probe: Window) -> float:
        """Return when a probe without a response counts as accepted."""
        return probe.start + max(_SILENCE * self._rejection_seconds, _MIN_SILENCE)

    def _regular_at(self, probe: Window) -> float:
        """Return when the next window opens, regardless of the result of an early probe."""
        expected = self._last_good.start + self._length
        return expected if probe.start < expected else math.inf

    def _start(self, now: float) -> tuple[Window, float]:
        """Count an attempt that starts in the window."""
        window = self._window
        if not window.sent and not window.rejected and not self.is_learned:
            window.start = now
        window.sent += 1
        if window.sent >= window.budget and window.closed_at is None and not window.is_probe:
            self._opens_at = window.start + self._length
            self._opens_with_probe = False
        return window, now

    def _close(self, window: Window, now: float, retry_after: float | None) -> None:
        """Plan the next window after the first rejection in this one."""
        closed_at = window.closed_at or now
        was_accepting = self._closed_since is None or window.sent > window.rejected
        if self._closed_since is None:
            self._closed_since = closed_at
        if retry_after is not None:
            self._opens_at, self._opens_with_probe = self._floor, False
            open_for = closed_at - window.start
            if window.sent == window.rejected:
                if window is self._last_good:  # nothing was accepted, so nothing is known
                    self._size, self._length = math.inf, 0.0
            elif was_accepting and not self._length and open_for <= retry_after:
                # The server rounds up to whole seconds, so the window is at most that long.
                length = max(retry_after, open_for + retry_after - 1.0) * _MARGIN
                self._learn(length, 1)
            return
        # A server that has accepted less than half of a window accepts more before the next one.
        if self._length and was_accepting and window.sent - window.rejected > self._size / 2:
            self._opens_at, self._opens_with_probe = window.start + _EARLY * self._length, True
            return
        expected = self._last_good.start + self._length
        if self._length and now < expected:
            self._opens_at, self._opens_with_probe = expected, False
            return
        delay = _PROBE_BACKOFF * (now - self._closed_since)
        delay = min(max(delay, _MIN_PROBE_DELAY), _MAX_PROBE_DELAY)
        self._opens_at, self._opens_with_probe = now + delay, True

    def _learn(self, length: float, size: int) -> None:
        """Use windows of this length from now on."""
        self._length = max(length, _MIN_PROBE_DELAY)
        if not self.is_learned:
            self._size = size  # `_conclude` corrects it

    def _reopen(self) -> None:
        """Open a window after a probe was accepted."""
        probe, good = self._window, self._last_good
        closed_at = good.start if good.closed_at is None else good.closed_at
        # For a server that rejects for a shorter time than it accepts, such pauses are enough.
        if good.sent > good.rejected and closed_at - good.start <= probe.start - closed_at:
            self._learn(probe.length, good.sent - good.rejected)
        self._open(self._clock.time())
        self._window.sent = 1  # the probe

    def _open(self, now: float, *, with_probe: bool = False) -> None:
        """Begin the next window."""
        self._conclude()
        self._window = Window(now, 1 if with_probe else self._size, is_probe=with_probe)
        self._window.length = now - self._last_good.start
        self._window.gap = self._length

    def _note_late_rejection(self, window: Window) -> None:
        """Correct what was learned from a window that was over before its rejection arrived."""
        if not self.is_learned or window.is_probe:
            return
        if window.streak == self._streak:
            self._streak_accepted -= 1
        if window.sent > window.rejected:
            self._size = min(self._size, window.sent - window.rejected)
            self._growth, self._windows_until_trial = 1, _TRIAL_INTERVAL
        elif window.gap == self._length:  # else it has been corrected since
            self._length *= _TOO_SHORT

    def _conclude(self) -> None:
        """Learn from the window that is over how many attempts the next one may have."""
        window = self._window
        accepted = window.sent - window.rejected
        if not accepted:
            return
        self._closed_since = window.closed_at
        if window.is_probe:
            return
        self._last_good = window
        if not self.is_learned:
            return
        window.streak = self._streak
        self._streak_accepted += accepted
        self._streak_windows += 1
        if window.rejected:
            mean = round(self._streak_accepted / self._streak_windows)
            self._size = max(accepted, mean)
            self._streak_accepted = self._streak_windows = 0
            self._streak += 1
            self._growth = 1
            self._windows_until_trial = _TRIAL_INTERVAL if self._is_trial else 0
            self._is_trial = False
        elif window.sent >= window.budget:
            self._is_trial = self._windows_until_trial <= 0
            self._windows_until_trial -= 1
            if self._is_trial:
                self._size += self._growth
                self._growth *= 2

    # --- the queue ----------------------------------------------------------------------------

    def _admit(self) -> None:
        now = self._clock.time()
        while self._queue:
            if self._queue[0].done():  # cancelled
                self._queue.popleft()
            elif self._may_start(now):
                self._queue.popleft().set_result(self._start(now))
            else:
                break
        self._schedule(now)

    def _schedule(self, now: float) -> None:
        """Set the timer for the first attempt of the queue."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue:
            self._timer = self._clock.call_later(
                max(self._next_at() - now, _MIN_DELAY), self._admit
            )
