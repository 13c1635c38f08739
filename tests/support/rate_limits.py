"""The rate limits of servers: fixed and sliding windows, and token buckets."""

import math
from collections import deque


class FixedWindow:
    """So many requests in each window; the first request after a window begins the next one."""

    def __init__(self, limit, seconds, *, counts_rejected=False) -> None:
        self._limit, self._seconds = limit, seconds
        self._counts_rejected = counts_rejected
        self._start, self._used = -math.inf, 0

    def wait_at(self, now):
        """Return 0 for a request that is accepted, else the seconds until one is accepted."""
        if now >= self._start + self._seconds - 1e-9:
            self._start, self._used = now, 0
        is_accepted = self._used < self._limit
        self._used += is_accepted or self._counts_rejected
        return 0 if is_accepted else self._start + self._seconds - now


class SlidingWindow:
    """So many requests in any period of this length."""

    def __init__(self, limit, seconds, *, counts_rejected=False) -> None:
        self._limit, self._seconds = limit, seconds
        self._counts_rejected = counts_rejected
        self._times = deque()

    def wait_at(self, now):
        """Return 0 for a request that is accepted, else the seconds until one is accepted."""
        times = self._times
        while times and times[0] <= now - self._seconds + 1e-9:
            times.popleft()
        is_accepted = len(times) < self._limit
        wait = 0 if is_accepted else times[-self._limit] + self._seconds - now
        if is_accepted or self._counts_rejected:
            times.append(now)
        return wait


class TokenBucket:
    """A bucket that holds a full period of tokens at first, and is refilled steadily."""

    def __init__(self, limit, seconds) -> None:
        self._limit, self._rate = limit, limit / seconds
        self._tokens, self._time = limit, 0.0

    def wait_at(self, now):
        """Return 0 for a request that is accepted, else the seconds until one is accepted."""
        self._tokens = min(self._limit, self._tokens + (now - self._time) * self._rate)
        self._time = now
        if self._tokens >= 1 - 1e-9:
            self._tokens -= 1
            return 0
        return (1 - self._tokens) / self._rate
