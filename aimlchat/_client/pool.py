"""A pool of tasks that work on any number of items, with bounded concurrency."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from typing import TYPE_CHECKING, Any

from aimlchat.errors import AIMLChatError, detach

if TYPE_CHECKING:
    from .concurrency import Concurrency

__all__ = ["TaskPool", "Work"]

_END = object()


Work = Callable[[int, Any], Coroutine[Any, Any, None]]


class TaskPool:
    """Runs one task for each item, at most as many at once as the limit allows.

    At most twice as many items are taken but not yet consumed. If the source has a method
    ``take_ready``, it is called first: it returns an item, or None if the source has to be awaited.
    Once the pool is over, it refers neither to the work nor to the items, and it never refers to
    its owner, so that reference counts alone free them all.
    """

    def __init__(self, items: Iterable[Any] | AsyncIterable[Any], concurrency: Concurrency) -> None:
        if isinstance(items, str | bytes | Mapping) or not isinstance(
            items, Iterable | AsyncIterable
        ):
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
        """The error that stopped the pool, if any."""

    @property
    def in_flight(self) -> int:
        """How many tasks are running."""
        return len(self._tasks)

    @property
    def has_begun(self) -> bool:
        """Whether `start` was called."""
        return self._items is None

    @property
    def is_over(self) -> bool:
        """Whether the pool has begun and all its tasks have ended."""
        return self._items is None and self._feeder is None and not self._tasks

    def start(self, work: Work) -> None:
        """Begin, in the running loop.

        ``work`` takes the index of an item and the item; an exception in it stops the pool.
        """
        items, self._items = self._items, None
        if items is not None:
            self._feeder = asyncio.ensure_future(self._feed(items, work))
            self._feeder.add_done_callback(self._feeder_done)

    def mark_consumed(self, count: int = 1) -> None:
        """Note that the caller has taken results, so that as many further items may start."""
        self._consumed += count
        self._notify_feeder()

    def stop(self, failure: BaseException | None = None) -> None:
        """Take no more items, and cancel the running tasks; safe to repeat."""
        if failure is not None and self.failure is None:
            self.failure = failure
        self.close_intake()
        for task in tuple(self._tasks):
            task.cancel()

    def close_intake(self) -> None:
        """Take no more items; running tasks continue."""
        self._is_stopped = True
        if self._feeder is not None:
            self._feeder.cancel()

    async def wait_for_change(self) -> None:
        """Return when a task has ended or `notify` was called; cancelling is safe."""
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
        loop = asyncio.get_running_loop()
        take_ready = getattr(source, "take_ready", None)
        while not self._is_stopped:
            limit = self._concurrency.limit
            if len(self._tasks) >= limit or self._taken - self._consumed >= 2 * limit:
                self._has_room = loop.create_future()
                await self._has_room
                continue
            item = None if take_ready is None else self._call(take_ready)
            if item is None:
                item = await self._next(source)
            if item is _END:
                return
            task = loop.create_task(work(self._taken, item))
            self._taken += 1
            self._tasks.add(task)
            task.add_done_callback(self._task_done)

    async def _next(self, source: Iterator[Any] | AsyncIterator[Any]) -> Any:
        if not isinstance(source, AsyncIterator):
            return self._call(functools.partial(next, source, _END))
        try:
            return await source.__anext__()
        except StopAsyncIteration:
            return _END
        except Exception as error:  # noqa: BLE001 - the caller's iterator may raise anything
            return self._end_with(error)

    def _call(self, take: Callable[[], Any]) -> Any:
        try:
            return take()
        except Exception as error:  # noqa: BLE001 - as above
            return self._end_with(error)

    def _end_with(self, error: Exception) -> Any:
        """Keep an error of the source, to be raised after the results of the calls in flight."""
        self.failure = self.failure or error
        return _END

    def _feeder_done(self, task: asyncio.Task[None]) -> None:
        self._feeder = None  # a cancelled task keeps frames that refer to the work
        self._ended(task)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._ended(task)
        self._notify_feeder()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            # The caller's own errors keep their frames.
            self.stop(detach(error) if isinstance(error, AIMLChatError) else error)
        self.notify()
