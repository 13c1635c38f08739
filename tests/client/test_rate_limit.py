"""Who may start: rests after a 429, the ramp behind them, and places."""

import asyncio
import itertools

import pytest
from clockwork import Clockwork, session_on

from aimlchat import (
    ChatRequest,
    ConnectionFailedError,
    Image,
    Limits,
    RateLimitError,
    RetryPolicy,
)
from aimlchat._client.rate_limit import Gate


class Herd:
    """Tasks that want to start at once; ``starts`` are the times at which they did."""

    def __init__(self, gate, clock) -> None:
        self._gate = gate
        self._clock = clock
        self.starts = []
        self.tasks = []

    def add(self, count, model="m"):
        self.tasks += [asyncio.ensure_future(self._start(model)) for _ in range(count)]

    async def _start(self, model):
        await self._gate.enter(model)
        self.starts.append(self._clock.now)

    async def pass_time(self, seconds, steps):
        for _ in range(steps):
            self._clock.advance(seconds / steps)
            await turn()


async def turn():
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.fixture
def clock():
    clock = Clockwork(hasty=False)
    places = itertools.cycle(n / 20 for n in range(20))
    clock.chance = lambda: next(places)  # spread as evenly as chance does in the long run
    return clock


@pytest.fixture
def gate(clock):
    return Gate(Limits(), clock)


async def test_nobody_starts_during_a_rest(gate, clock):
    herd = Herd(gate, clock)
    gate.rest("m", 30)
    herd.add(20)
    await herd.pass_time(29.9, 10)

    assert herd.starts == []
    for task in herd.tasks:
        task.cancel()


async def test_after_a_rest_calls_start_over_a_ramp_and_not_at_once(gate, clock):
    herd = Herd(gate, clock)
    start = clock.now
    gate.rest("m", 30)
    herd.add(20)
    await herd.pass_time(40, 400)

    waits = sorted(at - start for at in herd.starts)
    assert len(waits) == 20
    assert waits[0] >= 30
    assert waits[-1] <= 33.1
    assert max(waits.count(wait) for wait in waits) <= 2


async def test_a_short_rest_has_a_ramp_of_a_second_at_most(gate, clock):
    herd = Herd(gate, clock)
    start = clock.now
    gate.rest("m", 4)
    herd.add(20)
    await herd.pass_time(6, 600)

    assert len(herd.starts) == 20
    assert max(herd.starts) - start <= 5.05


async def test_who_comes_within_the_ramp_is_on_it_too(gate, clock):
    herd = Herd(gate, clock)
    gate.rest("m", 10)
    clock.advance(10.5)
    herd.add(20)
    await turn()

    assert 8 <= len(herd.starts) <= 12
    await herd.pass_time(1, 10)
    assert len(herd.starts) == 20


async def test_after_the_ramp_nobody_waits(gate, clock):
    gate.rest("m", 10)
    clock.advance(11.1)
    await gate.enter("m")

    assert clock.sleeps == []
    assert gate.is_open


async def test_another_model_does_not_rest(gate, clock):
    gate.rest("m", 10)
    await gate.enter("other")

    assert clock.sleeps == []


async def test_a_rest_that_begins_while_others_wait_holds_them_up_as_well(gate, clock):
    herd = Herd(gate, clock)
    gate.rest("m", 5)
    herd.add(10)
    await turn()
    clock.advance(4)
    gate.rest("m", 20)
    await herd.pass_time(19, 20)

    assert herd.starts == []
    await herd.pass_time(5, 20)
    assert len(herd.starts) == 10


async def test_a_shorter_rest_does_not_end_a_longer_one(gate, clock):
    herd = Herd(gate, clock)
    gate.rest("m", 20)
    gate.rest("m", 1)
    herd.add(1)
    await herd.pass_time(19, 19)

    assert herd.starts == []
    herd.tasks[0].cancel()


async def test_places_go_to_who_waits_longest(clock):
    gate = Gate(Limits(concurrency=2), clock)
    order, places = [], []

    async def take(name):
        places.append(await gate.enter("m"))
        order.append(name)

    tasks = [asyncio.ensure_future(take(name)) for name in "abcd"]
    await turn()
    assert order == ["a", "b"]
    places[0].leave()
    places[0].leave()  # which is one place, not two
    places[1].leave()
    await asyncio.gather(*tasks)

    assert order == ["a", "b", "c", "d"]


async def test_who_rests_takes_up_no_place(clock):
    gate = Gate(Limits(concurrency=1), clock)
    gate.rest("m", 10)
    resting = asyncio.ensure_future(gate.enter("m"))
    await turn()
    await gate.enter("other")

    assert not resting.done()
    resting.cancel()


