"""Who may start now: so many at once, so much a minute, and nobody while the server rests."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aimlchat.policies import Limits

    from .timers import Clock

__all__ = ["Gate", "Place"]

_LONGEST_RAMP = 10.0
_SHORT_RAMP = 1.0
_MINUTE = 60.0


class _Rest:
    """A pause of one model, and the ramp on which its calls start again."""

    __slots__ = ("ramp", "until")

    def __init__(self) -> None:
        self.until = 0.0
        self.ramp = 0.0


class Entry:
    """What an attempt has taken of a minute."""

    __slots__ = ("amount", "at")

    def __init__(self, at: float, amount: int) -> None:
        self.at = at
        self.amount = amount


class _Minute:
    """What was taken within the last minute, of so much that may be: a sliding window.

    A bucket that fills up steadily would let twice as much through in its first minute.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._used = 0
        self._entries: deque[Entry] = deque()

    def wait_for(self, amount: int, now: float) -> float:
        """Return how long it is until so much may be taken."""
        while self._entries and self._entries[0].at + _MINUTE <= now:
            self._used -= self._entries.popleft().amount
        too_much = self._used + amount - self.most
        for entry in self._entries:
            if too_much <= 0:
                break
            too_much -= entry.amount
            if too_much <= 0:
                return entry.at + _MINUTE - now
        return 0.0

    def take(self, amount: int, now: float) -> Entry:
        entry = Entry(now, amount)
        self._entries.append(entry)
        self._used += amount
        return entry

    def settle(self, entry: Entry, amount: int) -> None:
        """Put what was really used in the place of an estimate."""
        if self._entries and entry.at >= self._entries[0].at:
            self._used += amount - entry.amount
            entry.amount = amount


class Place:
    """An attempt's place within the limits, until it leaves; and its tokens, if those are counted.

    It goes back to where it was taken from: what is left over from a loop that was closed gives no
    place to the next one.
    """

    __slots__ = ("_places", "entry")

    def __init__(self, places: asyncio.Semaphore | None, entry: Entry | None) -> None:
        self._places = places
        self.entry = entry

    def leave(self) -> None:
        """Give the place to the next; a second time does nothing."""
        places, self._places = self._places, None
        if places is not None:
            places.release()


class Gate:
    """Lets attempts start within the session's limits; places go to who waits longest.

    A 429 holds up all calls of its model, as the server counts by key and model, and a session has
    one key. They start again over a ramp, each at a time drawn by lot, or all would be refused once
    more.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        # A place in the pool is a place here too: the wait for it is a wait in the queue.
        most = [limit for limit in (limits.concurrency, limits.max_connections) if limit]
        self.most = min(most, default=0)
        """How many may be in flight; 0 is no limit."""
        self._places: asyncio.Semaphore | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns: asyncio.Lock | None = None
        self._requests = _Minute(limits.requests_per_minute or 0)
        self._tokens = _Minute(limits.tokens_per_minute or 0)
        self._rests: dict[str, _Rest] = {}
        self._is_limited = bool(self.most or self._requests.most or self._tokens.most)
        self._clock = clock

    @property
    def is_open(self) -> bool:
        """Whether `enter` would not wait, and nothing is limited."""
        return not (self._is_limited or self._rests)

    @property
    def counts_tokens(self) -> bool:
        """Whether it matters how many tokens an attempt takes."""
        return self._tokens.most > 0

    async def enter(self, model: str, tokens: int = 0) -> Place:
        """Return when an attempt may start; each one that did has to leave its place.

        ``tokens`` is an estimate, to be settled with what is returned. Cancelling is safe.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # a semaphore belongs to one loop
            self._loop, self._turns = loop, asyncio.Lock()
            self._places = asyncio.Semaphore(self.most) if self.most else None
        places, turns = self._places, self._turns
        entry: Entry | None = None
        is_counted = turns is None or not (self._requests.most or self._tokens.most)
        while True:
            await self._rested(model)
            if places is not None:
                await places.acquire()
            place = Place(places, entry)
            try:
                if turns is not None and not is_counted:
                    place.entry = entry = await self._rated(turns, tokens)
                    is_counted = True
                if not self._wait_of(model, 0.0):
                    return place
            except BaseException:
                place.leave()
                raise
            # A rest has begun meanwhile, and who waits for it must not take up a place.
            place.leave()

    def settle(self, entry: Entry, tokens: int) -> None:
        """Count the tokens that an attempt took in the end in place of the estimate."""
        self._tokens.settle(entry, tokens)

    def rest(self, model: str, seconds: float) -> None:
        """Start nothing of this model for so long, and then no more than a ramp allows.

        The ramp is as long as the rest, but a second at most, or a tenth of a long rest.
        """
        now = self._clock.time()
        for name in [name for name, rest in self._rests.items() if rest.until + rest.ramp <= now]:
            del self._rests[name]
        rest = self._rests.setdefault(model, _Rest())
        until = now + seconds
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

    async def _rated(self, turns: asyncio.Lock, tokens: int) -> Entry | None:
        tokens = min(tokens, self._tokens.most)  # one that is larger than the limit goes alone
        # Only who is first looks at the clock; all others wait behind, in their order.
        async with turns:
            while wait := self._wait_for_rates(tokens):
                await self._clock.sleep(wait)
            now = self._clock.time()
            if self._requests.most:
                self._requests.take(1, now)
            return self._tokens.take(tokens, now) if self._tokens.most else None

    def _wait_for_rates(self, tokens: int) -> float:
        now, wait = self._clock.time(), 0.0
        if self._requests.most:
            wait = self._requests.wait_for(1, now)
        if self._tokens.most:
            wait = max(wait, self._tokens.wait_for(tokens, now))
        return wait

    def _wait_of(self, model: str, place: float) -> float:
        """Return how long a call with this place on the ramp, from 0 to 1, has to wait still."""
        rest = self._rests.get(model)
        if rest is None:
            return 0.0
        now = self._clock.time()
        if now >= rest.until + rest.ramp:
            del self._rests[model]
        return max(rest.until + place * rest.ramp - now, 0.0)
