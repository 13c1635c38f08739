"""How many calls may be in flight at once: a fixed number, or what the server can sustain."""

from __future__ import annotations

import math

from aimlchat.errors import ConfigurationError

__all__ = ["AdaptiveConcurrency", "Concurrency", "FixedConcurrency"]

_INITIAL_LIMIT = 8
# Grow by half in each round: doubling could overshoot the ceiling by 100 %.
_SLOW_START_STEP = 0.5
_DECREASE = 0.9
_PROBE_ROUNDS = 50  # rounds at a known ceiling until the limit grows by one in each round
_SLOWDOWN = 2.0
_NOISE_SECONDS = 0.1
_SMOOTHING = 0.1
_SETTLED_CALLS = 20


class FixedConcurrency:
    """A limit that never changes.

    Raises `ConfigurationError` for a limit that is not a whole number of at least 1.
    """

    epoch = 0
    """The number of decreases, which is always 0."""

    def __init__(self, limit: int | str) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            msg = f"concurrency is {limit!r}; give a whole number of at least 1, or 'auto'"
            raise ConfigurationError(msg)
        self.limit = limit
        """How many tasks may be in flight."""

    def succeeded(self, epoch: int, seconds: float) -> None:
        """Do nothing."""

    def congested(self, epoch: int, in_flight: int) -> None:
        """Do nothing."""

    def grow(self) -> None:
        """Do nothing."""


class AdaptiveConcurrency:
    """A limit that follows what the server can sustain: additive increase, multiplicative decrease.

    It grows by half in each round until the server first signals congestion, then decreases a
    little, stays just below that ceiling, and probes it again after a while. Congestion is a 429,
    an overload, or a doubled time per call. (Chiu and Jain, 1989; the plateau is that of
    TCP CUBIC, RFC 9438.)
    """

    def __init__(self, max_limit: int = 0) -> None:
        # The session's own limit: further calls would only wait in its queue.
        self._max_limit = max_limit or math.inf
        self._limit = min(float(_INITIAL_LIMIT), self._max_limit)
        self._ceiling = math.inf
        self._recent_seconds = 0.0
        self._best_seconds = math.inf
        self._calls = 0
        self._rounds_at_ceiling = 0.0
        self.epoch = 0
        """The number of decreases; reports of calls that began before the last one are ignored."""

    @property
    def limit(self) -> int:
        """How many tasks may be in flight now."""
        return max(int(self._limit), 1)

    def succeeded(self, epoch: int, seconds: float) -> None:
        """Note that a call succeeded, and how long it took."""
        if epoch != self.epoch:
            return
        self._calls += 1
        weight = 1.0 if self._calls == 1 else _SMOOTHING
        self._recent_seconds += (seconds - self._recent_seconds) * weight
        if self._calls >= _SETTLED_CALLS:
            self._best_seconds = min(self._best_seconds, self._recent_seconds)
            if self._recent_seconds > _SLOWDOWN * self._best_seconds + _NOISE_SECONDS:
                self._decrease(self._limit)  # slowness does not say where the ceiling is
                return
        self._limit = min(self._limit + self._increase(), self._max_limit)

    def grow(self) -> None:
        """Note that the server would accept more calls than are in flight."""
        self._limit = min(self._limit + _SLOW_START_STEP, self._max_limit)

    def _increase(self) -> float:
        if self._ceiling == math.inf:
            return _SLOW_START_STEP
        if self._limit + 1.0 <= self._ceiling:
            return 1.0 / self._limit
        self._rounds_at_ceiling += 1.0 / self._limit
        return min(self._rounds_at_ceiling / _PROBE_ROUNDS, 1.0) / self._limit

    def congested(self, epoch: int, in_flight: int) -> None:
        """Note that the server signaled congestion, and how many calls were in flight."""
        if epoch != self.epoch:
            return
        self._ceiling = float(max(min(in_flight, self.limit) - 1, 1))
        self._decrease(self._ceiling)

    def _decrease(self, limit: float) -> None:
        self.epoch += 1
        self._calls = 0
        self._rounds_at_ceiling = 0.0
        self._best_seconds = math.inf
        self._limit = max(limit * _DECREASE, 1.0)


Concurrency = FixedConcurrency | AdaptiveConcurrency
