"""`complete_many` and `stream_many`: many requests, each with its outcome."""

import asyncio
import gc

import pytest
from clockwork import Clockwork, session_on

from aimlchat import (
    AuthenticationError,
    ChatRequest,
    ChatSession,
    ConfigurationError,
    InsufficientCreditsError,
    InvalidRequestError,
    Outcome,
    RetryPolicy,
    ServerError,
)
from aimlchat.emulator import Emulator

ONCE = RetryPolicy(attempts=1)


@pytest.fixture
async def session(emulator):
    async with session_on(Clockwork(), emulator.base_url) as opened:
        yield opened


def asked_of(emulator):
    return [request.body["messages"][-1]["content"] for request in emulator.requests]


class Count:
    """Requests that count how many of them were taken."""

    def __init__(self, most=None) -> None:
        self.taken = 0
        self._most = most

    def __iter__(self):
        return self

    def __next__(self):
        if self.taken == self._most:
            raise StopIteration
        self.taken += 1
        return f"Question {self.taken - 1}"


async def test_each_request_has_its_outcome_in_order(session, emulator):
    requests = ["One", ChatRequest().user("Two"), [{"role": "user", "content": "Three"}]]

    outcomes = [outcome async for outcome in session.complete_many(requests)]

    assert [outcome.index for outcome in outcomes] == [0, 1, 2]
    assert all(o.request is r for o, r in zip(outcomes, requests, strict=True))
    assert all(outcome.unwrap().text for outcome in outcomes)
    assert sorted(asked_of(emulator)) == ["One", "Three", "Two"]


async def test_requests_may_come_from_an_async_iterable(session):
    async def questions():
        for number in range(5):
            await asyncio.sleep(0)
            yield f"Question {number}"

    outcomes = await session.complete_many(questions(), concurrency=2).gather()

    assert [outcome.request for outcome in outcomes] == [f"Question {n}" for n in range(5)]


async def test_options_hold_for_every_request(session, emulator):
    await session.complete_many(["a", "b"], model="gpt-4o", max_tokens=7).gather()

    assert [request.body["max_tokens"] for request in emulator.requests] == [7, 7]


async def test_no_requests_have_no_outcomes(session):
    assert await session.complete_many([]).gather() == []


@pytest.mark.parametrize("requests", ["Hi", 5, None])
async def test_what_is_no_iterable_of_requests_is_refused(session, requests):
    with pytest.raises(TypeError, match="iterable"):
        session.complete_many(requests)


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, "many"])
async def test_a_concurrency_that_is_none_is_refused(session, concurrency):
    with pytest.raises(ConfigurationError, match="concurrency"):
        session.complete_many(["Hi"], concurrency=concurrency)


async def test_one_that_fails_stops_no_other(session, emulator):
    emulator.fail(status=400)
    outcomes = await session.complete_many(["a", "b", ""], concurrency=1).gather()

    assert [outcome.error is None for outcome in outcomes] == [False, True, False]
    assert isinstance(outcomes[2].error, InvalidRequestError)
    with pytest.raises(InvalidRequestError):
        outcomes[2].unwrap()


async def test_ordered_outcomes_wait_for_the_slow_one(session, emulator):
    emulator.reply("slow", pace=0.05)
    outcomes = await session.complete_many(["a", "b", "c"], concurrency=3).gather()

    assert [outcome.index for outcome in outcomes] == [0, 1, 2]


async def test_unordered_outcomes_come_as_they_finish(aimlchat_emulator):
    release = asyncio.Event()

    async def requests():
        yield "first"
        await release.wait()
        yield "second"

    async with ChatSession("test-key", base_url=aimlchat_emulator.base_url) as session:
        run = session.complete_many(requests(), ordered=False)
        assert (await anext(run)).request == "first"
        release.set()
        assert (await anext(run)).request == "second"


