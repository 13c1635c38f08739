"""A clock under the control of a test: it does not move until the test advances it."""

import asyncio

from aimlchat import ChatSession
from aimlchat._client.timers import Clock


class _Timer:
    def __init__(self, due, callback) -> None:
        self.due = due
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clockwork(Clock):
    """A clock that is moved only by `advance` and, if it is ``hasty``, by each `sleep`.

    Attributes:
        sleeps: the lengths of the sleeps so far.
        asleep: an event that is set when the first sleep begins.
        luck: what `chance` returns.
    """

    def __init__(self, *, luck=0.5, hasty=True) -> None:
        self.now = 1000.0
        self.luck = luck
        self._hasty = hasty
        self.sleeps = []
        self.asleep = asyncio.Event()
        self._timers = []

    def time(self):
        return self.now

    def wall_time(self):
        return 1_700_000_000.0 + self.now

    def random(self):
        return self.luck

    def call_later(self, seconds, callback):
        timer = _Timer(self.now + seconds, callback)
        self._timers.append(timer)
        return timer

    async def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.asleep.set()
        if self._hasty:
            self.advance(seconds)
            await asyncio.sleep(0)
        else:
            woken = asyncio.Event()
            self.call_later(seconds, woken.set)
            await woken.wait()

    @property
    def timers(self):
        """How many timers are set."""
        return len([timer for timer in self._timers if not timer.cancelled])

    def jump(self, seconds):
        """Let this much time pass as if the loop had been blocked: the timers fire late."""
        self.now += seconds
        self.advance(0)

    def advance(self, seconds):
        """Let this much time pass; each timer that becomes due fires at its own time."""
        end = self.now + seconds
        while due := [t for t in self._timers if not t.cancelled and t.due <= end]:
            timer = min(due, key=lambda t: t.due)
            self._timers.remove(timer)
            self.now = max(self.now, timer.due)
            timer.callback()
        self.now = end


def session_on(clock, base_url, **settings):
    """Return a session that uses this clock."""

    class Timed(ChatSession):
        _clock = clock

    return Timed(settings.pop("api_key", "test-key"), base_url=base_url, **settings)
