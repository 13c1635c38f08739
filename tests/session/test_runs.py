"""`ChatSession.run`: a conversation in which the model calls tools."""

import asyncio
import copy
import pickle

import pytest
from run_tools import CLAUDE, GPT, WEATHER, ends_of, make_tool, read_all, results_of, texts_of

from aimlchat import (
    AnswerDelta,
    ChatRequest,
    ChatSession,
    ConfigurationError,
    InvalidRequestError,
    ReasoningDelta,
    RoundEnd,
    Timeouts,
    Tool,
    ToolCallDelta,
    ToolResult,
)

QUESTION = "Do I need an umbrella in Ulm?"
ANSWER = "`get_weather` says: It rains in Ulm."
MODELS = [GPT, CLAUDE, "anthropic/claude-opus-4-8", "google/gemini-2.5-pro", "deepseek/deepseek-r1"]


@pytest.mark.parametrize("model", MODELS)
async def test_a_question_is_answered_with_a_tool(session, emulator, model):
    run = session.run(QUESTION, tools=[WEATHER], model=model)

    completion = await run.collect()

    assert completion is run.completion
    assert completion.text == ANSWER
    assert run.rounds == len(emulator.requests) == 2


async def test_the_events_are_deltas_results_and_ends_of_rounds(session):
    async with session.run(QUESTION, tools=[WEATHER], model=GPT) as run:
        events = await read_all(run)

    kinds = [type(event) for event in events]
    assert list(dict.fromkeys(kinds)) == [ToolCallDelta, ToolResult, RoundEnd, AnswerDelta]
    assert kinds.count(RoundEnd) == 2
    assert isinstance(events[-1], RoundEnd)
    first, last = ends_of(events)
    match results_of(events)[0]:
        case ToolResult(call, content, is_error):
            assert call == first.tool_calls[0]
            assert (content, is_error) == ("It rains in Ulm.", False)
    assert last is run.completion
    assert "".join(e.text for e in events if isinstance(e, AnswerDelta)) == last.text


@pytest.mark.parametrize("model", [GPT, CLAUDE])
async def test_the_conversation_goes_on(session, emulator, model):
    run = session.run(QUESTION, tools=[WEATHER], model=model)
    await run.collect()

    run = session.run(run.request.user("And in Bonn? Is the weather better?"), tools=[WEATHER])
    await run.collect()

    assert [record.body["model"] for record in emulator.requests] == [model] * 4
    assert len(emulator.requests[-1].body["messages"]) == 7
    assert run.rounds == 2


async def test_usage_and_cost_are_sums(session):
    run = session.run(QUESTION, tools=[WEATHER], model=GPT)

    ends = ends_of(await read_all(run))

    assert run.usage.prompt_tokens == sum(end.usage.prompt_tokens for end in ends)
    assert run.usage.total_tokens == sum(end.usage.total_tokens for end in ends)
    assert run.cost.usd == pytest.approx(sum(end.cost.usd for end in ends))


async def test_each_round_is_a_call_with_hooks(emulator):
    records = []
    async with ChatSession("k", base_url=emulator.base_url, on_finish=records.append) as session:
        await session.run(QUESTION, tools=[WEATHER], model=GPT).collect()

    assert [record.outcome for record in records] == ["complete", "complete"]


@pytest.mark.parametrize("model", [CLAUDE, "anthropic/claude-3.7-sonnet"])
async def test_claude_thinks_between_calls_and_its_signatures_go_back(session, emulator, model):
    for city in ("Ulm", "Bonn"):
        emulator.reply(
            blocks=[
                {"type": "thinking", "thinking": f"What about {city}?"},
                {"type": "tool_use", "name": "get_weather", "input": {"city": city}},
            ]
        )

    events = await read_all(session.run(QUESTION, tools=[WEATHER], model=model, thinking=2048))

    assert [record.path for record in emulator.requests] == ["/v1/messages"] * 3
    assert texts_of(events) == [("It rains in Ulm.", False), ("It rains in Bonn.", False)]
    assert any(isinstance(event, ReasoningDelta) for event in events)
    thinking = emulator.requests[-1].body["messages"][1]["content"][0]
    assert thinking["signature"]


async def stop_with_results(session):
    """Return the conversation of a run of another model that has results, and no answer."""
    async with session.run(QUESTION, tools=[WEATHER], model=GPT) as run:
        async for event in run:
            if isinstance(event, RoundEnd):
                break
    return run.request


