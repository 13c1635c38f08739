"""How a run of tools ends: by itself, at a limit, by a failure, or because its caller leaves."""

import asyncio

import pytest
from run_tools import (
    CITY,
    CLAUDE,
    GPT,
    WEATHER,
    ends_of,
    in_virtual_time,
    make_tool,
    now,
    read_all,
    results_of,
    texts_of,
    try_all,
)

from aimlchat import (
    BudgetExceededError,
    ChatSession,
    RequestTimeoutError,
    RetryPolicy,
    RoundEnd,
    ServerError,
    StreamInterruptedError,
    Timeouts,
    Tool,
    ToolCallDelta,
    ToolResult,
)
from aimlchat.emulator import Cut

ULM = ("get_weather", {"city": "Ulm"})
THINKING = {"thinking": 2048}
ran = []


@pytest.fixture(autouse=True)
def _nothing_ran():
    ran.clear()


async def note(city: str = ""):
    ran.append(city)


NOTE = Tool("get_weather", parameters=CITY, function=note)


# --- which rounds run tools -----------------------------------------------------------------------


@pytest.mark.parametrize("finish", ["length", "content_filter", "malformed_function_call"])
@pytest.mark.parametrize("arguments", [{}, {"city": "Ulm"}, '{"city": "U'])
@pytest.mark.parametrize("model", [GPT, CLAUDE])
async def test_a_round_that_was_stopped_runs_nothing(session, emulator, finish, arguments, model):
    emulator.reply(tool_calls=[("get_weather", arguments)], finish_reason=finish)

    run = session.run("Go", tools=[NOTE], model=model)
    events = await read_all(run)

    assert ran == results_of(events) == []
    assert isinstance(events[-1], RoundEnd)
    assert run.completion.finish_reason == finish
    assert run.completion.tool_calls
    assert len(emulator.requests) == 1
    assert (await session.complete(run.request.user("Again"))).text


@pytest.mark.parametrize("after", [900, 1000, 1200])
async def test_a_stream_that_was_cut_runs_nothing(session, emulator, after):
    emulator.reply(tool_calls=[ULM], fault=Cut(after))

    run = session.run("Go", tools=[NOTE], model=GPT)
    events, error = await try_all(run)

    assert isinstance(error, StreamInterruptedError)
    assert ran == results_of(events) == ends_of(events) == []
    deltas = [event for event in events if isinstance(event, ToolCallDelta)]
    assert error.partial.tool_calls[0].id == deltas[0].id
    assert run.partial == error.partial
    with pytest.raises(StreamInterruptedError):
        _ = run.completion
    with pytest.raises(StreamInterruptedError):
        await anext(run)
    assert (await session.run(run.request, tools=[NOTE]).collect()).text


async def test_an_answer_at_its_limit_ends_the_run(session, emulator):
    emulator.reply("Well,", finish_reason="length")

    run = session.run("Go", tools=[NOTE], model=GPT)
    await run.collect()

    assert run.rounds == 1
    assert len(run.request.messages) == 2


async def test_a_turn_with_nothing_in_it_is_not_sent_back(session, emulator):
    emulator.reply("")

    run = session.run("Go", tools=[NOTE], model=GPT)
    await run.collect()

    assert len(run.request.messages) == 1


@pytest.mark.parametrize(("model", "options"), [(GPT, {}), (CLAUDE, {}), (CLAUDE, THINKING)])
async def test_after_ten_rounds_there_is_an_answer(session, emulator, model, options):
    thought = [{"type": "thinking", "thinking": "Hm."}] if options else []
    call = {"type": "tool_use", "name": "get_weather", "input": {"city": "Ulm"}}
    emulator.reply("Enough.", when=chooses_none)
    emulator.reply(blocks=[*thought, call], times=None)

    run = session.run("Go", tools=[NOTE], model=model, **options)
    completion = await run.collect()

    assert completion.text == "Enough."
    assert ran == ["Ulm"] * 10
    assert run.rounds == len(emulator.requests) == 11
    assert all(record.body["tools"] for record in emulator.requests)


def chooses_none(record):
    return record.body.get("tool_choice") in ("none", {"type": "none"})


async def test_a_model_that_calls_although_it_may_not_gets_no_further_round(session, emulator):
    emulator.reply(tool_calls=[ULM], times=None)

    run = session.run("Go", tools=[NOTE], model=GPT, max_rounds=1)
    events = await read_all(run)

    assert ran == ["Ulm"]
    assert texts_of(events)[1] == (
        "The call did not run: the run may have 1 rounds of calls.",
        True,
    )
    assert run.rounds == 2
    assert [type(event) for event in events[-2:]] == [ToolResult, RoundEnd]


@pytest.mark.parametrize("model", [GPT, CLAUDE])
async def test_a_call_for_the_caller_ends_the_run(session, emulator, model):
    emulator.reply(tool_calls=[ULM, ("confirm", {}), ULM])
    emulator.reply("Done.")

    run = session.run("Go", tools=[WEATHER, Tool("confirm")], model=model)
    events = await read_all(run)
    calls = run.completion.tool_calls
    request = run.request.tool_result(calls[1].id, "yes")
    later = session.run(request, tools=[WEATHER, Tool("confirm")])

    assert [result.call for result in results_of(events)] == [calls[0], calls[2]]
    assert run.pending_calls == events[-1].pending_calls == (calls[1],)
    assert (await later.collect()).text == "Done."
    assert run.rounds == later.rounds == 1


