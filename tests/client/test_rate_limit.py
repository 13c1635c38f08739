"""Admission control: concurrency, and requests and tokens per minute."""

import asyncio
import itertools

import pytest
from clockwork import Clockwork, session_on
from delivery import run_pending

from aimlchat import ChatRequest, ConnectionFailedError, Image, Limits
from aimlchat._client.rate_limit import RateLimiter

# --- slots ----------------------------------------------------------------------------------------


@pytest.fixture
def clock():
    clock = Clockwork(hasty=False)
    draws = itertools.cycle(n / 20 for n in range(20))
    clock.random = lambda: next(draws)  # as evenly distributed as many random draws are
    return clock


async def test_slots_go_to_the_calls_that_have_waited_longest(clock):
    limiter = RateLimiter(Limits(concurrency=2), clock)
    order, slots = [], []

    async def take(name):
        slots.append(await limiter.acquire("m"))
        order.append(name)

    tasks = [asyncio.ensure_future(take(name)) for name in "abcd"]
    await run_pending()
    assert order == ["a", "b"]
    slots[0].release()
    slots[0].release()  # twice, but it is only one slot
    slots[1].release()
    await asyncio.gather(*tasks)

    assert order == ["a", "b", "c", "d"]


async def test_a_cancelled_wait_takes_no_slot(clock):
    limiter = RateLimiter(Limits(concurrency=1), clock)
    slot = await limiter.acquire("m")
    waiting = asyncio.ensure_future(limiter.acquire("m"))
    await run_pending()
    waiting.cancel()
    await run_pending()
    slot.release()

    await limiter.acquire("m")


def test_a_slot_of_a_closed_loop_frees_none_in_the_next_loop():
    limiter = RateLimiter(Limits(concurrency=1), Clockwork())
    left = asyncio.run(limiter.acquire("m"))

    async def go_on():
        slot = await limiter.acquire("m")
        left.release()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(limiter.acquire("m"), 0.01)
        slot.release()
        await limiter.acquire("m")

    asyncio.run(go_on())


async def test_closing_the_session_ends_a_call_that_waits_for_a_slot(emulator, silent_server):
    async with session_on(
        Clockwork(), silent_server.base_url, limits=Limits(concurrency=1)
    ) as session:
        first = asyncio.ensure_future(session.complete("One"))
        await silent_server.requested.wait()
        second = asyncio.ensure_future(session.complete("Two"))
        await run_pending()
        await session.close()

        for call, sent in ((first, True), (second, False)):
            with pytest.raises(ConnectionFailedError) as caught:
                await call
            assert caught.value.sent is sent


# --- rates ----------------------------------------------------------------------------------------


async def starts_of(limiter, clock, amounts):
    """Return the seconds after which attempts with these tokens start, if all arrive at once."""
    start, waits = clock.now, []
    for amount in amounts:
        await limiter.acquire("m", amount)
        waits.append(clock.now - start)
    return waits


@pytest.fixture
def hasty():
    return Clockwork()


async def test_requests_per_minute_hold_for_any_minute(hasty):
    limiter = RateLimiter(Limits(requests_per_minute=3), hasty)
    waits = []
    start = hasty.now
    for _ in range(7):
        await limiter.acquire("m")
        waits.append(hasty.now - start)
        hasty.advance(1)

    assert waits == [0, 1, 2, 60, 61, 62, 120]


async def test_tokens_per_minute_hold_for_any_minute(hasty):
    limiter = RateLimiter(Limits(tokens_per_minute=100), hasty)

    assert await starts_of(limiter, hasty, [60, 40, 10, 90, 5]) == [0, 0, 60, 60, 120]


async def test_an_estimate_is_replaced_by_the_tokens_that_were_used(hasty):
    limiter = RateLimiter(Limits(tokens_per_minute=100), hasty)
    entry = (await limiter.acquire("m", 90)).reservation
    limiter.settle(entry, 10)

    assert await starts_of(limiter, hasty, [90]) == [0]


async def test_a_reservation_older_than_a_minute_is_not_settled_again(hasty):
    limiter = RateLimiter(Limits(tokens_per_minute=100), hasty)
    entry = (await limiter.acquire("m", 90)).reservation
    hasty.advance(61)
    await limiter.acquire("m", 100)
    limiter.settle(entry, 0)

    assert await starts_of(limiter, hasty, [10]) == [60]


async def test_a_request_larger_than_the_limit_has_a_minute_of_its_own(hasty):
    limiter = RateLimiter(Limits(tokens_per_minute=100), hasty)

    assert await starts_of(limiter, hasty, [10, 500, 10]) == [0, 60, 120]


async def test_a_cancelled_wait_for_a_rate_gives_up_its_turn_and_its_slot(clock):
    limiter = RateLimiter(Limits(requests_per_minute=1, concurrency=2), clock)
    await limiter.acquire("m")
    first, second = (asyncio.ensure_future(limiter.acquire("m")) for _ in range(2))
    await run_pending()
    first.cancel()
    await run_pending()
    clock.advance(60)
    await second

    assert first.cancelled()


# --- within a session -----------------------------------------------------------------------------


async def test_the_tokens_of_a_call_are_those_the_server_counted(emulator):
    clock = Clockwork()
    limits = Limits(tokens_per_minute=5000)
    async with session_on(clock, emulator.base_url, limits=limits) as session:
        for _ in range(4):  # about 4,000 are estimated, and 100 used
            emulator.reply("Hi", usage={"total_tokens": 100})
            await session.complete("Hi", max_tokens=4000)

    assert clock.sleeps == []


async def test_tokens_are_counted_if_usage_has_no_total(emulator):
    clock = Clockwork()
    limits = Limits(tokens_per_minute=3000)
    async with session_on(clock, emulator.base_url, limits=limits) as session:
        for _ in range(4):
            emulator.reply("Hi", usage={"input_tokens": 1000, "output_tokens": 500})
            await session.complete("Hi", max_tokens=10)

    assert clock.sleeps  # two calls use up the minute


async def test_a_file_is_not_counted_by_its_bytes(emulator):
    clock = Clockwork()
    limits = Limits(tokens_per_minute=5000)
    async with session_on(clock, emulator.base_url, limits=limits) as session:
        png = b"\x89PNG\r\n\x1a\n" + bytes(100_000)
        request = ChatRequest("gpt-4o", max_tokens=10).user("What?", Image.from_bytes(png))
        for _ in range(2):
            emulator.reply("Hi", usage={"total_tokens": 900})
            await session.complete(request)

    assert clock.sleeps == []
