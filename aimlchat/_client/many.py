"""Many calls at once: their outcomes as they come, or their deltas."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Sized
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from aimlchat.errors import (
    AIMLChatError,
    AuthenticationError,
    ConfigurationError,
    InsufficientCreditsError,
    RateLimitError,
    ServerError,
    detach,
)
from aimlchat.records import Outcome, Progress

from .call import tell
from .pool import Crew
from .tally import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
    from types import TracebackType

    from aimlchat.completions import Completion, Cost, Delta, Usage
    from aimlchat.iterators import DeltaStream

    from .call import Observer
    from .pool import Limit
    from .timers import Clock

__all__ = ["CompletionIterator", "Run", "Streams", "StreamsIterator"]

# These hit every other request as well.
_FATAL = (AuthenticationError, InsufficientCreditsError, ConfigurationError)
_OVERLOADED = (503, 529)
_READY_DELTAS = 64
_T_co = TypeVar("_T_co", covariant=True)


class _Progress:
    """What is known of one of many calls while it runs."""

    def __init__(self, run: Run, task: asyncio.Task[Any] | None) -> None:
        self._run = run
        self._task = task
        self._epoch = run.limit.epoch
        self._begun: float | None = None
        if task is not None:
            run.waiting.add(task)

    def began_try(self) -> None:
        """It is sent now; how long it waited for its turn says nothing of the server."""
        self._begun = self._run.clock.time()
        self.end()

    def failed_try(self, error: AIMLChatError) -> None:
        """Look whether it was too much for the server."""
        if isinstance(error, RateLimitError) or (
            isinstance(error, ServerError) and error.status in _OVERLOADED
        ):
            self._run.limit.congested(self._epoch, self._run.crew.in_flight)

    def succeeded(self) -> None:
        """Tell how long the last try took."""
        if self._begun is not None:
            self._run.limit.succeeded(self._epoch, self._run.clock.time() - self._begun)

    def end(self) -> None:
        """It does not wait for its turn any more."""
        if self._task is not None:
            self._run.waiting.discard(self._task)


class Run:
    """The calls behind a `CompletionIterator`, which it does not know: dropping that ends it."""

    def __init__(
        self,
        requests: Iterable[Any] | AsyncIterable[Any],
        complete: Callable[[Any, Observer], Awaitable[Completion]],
        *,
        limit: Limit,
        ordered: bool,
        budget_usd: float | None,
        on_progress: Callable[[Progress], object] | None,
        clock: Clock,
    ) -> None:
        if budget_usd is not None and not budget_usd >= 0:  # which no NaN is
            msg = f"budget_usd is {budget_usd!r}; give dollars, from 0, or None for no limit"
            raise ConfigurationError(msg)
        self.crew = Crew(requests, limit)
        self.limit = limit
        self.clock = clock
        self.waiting: set[asyncio.Task[Any]] = set()
        """The calls that have not been sent yet."""
        self.tally = Tally()
        self.is_out_of_budget = False
        self._complete = complete
        self._ordered = ordered
        self._budget = budget_usd
        self._on_progress = on_progress
        self._total = len(requests) if isinstance(requests, Sized) else None
        self._start = 0.0
        self._next = 0
        self._finished: list[tuple[int, Outcome]] = []  # a heap; no two have the same place

    def start(self) -> None:
        """Begin, in the running loop."""
        self._start = self.clock.time()
        self.crew.start(self._work)
        self._keep_to_budget()

    def pop(self) -> Outcome | None:
        """Return the next outcome if it is there."""
        if not self._finished:
            return None
        if self._ordered and self._finished[0][0] != self._next and not self.crew.is_over:
            return None
        _, outcome = heapq.heappop(self._finished)
        self._next = outcome.index + 1
        self.crew.handed_out()
        return outcome

    def end(self) -> None:
        """Nothing: each failure is an outcome."""

    async def _work(self, index: int, request: Any) -> None:
        progress = _Progress(self, asyncio.current_task())
        try:
            completion = await self._complete(request, progress)
        except _FATAL:
            raise
        except AIMLChatError as error:
            outcome = Outcome(index, request, error=error.with_traceback(None))
        else:
            outcome = Outcome(index, request, completion)
            progress.succeeded()
        finally:
            progress.end()
        self._settle(outcome)

    def _settle(self, outcome: Outcome) -> None:
        place = outcome.index if self._ordered else self.tally.done
        heapq.heappush(self._finished, (place, outcome))
        completion, error = outcome.completion, outcome.error
        self.tally.add(
            error=type(error).__name__ if error is not None else None,
            usage=completion.usage if completion is not None else None,
            cost=completion.cost if completion is not None else None,
        )
        self._keep_to_budget()
        if self._on_progress is not None:
            tell(self._on_progress, self._progress())
        self.crew.note_change()

    def _keep_to_budget(self) -> None:
        if self._budget is not None and self.tally.usd >= self._budget:
            self.is_out_of_budget = True
            self.crew.close_intake()
            for task in tuple(self.waiting):
                task.cancel()  # it costs nothing yet, and will not

    def _progress(self) -> Progress:
        tally, seconds = self.tally, self.clock.time() - self._start
        rate = tally.done / seconds if seconds > 0 else 0.0
        left = None
        if self._total is not None and rate > 0:
            left = (self._total - tally.done) / rate
        return Progress(
            done=tally.done,
            failed=tally.failed,
            in_flight=max(self.crew.in_flight - 1, 0),  # without the one that has just ended
            tokens=tally.tokens,
            usd=tally.usd,
            rate=rate,
            seconds_left=left,
        )


class _Behind(Protocol[_T_co]):
    """What stands behind an iterator of many calls, and does not know it."""

    crew: Crew

    def start(self) -> None:
        """Begin, in the running loop."""

    def pop(self) -> _T_co | None:
        """Return the next item if it is there."""

    def end(self) -> None:
        """Raise what has to be raised behind the last item."""


class _Many(Generic[_T_co]):
    """The way from many calls to their caller: item by item, until the end or until he leaves."""

    def __init__(self, behind: _Behind[_T_co]) -> None:
        self._behind = behind

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
        behind = self._behind
        if not behind.crew.has_begun:
            behind.start()
        while (item := behind.pop()) is None:
            if behind.crew.is_over:
                _raise_failure(behind.crew)
                behind.end()
                raise StopAsyncIteration
            try:
                await behind.crew.changed()
            except asyncio.CancelledError:
                # An end by a timeout must not look like the end to whoever goes on all the same.
                msg = "these calls were left before their end: the wait for one was cancelled"
                behind.crew.stop(AIMLChatError(msg))
                raise
        return item

    async def aclose(self) -> None:
        """Cancel what is in flight and return when it has ended; safe to repeat."""
        crew = self._behind.crew
        crew.stop()
        while crew.has_begun and not crew.is_over:
            await crew.changed()

    def __del__(self) -> None:
        """Cancel what is in flight; it does not hold the iterator, so dropping that is enough."""
        if self._behind.crew.has_begun and not self._behind.crew.is_over:
            self._behind.crew.stop()


class CompletionIterator(_Many[Outcome]):
    """The outcomes of many requests: ``async for`` yields an `Outcome` for each.

    Made by `ChatSession.complete_many`; nothing is sent before the first step. One request that
    fails stops no other; a failure that would hit all of them (no key, no credits, a closed
    session) does: outcomes that have come are yielded, what is in flight is cancelled, and then the
    failure is raised. Leaving early (``break``, an exception, cancelling, `aclose`, or dropping
    the iterator) cancels what is in flight.
    """

    _behind: Run

    async def gather(self) -> list[Outcome]:
        """Return all outcomes that are still to come."""
        return [outcome async for outcome in self]

    @property
    def done(self) -> int:
        """How many calls have ended, the failed ones included."""
        return self._behind.tally.done

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return self._behind.tally.failed

    @property
    def in_flight(self) -> int:
        """How many calls are on their way."""
        return self._behind.crew.in_flight

    @property
    def is_out_of_budget(self) -> bool:
        """Whether ``budget_usd`` was reached, so that no further request was begun."""
        return self._behind.is_out_of_budget

    @property
    def usage(self) -> Usage:
        """The tokens of all completions so far."""
        return self._behind.tally.usage

    @property
    def cost(self) -> Cost:
        """What the server said that it charged so far."""
        return self._behind.tally.cost


class Streams:
    """The streams behind a `StreamsIterator`."""

    def __init__(
        self,
        requests: Iterable[Any] | AsyncIterable[Any],
        stream: Callable[[Any], DeltaStream],
        limit: Limit,
    ) -> None:
        self.crew = Crew(requests, limit)
        self.ready: deque[tuple[int, Delta]] = deque()
        self.outcomes: dict[int, Outcome] = {}
        self._stream = stream
        self._waiting: deque[asyncio.Future[None]] = deque()

    def start(self) -> None:
        """Begin, in the running loop."""
        self.crew.start(self._work)

    def pop(self) -> tuple[int, Delta] | None:
        """Return the next delta if there is one."""
        if not self.ready:
            return None
        item = self.ready.popleft()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break
        return item

    async def _work(self, index: int, request: Any) -> None:
        try:
            async with self._stream(request) as stream:
                async for delta in stream:
                    # Who waits longest goes first, so that no fast stream keeps a slow one waiting.
                    while len(self.ready) >= _READY_DELTAS:
                        waiter = asyncio.get_running_loop().create_future()
                        self._waiting.append(waiter)
                        await waiter
                    self.ready.append((index, delta))
                    self.crew.note_change()
                self.outcomes[index] = Outcome(index, request, stream.completion)
        except _FATAL:
            raise
        except AIMLChatError as error:
            self.outcomes[index] = Outcome(index, request, error=error.with_traceback(None))
        self.crew.handed_out()

    def end(self) -> None:
        """Raise the first failure, now that nothing of the others is lost by that."""
        for _, outcome in sorted(self.outcomes.items()):
            outcome.unwrap()


class StreamsIterator(_Many[tuple[int, "Delta"]]):
    """The deltas of many streams, as they come: ``async for`` yields ``(index, delta)``.

    Made by `ChatSession.stream_many`. A stream that fails stops no other: the first failure is
    raised once all deltas of the others were yielded. ``outcomes`` has the `Outcome` of each stream
    that has ended, by its index. Leaving early closes all streams.
    """

    _behind: Streams

    @property
    def outcomes(self) -> dict[int, Outcome]:
        """The outcomes of the streams that have ended, by their index."""
        return self._behind.outcomes


def _raise_failure(crew: Crew) -> None:
    failure = crew.failure
    if isinstance(failure, AIMLChatError):
        raise detach(failure)
    if failure is not None:
        raise failure
