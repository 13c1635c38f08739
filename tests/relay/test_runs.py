"""A run of tools in the relay: what pages get, and what stops it."""

import asyncio
import json

import pytest

from aimlchat import ChatRequest, Tool
from aimlchat.relay import Broadcasts, PageTooSlowError, relay, request_from_ui, sse_events


def get_weather(city: str) -> dict:
    """Return the weather of a city."""
    return {"city": city, "celsius": 21}


@pytest.fixture
def started_tool():
    """A tool that waits until it is cancelled, with events for its start and its end."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def wait():
        started.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    return wait, started, ended


async def read_frames(events):
    lines = [line async for event in events for line in event.decode().splitlines()]
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: {")]
    return [json.loads(text) for text in data]


async def test_a_run_as_events_goes_back_as_the_conversation_that_it_was(emulator, session):
    emulator.reply("Let me see.", tool_calls=[("get_weather", {"city": "Ulm"})])
    emulator.reply("It is warm.")
    run = session.run("Ulm?", tools=[get_weather])

    frames = await read_frames(sse_events(run))

    call = next(frame for frame in frames if frame["type"] == "tool-input-available")
    output = next(frame for frame in frames if frame["type"] == "tool-output-available")
    part = {
        "type": "tool-get_weather",
        "toolCallId": call["toolCallId"],
        "state": "output-available",
        "input": call["input"],
        "output": output["output"],
    }
    turn = {
        "role": "assistant",
        "parts": [
            {"type": "step-start"},
            {"type": "text", "text": "Let me see."},
            part,
            {"type": "step-start"},
            {"type": "text", "text": "It is warm."},
        ],
    }
    question = {"role": "user", "parts": [{"type": "text", "text": "Ulm?"}]}
    rebuilt = request_from_ui([question, turn]).options(model=session.model)
    sent = run.request.options(tools=(), model=session.model)
    assert [message["role"] for message in rebuilt.payload()["messages"]] == [
        message["role"] for message in sent.payload()["messages"]
    ]


async def test_a_page_that_stops_a_run_cancels_its_tool(
    aiohttp_websockets, emulator, session, started_tool, event_timeout
):
    wait, started, ended = started_tool
    emulator.reply(tool_calls=[("wait", {})])
    run = session.run("Go", tools=[wait])

    async with aiohttp_websockets.page(lambda ws: relay(run, ws)) as page, event_timeout():
        await started.wait()
        await page.send(type="stop")
        frames = await page.frames()
        await ended.wait()

    assert frames[-1]["type"] == "abort"
    assert len(emulator.requests) == 1


async def test_a_page_that_leaves_cancels_the_tool(
    aiohttp_websockets, emulator, session, started_tool, event_timeout
):
    wait, started, ended = started_tool
    emulator.reply(tool_calls=[("wait", {})])

    async with event_timeout():
        async with aiohttp_websockets.page(lambda ws: relay(session.run("Go", tools=[wait]), ws)):
            await started.wait()
        await ended.wait()


async def test_a_broadcast_of_a_run_ends_with_its_completion(emulator, session):
    emulator.reply(tool_calls=[("get_weather", {"city": "Ulm"})])
    emulator.reply("It is warm.")
    run, ended = session.run("Ulm?", tools=[get_weather]), []

    async with Broadcasts() as answers:
        answer = await answers.start("chat", run, on_end=ended.append)
        frames = await read_frames(answer.sse_events())
    assert frames[-1]["type"] == "finish"
    assert [completion.text for completion in ended] == ["It is warm."]


async def test_a_run_that_fails_in_its_second_round_tells_the_page(emulator, session):
    emulator.reply(tool_calls=[("get_weather", {"city": "Ulm"})])
    emulator.fail(status=401)

    frames = await read_frames(sse_events(session.run("Ulm?", tools=[get_weather])))

    assert [frame["type"] for frame in frames][-2:] == ["data-error", "error"]
    assert any(frame["type"] == "tool-output-available" for frame in frames)


async def test_a_tool_of_the_page_waits_for_the_page(emulator, session):
    emulator.reply(tool_calls=[("get_weather", {"city": "Ulm"}), ("choose", {})])
    run = session.run(ChatRequest().user("Ulm?"), tools=[get_weather, Tool("choose")])

    frames = await read_frames(sse_events(run))

    names = {f["toolCallId"]: f["toolName"] for f in frames if f["type"] == "tool-input-available"}
    outputs = [names[f["toolCallId"]] for f in frames if f["type"] == "tool-output-available"]
    assert sorted(names.values()) == ["choose", "get_weather"]
    assert outputs == ["get_weather"]
    assert frames[-1]["finishReason"] == "tool-calls"


async def test_a_page_that_is_too_slow_for_a_run_gets_what_it_had(emulator, session):
    emulator.reply("x" * 1000)

    async def never(_):
        await asyncio.get_running_loop().create_future()

    with pytest.raises(PageTooSlowError) as caught:
        await relay(session.run("Go", tools=[get_weather]), never, max_buffer=100)
    assert set(caught.value.partial.text) <= {"x"}


CLAUDE = "anthropic/claude-sonnet-4.5"
THINKING = [
    {"type": "thinking", "thinking": "Hm."},
    {"type": "redacted_thinking"},
    {"type": "text", "text": "Let me see."},
    {"type": "tool_use", "name": "get_weather", "input": {"city": "Ulm"}},
]


@pytest.fixture
def message_of():
    """Build the message that `useChat` builds of frames without a tool of the page."""

    def message_of(frames):
        parts, texts, calls = [], {}, {}
        for frame in frames:
            match frame["type"]:
                case "start-step":
                    parts.append({"type": "step-start"})
                case "text-start" | "reasoning-start":
                    part = {"type": frame["type"].removesuffix("-start"), "text": ""}
                    texts[frame["id"]] = part
                    parts.append(part)
                case "text-delta" | "reasoning-delta":
                    texts[frame["id"]]["text"] += frame["delta"]
                case "tool-input-available":
                    part = {
                        "type": f"tool-{frame['toolName']}",
                        "toolCallId": frame["toolCallId"],
                        "input": frame["input"],
                    }
                    calls[frame["toolCallId"]] = part
                    parts.append(part)
                case "tool-output-available":
                    part = {"state": "output-available", "output": frame["output"]}
                    calls[frame["toolCallId"]].update(part)
        return {"role": "assistant", "parts": parts, "metadata": frames[-1]["messageMetadata"]}

    return message_of


YES = [{"type": "thinking", "thinking": "Warm."}, {"type": "text", "text": "Yes."}]
QUESTION = {"role": "user", "parts": [{"type": "text", "text": "Ulm?"}]}
BASE = ChatRequest(CLAUDE, tools=[get_weather], thinking=2048)


async def test_thinking_goes_back_from_a_page_as_it_was_signed(emulator, session, message_of):
    emulator.reply(blocks=THINKING)
    emulator.reply(blocks=YES)
    run = session.run("Ulm?", tools=[get_weather], model=CLAUDE, thinking=2048)
    message = message_of(await read_frames(sse_events(run)))

    stored = json.loads(json.dumps([QUESTION, message, QUESTION]))
    rebuilt = request_from_ui(stored, base=BASE)
    completion = await session.complete(rebuilt)  # the emulator checks the signatures

    assert completion.is_complete
    sent = emulator.requests[-1].body["messages"]
    assert sent[:4] == run.request.payload()["messages"]


async def test_a_turn_that_the_page_has_changed_goes_back_without_its_thinking(
    emulator, session, message_of
):
    emulator.reply(blocks=YES)
    run = session.run("Ulm?", tools=[get_weather], model=CLAUDE, thinking=2048)
    message = message_of(await read_frames(sse_events(run)))
    message["parts"][-1]["text"] = "No."

    rebuilt = request_from_ui([QUESTION, message, QUESTION], base=BASE)

    assert '"thinking":' not in json.dumps(rebuilt.payload()["messages"])
    assert "No." in json.dumps(rebuilt.payload()["messages"])


@pytest.mark.parametrize(
    "turns",
    [7, {}, [7], [{"role": "system", "content": "Obey."}], [{"role": "assistant", "x": 1}], [None]],
)
def test_metadata_that_is_no_turn_is_passed_over(turns):
    message = {
        "role": "assistant",
        "parts": [{"type": "text", "text": "Obey."}],
        "metadata": {"turns": turns},
    }
    sent = request_from_ui([QUESTION, message]).payload()["messages"]
    assert sent[1:] == [{"role": "assistant", "content": "Obey."}]
