"""`on_tool`, which decides about each call of a run before it runs."""

import asyncio

import pytest
from run_tools import (
    CITY,
    WEATHER,
    call_all,
    in_virtual_time,
    make_tool,
    read_all,
    results_of,
    texts_of,
    work,
)

from aimlchat import Document, Tool, ToolCall, ToolResult

NO_DOCUMENT = (
    "the openai dialect takes a PDF as a document, not 'text/plain'; give its text as a Text part"
)
NO_NAME = "ToolCall.name is text, not an object of type NoneType"
NO_TEXT = "ToolCall.raw_arguments is text, not an object of type"
NO_JSON = (
    "an object of type object is not a JSON value; give a str, int, float, bool, None, list or dict"
)


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (None, ("It rains in Ulm.", False)),
        (ToolCall("x", "get_weather", '{"city": "Bonn"}'), ("It rains in Bonn.", False)),
        ("The user says no.", ("The user says no.", False)),
        (False, ("false", False)),
        ({"ok": 1}, ('{"ok": 1}', False)),
        (
            object(),
            (f"The call was refused: the result of the tool cannot be sent: {NO_JSON}", True),
        ),
        (
            Document.from_bytes(b"No", "text/plain"),
            (f"The call was refused: the result of the tool cannot be sent: {NO_DOCUMENT}", True),
        ),
        (
            ToolResult(ToolCall("x", "f"), "Not on Sundays.", is_error=True),
            ("Not on Sundays.", True),
        ),
        (
            ToolCall("x", "get_weather", {"city": "Bonn"}),
            (f"The call was refused: TypeError: {NO_TEXT} dict", True),
        ),
        (
            ToolCall("x", None, "{}"),
            (
                f"The call was refused: TypeError: {NO_NAME}",
                True,
            ),
        ),
        (PermissionError("not now"), ("The call was refused: PermissionError: not now", True)),
        (asyncio.CancelledError(), ("The call was refused: CancelledError", True)),
        (
            ToolCall("x", "delete", "{}"),
            ("The tool 'delete' does not exist. The tools are: get_weather.", True),
        ),
    ],
)
async def test_a_hook_decides_about_each_call(session, emulator, decision, expected, is_async):
    asked, ran = [], []

    def decide(call):
        asked.append(call)
        if isinstance(decision, BaseException):
            raise decision
        return decision

    async def decide_later(call):
        await asyncio.sleep(0)
        return decide(call)

    def get_weather(city: str):
        ran.append(city)
        return f"It rains in {city}."

    tool = Tool("get_weather", parameters=CITY, function=get_weather)
    hook = decide_later if is_async else decide
    run = call_all(session, emulator, [tool], ("get_weather", {"city": "Ulm"}), on_tool=hook)
    (result,) = results_of(await read_all(run))

    assert (result.content, result.is_error) == expected
    assert [call.arguments for call in asked] == [{"city": "Ulm"}]
    assert bool(ran) == ("rains" in expected[0])
    assert result.call.id == asked[0].id
    sent = emulator.requests[1].body["messages"]
    assert sent[1]["tool_calls"][0]["function"]["arguments"] == '{"city":"Ulm"}'


def test_a_hook_is_asked_about_one_call_after_the_other():
    log = []

    async def decide(call):
        log.append(f"asked {call.arguments['number']}")
        await asyncio.sleep(10)
        log.append(f"answered {call.arguments['number']}")

    async def test(session, emulator):
        calls = [("work", {"number": number}) for number in range(2)]
        run = call_all(session, emulator, [make_tool(work)], *calls, on_tool=decide)
        return texts_of(await read_all(run))

    assert in_virtual_time(test) == [("done 0", False), ("done 1", False)]
    assert log == ["asked 0", "answered 0", "asked 1", "answered 1"]


async def test_a_hook_is_not_asked_about_what_cannot_run(session, emulator):
    asked = []
    calls = ("get_time", ("get_weather", {}), ("get_weather", "{"))

    run = call_all(session, emulator, [WEATHER, Tool("ask")], *calls, "ask", on_tool=asked.append)
    await read_all(run)

    assert asked == []


def test_the_time_of_a_person_does_not_count_as_that_of_the_tool():
    async def approve(_):
        await asyncio.sleep(3600)

    async def test(session, emulator):
        run = call_all(session, emulator, [make_tool(work, timeout=5)], "work", on_tool=approve)
        return texts_of(await read_all(run))

    assert in_virtual_time(test) == [("done 0", False)]