@pytest.mark.parametrize("ordered", [True, False])
async def test_never_more_than_so_many_are_in_flight(emulator, ordered):
    most = 0

    class Watching(Count):
        def __next__(self):
            nonlocal most
            most = max(most, run.in_flight)
            return super().__next__()

    async with ChatSession("test-key", base_url=emulator.base_url) as session:
        run = session.complete_many(Watching(100), concurrency=7, ordered=ordered)
        outcomes = await run.gather()

    assert len(outcomes) == 100
    assert most == 6  # and the one that is taken then makes seven


async def test_no_more_than_twice_the_concurrency_are_taken_ahead(session):
    requests = Count()
    run = session.complete_many(requests, concurrency=3)
    first = await anext(run)
    for _ in range(500):  # the caller takes its time
        await asyncio.sleep(0)

    assert first.index == 0
    assert requests.taken == 7  # six that are not yielded, and the first
    await run.aclose()


async def test_leaving_early_cancels_what_is_in_flight(silent):
    async with session_on(Clockwork(), silent.base_url) as session:
        run = session.complete_many(Count(), concurrency=2)
        waiting = asyncio.ensure_future(anext(run))
        await silent.asked.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.wait_for(silent.gone.wait(), 0.1)
        await run.aclose()

        assert run.in_flight == 0


async def test_dropping_the_iterator_cancels_what_is_in_flight(aimlchat_emulator):
    gc.collect()
    gc.disable()
    try:
        async with ChatSession("test-key", base_url=aimlchat_emulator.base_url) as session:
            async for _ in session.complete_many(Count(), concurrency=4):
                break
            for _ in range(3):  # the cancelled tasks have their turn
                await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthenticationError), (402, InsufficientCreditsError)]
)
async def test_what_hits_all_stops_the_run_and_keeps_what_is_done(session, emulator, status, kind):
    emulator.reply("One")
    emulator.reply("Two")
    emulator.fail(status=status)
    requests = Count()
    run = session.complete_many(requests, concurrency=1)
    seen = [(await anext(run)).unwrap().text for _ in range(2)]

    with pytest.raises(kind):
        await anext(run)
    with pytest.raises(kind):  # and it stays so
        await anext(run)
    assert seen == ["One", "Two"]
    assert requests.taken == 3


async def test_an_error_of_the_callers_own_iterable_is_raised_behind_what_is_done(session):
    def requests():
        yield "One"
        raise KeyError

    run = session.complete_many(requests(), concurrency=1)

    assert (await anext(run)).unwrap().text
    with pytest.raises(KeyError):
        await anext(run)


async def test_a_request_of_a_wrong_type_is_an_outcome(session):
    (outcome,) = await session.complete_many([5]).gather()

    assert isinstance(outcome.error, InvalidRequestError)


async def test_an_unknown_option_is_the_callers_mistake(session):
    with pytest.raises(TypeError, match="tempo"):
        await session.complete_many(["Hi"], tempo=3).gather()


async def test_a_closed_session_stops_the_run(session):
    await session.close()

    with pytest.raises(ConfigurationError, match="closed"):
        await session.complete_many(Count()).gather()


async def test_what_it_all_took_is_known_at_any_time(session, emulator):
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


async def test_no_call_is_begun_once_the_budget_is_spent(session, emulator):
    for _ in range(10):
        emulator.reply("Hi", cost=0.25)
    run = session.complete_many(Count(), concurrency=1, budget_usd=1.0)
    outcomes = await run.gather()

    assert len(outcomes) == 4
    assert run.is_out_of_budget
    assert run.cost.usd == 1.0


async def test_progress_is_told_after_each_call(emulator):
    clock, told = Clockwork(), []
    for _ in range(4):
        emulator.reply("Hi", cost=0.25)
    async with session_on(clock, emulator.base_url) as session:
        run = session.complete_many(["a", "b", "c", "d"], concurrency=1, on_progress=told.append)
        async for _ in run:
            clock.advance(2)

    assert [progress.done for progress in told] == [1, 2, 3, 4]
    last = told[-1]
    assert (last.failed, last.usd, last.in_flight, last.seconds_left) == (0, 1.0, 0, 0)
    assert last.tokens == run.usage.total_tokens