@pytest.mark.parametrize("model", [CLAUDE, "anthropic/claude-opus-4-8"])
@pytest.mark.parametrize("text", ["", "Go on."])
async def test_claude_goes_on_without_its_budget_amid_the_calls_of_another_model(
    session, emulator, model, text
):
    request = await stop_with_results(session)
    emulator.reply(tool_calls=[("get_weather", {"city": "Bonn"})])
    emulator.reply("It rains in both.")
    if text:
        request = request.user(text)

    run = session.run(request, tools=[WEATHER], model=model, thinking=2048)

    assert (await run.collect()).text == "It rains in both."
    bodies = [record.body for record in emulator.requests[1:]]
    assert [body.get("thinking", {"type": "disabled"}) for body in bodies] == [
        {"type": "disabled"}
    ] * 2
    assert run.request.thinking == 2048
    await session.run(run.request.user("Thanks."), tools=[WEATHER]).collect()
    assert emulator.requests[-1].body["thinking"]["budget_tokens"] == 2048


async def test_claude_that_has_called_without_thinking_goes_on_without(session, emulator):
    emulator.reply(tool_calls=[("get_weather", {"city": "Ulm"})])

    run = session.run(QUESTION, tools=[WEATHER], model=CLAUDE, thinking=2048)

    assert (await run.collect()).text == ANSWER
    assert ["thinking" in record.body for record in emulator.requests] == [True, False]


async def test_a_budget_amid_calls_is_refused_of_a_model_that_cannot_think(session):
    request = await stop_with_results(session)

    with pytest.raises(InvalidRequestError, match="takes no thinking parameter"):
        await session.run(request, tools=[WEATHER], thinking=2048).collect()


async def test_the_next_model_is_asked_where_one_cannot_respond(session, emulator):
    emulator.fail(status=503)

    run = session.run(QUESTION, tools=[WEATHER], models=[CLAUDE, GPT])
    completion = await run.collect()

    assert completion.text == ANSWER
    assert [record.body["model"] for record in emulator.requests] == [CLAUDE, GPT, CLAUDE]


async def test_a_forced_choice_holds_for_the_first_round_only(session, emulator):
    await session.run("Hi", tools=[WEATHER], tool_choice="required", model=GPT).collect()

    choices = [record.body["tool_choice"] for record in emulator.requests]
    assert choices == ["required", "auto"]


@pytest.mark.parametrize(
    ("choice", "model", "later"),
    [
        ("get_weather", CLAUDE, {"type": "auto"}),
        (
            {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True},
            CLAUDE,
            {"type": "auto", "disable_parallel_tool_use": True},
        ),
        ({"type": "function", "function": {"name": "get_weather"}}, GPT, "auto"),
    ],
)
async def test_a_named_choice_becomes_auto(session, emulator, choice, model, later):
    emulator.reply(tool_calls=[("get_weather", {"city": "Ulm"})])
    emulator.reply("Rain.")

    run = session.run("Hi", tools=[WEATHER], tool_choice=choice, model=model, dialect=None)
    await run.collect()

    assert emulator.requests[1].body["tool_choice"] == later


async def test_the_choice_none_stays(session, emulator):
    await session.run(QUESTION, tools=[WEATHER], tool_choice="none", model=GPT).collect()

    assert [record.body["tool_choice"] for record in emulator.requests] == ["none"]


async def test_the_tools_of_the_request_serve_too(session):
    request = ChatRequest(GPT, tools=[WEATHER]).user(QUESTION)

    assert (await session.run(request, tools=None).collect()).text == ANSWER


async def test_ids_of_calls_differ_from_those_of_earlier_rounds(session, emulator):
    for _ in range(2):
        emulator.reply(
            tool_calls=[{"name": "get_weather", "arguments": {"city": "Ulm"}, "id": "c"}]
        )
    emulator.reply("Rain.")

    run = session.run(QUESTION, tools=[WEATHER], model=GPT)
    events = await read_all(run)

    ids = ["c", "c_2"]
    assert [result.call.id for result in results_of(events)] == ids
    assert [end.tool_calls[0].id for end in ends_of(events)[:2]] == ids
    deltas = [event.id for event in events if isinstance(event, ToolCallDelta)]
    assert list(dict.fromkeys(deltas)) == ids
    sent = emulator.requests[-1].body["messages"]
    assert [m["tool_call_id"] for m in sent if m["role"] == "tool"] == ids
    assert [m["tool_calls"][0]["id"] for m in sent if m.get("tool_calls")] == ids


