"""An event loop whose time passes only while nothing else happens.

A wait of hours is over at once, and a slow machine causes no timeout: the loop's clock does not
move while a task runs or a socket has something to read, and jumps to the next timer when all tasks
wait. Servers and clients have to share the loop, because it cannot see the work of a thread or
another process.
"""

import asyncio
import random
import selectors

from aimlchat._client.timers import Clock

# Real seconds without an event, after which nothing is on its way over the loopback interface.
_QUIET = 0.001


class _Selector(selectors.DefaultSelector):
    """A selector that skips waits and counts the skipped time."""

    def __init__(self, quiet) -> None:
        super().__init__()
        self.skipped = 0.0
        self._quiet = quiet

    def select(self, timeout=None):
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(self._quiet)
        if not events:
            self.skipped += timeout
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; its clock begins at 0."""

    def __init__(self, quiet=_QUIET) -> None:
        self._virtual = _Selector(quiet)
        super().__init__(self._virtual)

    def time(self):
        return self._virtual.skipped


class LoopClock(Clock):
    """A clock for a session in virtual time, with random numbers from a seed."""

    def __init__(self, seed=0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - it has to be the same in every run

    def time(self):
        return asyncio.get_running_loop().time()

    def random(self):
        return self._random.random()


def run_in_virtual_time(coroutine, *, has_sockets=True):
    """Run a coroutine to its end and return its result; without sockets it is much faster."""
    quiet = _QUIET if has_sockets else 0.0
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(quiet)) as runner:
        return runner.run(coroutine)
