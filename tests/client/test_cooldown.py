"""After a 429 no call of its model starts for a while, and then they do not all start at once."""

import asyncio
import itertools

import pytest
from clockwork import Clockwork, session_on
from delivery import run_pending

from aimlchat import ConnectionFailedError, Limits, RateLimitError, RetryPolicy
from aimlchat._client.rate_limit import RateLimiter


class WaitingCalls:
    """Calls that arrive at once; ``starts`` are the times at which the rate limiter admits them."""

    def __init__(self, limiter, clock) -> None:
        self._limiter = limiter
        self._clock = clock
        self.starts = []
        self.tasks = []

    def add(self, count, model="m"):
        self.tasks += [asyncio.ensure_future(self._start(model)) for _ in range(count)]

    async def _start(self, model):
        await self._limiter.acquire(model)
        self.starts.append(self._clock.now)

    async def pass_time(self, seconds, steps):
        for _ in range(steps):
            self._clock.advance(seconds / steps)
            await run_pending()


@pytest.fixture
def clock():
    clock = Clockwork(hasty=False)
    draws = itertools.cycle(n / 20 for n in range(20))
    clock.random = lambda: next(draws)  # as evenly distributed as many random draws are
    return clock


@pytest.fixture
def limiter(clock):
    return RateLimiter(Limits(), clock)


async def test_no_call_starts_during_a_cooldown(limiter, clock):
    calls = WaitingCalls(limiter, clock)
    limiter.cool_down("m", 30)
    calls.add(20)
    await calls.pass_time(29.9, 10)

    assert calls.starts == []
    for task in calls.tasks:
        task.cancel()


async def test_after_a_cooldown_calls_start_over_a_ramp(limiter, clock):
    calls = WaitingCalls(limiter, clock)
    start = clock.now
    limiter.cool_down("m", 30)
    calls.add(20)
    await calls.pass_time(40, 400)

    waits = sorted(at - start for at in calls.starts)
    assert len(waits) == 20
    assert waits[0] >= 30
    assert waits[-1] <= 33.1
    assert max(waits.count(wait) for wait in waits) <= 2


async def test_a_short_cooldown_has_a_ramp_of_at_most_a_second(limiter, clock):
    calls = WaitingCalls(limiter, clock)
    start = clock.now
    limiter.cool_down("m", 4)
    calls.add(20)
    await calls.pass_time(6, 600)

    assert len(calls.starts) == 20
    assert max(calls.starts) - start <= 5.05


async def test_a_call_that_arrives_during_the_ramp_waits_on_it(limiter, clock):
    calls = WaitingCalls(limiter, clock)
    limiter.cool_down("m", 10)
    clock.advance(10.5)
    calls.add(20)
    await run_pending()

    assert 8 <= len(calls.starts) <= 12
    await calls.pass_time(1, 10)
    assert len(calls.starts) == 20


async def test_after_the_ramp_no_call_waits(limiter, clock):
    limiter.cool_down("m", 10)
    clock.advance(11.1)
    await limiter.acquire("m")

    assert clock.sleeps == []
    assert limiter.is_unlimited


async def test_another_model_has_no_cooldown(limiter, clock):
    limiter.cool_down("m", 10)
    await limiter.acquire("other")

    assert clock.sleeps == []


async def test_a_cooldown_delays_the_calls_that_already_wait(limiter, clock):
    calls = WaitingCalls(limiter, clock)
    limiter.cool_down("m", 5)
    calls.add(10)
    await run_pending()
    clock.advance(4)
    limiter.cool_down("m", 20)
    await calls.pass_time(19, 20)

    assert calls.starts == []
    await calls.pass_time(5, 20)
    assert len(calls.starts) == 10


async def test_a_shorter_cooldown_does_not_end_a_longer_one(limiter, clock):
    calls = WaitingCalls(limiter, clock)
    limiter.cool_down("m", 20)
    limiter.cool_down("m", 1)
    calls.add(1)
    await calls.pass_time(19, 19)

    assert calls.starts == []
    calls.tasks[0].cancel()


async def test_a_call_in_a_cooldown_takes_no_slot(clock):
    limiter = RateLimiter(Limits(concurrency=1), clock)
    limiter.cool_down("m", 10)
    waiting = asyncio.ensure_future(limiter.acquire("m"))
    await run_pending()
    await limiter.acquire("other")

    assert not waiting.done()
    waiting.cancel()


async def test_a_call_that_waits_for_its_rate_does_not_start_during_a_cooldown():
    clock = Clockwork(hasty=False)
    limiter = RateLimiter(Limits(requests_per_minute=1), clock)
    await limiter.acquire("m")
    second = asyncio.ensure_future(limiter.acquire("m"))
    await asyncio.sleep(0)
    limiter.cool_down("m", 300)
    for _ in range(30):
        clock.advance(9.9)
        await run_pending()

    assert not second.done()
    second.cancel()


# --- within a session -----------------------------------------------------------------------------


async def test_a_429_delays_the_other_calls_of_its_model(emulator, clock):
    async with session_on(clock, emulator.base_url) as session:
        emulator.fail(status=429, retry_after=10)
        first = asyncio.ensure_future(session.complete("One"))
        await clock.asleep.wait()
        second = asyncio.ensure_future(session.stream("Two").collect())
        third = asyncio.ensure_future(session.complete("Three", model="gpt-4o"))
        await third

        assert len(emulator.requests) == 2
        clock.advance(12)
        while not (first.done() and second.done()):
            clock.advance(0.1)
            await asyncio.sleep(0)
    assert len(emulator.requests) == 4


async def test_a_final_429_delays_no_other_call(emulator):
    clock = Clockwork()
    async with session_on(clock, emulator.base_url) as session:
        emulator.fail(status=429, retry_after=1000)
        with pytest.raises(RateLimitError):
            await session.complete("One")
        await session.complete("Two")

    assert clock.sleeps == []


async def test_a_429_without_a_retry_or_a_hint_delays_no_other_call(emulator):
    clock = Clockwork()
    async with session_on(clock, emulator.base_url) as session:
        emulator.fail(status=429)
        with pytest.raises(RateLimitError):
            await session.complete("One", retry=RetryPolicy(attempts=1))
        await session.complete("Two")

    assert clock.sleeps == []


async def test_closing_the_session_ends_a_call_that_waits_to_retry(emulator, clock):
    async with session_on(clock, emulator.base_url) as session:
        emulator.fail(status=503, retry_after=60)
        call = asyncio.ensure_future(session.complete("One"))
        await clock.asleep.wait()
        await session.close()

        with pytest.raises(ConnectionFailedError, match="closed"):
            await call
