"""`ChatSession(budget_usd=)`: nothing is sent once the server has charged so much."""

import asyncio
import copy
import pickle

import pytest

from aimlchat import (
    BudgetExceededError,
    ChatSession,
    ConfigurationError,
    Limits,
    RetryPolicy,
)
from aimlchat.emulator import Cut


@pytest.fixture
async def make_session(emulator):
    opened = []

    def make(budget_usd, **options):
        session = ChatSession(
            "k", base_url=emulator.base_url, budget_usd=budget_usd, retry=RetryPolicy(1), **options
        )
        opened.append(session)
        return session

    yield make
    for session in opened:
        await session.close()


async def read_until_the_budget_is_spent(run):
    """Return the texts that a run yields before it raises."""
    texts = []
    with pytest.raises(BudgetExceededError):  # noqa: PT012 - the iteration raises at its end
        async for outcome in run:
            texts.append(outcome.unwrap().text)  # noqa: PERF401 - `extend` would lose them
    return texts


async def test_a_call_raises_once_the_server_has_charged_the_budget(emulator, make_session):
    session = make_session(0.3)
    for _ in range(3):
        emulator.reply("Blue.", cost=0.1)
    for _ in range(3):  # a sum of floats would be 0.30000000000000004 here, of 0.1 and 0.2 too
        await session.complete("Why?")
    with pytest.raises(BudgetExceededError) as caught:
        await session.complete("Why?")
    assert (caught.value.budget_usd, caught.value.spent_usd) == (0.3, 0.3)
    assert str(caught.value) == (
        "not sent: the server has charged $0.3, and this session's budget_usd is 0.3; create a"
        " session with another budget to continue"
    )
    assert len(emulator.requests) == 3
    assert caught.value.attempts == ()


async def test_a_stream_raises_it_when_it_is_entered(emulator, make_session):
    session = make_session(0.1)
    emulator.reply("Blue.", cost=0.2)
    await session.stream("Why?").collect()
    with pytest.raises(BudgetExceededError):
        await session.stream("Why?").collect()
    assert len(emulator.requests) == 1


async def test_a_budget_of_nothing_sends_nothing(emulator, make_session):
    with pytest.raises(BudgetExceededError):
        await make_session(0).complete("Why?")
    assert emulator.requests == []


async def test_what_a_failed_or_left_stream_has_cost_counts(emulator, make_session):
    session = make_session(0.5)
    cost = {"choices": [], "meta": {"usage": {"credits_used": 500_000, "usd_spent": 0.25}}}
    delta = {"choices": [{"index": 0, "delta": {"content": "Blue"}}]}
    emulator.reply(events=[delta, cost])  # without an end
    with pytest.raises(Exception, match="ended"):
        await session.stream("Why?").collect()
    emulator.reply(events=[cost, delta, delta])
    async with session.stream("Why?") as stream:
        await anext(stream)
    with pytest.raises(BudgetExceededError):
        await session.complete("Why?")


async def test_a_call_that_waits_in_the_queue_is_not_sent(emulator, make_session):
    session = make_session(0.1, limits=Limits(concurrency=1))
    emulator.reply("Blue.", cost=0.1)
    results = await asyncio.gather(
        session.complete("Why?"), session.complete("How?"), return_exceptions=True
    )
    assert results[0].text == "Blue."
    assert isinstance(results[1], BudgetExceededError)
    assert len(emulator.requests) == 1


async def test_calls_that_cost_nothing_go_on(make_session):
    session = make_session(0)
    assert await session.models()
    assert (await session.balance()).usd is not None


async def test_the_next_attempt_is_not_sent_either(emulator):
    async with ChatSession("k", base_url=emulator.base_url, budget_usd=0.1) as session:
        emulator.reply("Blue.", cost=0.1)
        emulator.fail(status=503, retry_after=0.01)
        first = asyncio.ensure_future(session.complete("How?"))
        second = asyncio.ensure_future(session.complete("Why?"))
        await asyncio.wait([first, second])
    failures = [task.exception() for task in (first, second) if task.exception()]
    assert [type(failure) for failure in failures] == [BudgetExceededError]
    assert len(failures[0].attempts) == 1
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_run_yields_what_was_paid_for_and_then_raises(emulator, make_session, ordered):
    session = make_session(0.3)
    for _ in range(9):
        emulator.reply("Blue.", cost=0.1)
    run = session.complete_many(["Why?"] * 9, concurrency=2, ordered=ordered)
    texts = await read_until_the_budget_is_spent(run)
    assert set(texts) == {"Blue."}
    assert 3 <= len(texts) == len(emulator.requests) <= 4


async def test_the_calls_in_flight_of_a_run_go_on(emulator, make_session):
    session = make_session(0.1)
    emulator.reply("Blue.", cost=0.1)
    emulator.reply(chunks=list("Slow."), cost=0.1, fault=None)
    run = session.complete_many(["Why?", "How?", "What?"], concurrency=2)
    assert await read_until_the_budget_is_spent(run) == ["Blue.", "Slow."]


async def test_streams_in_flight_go_on_and_then_the_run_raises(emulator, make_session):
    session = make_session(0.1)
    for text in ("Blue.", "Red."):
        emulator.reply(text, cost=0.1)
    run = session.stream_many(["Why?", "How?", "What?", "Who?"], concurrency=2)
    with pytest.raises(BudgetExceededError):
        async for _ in run:
            pass
    texts = {outcome.unwrap().text for outcome in run.outcomes.values()}
    assert texts == {"Blue.", "Red."}


async def test_the_budget_of_a_run_is_its_own(emulator, make_session):
    session = make_session(1)
    for _ in range(3):
        emulator.reply("Blue.", cost=0.1)
    run = session.complete_many(["Why?"] * 3, concurrency=1, budget_usd=0.1)
    assert len(await run.gather()) == 1
    assert run.is_out_of_budget


@pytest.mark.parametrize("budget", [-1, float("nan"), True, "5"])
def test_a_budget_that_is_no_amount_is_refused(budget):
    with pytest.raises(ConfigurationError, match="give dollars, from 0, or None for no limit"):
        ChatSession("k", budget_usd=budget)


async def test_a_budget_may_be_a_number_whose_repr_is_no_number(make_session):
    class Dollars(float):  # as the float64 of numpy
        def __repr__(self):
            return f"Dollars({float(self)})"

    session = make_session(Dollars(0.0000001))
    assert (await session.complete("Why?")).text
    with pytest.raises(BudgetExceededError):
        await session.complete("Why?")


async def test_a_copy_of_a_session_has_the_whole_budget(emulator, make_session):
    session = make_session(0.1)
    twins = copy.deepcopy(session), pickle.loads(pickle.dumps(session))
    emulator.reply("Blue.", cost=0.1)
    await session.complete("Why?")
    for twin in twins:
        async with twin:
            assert (await twin.complete("Why?")).text


async def test_a_cut_answer_without_a_cost_counts_nothing(emulator, make_session):
    session = make_session(0.1)
    emulator.reply("Blue.", fault=Cut(10))
    with pytest.raises(Exception, match="cut"):
        await session.complete("Why?")
    assert (await session.complete("Why?")).text
