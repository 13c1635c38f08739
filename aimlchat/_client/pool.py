"""Many tasks at once: how many, over which items, and how they end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any

from aimlchat.errors import AIMLChatError, ConfigurationError

__all__ = ["AdaptiveConcurrency", "Concurrency", "FixedConcurrency", "TaskPool", "Work"]

_END = object()
_INITIAL_LIMIT = 8
# Half as many more in each round: doubling could overshoot the ceiling by 100 %.
_SLOW_START_STEP = 0.5
_DECREASE = 0.9
_PROBE_ROUNDS = 50  # rounds below a known ceiling until the limit passes it by one a round
_SLOWDOWN = 2.0
_NOISE_SECONDS = 0.1
_SMOOTHING = 0.1
_SETTLED_CALLS = 20


class FixedConcurrency:
    """A limit that never changes.

    Raises `ConfigurationError` for a limit that is not a whole number of at least 1.
    """

    epoch = 0
    """Counts the decreases: there are none."""

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


class AdaptiveConcurrency:
    """A limit that follows what the server can sustain: additive increase, multiplicative decrease.

    It grows by half in each round until the server first signals congestion, then goes back a
    little, stays just below that ceiling, and probes it again after a while. Congestion is a 429,
    an overload, or a time per call that has doubled. (Chiu and Jain, 1989; the plateau is that of
    TCP CUBIC, RFC 9438.)
    """

    def __init__(self, max_limit: int = 0) -> None:
        # The session's own limit: calls beyond it would only wait there.
        self._max_limit = max_limit or math.inf
        self._limit = min(float(_INITIAL_LIMIT), self._max_limit)
        self._ceiling = math.inf
        self._recent_seconds = 0.0
        self._best_seconds = math.inf
        self._calls = 0
        self._rounds_at_ceiling = 0.0
        self.epoch = 0
        """Counts the decreases: a call that began before the last one has nothing new to report."""

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

    def _increase(self) -> float:
        if self._ceiling == math.inf:
            return _SLOW_START_STEP
        if self._limit + 1.0 <= self._ceiling:
            return 1.0 / self._limit
        self._rounds_at_ceiling += 1.0 / self._limit
        return min(self._rounds_at_ceiling / _PROBE_ROUNDS, 1.0) / self._limit

    def congested(self, epoch: int, in_flight: int) -> None:
        """Note that the server signaled congestion with so many calls in flight."""
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
Work = Callable[[int, Any], Coroutine[Any, Any, None]]


class TaskPool:
    """Works on each item in a task of its own, at most as many at once as the limit allows.

    At most twice as many items are taken and not yet consumed. Once it is over it refers neither to
    the work nor to the items, and never to its owner, so that reference counts alone free them all.
    """

    def __init__(self, items: Iterable[Any] | AsyncIterable[Any], concurrency: Concurrency) -> None:
        if isinstance(items, str | bytes) or not isinstance(items, Iterable | AsyncIterable):
            msg = f"cannot take requests from {type(items).__name__}; give an iterable of them"
            raise TypeError(msg)
        self._items: Iterable[Any] | AsyncIterable[Any] | None = items
        self._concurrency = concurrency
        self._feeder: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken = 0
        self._consumed = 0
        self._has_room: asyncio.Future[None] | None = None
        self._change = asyncio.Event()
        self._is_stopped = False
        self.failure: BaseException | None = None
        """What stopped it."""

    @property
    def in_flight(self) -> int:
        """How many tasks run."""
        return len(self._tasks)

    @property
    def has_begun(self) -> bool:
        """Whether `start` was called."""
        return self._items is None

    @property
    def is_over(self) -> bool:
        """Whether nothing runs any more, and nothing will."""
        return self._items is None and self._feeder is None and not self._tasks

    def start(self, work: Work) -> None:
        """Begin, in the running loop.

        ``work`` gets the index of an item and the item; what it raises stops the pool.
        """
        items, self._items = self._items, None
        if items is not None:
            self._feeder = asyncio.ensure_future(self._feed(items, work))
            self._feeder.add_done_callback(self._feeder_done)

    def mark_consumed(self) -> None:
        """Note that the caller has taken a result: there is room for another item."""
        self._consumed += 1
        self._notify_feeder()

    def stop(self, failure: BaseException | None = None) -> None:
        """Take no more items, and cancel what is in flight; safe to repeat."""
        if failure is not None and self.failure is None:
            self.failure = failure
        self.close_intake()
        for task in tuple(self._tasks):
            task.cancel()

    def close_intake(self) -> None:
        """Take no more items; what is in flight goes on."""
        self._is_stopped = True
        if self._feeder is not None:
            self._feeder.cancel()

    async def wait_for_change(self) -> None:
        """Return when a task has ended, or `notify` was called; cancelling is safe."""
        self._change.clear()
        await self._change.wait()

    def notify(self) -> None:
        """Wake up the task that waits for a change."""
        self._change.set()

    def _notify_feeder(self) -> None:
        if self._has_room is not None and not self._has_room.done():
            self._has_room.set_result(None)

    async def _feed(self, items: Iterable[Any] | AsyncIterable[Any], work: Work) -> None:
        source = aiter(items) if isinstance(items, AsyncIterable) else iter(items)
        del items
        while not self._is_stopped:
            limit = self._concurrency.limit
            if len(self._tasks) >= limit or self._taken - self._consumed >= 2 * limit:
                self._has_room = asyncio.get_running_loop().create_future()
                await self._has_room
                continue
            item = await self._next(source)
            if item is _END:
                return
            task = asyncio.ensure_future(work(self._taken, item))
            self._taken += 1
            self._tasks.add(task)
            task.add_done_callback(self._task_done)

    async def _next(self, source: Iterator[Any] | AsyncIterator[Any]) -> Any:
        try:
            if isinstance(source, AsyncIterator):
                return await anext(source, _END)
            return next(source, _END)
        except Exception as error:  # noqa: BLE001 - the caller's iterator failed, and it is told so
            # Raised after the results of the calls in flight, which go on.
            self.failure = self.failure or error
            return _END

    def _feeder_done(self, task: asyncio.Task[None]) -> None:
        self._feeder = None  # a task that was cancelled keeps frames that refer to the work
        self._ended(task)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._ended(task)
        self._notify_feeder()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            # Our errors lose their frames, which refer to the pool; others keep the caller's.
            is_ours = isinstance(error, AIMLChatError)
            self.stop(error.with_traceback(None) if is_ours else error)
        self.notify()
