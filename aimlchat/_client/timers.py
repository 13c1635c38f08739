"""The clocks of a call, and the one timer behind all of them.

A clock costs a few comparisons for each read: nothing is made or cancelled. What a wait may last
is written down where it begins, and a single timer, shared by all calls of a session, looks at the
notes when the earliest of them falls due.
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

__all__ = ["Clock", "Watch", "Watchdog"]

_NEVER = math.inf
_WHAT = {
    "queue": "no place within the session's own limits for {:g} s",
    "first_token": "no first token for {:g} s",
    "next_token": "no further token for {:g} s",
    "idle": "not a byte of the answer for {:g} s",
    "deadline": "the call was not done within {:g} s",
}


class Clock:
    """Time and chance as a session sees them; tests tell their own."""

    time = staticmethod(time.monotonic)
    """Return seconds that never go back."""

    def wall_time(self) -> float:
        """Return seconds since the epoch, for dates that a server sends."""
        return time.time()

    def chance(self) -> float:
        """Return a number from 0 to 1."""
        return random.random()  # noqa: S311 - jitter, not a secret

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back after so many seconds, in the running loop."""
        return asyncio.get_running_loop().call_later(seconds, callback)

    async def sleep(self, seconds: float) -> None:
        """Wait; cancelling is safe."""
        await asyncio.sleep(seconds)


