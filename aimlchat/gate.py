"""Who may start now: so many at once, and nobody while the server asks for a rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .clocks import Clock
    from .policies import Limits

__all__ = ["Gate"]

_LONGEST_RAMP = 10.0
_SHORT_RAMP = 1.0


class _Rest:
    """A pause of one model, and the ramp on which its calls start again."""

    __slots__ = ("ramp", "until")

    def __init__(self) -> None:
        self.until = 0.0
        self.ramp = 0.0


class Gate:
    """Lets attempts start within the session's limits, in the order in which they came.

    A 429 holds up all calls of its model, as the server counts by key and model, and a session has
    one key. They start again one by one over a ramp, or all would be refused once more.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        # A place in the pool is a place here too: the wait for it is a wait in the queue.
        most = [limit for limit in (limits.concurrency, limits.max_connections) if limit]
        self._most = min(most, default=0)
        self._places: asyncio.Semaphore | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rests: dict[str, _Rest] = {}
        self._clock = clock

    @property
    def is_open(self) -> bool:
        """Whether `enter` would not wait, and `leave` need not be called: nothing is limited."""
        return not self._most and not self._rests

    async def enter(self, model: str) -> None:
        """Return when an attempt may start; each one that did has to `leave`.

        Cancelling is safe.
        """
        loop = asyncio.get_running_loop()
        if self._most and loop is not self._loop:  # a semaphore belongs to one loop
            self._loop, self._places = loop, asyncio.Semaphore(self._most)
        while True:
            await self._rested(model)
            if self._places is None:
                return
            await self._places.acquire()
            if not self._wait_of(model, 0.0):
                return
            # A rest has begun meanwhile, and who waits for it must not take up a place.
            self._places.release()

    def leave(self) -> None:
        """Give the place to the next."""
        if self._places is not None:
            self._places.release()

    def rest(self, model: str, seconds: float) -> None:
        """Start nothing of this model for so long, and then no more than a ramp allows.

        The ramp is as long as the rest, but a second at most, or a tenth of a long rest.
        """
        rest = self._rests.setdefault(model, _Rest())
        until = self._clock.time() + seconds
        if until > rest.until:
            rest.until = until
            longest = min(max(_SHORT_RAMP, seconds / 10), _LONGEST_RAMP)
            rest.ramp = max(min(seconds, longest), 0.0)

    async def _rested(self, model: str) -> None:
        if model not in self._rests:
            return
        place = self._clock.chance()
        while wait := self._wait_of(model, place):
            await self._clock.sleep(wait)

    def _wait_of(self, model: str, place: float) -> float:
        """Return how long a call with this place on the ramp, from 0 to 1, has to wait still."""
        rest = self._rests.get(model)
        if rest is None:
            return 0.0
        now = self._clock.time()
        if now >= rest.until + rest.ramp:
            del self._rests[model]
        return max(rest.until + place * rest.ramp - now, 0.0)
