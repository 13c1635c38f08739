"""How much `complete_many` does at once, and when it stops: concurrency, budget, progress."""

import asyncio

import pytest
from clockwork import Clockwork, session_on
from counted_requests import CountedRequests
from virtual_time import LoopClock, run_in_virtual_time

from aimlchat import ChatSession, ConfigurationError, Limits, RetryPolicy
from aimlchat.emulator import Emulator


@pytest.fixture
async def session(emulator):
    async with session_on(Clockwork(), emulator.base_url) as opened:
        yield opened


# --- concurrency ----------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, "many"])
async def test_an_invalid_concurrency_is_refused(session, concurrency):
    with pytest.raises(ConfigurationError, match="concurrency"):
        session.complete_many(["Hi"], concurrency=concurrency)


@pytest.mark.parametrize("ordered", [True, False])
async def test_no_more_calls_are_in_flight_than_concurrency_allows(emulator, ordered):
    most = 0

    class Watching(CountedRequests):
        def __next__(self):
            nonlocal most
            most = max(most, run.in_flight)
            return super().__next__()

    async with ChatSession("test-key", base_url=emulator.base_url) as session:
        run = session.complete_many(Watching(100), concurrency=7, ordered=ordered)
        outcomes = await run.gather()

    assert len(outcomes) == 100
    assert most == 6  # and the request that is pulled then makes seven


async def test_at_most_twice_the_concurrency_is_pulled_but_not_yielded(session):
    requests = CountedRequests()
    run = session.complete_many(requests, concurrency=3)
    first = await anext(run)
    for _ in range(500):  # the caller takes its time
        await asyncio.sleep(0)

    assert first.index == 0
    assert requests.pulled == 7  # six that are not yielded, and the first one
    await run.aclose()


def test_auto_finds_the_capacity_of_the_server_and_stays_just_below_it():
    samples = []

    async def sample(run):
        while True:
            await asyncio.sleep(0.1)
            samples.append(run.in_flight)

    async def complete_all():
        async with (
            Emulator(capacity=40, latency=1) as emulator,
            session_on(LoopClock(), emulator.base_url, retry=RetryPolicy(attempts=8)) as session,
        ):
            run = session.complete_many(["Hi"] * 1000, concurrency="auto", model="gpt-4o")
            sampling = asyncio.create_task(sample(run))
            async for outcome in run:
                outcome.unwrap()
            sampling.cancel()
        return emulator.requests

    requests = run_in_virtual_time(complete_all())

    settled = samples[len(samples) // 2 : -20]
    assert sum(settled) / len(settled) >= 0.9 * 40
    assert max(settled) <= 45
    refused = sum(request.billed is False for request in requests)
    assert refused < len(requests) * 0.05  # few calls exceed the limit


async def test_auto_stays_within_the_limit_of_the_session(emulator):
    most = 0

    class Watching(CountedRequests):
        def __next__(self):
            nonlocal most
            most = max(most, run.in_flight + 1)
            return super().__next__()

    limits = Limits(concurrency=4)
    async with session_on(Clockwork(), emulator.base_url, limits=limits) as session:
        run = session.complete_many(Watching(300), concurrency="auto")
        await run.gather()

    assert (run.done, run.failed) == (300, 0)
    assert most == 4  # no call waits for a slot of the session


async def test_stream_many_refuses_auto(session):
    with pytest.raises(ConfigurationError, match="concurrency"):
        session.stream_many(["Hi"], concurrency="auto")


# --- budget ---------------------------------------------------------------------------------------


async def test_no_call_starts_once_the_budget_is_spent(session, emulator):
    for _ in range(10):
        emulator.reply("Hi", cost=0.25)
    run = session.complete_many(CountedRequests(), concurrency=1, budget_usd=1.0)
    outcomes = await run.gather()

    assert len(outcomes) == 4
    assert run.is_out_of_budget
    assert run.cost.usd == 1.0


async def test_a_spent_budget_stops_the_calls_that_wait_for_a_slot(emulator):
    for _ in range(40):
        emulator.reply("Hi", cost=1.0)
    limits = Limits(concurrency=1)
    async with ChatSession("test-key", base_url=emulator.base_url, limits=limits) as session:
        run = session.complete_many(["Hi"] * 40, concurrency=32, budget_usd=2.0)
        outcomes = await run.gather()

    assert len(outcomes) == 2
    assert emulator.billed <= 3  # one more may have been in flight


def test_a_spent_budget_stops_the_requests_that_were_put_back():
    async def main():
        async with (
            Emulator(requests_per_second=10) as emulator,
            session_on(LoopClock(), emulator.base_url) as session,
        ):
            for _ in range(40):
                emulator.reply("Hi", cost=1.0)
            run = session.complete_many(["Hi"] * 40, concurrency=40, budget_usd=10.0)
            return await run.gather(), emulator.billed

    outcomes, billed = run_in_virtual_time(main())

    assert all(outcome.completion for outcome in outcomes)
    assert len(outcomes) == billed == 10


@pytest.mark.parametrize("budget", [-1, float("nan"), "5", True])
async def test_an_invalid_budget_is_refused(session, budget):
    with pytest.raises(ConfigurationError, match="budget"):
        session.complete_many(["Hi"], budget_usd=budget)


async def test_a_budget_of_zero_starts_no_call(session, emulator):
    run = session.complete_many(["Hi"] * 3, budget_usd=0)

    assert await run.gather() == []
    assert run.is_out_of_budget
    assert emulator.requests == []


# --- progress -------------------------------------------------------------------------------------


async def test_the_totals_of_a_run_are_known_at_any_time(session, emulator):
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    for _ in range(2):
        emulator.reply("Hi", usage=usage, cost=0.5)
    emulator.fail(status=400)
    run = session.complete_many("abc".replace("", " ").split(), concurrency=1)
    await anext(run)
    assert (run.done, run.failed, run.cost.usd) == (1, 0, 0.5)
    await run.gather()

    assert (run.done, run.failed, run.in_flight) == (3, 1, 0)
    assert (run.usage.prompt_tokens, run.usage.total_tokens) == (6, 14)
    assert (run.cost.usd, run.cost.credits) == (1.0, 2_000_000)


async def test_progress_is_reported_after_each_call(emulator):
    clock, reports = Clockwork(), []
    for _ in range(4):
        emulator.reply("Hi", cost=0.25)
    async with session_on(clock, emulator.base_url) as session:
        run = session.complete_many(["a", "b", "c", "d"], concurrency=1, on_progress=reports.append)
        async for _ in run:
            clock.advance(2)

    assert [progress.done for progress in reports] == [1, 2, 3, 4]
    last = reports[-1]
    assert (last.failed, last.usd, last.in_flight, last.seconds_left) == (0, 1.0, 0, 0)
    assert last.tokens == run.usage.total_tokens


async def test_the_time_left_is_unknown_if_the_number_of_requests_is(session):
    reports = []
    await session.complete_many(CountedRequests(2), on_progress=reports.append).gather()

    assert reports[-1].seconds_left is None


async def test_an_exception_in_on_progress_breaks_nothing(session, caplog):
    def broken(_):
        raise KeyError

    assert len(await session.complete_many(["a", "b"], on_progress=broken).gather()) == 2
    assert "hook" in caplog.text
