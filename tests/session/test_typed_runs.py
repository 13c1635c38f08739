"""`output_type=` of runs: the answer of the last round is a value of the type."""

import pytest
from run_tools import WEATHER, ends_of, read_all, results_of
from typed_answers import CLAUDE, GPT, INVOICE, WAYS, Invoice

from aimlchat import (
    AnswerDelta,
    InvalidRequestError,
    OutputError,
    Tool,
    ToolCallDelta,
)

ULM = ("get_weather", {"city": "Ulm"})
BO = {"name": "Bo", "total": 0}
ADA = Invoice("Ada", 3, ("a", "b"))


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request):
    return request.param


async def test_rounds_that_call_tools_are_not_judged(session, emulator, way):
    emulator.reply(tool_calls=[ULM], reasoning="Hm.")
    emulator.reply(output=INVOICE)

    async with session.run("Go", tools=[WEATHER], output_type=Invoice, **way) as run:
        with pytest.raises(RuntimeError):
            _ = run.output
        events = await read_all(run)

    assert run.output == run.completion.output == ADA
    assert [completion.output for completion in ends_of(events)] == [None, ADA]
    assert [result.content for result in results_of(events)] == ["It rains in Ulm."]
    assert {delta.name for delta in events if isinstance(delta, ToolCallDelta)} == {"get_weather"}
    answer = "".join(delta.text for delta in events if isinstance(delta, AnswerDelta))
    assert answer == run.completion.text
    assert (run.rounds, run.completion.tool_calls) == (2, ())
    emulator.reply(output=INVOICE)
    following = session.run(run.request.user("Again"), tools=None, output_type=Invoice, **way)
    assert (await following.collect()).output == ADA


async def test_a_bad_answer_ends_the_run_as_usual(session, emulator, way):
    emulator.reply(output=BO)

    run = session.run("Go", tools=[WEATHER], output_type=Invoice, **way)
    events = await read_all(run)

    assert ends_of(events) == [run.completion]
    assert run.completion.output is None
    with pytest.raises(OutputError, match="positive"):
        _ = run.output
    with pytest.raises(OutputError, match="positive"):
        await run.collect()


async def test_asking_again_is_a_round(session, emulator, way):
    emulator.reply(tool_calls=[ULM], reasoning="Hm.")
    emulator.reply(output=BO)
    emulator.reply(tool_calls=[("get_weather", {"city": "Bonn"})], reasoning="Hm.")
    emulator.reply(output=INVOICE)

    run = session.run("Go", tools=[WEATHER], output_type=Invoice, output_retries=1, **way)
    events = await read_all(run)

    assert run.output == ADA
    assert [completion.output for completion in ends_of(events)] == [None, None, None, ADA]
    assert (run.rounds, len(results_of(events))) == (4, 2)
    assert run.cost.usd == pytest.approx(sum(end.cost.usd for end in ends_of(events)))
    assert "positive" in str(emulator.requests[2].body["messages"][-1])


async def test_no_more_than_the_retries_are_rounds(session, emulator):
    emulator.reply(output=BO, times=None)

    run = session.run("Go", tools=[WEATHER], model=GPT, output_type=Invoice, output_retries=2)
    with pytest.raises(OutputError, match="positive"):
        await run.collect()

    assert run.rounds == len(emulator.requests) == 3


async def test_calls_that_were_refused_are_no_answer(session, emulator):
    emulator.reply(tool_calls=[ULM], times=None, reasoning="Hm.")

    run = session.run("Go", tools=[WEATHER], model=CLAUDE, output_type=Invoice, max_rounds=1)
    with pytest.raises(OutputError) as caught:
        await run.collect()

    assert caught.value.reason == "not_json"
    assert caught.value.completion.tool_calls
    assert run.rounds == 2


async def test_calls_that_the_caller_runs_are_no_failure(session, emulator):
    emulator.reply(tool_calls=[("ask", {})])

    run = session.run("Go", tools=[Tool("ask"), WEATHER], model=GPT, output_type=Invoice)
    completion = await run.collect()

    assert completion.output is run.output is None
    assert completion.tool_calls[0].name == "ask"
    emulator.reply(output=INVOICE)
    request = run.request.tool_result(completion.tool_calls[0].id, "yes")
    assert (await session.run(request, tools=None, output_type=Invoice).collect()).output == ADA


async def test_a_round_that_was_cut_is_truncated(session, emulator):
    emulator.reply(tool_calls=[ULM], finish_reason="length")

    run = session.run("Go", tools=[WEATHER], model=GPT, output_type=Invoice, output_retries=3)
    with pytest.raises(OutputError) as caught:
        await run.collect()

    assert (caught.value.reason, run.rounds) == ("truncated", 1)


async def test_a_spent_budget_ends_the_questions(session, emulator):
    emulator.reply(output=BO, times=None, cost=1.0)

    options = {"output_type": Invoice, "output_retries": 9, "budget_usd": 2.0, "model": GPT}
    run = session.run("Go", tools=[WEATHER], **options)
    with pytest.raises(OutputError):
        await run.collect()

    assert run.rounds == 2


@pytest.mark.parametrize("retries", [-1, True, 1.5])
def test_what_a_run_cannot_do_is_refused_at_once(session, retries):
    with pytest.raises(InvalidRequestError) as caught:
        session.run("Go", tools=[], output_type=Invoice, output_retries=retries)
    assert caught.value.field == "output_retries"