async def test_the_time_left_is_unknown_where_the_number_is(session):
    told = []
    await session.complete_many(Count(2), on_progress=told.append).gather()

    assert told[-1].seconds_left is None


async def test_a_hook_that_fails_breaks_nothing(session, caplog):
    def broken(_):
        raise KeyError

    assert len(await session.complete_many(["a", "b"], on_progress=broken).gather()) == 2
    assert "hook" in caplog.text


def test_an_outcome_has_one_of_the_two():
    with pytest.raises(ValueError, match="either"):
        Outcome(0, "Hi")


# --- auto ----------------------------------------------------------------------------------------


async def test_auto_finds_a_hidden_limit_and_stays_just_below_it():
    flights = []

    class Watching(Count):
        def __next__(self):
            flights.append(run.in_flight + 1)  # with the one that is taken now
            return super().__next__()

    async with (
        # So slow that the calls are nearly all at the server, and not on their way, at any time.
        Emulator(capacity=40, latency=0.1) as emulator,
        ChatSession("test-key", base_url=emulator.base_url) as session,
    ):
        run = session.complete_many(Watching(1500), concurrency="auto", model="gpt-4o")
        async for outcome in run:
            outcome.unwrap()

    settled = flights[500:-50]
    assert sum(settled) / len(settled) >= 0.9 * 40
    assert max(settled) <= 45
    refused = sum(request.billed is False for request in emulator.requests)
    assert refused < len(flights) * 0.05  # no herd that runs against the limit


# --- streams -------------------------------------------------------------------------------------


async def test_many_streams_keep_their_deltas_apart(session, emulator):
    texts = {}
    async for index, delta in session.stream_many(["a", "b", "c"], concurrency=3):
        texts.setdefault(index, []).append(delta.text)

    assert sorted(texts) == [0, 1, 2]
    assert all("".join(pieces) for pieces in texts.values())


async def test_no_stream_keeps_another_waiting(emulator):
    for _ in range(4):
        emulator.reply(chunks=["word "] * 400)
    order = []
    async with ChatSession("test-key", base_url=emulator.base_url) as session:
        async for index, _ in session.stream_many("a b c d".split(), concurrency=4):
            order.append(index)
            await asyncio.sleep(0)

    last = {index: len(order) - 1 - order[::-1].index(index) for index in range(4)}
    assert min(last.values()) > len(order) * 0.7  # they end side by side


async def test_the_failure_of_one_stream_is_raised_behind_the_others(session, emulator):
    emulator.reply("One")
    emulator.reply(events=[{"error": {"message": "No", "type": "invalid_request_error"}}])
    emulator.reply("Three")
    run = session.stream_many(["a", "b", "c"], concurrency=1, retry=ONCE)
    texts = {}
    with pytest.raises(Exception, match="No"):
        await collect(run, texts)

    assert texts == {0: "One", 2: "Three"}
    assert [run.outcomes[n].error is None for n in range(3)] == [True, False, True]


async def collect(run, texts):
    async for index, delta in run:
        texts[index] = texts.get(index, "") + delta.text


async def test_leaving_many_streams_closes_them_all(thinker):
    async with session_on(Clockwork(), thinker.base_url) as session:
        async with session.stream_many(["a"], concurrency=2) as run:
            await anext(run)
        await asyncio.wait_for(thinker.gone.wait(), 0.1)


async def test_a_server_error_in_one_of_many_is_tried_again(session, emulator):
    emulator.fail(status=500)
    outcomes = await session.complete_many(["a", "b"], concurrency=1).gather()

    assert [len(outcome.completion.attempts) for outcome in outcomes] == [2, 1]
    assert not isinstance(outcomes[0].error, ServerError)
