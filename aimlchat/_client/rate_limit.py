"""Admission control: concurrency, per-minute rates, and the cooldown after a 429."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aimlchat.policies import Limits

    from .pacing import Pacer
    from .timers import Clock

__all__ = ["RateLimiter", "Reservation", "Slot"]

_MAX_RAMP = 10.0
_SHORT_RAMP = 1.0
_MINUTE = 60.0


class Cooldown:
    """A pause of the calls to one model, and the ramp over which they start again."""

    __slots__ = ("ramp", "until")

    def __init__(self) -> None:
        self.until = 0.0
        """When the pause ends, on the clock's scale."""
        self.ramp = 0.0
        """The duration, in seconds, of the ramp that follows."""


class Reservation:
    """The amount that an attempt has taken from a per-minute limit, and when."""

    __slots__ = ("amount", "time")

    def __init__(self, time: float, amount: int) -> None:
        self.time = time
        self.amount = amount


class _MinuteWindow:
    """A limit per minute, as a sliding window over the last sixty seconds.

    A token bucket would admit twice the limit in its first minute.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used = 0
        self._reservations: deque[Reservation] = deque()

    def seconds_until(self, amount: int, now: float) -> float:
        """Return the seconds until this amount is free."""
        while self._reservations and self._reservations[0].time + _MINUTE <= now:
            self._used -= self._reservations.popleft().amount
        excess = self._used + amount - self.limit
        for reservation in self._reservations:
            if excess <= 0:
                break
            excess -= reservation.amount
            if excess <= 0:
                return reservation.time + _MINUTE - now
        return 0.0

    def reserve(self, amount: int, now: float) -> Reservation:
        """Take this amount from the limit."""
        reservation = Reservation(now, amount)
        self._reservations.append(reservation)
        self._used += amount
        return reservation

    def settle(self, reservation: Reservation, amount: int) -> None:
        """Replace an estimate with the amount used, unless it has left the window."""
        if self._reservations and reservation.time >= self._reservations[0].time:
            self._used += amount - reservation.amount
            reservation.amount = amount


class Slot:
    """An attempt's share of the concurrency limit until it is released, and its tokens.

    It is returned to the semaphore from which it came, so that a slot left over from a closed loop
    frees none in the next loop.
    """

    __slots__ = ("_semaphore", "reservation")

    def __init__(
        self, semaphore: asyncio.Semaphore | None, reservation: Reservation | None
    ) -> None:
        self._semaphore = semaphore
        self.reservation = reservation
        """The tokens that the attempt has taken; None if tokens are not limited."""

    def release(self) -> None:
        """Admit the next attempt; safe to repeat."""
        semaphore, self._semaphore = self._semaphore, None
        if semaphore is not None:
            semaphore.release()


class RateLimiter:
    """Admits attempts within the session's limits, in order of arrival.

    A 429 delays all calls of its model: the server counts by key and model, and a session has one
    key. Afterwards the calls start at random points of a ramp, since the server would reject them
    again if they all started at once.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        # A connection of the pool counts as a slot: the wait for one is part of the queue.
        bounds = [bound for bound in (limits.concurrency, limits.max_connections) if bound]
        self.concurrency = min(bounds, default=0)
        """How many attempts may be in flight; 0 means no limit."""
        self._semaphore: asyncio.Semaphore | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rate_lock: asyncio.Lock | None = None
        self._requests = _MinuteWindow(limits.requests_per_minute or 0)
        self._tokens = _MinuteWindow(limits.tokens_per_minute or 0)
        self._cooldowns: dict[str, Cooldown] = {}
        self._pacers: dict[str, Pacer] = {}
        self._is_limited = bool(self.concurrency or self._requests.limit or self._tokens.limit)
        self._clock = clock

    @property
    def is_unlimited(self) -> bool:
        """Whether `acquire` would return at once, because nothing is limited."""
        return not (self._is_limited or self._cooldowns)

    @property
    def counts_tokens(self) -> bool:
        """Whether the number of tokens of an attempt matters."""
        return self._tokens.limit > 0

    def pacer(self, model: str) -> Pacer:
        """Return what paces the attempts of runs with this model."""
        self._enter_loop()
        if (pacer := self._pacers.get(model)) is None:
            from .pacing import Pacer  # noqa: PLC0415 - only runs of many calls need it

            pacer = self._pacers[model] = Pacer(self._clock)
        return pacer

    async def acquire(self, model: str, tokens: int = 0, *, is_paced: bool = False) -> Slot:
        """Return once an attempt may start; its slot has to be released.

        ``tokens`` is an estimate, to be corrected by `settle`; 0 for a request that uses none.
        ``is_paced`` is for an attempt that a `Pacer` has admitted, so that it needs no ramp after a
        cooldown. Cancelling is safe.
        """
        self._enter_loop()
        semaphore, rate_lock = self._semaphore, self._rate_lock
        reservation: Reservation | None = None
        is_reserved = rate_lock is None or not (self._requests.limit or self._tokens.limit)
        while True:
            if not is_paced:
                await self._wait_for_cooldown(model)
            if semaphore is not None:
                await semaphore.acquire()
            slot = Slot(semaphore, reservation)
            try:
                if rate_lock is not None and not is_reserved:
                    slot.reservation = reservation = await self._reserve(rate_lock, tokens)
                    is_reserved = True
                if is_paced or not self._cooldown_left(model, 0.0):
                    return slot
            except BaseException:
                slot.release()
                raise
            # A cooldown has begun meanwhile; an attempt that waits for its end needs no slot.
            slot.release()

    def settle(self, reservation: Reservation, tokens: int) -> None:
        """Replace the estimate of an attempt with the tokens that it used."""
        self._tokens.settle(reservation, tokens)

    def is_paused(self, model: str) -> bool:
        """Whether no attempt of this model may start now, because it is in a cooldown."""
        return self.cooldown_left(model) > 0

    def cooldown_left(self, model: str) -> float:
        """Return for how many seconds no attempt of this model may start; 0 without a cooldown."""
        return self._cooldown_left(model, 0.0) if self._cooldowns else 0.0

    def cool_down(self, model: str, seconds: float) -> None:
        """Start no attempt of this model for this many seconds, then spread them over a ramp.

        The ramp is as long as the cooldown, but at most a second, or a tenth of a longer cooldown,
        and never more than ten seconds.
        """
        now = self._clock.time()
        for name in [
            name
            for name, cooldown in self._cooldowns.items()
            if cooldown.until + cooldown.ramp <= now
        ]:
            del self._cooldowns[name]
        cooldown = self._cooldowns.setdefault(model, Cooldown())
        until = now + seconds
        if until > cooldown.until:
            cooldown.until = until
            longest = min(max(_SHORT_RAMP, seconds / 10), _MAX_RAMP)
            cooldown.ramp = max(min(seconds, longest), 0.0)
        if pacer := self._pacers.get(model):
            pacer.hold(seconds)

    def _enter_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # semaphores, locks and timers belong to one loop
            self._loop, self._rate_lock = loop, asyncio.Lock()
            self._semaphore = asyncio.Semaphore(self.concurrency) if self.concurrency else None
            self._pacers.clear()

    async def _wait_for_cooldown(self, model: str) -> None:
        if model not in self._cooldowns:
            return
        position = self._clock.random()
        while wait := self._cooldown_left(model, position):
            await self._clock.sleep(wait)

    async def _reserve(self, lock: asyncio.Lock, tokens: int) -> Reservation | None:
        tokens = min(tokens, self._tokens.limit)  # a larger request waits for a free minute
        # Only the first in the queue waits for the clock; the others wait for the lock, in order.
        async with lock:
            while wait := self._wait_for_rates(tokens):
                await self._clock.sleep(wait)
            now = self._clock.time()
            if self._requests.limit:
                self._requests.reserve(1, now)
            return self._tokens.reserve(tokens, now) if tokens else None

    def _wait_for_rates(self, tokens: int) -> float:
        now, wait = self._clock.time(), 0.0
        if self._requests.limit:
            wait = self._requests.seconds_until(1, now)
        if tokens:
            wait = max(wait, self._tokens.seconds_until(tokens, now))
        return wait

    def _cooldown_left(self, model: str, position: float) -> float:
        """Return how long a call at this position of the ramp, from 0 to 1, has to wait."""
        cooldown = self._cooldowns.get(model)
        if cooldown is None:
            return 0.0
        now = self._clock.time()
        if now >= cooldown.until + cooldown.ramp:
            del self._cooldowns[model]
        return max(cooldown.until + position * cooldown.ramp - now, 0.0)
