"""Many pieces of work at once: how many, from where, and how that ends."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any

from .errors import ConfigurationError

__all__ = ["Adaptive", "Crew", "Fixed", "Limit"]

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

    def __init__(self, most: int) -> None:
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

    def __init__(self) -> None:
        self._limit = float(_FIRST_GUESS)
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
        if self._ceiling == math.inf:
            self._limit += _START
        elif self._limit + 1.0 <= self._ceiling:
            self._limit += 1.0 / self._limit
        else:
            self._steady += 1.0 / self._limit
            self._limit += min(self._steady / _PROBE, 1.0) / self._limit

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


class Crew:
    """Runs ``work`` for each item, in so many tasks at once as the limit says.

    No more than twice that many are taken and not handed out yet. It knows nothing of who holds it,
    so that whoever is dropped can stop it. ``work`` gets the place of an item and the item; what it
    raises stops the crew.
    """

    def __init__(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        work: Callable[[int, Any], Coroutine[Any, Any, None]],
        limit: Limit,
    ) -> None:
        self._items: Iterator[Any] | AsyncIterator[Any]
        if isinstance(items, AsyncIterable):
            self._items = aiter(items)
        elif isinstance(items, Iterable) and not isinstance(items, str | bytes):
            self._items = iter(items)
        else:
            msg = f"cannot take requests from {type(items).__name__}; give an iterable of them"
            raise TypeError(msg)
        self._work = work
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
        return self._feeder is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing runs any more, and nothing will."""
        return self._feeder is not None and self._feeder.done() and not self._tasks

    def start(self) -> None:
        """Begin, in the running loop."""
        self._feeder = asyncio.ensure_future(self._feed())
        self._feeder.add_done_callback(self._noted)

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

    async def _feed(self) -> None:
        while not self._is_stopped:
            most = self._limit.now
            if len(self._tasks) >= most or self._taken - self._handed_out >= 2 * most:
                self._may_take = asyncio.get_running_loop().create_future()
                await self._may_take
                continue
            item = await self._next()
            if item is _END:
                return
            task = asyncio.ensure_future(self._work(self._taken, item))
            self._taken += 1
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    async def _next(self) -> Any:
        try:
            if isinstance(self._items, AsyncIterator):
                return await anext(self._items, _END)
            return next(self._items, _END)
        except Exception as error:  # noqa: BLE001 - it is the caller's own, and raised to him
            self.stop(error)
            return _END

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._noted(task)
        self._look_again()

    def _noted(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.stop(error)
        self.note_change()