@pytest.mark.parametrize("thinking", [None, 2048])
async def test_ids_are_new_in_a_conversation_that_goes_on(session, emulator, thinking):
    call = {"name": "get_weather", "input": {"city": "Ulm"}, "id": "t", "type": "tool_use"}
    for _ in range(2):
        emulator.reply(blocks=[{"type": "thinking", "thinking": "Hm."}, call])
        emulator.reply("Rain.")
    run = session.run(QUESTION, tools=[WEATHER], model=CLAUDE, dialect="messages")
    await run.collect()

    run = session.run(run.request.user("Still?"), tools=[WEATHER], thinking=thinking)
    events = await read_all(run)

    assert results_of(events)[0].call.id == "t_2"
    turns = [m["content"] for m in emulator.requests[-1].body["messages"]]
    blocks = [block for turn in turns if isinstance(turn, list) for block in turn]
    used = [block["id"] for block in blocks if block["type"] == "tool_use"]
    assert used == ["t", "t_2"]


async def test_calls_without_ids_have_them_from_the_first_delta_on(session, emulator):
    call = {"index": 0, "function": {"name": "get_weather", "arguments": '{"city": "Ulm"}'}}
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    for _ in range(2):
        emulator.reply(events=[chunk, end, "[DONE]"])
    emulator.reply("Rain.")

    events = await read_all(session.run(QUESTION, tools=[WEATHER], model=GPT))

    deltas = [event.id for event in events if isinstance(event, ToolCallDelta)]
    assert deltas == ["call_0", "call_0_2"]
    assert [result.call.id for result in results_of(events)] == deltas


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"n": 2}, "n"),
        ({"extra": {"n": 2}}, "n"),
        ({"max_rounds": 0}, "max_rounds"),
        ({"max_rounds": True}, "max_rounds"),
        ({"on_tool": "yes"}, "on_tool"),
        ({"tools": [WEATHER, WEATHER]}, "tools[1]"),
        ({"tools": [Tool("f", function=7)]}, "tools[0].function"),
        ({"tools": [Tool("f", timeout=0)]}, "tools[0].timeout"),
        ({"tools": ["get_weather"]}, "tools[0]"),
        ({"tools": "get_weather"}, "tools"),
        ({"models": []}, "models"),
    ],
)
def test_what_a_run_cannot_do_is_refused(emulator_url, options, field):
    session = ChatSession("k", base_url=emulator_url)

    with pytest.raises(InvalidRequestError) as caught:
        session.run("Hi", **({"tools": [WEATHER]} | options))

    assert caught.value.field == field


def test_a_budget_that_is_none_and_unknown_options_are_refused(emulator_url):
    session = ChatSession("k", base_url=emulator_url)

    with pytest.raises(ConfigurationError, match="budget_usd"):
        session.run("Hi", tools=[], budget_usd=-1)
    with pytest.raises(TypeError, match="max_steps"):
        session.run("Hi", tools=[], max_steps=3)
    with pytest.raises(ConfigurationError, match="timeouts="):
        session.run("Hi", tools=[], timeouts=5)
    with pytest.raises(ConfigurationError, match="retry="):
        session.run("Hi", tools=[], retry=5)


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, pickle.dumps])
async def test_a_run_cannot_be_copied(session, clone):
    with pytest.raises(TypeError, match="request"):
        clone(session.run("Hi", tools=[WEATHER]))


async def test_a_run_is_read_by_one_task_at_a_time(session):
    started, release = asyncio.Event(), asyncio.Event()

    async def wait():
        started.set()
        await release.wait()

    run = session.run("Please wait", tools=[make_tool(wait)], model=GPT)
    reader = asyncio.create_task(run.collect())
    await started.wait()

    with pytest.raises(RuntimeError, match="one task at a time"):
        await anext(run)
    release.set()
    assert (await reader).text


async def test_what_is_known_before_the_end(session):
    run = session.run(QUESTION, tools=[WEATHER], model=GPT, timeouts=Timeouts(deadline=60))
    assert run.partial.text == ""
    assert (run.headers, run.inference_id, run.attempts, run.rounds) == ({}, None, (), 0)
    with pytest.raises(RuntimeError, match="not ended"):
        _ = run.completion

    async with run:
        assert run.rounds == 1
        assert run.inference_id
        assert len(run.attempts) == 1
        async for event in run:
            if isinstance(event, ToolCallDelta):
                assert run.partial.tool_calls[0].id == event.id
                assert not run.partial.is_complete

    assert run.partial == run.completion
