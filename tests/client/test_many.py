"""`complete_many`: many requests, and an outcome for each."""

import asyncio

import pytest
from clockwork import Clockwork, session_on
from counted_requests import CountedRequests
from delivery import HANG, run_pending
from raw_server import serving

from aimlchat import (
    AIMLChatError,
    AuthenticationError,
    ChatRequest,
    ChatSession,
    ConfigurationError,
    InsufficientCreditsError,
    InvalidRequestError,
    Outcome,
    ServerError,
)


@pytest.fixture
async def session(emulator):
    async with session_on(Clockwork(), emulator.base_url) as opened:
        yield opened


def prompts_of(emulator):
    return [request.body["messages"][-1]["content"] for request in emulator.requests]


async def test_each_request_has_its_outcome_in_order(session, emulator):
    requests = ["One", ChatRequest().user("Two"), [{"role": "user", "content": "Three"}]]

    outcomes = [outcome async for outcome in session.complete_many(requests)]

    assert [outcome.index for outcome in outcomes] == [0, 1, 2]
    assert all(o.request is r for o, r in zip(outcomes, requests, strict=True))
    assert all(outcome.unwrap().text for outcome in outcomes)
    assert sorted(prompts_of(emulator)) == ["One", "Three", "Two"]


async def test_requests_may_come_from_an_async_iterable(session):
    async def questions():
        for number in range(5):
            await asyncio.sleep(0)
            yield f"Question {number}"

    outcomes = await session.complete_many(questions(), concurrency=2).gather()

    assert [outcome.request for outcome in outcomes] == [f"Question {n}" for n in range(5)]


async def test_options_apply_to_every_request(session, emulator):
    await session.complete_many(["a", "b"], model="gpt-4o", max_tokens=7).gather()

    assert [request.body["max_tokens"] for request in emulator.requests] == [7, 7]


async def test_no_requests_yield_no_outcomes(session):
    assert await session.complete_many([]).gather() == []


@pytest.mark.parametrize("requests", ["Hi", 5, None])
async def test_an_argument_that_is_not_an_iterable_of_requests_is_refused(session, requests):
    with pytest.raises(TypeError, match="iterable"):
        session.complete_many(requests)


async def test_a_failed_request_does_not_stop_the_others(session, emulator):
    emulator.fail(status=400)
    outcomes = await session.complete_many(["a", "b", []], concurrency=1).gather()

    assert [outcome.error is None for outcome in outcomes] == [False, True, False]
    assert isinstance(outcomes[2].error, InvalidRequestError)
    with pytest.raises(InvalidRequestError):
        outcomes[2].unwrap()


async def test_ordered_outcomes_wait_for_the_slowest():
    async def respond(_, writer):
        if b'"first"' in server.requests[-1]:
            await others_done.wait()
        body = b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def note_progress(progress):
        if progress.done == 2:
            others_done.set()

    others_done = asyncio.Event()
    async with serving(respond) as server, session_on(Clockwork(), server.base_url) as session:
        run = session.complete_many(["first", "second", "third"], on_progress=note_progress)
        outcomes = await run.gather()

    assert [outcome.index for outcome in outcomes] == [0, 1, 2]
    assert all(outcome.completion for outcome in outcomes)


async def test_unordered_outcomes_are_yielded_as_calls_finish(aimlchat_emulator):
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


async def test_a_request_of_a_wrong_type_has_an_outcome(session):
    (outcome,) = await session.complete_many([5]).gather()

    assert isinstance(outcome.error, InvalidRequestError)


async def test_an_unknown_option_is_a_type_error(session):
    with pytest.raises(TypeError, match="tempo"):
        await session.complete_many(["Hi"], tempo=3).gather()


async def test_a_server_error_of_one_request_is_retried(session, emulator):
    emulator.fail(status=500)
    outcomes = await session.complete_many(["a", "b"], concurrency=1).gather()

    assert [len(outcome.completion.attempts) for outcome in outcomes] == [2, 1]
    assert not isinstance(outcomes[0].error, ServerError)


def test_an_outcome_needs_a_completion_or_an_error():
    with pytest.raises(ValueError, match="either"):
        Outcome(0, "Hi")


# --- how a run ends -------------------------------------------------------------------------------


async def test_leaving_early_cancels_the_calls_in_flight(silent_server):
    async with session_on(Clockwork(), silent_server.base_url) as session:
        run = session.complete_many(CountedRequests(), concurrency=2)
        waiting = asyncio.ensure_future(anext(run))
        await silent_server.requested.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.wait_for(silent_server.gone.wait(), HANG)
        await run.aclose()

        assert run.in_flight == 0


async def test_dropping_the_iterator_cancels_the_calls_in_flight(aimlchat_emulator, gc_disabled):
    async with ChatSession("test-key", base_url=aimlchat_emulator.base_url) as session:
        async for _ in session.complete_many(CountedRequests(), concurrency=4):
            break
        await run_pending()  # the cancelled tasks
        assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthenticationError), (402, InsufficientCreditsError)]
)
async def test_an_error_that_would_hit_all_requests_stops_the_run(session, emulator, status, kind):
    emulator.reply("One")
    emulator.reply("Two")
    emulator.fail(status=status)
    requests = CountedRequests()
    run = session.complete_many(requests, concurrency=1)
    seen = [(await anext(run)).unwrap().text for _ in range(2)]

    with pytest.raises(kind):
        await anext(run)
    with pytest.raises(kind):  # and again at the next step
        await anext(run)
    assert seen == ["One", "Two"]
    assert requests.pulled == 3


async def test_an_error_of_the_iterable_is_raised_after_the_finished_outcomes(session):
    def requests():
        yield "One"
        raise KeyError

    run = session.complete_many(requests(), concurrency=1)

    assert (await anext(run)).unwrap().text
    with pytest.raises(KeyError):
        await anext(run)


async def test_an_error_of_the_iterable_cancels_no_call_in_flight(session):
    def requests():
        yield from ("a", "b", "c")
        raise LookupError

    run = session.complete_many(requests(), concurrency=8)
    outcomes = [(await anext(run)).unwrap() for _ in range(3)]
    with pytest.raises(LookupError):
        await anext(run)

    assert all(outcome.text for outcome in outcomes)


async def test_a_run_whose_wait_was_cancelled_does_not_end_as_if_complete(silent_server):
    async with ChatSession("test-key", base_url=silent_server.base_url) as session:
        run = session.complete_many(["Hi"] * 3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(run), 0.05)
        with pytest.raises(AIMLChatError, match="cancelled before all results"):
            await anext(run)


async def test_a_closed_session_stops_the_run(session):
    await session.close()

    with pytest.raises(ConfigurationError, match="closed"):
        await session.complete_many(CountedRequests()).gather()