class Watchdog:
    """One timer for all calls of a session. It looks when the earliest wait may be over.

    Its timer holds it, and it holds the watches of running calls; no watch holds a stream.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.next_look = _NEVER
        self._watches: set[Watch] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, timeouts: Timeouts) -> Watch:
        """Begin the clocks of a call; its deadline runs from now."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # the timer of a loop that was closed never fires
            self._loop, self._timer, self.next_look = loop, None, _NEVER
            self._watches.clear()
        watch = Watch(self, timeouts)
        self._watches.add(watch)
        return watch

    def forget(self, watch: Watch) -> None:
        """Look at a watch no more."""
        self._watches.discard(watch)

    def look_at(self, due: float) -> None:
        """Look at this time too."""
        if self._timer is not None:
            self._timer.cancel()
        self.next_look = due
        self._timer = self.clock.call_later(max(due - self.clock.time(), 0.0), self._look)

    def close(self) -> None:
        """End every call that still runs in this loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self.next_look = None, _NEVER
        if self._loop is not asyncio.get_running_loop():
            self._watches.clear()  # they ended with their loop
        for watch in tuple(self._watches):
            watch.abort()

    def _look(self) -> None:
        self._timer, self.next_look = None, _NEVER
        now = self.clock.time()
        nearest = _NEVER
        for watch in tuple(self._watches):
            if watch.due <= now:
                watch.expire()
            nearest = min(nearest, watch.due)
        if nearest < self.next_look:
            self.look_at(nearest)


class Watch:
    """The clocks of one call: which of them run, until when, and what ends when one is over."""

    # As a class they cost a call nothing until they are set.
    _token = _NEVER  # when the token that is waited for is due
    _left = _NEVER  # how long its clock still runs once it goes on
    _phase = ""
    _end: Callable[[AIMLChatError], None] | None = None
    _task: asyncio.Task[Any] | None = None  # the one that waits for a head
    _cancelling = 0
    _over = False
    _closed = False

    def __init__(self, dog: Watchdog, timeouts: Timeouts) -> None:
        self._dog = dog
        self._time = dog.clock.time
        self._timeouts = timeouts
        self.start = self._time()
        self.due = self._deadline = _until(self.start, timeouts.deadline)
        self._idle = _NEVER if timeouts.idle is None else timeouts.idle
        self._next = _NEVER if timeouts.next_token is None else timeouts.next_token

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self._time() - self.start

    # --- before the head of an answer ---------------------------------------------------------

    # A context manager that does what `asyncio.timeout` does, at no cost while nothing is over.
    def __enter__(self) -> None:
        """Guard a wait for a head.

        One that is over raises `RequestTimeoutError`, and a session that is closed meanwhile
        `ConnectionFailedError`.
        """
        self._end = None
        self._over = self._closed = False
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task is not None else 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task, self._task = self._task, None
        if (self._over or self._closed) and task is not None:
            # Whoever else cancelled the task wants it cancelled still.
            others = task.uncancel() > self._cancelling
            if kind is asyncio.CancelledError and not others:
                raise self._verdict() from None

    def _verdict(self) -> RequestTimeoutError | ConnectionFailedError:
        if self._over:
            return self._error()
        msg = "the session was closed before an answer came"
        return ConnectionFailedError(msg, sent=self._phase == "first_token")

    def deadline_error(self) -> RequestTimeoutError:
        """Return the error of a deadline that cannot be met any more."""
        self._phase = "deadline"
        return self._error()

    def queueing(self) -> None:
        """Wait for the session's own limits."""
        self._phase = "queue"
        self._run(_until(self._time(), self._timeouts.queue))

    def sleeping(self) -> None:
        """Wait for the next try."""
        self._phase = "deadline"
        self._run(_NEVER)

    def asking(self) -> None:
        """Wait for the head of the answer, and then for its first token."""
        self._phase = "first_token"
        self._token = _until(self._time(), self._timeouts.first_token)
        self._run(self._token)

    def fits(self, seconds: float) -> bool:
        """Return whether so long a wait ends before the deadline."""
        return self._time() + seconds < self._deadline

    # --- behind it ----------------------------------------------------------------------------

    def answered(self, end: Callable[[AIMLChatError], None]) -> None:
        """Note that the head has come: from now on a clock that is over calls ``end``."""
        self._end = end
        self.pause()

    def whole(self) -> None:
        """Note that the answer is no stream, in which no token is to be seen."""
        self._left = _NEVER

    def reading(self) -> None:
        """Wait for bytes; the clock of the token goes on."""
        # Spelled out: this is done for each chunk.
        now = self._time()
        due = self._token = now + self._left
        idle = now + self._idle
        if idle < due:  # noqa: PLR1730 - min() takes twice as long
            due = idle
        if self._deadline < due:  # noqa: PLR1730
            due = self._deadline
        self.due = due
        if due < self._dog.next_look:
            self._dog.look_at(due)

    def pause(self) -> None:
        """Let every clock but the deadline stand still: nothing is waited for."""
        self._left = self._token - self._time()
        self.due = self._deadline

    def got_token(self) -> None:
        """Note that a token has come; the caller holds it now."""
        self._phase = "next_token"
        self._left = self._next
        self.due = self._deadline

    def reading_tail(self, until: float) -> None:
        """Wait for what may come behind the answer, until so long after the start of the call."""
        self._token = _NEVER
        self._run(self.start + until)

    # --- the end ------------------------------------------------------------------------------

    def stop(self) -> None:
        """The call is over."""
        self.due = _NEVER
        self._end = None
        self._dog.forget(self)

    def expire(self) -> None:
        """End the wait, whose time is over."""
        now = self._time()
        if now >= self._deadline:
            self._phase = "deadline"
        elif self._end is not None and now < self._token:
            self._phase = "idle"
        self._over = True
        self.due = _NEVER
        if self._end is not None:
            self._end(self._error())
        elif self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """End the call: the session was closed."""
        if self._end is not None:
            self._end(StreamInterruptedError("the session was closed"))
        elif self._task is not None and not self._over and not self._closed:
            self._closed = True
            self._task.cancel()

    def _error(self) -> RequestTimeoutError:
        seconds = getattr(self._timeouts, self._phase) or 0.0
        return RequestTimeoutError(_WHAT[self._phase].format(seconds), phase=self._phase)

    def _run(self, due: float) -> None:
        self.due = due = min(due, self._deadline)
        if due < self._dog.next_look:
            self._dog.look_at(due)


def _until(now: float, seconds: float | None) -> float:
    return _NEVER if seconds is None else now + seconds