async def test_no_call_waits_while_a_run_goes_on(session, emulator):
    emulator.reply(tool_calls=[("confirm", {}), ULM], finish_reason="length")
    stopped = session.run("Go", tools=[WEATHER, Tool("confirm")], model=GPT)
    await stopped.collect()
    emulator.reply(tool_calls=[ULM, ("nobody", {})])
    emulator.reply(tool_calls=[("confirm", {})])
    waiting = []

    run = session.run("Go", tools=[WEATHER, Tool("confirm")], model=GPT)
    async for event in run:
        if isinstance(event, RoundEnd):
            waiting.append([call.name for call in event.pending_calls])
        else:
            assert run.pending_calls == ()

    assert stopped.pending_calls == ()  # its turn is not in the conversation
    assert waiting == [[], ["confirm"]]
    assert run.pending_calls == run.completion.tool_calls


async def test_a_dict_is_a_tool_for_the_caller(session, emulator):
    emulator.reply(tool_calls=[ULM])
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}

    run = session.run("Go", tools=[tool], model=GPT)

    assert (await run.collect()).tool_calls[0].arguments == {"city": "Ulm"}


# --- limits ---------------------------------------------------------------------------------------


async def test_a_budget_ends_the_run_between_rounds(session, emulator):
    emulator.reply(tool_calls=[ULM], cost=0.25, times=None)

    run = session.run("Go", tools=[NOTE], model=GPT, budget_usd=0.5)
    events, error = await try_all(run)

    assert isinstance(error, BudgetExceededError)
    assert "this run's budget_usd is 0.5" in str(error)
    assert (error.budget_usd, error.spent_usd) == (0.5, 0.5)
    assert error.partial == ends_of(events)[-1]
    assert ran == ["Ulm"] * 2
    assert run.cost.usd == 0.5
    emulator.reply("Done.", when=lambda record: len(record.body["messages"]) == 5)
    assert (await session.complete(run.request.options(tool_choice="none"))).tool_calls


async def test_nothing_is_sent_without_a_budget(session, emulator):
    run = session.run("Go", tools=[NOTE], budget_usd=0)

    with pytest.raises(BudgetExceededError):
        await run.collect()
    assert emulator.requests == []


async def test_the_budget_of_the_session_ends_the_run_too(emulator):
    emulator.reply(tool_calls=[ULM], cost=0.25, times=None)
    async with ChatSession("k", base_url=emulator.base_url, budget_usd=0.25) as session:
        run = session.run("Go", tools=[NOTE], model=GPT)
        events, error = await try_all(run)

    assert isinstance(error, BudgetExceededError)
    assert "session" in str(error)
    assert error.partial == ends_of(events)[-1]


@pytest.mark.parametrize("seconds", [4, 60])
def test_the_deadline_is_that_of_the_run(seconds):
    cleaned = []

    async def wait():
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            cleaned.append(now())
            raise

    async def test(session, emulator):
        emulator.reply(tool_calls=[("wait", {})], times=None)
        run = session.run("Go", tools=[make_tool(wait)], timeouts=Timeouts(deadline=10))
        events, error = await try_all(run)
        return run, events, error, now()

    run, events, error, end = in_virtual_time(test)

    assert isinstance(error, RequestTimeoutError)
    assert error.phase == "deadline"
    assert str(error) == "the run did not finish within 10 s"
    assert error.partial.tool_calls
    assert 9.9 < end < 10.1
    assert len(cleaned) == 1
    assert len(run.request.messages) == 1 + 2 * len(results_of(events))


def test_the_deadline_ends_a_round_and_counts_while_the_caller_waits():
    async def test(session, emulator):
        emulator.reply(tool_calls=[("f", {})], times=None)
        run = session.run("Go", tools=[make_tool(note, "f")], timeouts=Timeouts(deadline=10))
        try:
            async for event in run:
                if isinstance(event, RoundEnd):
                    await asyncio.sleep(11)
        except RequestTimeoutError as error:
            return error, run
        return None, run

    error, run = in_virtual_time(test)

    assert str(error) == "the run did not finish within 10 s"
    assert error.partial == run.partial
    assert len(run.request.messages) == 3


async def test_a_round_that_fails_leaves_the_rounds_before_it(session, emulator):
    emulator.reply(tool_calls=[ULM])
    emulator.fail(status=500)

    run = session.run("Go", tools=[NOTE], model=GPT)
    events, error = await try_all(run)

    assert isinstance(error, ServerError)
    assert len(error.attempts) == 1
    assert len(ends_of(events)) == 1
    assert len(run.request.messages) == 3
    assert run.rounds == 2


async def test_a_round_is_tried_again(emulator):
    emulator.reply(tool_calls=[ULM])
    emulator.fail(status=503)
    emulator.reply("Done.")
    retry = RetryPolicy(base_delay=0.001)
    async with ChatSession("k", base_url=emulator.base_url, retry=retry) as session:
        run = session.run("Go", tools=[NOTE], model=GPT)
        completion = await run.collect()

    assert completion.text == "Done."
    assert len(run.attempts) == 2


async def test_a_status_error_is_raised_on_entering(session, emulator):
    emulator.fail(status=400)

    run = session.run("Go", tools=[NOTE])
    with pytest.raises(Exception, match="400"):
        await run.__aenter__()
    with pytest.raises(Exception, match="400"):
        await run.__aenter__()
