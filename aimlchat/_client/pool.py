"""Many pieces of work at once: how many, from where, and how that ends."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any

from aimlchat.errors import AIMLChatError, ConfigurationError

__all__ = ["Adaptive", "Crew", "Fixed", "Limit", "Work"]

_END = object()
_FIRST_GUESS = 8
_START = 0.5  # half as many more each round: twice as many would overshoot by as much as it bears
_DECREASE = 0.9
_PROBE = 50  # rounds below a known ceiling until it is left behind by one a round
_SLOWER = 2.0
_NOISE = 0.1  # seconds
_SMOOTHING = 0.1
_SETTLED = 20


class Fixed:
    """So many at once, whatever happens."""

    def __init__(self, most: int | str) -> None:
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            msg = f"concurrency is {most!r}; give a whole number of at least 1, or 'auto'"
            raise ConfigurationError(msg)
        self.now = most

    @property
    def epoch(self) -> int:
        """Nothing changes here."""
        return 0

    def succeeded(self, epoch: int, seconds: float) -> None:
        """Do nothing."""

    def congested(self, epoch: int, in_flight: int) -> None:
        """Do nothing."""


class Adaptive:
    """As many at once as the server bears: additive increase, multiplicative decrease.

    It grows by half each round until the server first says that it is too much, then goes back a
    little and stays just below that, which it tries again after a while. Congestion is a 429, an
    overload, or a time per call that has doubled. (Chiu and Jain, 1989; the plateau is that of TCP
    CUBIC, RFC 9438.)
    """

    def __init__(self, most: int = 0) -> None:
        self._most = most or math.inf  # the session's own limit: who waits for that waits in vain
        self._limit = min(float(_FIRST_GUESS), self._most)
        self._ceiling = math.inf
        self._recent = 0.0
        self._best = math.inf
        self._calls = 0
        self._steady = 0.0  # rounds spent at the ceiling
        self.epoch = 0
        """Counts the decreases: a call that began before the last one says nothing new."""

    @property
    def now(self) -> int:
        """How many may be in flight."""
        return max(int(self._limit), 1)

    def succeeded(self, epoch: int, seconds: float) -> None:
        """Note that a call went well, and how long it took."""
        if epoch != self.epoch:
            return
        self._calls += 1
        fresh = self._calls == 1
        self._recent += (seconds - self._recent) * (1.0 if fresh else _SMOOTHING)
        if self._calls >= _SETTLED:
            self._best = min(self._best, self._recent)
            if self._recent > _SLOWER * self._best + _NOISE:
                self._decrease(self._limit)  # which says nothing of where the ceiling is
                return
        self._limit = min(self._limit + self._increase(), self._most)

    def _increase(self) -> float:
        if self._ceiling == math.inf:
            return _START
        if self._limit + 1.0 <= self._ceiling:
            return 1.0 / self._limit
        self._steady += 1.0 / self._limit
        return min(self._steady / _PROBE, 1.0) / self._limit

    def congested(self, epoch: int, in_flight: int) -> None:
        """Note that it was too much; ``in_flight`` is how many there were."""
        if epoch != self.epoch:
            return
        self._ceiling = float(max(min(in_flight, self.now) - 1, 1))
        self._decrease(self._ceiling)

    def _decrease(self, limit: float) -> None:
        self.epoch += 1
        self._calls = 0
        self._steady = 0.0
        self._best = math.inf
        self._limit = max(limit * _DECREASE, 1.0)


Limit = Fixed | Adaptive
Work = Callable[[int, Any], Coroutine[Any, Any, None]]


class Crew:
    """Works on each item, in so many tasks at once as the limit says.

    No more than twice that many are taken and not handed out yet. It holds neither the work nor the
    items once it is over, and never who made it, so that reference counts alone free them all.
    """

    def __init__(self, items: Iterable[Any] | AsyncIterable[Any], limit: Limit) -> None:
        if isinstance(items, str | bytes) or not isinstance(items, Iterable | AsyncIterable):
            msg = f"cannot take requests from {type(items).__name__}; give an iterable of them"
            raise TypeError(msg)
        self._items: Iterable[Any] | AsyncIterable[Any] | None = items
        self._limit = limit
        self._feeder: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken = 0
        self._handed_out = 0
        self._may_take: asyncio.Future[None] | None = None
        self._change = asyncio.Event()
        self._is_stopped = False
        self.failure: BaseException | None = None
        """What stopped it."""

    @property
    def in_flight(self) -> int:
        """How many tasks are at work."""
        return len(self._tasks)

    @property
    def has_begun(self) -> bool:
        """Whether the first item was asked for."""
        return self._items is None

    @property
    def is_over(self) -> bool:
        """Whether nothing runs any more, and nothing will."""
        return self._items is None and self._feeder is None and not self._tasks

    def start(self, work: Work) -> None:
        """Begin, in the running loop.

        ``work`` gets the place of an item and the item; what it raises stops the crew.
        """
        items, self._items = self._items, None
        if items is not None:
            self._feeder = asyncio.ensure_future(self._feed(items, work))
            self._feeder.add_done_callback(self._fed)

    def handed_out(self) -> None:
        """Note that the caller has a result: there is room for another item."""
        self._handed_out += 1
        self._look_again()

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

    async def changed(self) -> None:
        """Return when something may have come of it; cancelling is safe."""
        self._change.clear()
        await self._change.wait()

    def note_change(self) -> None:
        """Wake up who waits for a change."""
        self._change.set()

    def _look_again(self) -> None:
        if self._may_take is not None and not self._may_take.done():
            self._may_take.set_result(None)

    async def _feed(self, items: Iterable[Any] | AsyncIterable[Any], work: Work) -> None:
        source = aiter(items) if isinstance(items, AsyncIterable) else iter(items)
        del items
        while not self._is_stopped:
            most = self._limit.now
            if len(self._tasks) >= most or self._taken - self._handed_out >= 2 * most:
                self._may_take = asyncio.get_running_loop().create_future()
                await self._may_take
                continue
            item = await self._next(source)
            if item is _END:
                return
            task = asyncio.ensure_future(work(self._taken, item))
            self._taken += 1
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    async def _next(self, source: Iterator[Any] | AsyncIterator[Any]) -> Any:
        try:
            if isinstance(source, AsyncIterator):
                return await anext(source, _END)
            return next(source, _END)
        except Exception as error:  # noqa: BLE001 - it is the caller's own, and raised to him
            self.failure = (
                self.failure or error
            )  # behind what is in flight, which it does not touch
            return _END

    def _fed(self, task: asyncio.Task[None]) -> None:
        self._feeder = None  # one that was cancelled keeps the frames that hold the work
        self._noted(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._noted(task)
        self._look_again()

    def _noted(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            # Ours is without its frames, which hold whoever works here; the caller's keeps them.
            ours = isinstance(error, AIMLChatError)
            self.stop(error.with_traceback(None) if ours else error)
        self.note_change()
