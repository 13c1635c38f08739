"""An event loop whose time passes only while nothing else happens.

What would wait for hours is over at once, and a slow machine times nothing out: the loop's clock
stands still while a task runs or a socket has something to read, and jumps to the next timer when
all tasks wait. Servers and clients have to share the loop, because a thread or another process is
not seen to be at work.
"""

import asyncio
import random
import selectors

from aimlchat._client.timers import Clock

# Real seconds without an event, after which nothing is on its way over the loopback interface.
_QUIET = 0.001


class _Selector(selectors.DefaultSelector):
    """A selector that skips the waiting and counts it."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout=None):
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(_QUIET)
        if not events:
            self.skipped += timeout
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; its clock begins at 0."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self):
        return self._virtual.skipped


class LoopClock(Clock):
    """A clock for a session in virtual time, whose chance is drawn from a seed."""

    def __init__(self, seed=0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - it has to be the same in every run

    def time(self):
        return asyncio.get_running_loop().time()

    def random(self):
        return self._random.random()


def run_in_virtual_time(coroutine):
    """Run a coroutine to its end and return its result."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)
