"""The producers behind the iterators over many calls: they run calls and queue results."""

from __future__ import annotations

import asyncio
import functools
import heapq
from collections import deque
from collections.abc import Callable, Sized
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, Self, TypeVar, cast

from aimlchat.errors import AIMLChatError, BudgetExceededError, OutputError, detach
from aimlchat.records import Outcome, Progress

from .hooks import call_hook
from .pool import TaskPool
from .run_control import Run, RunCall
from .spending import check_budget
from .tally import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Iterable
    from types import TracebackType

    from aimlchat.completions import Completion, Delta

    from .concurrency import Concurrency
    from .timers import Clock

__all__ = ["CompletionProducer", "DeltaProducer", "Producer", "ResultIterator"]

Converter = Callable[[Any, "Completion | None", AIMLChatError | None], Any]
_MAX_WAITING_DELTAS = 64
_T_co = TypeVar("_T_co", covariant=True)


class Producer(Protocol[_T_co]):
    """Produces the results of a `ResultIterator`.

    It does not refer to the iterator, so that dropping the iterator ends the calls.
    """

    pool: TaskPool

    def start(self) -> None:
        """Begin, in the running loop."""

    def pop(self) -> _T_co | None:
        """Return the next result, None if none is ready."""

    def raise_late_failure(self) -> None:
        """Raise the error that has to be raised after the last result, if any."""


class ResultIterator(Generic[_T_co]):
    """Async iterator over results; closing it cancels the calls that still run."""

    def __init__(self, producer: Producer[_T_co]) -> None:
        self._producer = producer

    def __reduce__(self) -> NoReturn:
        msg = (
            f"a {type(self).__name__} runs calls and cannot be copied or pickled; iterate it, and"
            " copy what it yields"
        )
        raise TypeError(msg)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _T_co:
        producer, pool = self._producer, self._producer.pool
        if not pool.has_begun:
            producer.start()
        while (result := producer.pop()) is None:
            if pool.is_over:
                if isinstance(pool.failure, AIMLChatError):
                    raise detach(pool.failure)
                if pool.failure is not None:
                    raise pool.failure
                producer.raise_late_failure()
                raise StopAsyncIteration
            try:
                await pool.wait_for_change()
            except asyncio.CancelledError:
                # A caller that continues after a timeout must not mistake this for a complete run.
                msg = "the iteration was cancelled before all results had arrived"
                pool.stop(AIMLChatError(msg))
                raise
        return result

    async def aclose(self) -> None:
        """Cancel the calls in flight and return when they have ended.

        Safe to repeat, and to cancel: the calls are cancelled before the wait for their end.
        """
        pool = self._producer.pool
        pool.stop()
        while pool.has_begun and not pool.is_over:
            await pool.wait_for_change()

    def __del__(self) -> None:
        """Cancel the calls in flight, which would continue without the iterator."""
        pool = self._producer.pool
        if pool.has_begun and not pool.is_over:
            pool.stop()


