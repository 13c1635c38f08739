"""The timeouts of a call, and the one timer that serves all of them.

A timeout costs a few comparisons for each read, since no timer is created or cancelled: when a wait
begins, its due time is noted, and a single timer, shared by all calls of a session, checks these
times when the earliest of them is due.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from typing import TYPE_CHECKING, Any

from aimlchat.errors import ConnectionFailedError, RequestTimeoutError, StreamInterruptedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from aimlchat.errors import AIMLChatError
    from aimlchat.policies import Timeouts

__all__ = ["CallTimers", "Clock", "TimeoutScheduler"]

_NEVER = math.inf
# How many passes of the event loop a due timeout still waits for data that is in the socket: one
# reads the socket, and the task that waits runs in the next one; uvloop runs timers before it
# polls.
_PASSES = 3
# A timer this late, in seconds, means that the loop was blocked or the process was stopped. Each
# pass reads 64 KiB, and the socket may hold megabytes by then.
_LATE = 0.1
_PASSES_IF_LATE = 100
_MAX_PASSES_SECONDS = 0.5  # of a flood, each pass takes long
# The status of an error is known by then, and matters more than its body.
_ERROR_BODY_SECONDS = 5.0
_MESSAGES = {
    "queue": "the session's own limits kept the call waiting for {:g} s",
    "first_token": "no first token for {:g} s",
    "next_token": "no further token for {:g} s",
    "idle": "no byte of the response for {:g} s",
    "whole": "the response was not whole within {:g} s",
    "error_body": "its body did not end within {:g} s",
    "deadline": "the call did not finish within {:g} s",
}


class Clock:
    """Source of time and randomness; tests substitute a fake."""

    time = staticmethod(time.monotonic)
    """Return seconds on a clock that never goes back."""

    def wall_time(self) -> float:
        """Return seconds since the epoch, for dates that a server sends."""
        return time.time()

    def random(self) -> float:
        """Return a number from 0 to 1."""
        return random.random()  # noqa: S311 - jitter, not a secret

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Schedule a callback after this many seconds, in the running loop."""
        return asyncio.get_running_loop().call_later(seconds, callback)

    async def sleep(self, seconds: float) -> None:
        """Wait for this many seconds; cancelling is safe."""
        await asyncio.sleep(seconds)


class TimeoutScheduler:
    """One timer for all calls of a session; it fires when the earliest timeout may be due.

    The event loop refers to it through its timer, and it refers to the timers of running calls.
    These never refer to a stream, so that a dropped stream can be freed.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.next_check = _NEVER
        """When it checks the calls next, on the clock's scale."""
        self._running: set[CallTimers] = set()
        self._timer: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def has_started(self) -> bool:
        """Whether a call has begun."""
        return self._loop is not None

    def start(self, timeouts: Timeouts) -> CallTimers:
        """Return the timers of a call that starts now; its deadline counts from now."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # the timer of a closed loop never fires
            self._loop, self._timer, self.next_check = loop, None, _NEVER
            self._running.clear()
        timers = CallTimers(self, timeouts)
        self._running.add(timers)
        return timers

    def remove(self, timers: CallTimers) -> None:
        """Stop checking the timers of a call."""
        self._running.discard(timers)

    def check_at(self, due: float) -> None:
        """Check the calls at this time at the latest."""
        if self._timer is not None:
            self._timer.cancel()
        self.next_check = due
        self._timer = self.clock.call_later(max(due - self.clock.time(), 0.0), self._check)

    def close(self) -> None:
        """Abort every call that is still running in this loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self.next_check = None, _NEVER
        if self._loop is not asyncio.get_running_loop():
            self._running.clear()  # they ended with their loop
        for timers in tuple(self._running):
            timers.abort()

    def _check(self, passes: int | None = None, began: float | None = None) -> None:
        """End the waits that are due, after as many passes of the loop as they still have.

        A response that arrived while the loop was blocked, or while the process was stopped, is
        still in the socket, and has to be read before a timeout may count.
        """
        now = self.clock.time()
        due = min((timers.due for timers in self._running), default=_NEVER)
        began = now if began is None else began
        if due <= now and passes != 0 and now - began < _MAX_PASSES_SECONDS:
            if passes is None:
                passes = _PASSES if now - due < _LATE else _PASSES_IF_LATE
            # Nothing is due earlier than the next pass, so no timer is set meanwhile.
            self.next_check = -_NEVER
            self._timer = asyncio.get_running_loop().call_soon(self._check, passes - 1, began)
            return
        self._timer, self.next_check = None, _NEVER
        earliest = _NEVER
        for timers in tuple(self._running):
            if timers.due <= now:
                timers.expire()
            earliest = min(earliest, timers.due)
        if earliest < self.next_check:
            self.check_at(earliest)


