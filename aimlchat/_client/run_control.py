"""One run of many calls: which failures put a request back, and which of them end the run."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import TYPE_CHECKING, Any

from aimlchat._protocol.api_errors import is_out_of_credits
from aimlchat.errors import (
    SERVER_ERRORS,
    AIMLChatError,
    APIError,
    AuthenticationError,
    BudgetExceededError,
    ConfigurationError,
    ConnectionFailedError,
    InsufficientCreditsError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    detach,
)

from .retry import is_retryable

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.policies import RetryPolicy

    from .concurrency import Concurrency
    from .pacing import Pacer, Window
    from .pool import TaskPool
    from .timers import Clock

__all__ = ["Run", "RunCall"]

# These would affect every other request, too.
_FATAL_ERRORS = (AuthenticationError, InsufficientCreditsError, ConfigurationError)
_CONGESTION_STATUSES = (503, 529)
_OVERLOAD_STATUSES = (429, 529)
# A 503 may also mean that one model or one route is gone, where a pause of the run does not help.
_OVERLOADED = r"overload|capacity|too many requests|rate.?limit|throttl|busy"
_FIRST_RECONNECT_DELAY = 0.5
_MAX_RECONNECT_DELAY = 8.0
_RECHECK_SECONDS = 1.0


def is_overload(error: AIMLChatError) -> bool:
    """Return whether the server rejected a request unprocessed, because it has too many."""
    if not isinstance(error, APIError):
        return False
    if error.status in _OVERLOAD_STATUSES:
        return True
    return error.status in SERVER_ERRORS and bool(
        re.search(_OVERLOADED, error.message, re.IGNORECASE)
    )


def is_unreachable(error: AIMLChatError) -> bool:
    """Return whether there was no connection, so that nothing was sent."""
    if isinstance(error, RequestTimeoutError):
        return error.phase == "connect"
    return isinstance(error, ConnectionFailedError) and not error.sent


def is_own_limit(error: AIMLChatError) -> bool:
    """Return whether a limit of the caller ended the call, which says nothing about the server."""
    if isinstance(error, BudgetExceededError):
        return True
    return isinstance(error, RequestTimeoutError) and error.phase in ("queue", "deadline")


class Run:
    """What the calls of one run share.

    A request is put back, and the run waits, if the server rejects it because of a rate limit or an
    overload, or if a server that has responded before can no longer be reached. The run stops when
    no request at all has succeeded for ``max_retry_after``.
    """

    def __init__(self, pool: TaskPool, clock: Clock, concurrency: Concurrency) -> None:
        self.clock = clock
        self.concurrency = concurrency
        self.in_flight = 0
        """How many requests have been sent whose response is not complete."""
        self.unbilled: set[asyncio.Task[Any]] = set()
        """The tasks of the calls that were not sent yet, or that were put back."""
        self.is_reached = False
        """Whether the server has responded in this run, in whatever way."""
        self._pool = pool
        self._is_ending = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._paused = 0  # calls that were put back and have not succeeded since
        self._progress_at = 0.0
        self._max_pause = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._last_error: AIMLChatError | None = None

    def must_stop(self, error: AIMLChatError) -> bool:
        """Return whether the final error of a call would affect every other call, too."""
        if isinstance(error, _FATAL_ERRORS):
            return True
        if isinstance(error, RateLimitError):
            return is_out_of_credits(error)
        return not self.is_reached and is_unreachable(error)

    def end_early(self) -> None:
        """Send no further request: cancel the calls that have cost nothing, now and later."""
        self._is_ending = True
        self._pool.close_intake()
        for task in tuple(self.unbilled):
            task.cancel()

    def put_back(self, task: asyncio.Task[Any]) -> None:
        """Note that the task of a call has its request to send again, at no cost so far."""
        self.unbilled.add(task)
        if self._is_ending:
            task.cancel()

    async def wait_for_turn(self) -> None:
        """Wait while a limit that has decreased has no slot for a request that was put back."""
        while self.in_flight >= self.concurrency.limit:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake_next()
                raise

    def leave(self) -> None:
        """Note that a request is no longer in flight."""
        self.in_flight -= 1
        if self._waiting:
            self._wake_next()

    def _wake_next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def note_progress(self) -> None:
        """Note that a request has succeeded."""
        self.is_reached = True
        if self._timer is not None:
            self._progress_at = self.clock.time()

    def pause(self, error: AIMLChatError, max_pause: float, *, is_new: bool) -> None:
        """Note that a call was put back; ``is_new`` is whether it was not put back already."""
        self._last_error = detach(error)
        self._max_pause = max_pause
        self._paused += is_new
        if self._timer is None:
            self._progress_at = self.clock.time()
            self._timer = self.clock.call_later(max_pause, self._check)

    def resume(self) -> None:
        """Note that a call that was put back has succeeded, or is over."""
        self._paused -= 1
        if not self._paused and self._timer is not None:
            self._timer.cancel()
            self._timer = self._last_error = None

    def _check(self) -> None:
        """Stop the run if no request has succeeded for too long."""
        left = self._progress_at + self._max_pause - self.clock.time()
        if self.in_flight:  # a model may take minutes for a response
            left = max(left, _RECHECK_SECONDS)
        if left > 0:
            self._timer = self.clock.call_later(left, self._check)
            return
        error, self._timer = self._last_error, None
        if error is not None:
            error.add_note(
                f"the run was stopped: no request has succeeded for {self._max_pause:g} s"
            )
        self._pool.stop(error)


class RunCall:
    """Observes one call of a run, and decides whether a failed attempt puts it back."""

    # Class attributes cost a call nothing until they are set.
    _pacer: Pacer | None = None
    _sent_at: float | None = None
    _is_in_flight = False
    _is_paused = False
    _reconnects = 0

    def __init__(self, run: Run, task: asyncio.Task[Any] | None = None) -> None:
        self._run = run
        self._task = task
        self._epoch = run.concurrency.epoch
        self._window: Window
        self._admitted_at: float
        if task is not None:
            run.unbilled.add(task)

    def enter_at_once(self, pacer: Pacer) -> bool:
        """Return whether another attempt may start without a wait; if not, `enter` waits."""
        self._pacer = pacer
        run = self._run
        if run.in_flight >= run.concurrency.limit or (entered := pacer.enter_at_once()) is None:
            return False
        self._window, self._admitted_at = entered
        return True

    async def enter(self, pacer: Pacer) -> None:
        """Wait until the pace of the server allows another attempt; cancelling is safe."""
        self._window, self._admitted_at = await pacer.enter()
        if self._run.in_flight >= self._run.concurrency.limit:
            await self._run.wait_for_turn()

    def attempt_started(self) -> None:
        """Start timing here, since the wait in our own queue says nothing about the server."""
        run = self._run
        self._sent_at = run.clock.time()
        self._epoch = run.concurrency.epoch
        self._is_in_flight = True
        run.in_flight += 1
        self._forget_task()

    def attempt_failed(self, error: AIMLChatError, *, falls_back: bool = False) -> None:
        """Note what the failure of an attempt, or of the wait for one, says about the server.

        ``falls_back`` is whether another model gets the request at once, so that fewer calls do not
        help.
        """
        run, pacer = self._run, self._pacer
        is_congested = isinstance(error, RateLimitError) or (
            isinstance(error, ServerError) and error.status in _CONGESTION_STATUSES
        )
        # Once the server is known to count requests in windows, fewer calls at once do not help.
        is_learned = pacer is not None and pacer.is_learned
        if is_congested and not is_learned and not falls_back:
            run.concurrency.congested(self._epoch, run.in_flight)
        self._land()
        if isinstance(error, APIError) and not is_overload(error):
            self._note_progress()
        elif not is_unreachable(error) and not is_own_limit(error):
            run.is_reached = True

    def put_back(
        self, error: AIMLChatError, policy: RetryPolicy, random: Callable[[], float]
    ) -> float | None:
        """Return the seconds to wait if the request is put back, None if the attempt counts."""
        run, pacer = self._run, self._pacer
        if pacer is not None and is_overload(error) and is_retryable(error, is_stream=True):
            retry_after = error.retry_after if isinstance(error, APIError) else None
            pacer.rejected(self._window, self._admitted_at, retry_after)
            delay = pacer.seconds_until_allowed()
        elif run.is_reached and is_unreachable(error):
            bound = min(_FIRST_RECONNECT_DELAY * 2**self._reconnects, _MAX_RECONNECT_DELAY)
            delay = bound * (1.0 + random()) / 2
            self._reconnects += bound < _MAX_RECONNECT_DELAY
        else:
            return None
        run.pause(error, policy.max_retry_after, is_new=not self._is_paused)
        self._is_paused = True
        if self._task is not None:
            run.put_back(self._task)
        return delay

    def attempt_ended(self) -> None:
        """Note that the response is complete, and that another attempt follows."""
        self._land()

    def attempt_succeeded(self) -> None:
        """Note that the server has accepted the request."""
        if self._pacer is not None:
            self._pacer.accepted(self._window)
        self._reconnects = 0
        self._note_progress()

    def succeeded(self) -> None:
        """Report how long the last attempt took."""
        run, pacer = self._run, self._pacer
        if pacer is not None and pacer.is_learned:
            if pacer.has_room:
                run.concurrency.grow()  # too few calls to keep the pace of the server
        elif self._sent_at is not None:
            run.concurrency.succeeded(self._epoch, run.clock.time() - self._sent_at)

    def close(self) -> None:
        """Note that the call is over."""
        self._land()
        self._resume()
        self._forget_task()

    def _note_progress(self) -> None:
        self._run.note_progress()
        self._resume()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._run.resume()

    def _land(self) -> None:
        if self._is_in_flight:
            self._is_in_flight = False
            self._run.leave()

    def _forget_task(self) -> None:
        if self._task is not None:
            self._run.unbilled.discard(self._task)