class CompletionProducer:
    """The calls behind a `CompletionIterator`."""

    def __init__(
        self,
        requests: Iterable[Any] | AsyncIterable[Any],
        complete: Callable[[Any, RunCall], Awaitable[Completion[Any]]],
        *,
        concurrency: Concurrency,
        ordered: bool,
        budget_usd: float | None,
        on_progress: Callable[[Progress], object] | None,
        clock: Clock,
    ) -> None:
        check_budget(budget_usd)
        self.pool = TaskPool(requests, concurrency)
        self._clock = clock
        self._run = Run(self.pool, clock, concurrency)
        self.tally = Tally()
        self.is_out_of_budget = False
        self._late_failure: BudgetExceededError | None = None
        self._complete = complete
        self._ordered = ordered
        self._budget = budget_usd
        self._on_progress = on_progress
        self._total = len(requests) if isinstance(requests, Sized) else None
        self._start = 0.0
        self._next = 0
        self._in_order: list[tuple[int, Any]] = []  # a heap; the numbers are unique
        self._as_they_end: deque[Any] = deque()
        self.convert: Converter | None = None
        """Converts the request and its completion or error to the item to queue instead of an
        outcome.

        It is called when the call ends; what it does not keep is then freed.
        """

    def start(self) -> None:
        """Begin, in the running loop."""
        self._start = self._clock.time()
        self.pool.start(self._work)
        self._check_budget()

    def pop(self) -> Outcome[Any] | None:
        """Return the next outcome, None if none is ready."""
        if self._as_they_end:
            outcome = self._as_they_end.popleft()
        elif not self._in_order or (self._in_order[0][0] != self._next and not self.pool.is_over):
            return None
        else:
            index, outcome = heapq.heappop(self._in_order)
            self._next = index + 1
        self.pool.mark_consumed()
        return cast("Outcome[Any]", outcome)  # or the result of the converter

    def pop_all(self) -> list[Any]:
        """Return all outcomes that are ready."""
        ready = list(self._as_they_end)
        self._as_they_end.clear()
        self.pool.mark_consumed(len(ready))
        while (outcome := self.pop()) is not None:
            ready.append(outcome)
        return ready

    def raise_late_failure(self) -> None:
        """Raise that the budget of the session was spent; any other failure is an outcome."""
        if self._late_failure is not None:
            raise detach(self._late_failure)

    async def _work(self, index: int, request: Any) -> None:
        observer = RunCall(self._run, asyncio.current_task())
        completion = failure = None
        try:
            completion = await self._complete(request, observer)
        except BudgetExceededError as error:
            self._late_failure = detach(error)
            observer.close()  # so that this task is not cancelled itself
            self._run.end_early()  # the calls in flight are paid for, and continue
            return
        except AIMLChatError as error:
            if self._run.must_stop(error):
                raise
            failure = detach(error)
        else:
            observer.succeeded()
        finally:
            observer.close()
        self._add(index, request, completion, failure)

    def _add(
        self,
        index: int,
        request: Any,
        completion: Completion | None,
        error: AIMLChatError | None,
    ) -> None:
        convert = self.convert or functools.partial(Outcome, index)
        outcome = convert(request, completion, error)
        if self._ordered:
            heapq.heappush(self._in_order, (index, outcome))
        else:
            self._as_they_end.append(outcome)
        received = completion if error is None else error.partial  # it may have been billed, too
        self.tally.add(
            error=type(error).__name__ if error is not None else None,
            # A converter of outcomes also counts the tokens.
            usage=received.usage if received is not None and self.convert is None else None,
            cost=received.cost if received is not None else None,
        )
        if self._budget is not None:
            self._check_budget()
        if self._on_progress is not None:
            call_hook(self._on_progress, self._progress())
        self.pool.notify()

    def _check_budget(self) -> None:
        if self._budget is not None and self.tally.usd >= self._budget:
            self.is_out_of_budget = True
            self._run.end_early()

    def _progress(self) -> Progress:
        tally, seconds = self.tally, self._clock.time() - self._start
        rate = tally.done / seconds if seconds > 0 else 0.0
        left = None
        if self._total is not None and rate > 0:
            left = (self._total - tally.done) / rate
        return Progress(
            done=tally.done,
            failed=tally.failed,
            in_flight=max(self.pool.in_flight - 1, 0),  # without the call that has just ended
            tokens=tally.tokens,
            usd=tally.usd,
            rate=rate,
            seconds_left=left,
        )


class _Stream(Protocol):
    """What a `DeltaProducer` needs from a `DeltaStream`."""

    async def collect(self) -> Completion[Any]: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> Delta: ...


class DeltaProducer:
    """The streams behind a `StreamsIterator`."""

    def __init__(
        self,
        requests: Iterable[Any] | AsyncIterable[Any],
        stream: Callable[[Any, RunCall], _Stream],
        *,
        concurrency: Concurrency,
        clock: Clock,
    ) -> None:
        self.pool = TaskPool(requests, concurrency)
        self._run = Run(self.pool, clock, concurrency)
        self.outcomes: dict[int, Outcome[Any]] = {}
        """The outcomes of the streams that have ended, by their index."""
        self._late_failure: BudgetExceededError | None = None
        self._stream = stream
        self._deltas: deque[tuple[int, Delta]] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()

    def start(self) -> None:
        """Begin, in the running loop."""
        self.pool.start(self._work)

    def pop(self) -> tuple[int, Delta] | None:
        """Return the index of a request and its next delta, None if none is ready."""
        if not self._deltas:
            return None
        item = self._deltas.popleft()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break
        return item

    async def _work(self, index: int, request: Any) -> None:
        observer = RunCall(self._run)
        try:
            async with self._stream(request, observer) as stream:
                async for delta in stream:
                    # In order of arrival, so that a fast stream does not starve a slow one.
                    while len(self._deltas) >= _MAX_WAITING_DELTAS:
                        waiter = asyncio.get_running_loop().create_future()
                        self._waiting.append(waiter)
                        await waiter
                    self._deltas.append((index, delta))
                    self.pool.notify()
                # Raises the error of an answer that is not of its type.
                self.outcomes[index] = Outcome(index, request, await stream.collect())
        except BudgetExceededError as error:
            self._late_failure = detach(error)
            self._run.end_early()  # as for completions
        except AIMLChatError as error:
            if self._run.must_stop(error):
                raise
            self.outcomes[index] = Outcome(index, request, error=detach(error))
        finally:
            observer.close()
        self.pool.mark_consumed()

    def raise_late_failure(self) -> None:
        """Raise that the budget of the session was spent, else the failure of the first stream."""
        if self._late_failure is not None:
            raise detach(self._late_failure)
        for _, outcome in sorted(self.outcomes.items()):
            if not isinstance(outcome.error, OutputError):  # the stream itself has not failed
                outcome.unwrap()