class CallTimers:
    """The timeouts of one call: which are running, when they are due, and what they end.

    As a context manager it guards a wait of the current task, like `asyncio.timeout`, at no cost
    while nothing expires. Once the response headers have arrived, an expired timeout is passed to
    the body's reader instead.
    """

    # Class attributes cost a call nothing until they are set.
    _token_due = _NEVER  # when the next token is due
    _token_left = _NEVER  # what is left of its timeout when reading continues
    _body_due = _NEVER  # when a body that is read whole has to have ended
    _body_phase = "whole"
    _phase = ""
    _fail_body: Callable[[AIMLChatError], None] | None = None
    _task: asyncio.Task[Any] | None = None  # the task whose wait is guarded
    _cancelling = 0
    _expired = False
    _aborted = False

    def __init__(self, scheduler: TimeoutScheduler, timeouts: Timeouts) -> None:
        self._scheduler = scheduler
        self._time = scheduler.clock.time
        self._timeouts = timeouts
        self.start = self._time()
        self.due = self._deadline = _due_at(self.start, timeouts.deadline)
        self._idle = _NEVER if timeouts.idle is None else timeouts.idle
        self._next_token = _NEVER if timeouts.next_token is None else timeouts.next_token

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self._time() - self.start

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; infinite without one."""
        return self._deadline - self._time()

    # --- before the response headers ----------------------------------------------------------

    def __enter__(self) -> None:
        """Guard the wait of the current task.

        An expired timeout raises `RequestTimeoutError` in it, and closing the session meanwhile
        raises `ConnectionFailedError`.
        """
        self._fail_body = None
        self._expired = self._aborted = False
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task is not None else 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task, self._task = self._task, None
        if (self._expired or self._aborted) and task is not None:
            # Preserve a cancellation that was requested elsewhere.
            is_cancelled_elsewhere = task.uncancel() > self._cancelling
            if kind is asyncio.CancelledError and not is_cancelled_elsewhere:
                raise self._wait_error() from None

    def _wait_error(self) -> RequestTimeoutError | ConnectionFailedError:
        if self._expired:
            return self._timeout_error()
        msg = "the session was closed before a response arrived"
        return ConnectionFailedError(msg, sent=self._phase == "first_token")

    def deadline_error(self) -> RequestTimeoutError:
        """Return the error for a deadline that can no longer be met."""
        self._phase = "deadline"
        return self._timeout_error()

    def start_queue(self) -> None:
        """Start the wait for the session's own limits."""
        self._phase = "queue"
        self._run(_due_at(self._time(), self._timeouts.queue))

    def start_retry_delay(self) -> None:
        """Start the wait for the next attempt, which only the deadline limits."""
        self._phase = "deadline"
        self._body_due = _NEVER
        self._run(_NEVER)

    def start_attempt(self, *, is_stream: bool) -> None:
        """Start the wait for the response headers, and then for the first token or all of it."""
        now = self._time()
        self._phase = "first_token"
        self._token_due = due = _due_at(now, self._timeouts.first_token)
        if not is_stream:
            self._body_due, self._body_phase = _due_at(now, self._timeouts.whole), "whole"
            due = min(due, self._body_due)
        self._run(due)

    def can_wait(self, seconds: float) -> bool:
        """Return whether a wait of this many seconds ends before the deadline."""
        return self._time() + seconds < self._deadline

    # --- after the response headers -----------------------------------------------------------

    def start_body(self, fail: Callable[[AIMLChatError], None]) -> None:
        """Note that the headers have arrived: from now on a timeout that expires calls ``fail``."""
        self._fail_body = fail
        self.pause()

    def start_whole_body(self, *, is_error: bool = False) -> None:
        """Stop the token timeouts: a response that is not a stream does not show its tokens.

        The body of an error has to end within five seconds.
        """
        self._token_due = _NEVER
        if is_error:
            self._body_due, self._body_phase = self._time() + _ERROR_BODY_SECONDS, "error_body"

    def start_whole_read(self) -> None:
        """Start the wait for bytes of a body that is read whole."""
        self._run(min(self._time() + self._idle, self._body_due))

    def start_read(self) -> None:
        """Start the wait for bytes; the timeout of the next token resumes."""
        # Written out instead of calling `_run`, since it runs for each chunk.
        now = self._time()
        due = self._token_due = now + self._token_left
        idle = now + self._idle
        if idle < due:  # noqa: PLR1730 - min() takes twice as long
            due = idle
        if self._deadline < due:  # noqa: PLR1730
            due = self._deadline
        self.due = due
        if due < self._scheduler.next_check:
            self._scheduler.check_at(due)

    def pause(self) -> None:
        """Pause every timeout but the deadline: the call waits for nothing."""
        self._token_left = self._token_due - self._time()
        self.due = self._deadline

    def note_token(self) -> None:
        """Note that a token has arrived; the timeouts pause while the caller handles it."""
        self._phase = "next_token"
        self._token_left = self._next_token
        self.due = self._deadline

    def note_hidden_token(self) -> None:
        """Note that a token has arrived that the caller does not get: its timeout is restarted."""
        self._phase = "next_token"
        self._token_due = self._time() + self._next_token

    def start_tail_read(self, until: float) -> None:
        """Start the wait for the rest of a stream; ``until`` is seconds after the call's start."""
        self._token_due = _NEVER
        self._run(self.start + until)

    async def let_others_run(self, until: float | None) -> None:
        """Let other tasks run, and timeouts expire, between two reads of a flood without tokens.

        ``until`` is that of `start_tail_read`, None before the tail. Cancelling is safe.
        """
        self._run(min(self._token_due, _due_at(self.start, until)))
        await asyncio.sleep(0)
        self.pause()

    # --- the end ------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop all timeouts: the call is over."""
        self.due = _NEVER
        self._fail_body = None
        self._scheduler.remove(self)

    def expire(self) -> None:
        """End the wait whose timeout is due."""
        now = self._time()
        if now >= self._deadline:
            self._phase = "deadline"
        elif now >= self._body_due < self._token_due:
            self._phase = self._body_phase
        elif self._fail_body is not None and now < self._token_due:
            self._phase = "idle"
        self._expired = True
        self.due = _NEVER
        if self._fail_body is not None:
            self._fail_body(self._timeout_error())
        elif self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """End the call because its session was closed."""
        if self._fail_body is not None:
            self._fail_body(StreamInterruptedError("the session was closed"))
        elif self._task is not None and not self._expired and not self._aborted:
            self._aborted = True
            self._task.cancel()

    def _timeout_error(self) -> RequestTimeoutError:
        seconds = getattr(self._timeouts, self._phase, _ERROR_BODY_SECONDS) or 0.0
        return RequestTimeoutError(_MESSAGES[self._phase].format(seconds), phase=self._phase)

    def _run(self, due: float) -> None:
        self.due = due = min(due, self._deadline)
        if due < self._scheduler.next_check:
            self._scheduler.check_at(due)


def _due_at(now: float, seconds: float | None) -> float:
    return _NEVER if seconds is None else now + seconds