async def test_who_gives_up_waiting_takes_no_place(clock):
    gate = Gate(Limits(concurrency=1), clock)
    place = await gate.enter("m")
    waiting = asyncio.ensure_future(gate.enter("m"))
    await turn()
    waiting.cancel()
    await turn()
    place.leave()

    await gate.enter("m")


# --- rates ----------------------------------------------------------------------------------------


async def starts_of(gate, clock, amounts):
    """The seconds after which attempts of so many tokens start that come at once."""
    start, waits = clock.now, []
    for amount in amounts:
        await gate.enter("m", amount)
        waits.append(clock.now - start)
    return waits


@pytest.fixture
def hasty():
    return Clockwork()


async def test_no_more_requests_start_in_any_minute_than_may(hasty):
    gate = Gate(Limits(requests_per_minute=3), hasty)
    waits = []
    start = hasty.now
    for _ in range(7):
        await gate.enter("m")
        waits.append(hasty.now - start)
        hasty.advance(1)

    assert waits == [0, 1, 2, 60, 61, 62, 120]


async def test_no_more_tokens_are_asked_for_in_any_minute_than_may(hasty):
    gate = Gate(Limits(tokens_per_minute=100), hasty)

    assert await starts_of(gate, hasty, [60, 40, 10, 90, 5]) == [0, 0, 60, 60, 120]


async def test_an_estimate_is_settled_with_what_was_really_used(hasty):
    gate = Gate(Limits(tokens_per_minute=100), hasty)
    entry = (await gate.enter("m", 90)).entry
    gate.settle(entry, 10)

    assert await starts_of(gate, hasty, [90]) == [0]


async def test_an_entry_that_is_a_minute_old_is_not_settled_twice(hasty):
    gate = Gate(Limits(tokens_per_minute=100), hasty)
    entry = (await gate.enter("m", 90)).entry
    hasty.advance(61)
    await gate.enter("m", 100)
    gate.settle(entry, 0)

    assert await starts_of(gate, hasty, [10]) == [60]


async def test_a_request_that_is_larger_than_the_limit_goes_alone(hasty):
    gate = Gate(Limits(tokens_per_minute=100), hasty)

    assert await starts_of(gate, hasty, [10, 500, 10]) == [0, 60, 120]


async def test_who_gives_up_waiting_for_a_rate_leaves_its_turn_and_its_place(clock):
    gate = Gate(Limits(requests_per_minute=1, concurrency=2), clock)
    await gate.enter("m")
    first, second = (asyncio.ensure_future(gate.enter("m")) for _ in range(2))
    await turn()
    first.cancel()
    await turn()
    clock.advance(60)
    await second

    assert first.cancelled()


async def test_the_tokens_of_a_call_are_those_the_server_counted(emulator):
    clock = Clockwork()
    limits = Limits(tokens_per_minute=5000)
    async with session_on(clock, emulator.base_url, limits=limits) as session:
        for _ in range(4):  # an estimate of some 4,000, of which 100 are used
            emulator.reply("Hi", usage={"total_tokens": 100})
            await session.complete("Hi", max_tokens=4000)

    assert clock.sleeps == []


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


# --- the session's own ---------------------------------------------------------------------------


async def test_a_429_holds_up_the_other_calls_of_its_model(emulator, clock):
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


async def test_a_429_that_is_final_holds_up_nobody(emulator):
    clock = Clockwork()
    async with session_on(clock, emulator.base_url) as session:
        emulator.fail(status=429, retry_after=1000)
        with pytest.raises(RateLimitError):
            await session.complete("One")
        await session.complete("Two")

    assert clock.sleeps == []


async def test_a_429_without_a_retry_and_without_a_hint_holds_up_nobody(emulator):
    clock = Clockwork()
    async with session_on(clock, emulator.base_url) as session:
        emulator.fail(status=429)
        with pytest.raises(RateLimitError):
            await session.complete("One", retry=RetryPolicy(attempts=1))
        await session.complete("Two")

    assert clock.sleeps == []


async def test_closing_the_session_ends_who_waits_for_a_place(emulator, silent):
    async with session_on(Clockwork(), silent.base_url, limits=Limits(concurrency=1)) as session:
        first = asyncio.ensure_future(session.complete("One"))
        await silent.asked.wait()
        second = asyncio.ensure_future(session.complete("Two"))
        await turn()
        await session.close()

        for call, sent in ((first, True), (second, False)):
            with pytest.raises(ConnectionFailedError) as caught:
                await call
            assert caught.value.sent is sent


async def test_closing_the_session_ends_who_waits_for_another_try(emulator, clock):
    async with session_on(clock, emulator.base_url) as session:
        emulator.fail(status=503, retry_after=60)
        call = asyncio.ensure_future(session.complete("One"))
        await clock.asleep.wait()
        await session.close()

        with pytest.raises(ConnectionFailedError, match="closed"):
            await call
