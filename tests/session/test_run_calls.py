"""The calls of a round: they run at once, each isolated, and each has one result."""

import asyncio
import contextvars
import dataclasses
import datetime
import functools
import threading

import attrs
import msgspec
import pytest
from run_tools import (
    CITY,
    CLAUDE,
    GPT,
    WEATHER,
    in_virtual_time,
    make_tool,
    now,
    read_all,
    results_of,
    texts_of,
)

from aimlchat import Document, Image, Text, Tool, ToolCall
from aimlchat.emulator import Reply

USER = contextvars.ContextVar("user")


def call_all(session, emulator, tools, *calls, **options):
    """Return a run in which the model makes these calls, each a name or a pair, and then ends."""
    emulator.reply(tool_calls=[(call, {}) if isinstance(call, str) else call for call in calls])
    emulator.reply("Done.")
    return session.run("Go", tools=tools, **({"model": GPT} | options))


async def run_one(session, emulator, function, arguments=None, **fields):
    """Return the only result of a run that calls a function."""
    tool = make_tool(function, "f", **fields)
    run = call_all(session, emulator, [tool], ("f", arguments or {}))
    (result,) = results_of(await read_all(run))
    return result


async def work(number: int = 0, seconds: float = 0):
    await asyncio.sleep(seconds)
    return f"done {number}"


def test_four_tools_take_as_long_as_one():
    async def test(session, emulator):
        calls = [("work", {"number": number, "seconds": 0.2}) for number in range(4)]
        run = call_all(session, emulator, [make_tool(work)], *calls)
        events, start = await read_all(run), now()
        return events, start

    events, seconds = in_virtual_time(test)

    assert texts_of(events) == [(f"done {number}", False) for number in range(4)]
    assert 0.2 <= seconds < 0.4


async def test_plain_functions_run_at_once_in_threads(session, emulator):
    together = threading.Barrier(8, timeout=5)

    def meet():
        together.wait()
        return threading.current_thread() is threading.main_thread()

    run = call_all(session, emulator, [make_tool(meet)], *["meet"] * 8)

    assert texts_of(await read_all(run)) == [("false", False)] * 8


@pytest.mark.parametrize("model", [GPT, CLAUDE])
async def test_one_that_fails_beside_three_that_do_not(session, emulator, model):
    async def fail():
        raise ValueError("no such city")

    run = call_all(
        session, emulator, [make_tool(work), make_tool(fail)], "work", "fail", "work", "work",
        model=model,
    )  # fmt: skip
    events = await read_all(run)

    good = ("done 0", False)
    assert texts_of(events) == [good, ("ValueError: no such city", True), good, good]
    assert run.completion.text == "Done."
    sent = str(emulator.requests[1].body)
    assert "ValueError: no such city" in sent
    assert "Traceback" not in sent
    assert ("Error: ValueError" in sent) == (model == GPT)
    assert ("'is_error': True" in sent) == (model == CLAUDE)


class BrokenError(Exception):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "content"),
    [
        (KeyError("Ulm"), "KeyError: 'Ulm'"),
        (StopIteration(), "RuntimeError: coroutine raised StopIteration"),
        (asyncio.CancelledError("no"), "CancelledError: no"),
        (ValueError("\ud800"), "ValueError: \\ud800"),
        (BrokenError(), "BrokenError"),
        (ExceptionGroup("two", [ValueError()]), "ExceptionGroup: two (1 sub-exception)"),
        (StopAsyncIteration(), "StopAsyncIteration"),
    ],
)
@pytest.mark.parametrize("is_async", [True, False])
async def test_whatever_a_tool_raises_is_a_result(session, emulator, error, content, is_async):
    def fail():
        raise error

    async def fail_later():
        raise error

    result = await run_one(session, emulator, fail_later if is_async else fail)

    assert (result.content, result.is_error) == (content, True)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("is_async", [True, False])
async def test_what_ends_a_program_is_raised_by_the_run(session, emulator, kind, is_async):
    cancelled = []

    def stop():
        raise kind

    async def stop_later():
        raise kind

    async def wait():
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.append(True)

    tools = [make_tool(stop_later if is_async else stop, "stop"), make_tool(wait)]
    run = call_all(session, emulator, tools, "wait", "stop")

    with pytest.raises(kind):
        await run.collect()
    assert cancelled == [True]


@dataclasses.dataclass
class Weather:
    rain: bool
    day: datetime.date


@attrs.define
class Point:
    x: float


class Wind(msgspec.Struct):
    speed: float


class Model:
    """As one of pydantic."""

    def model_dump(self, mode):
        return {"mode": mode}


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("Rain in Köln", "Rain in Köln"),
        (None, "The call returned nothing."),
        ("", "The call returned nothing."),
        (True, "true"),
        (1.5, "1.5"),
        ({"ü": [1, None]}, '{"ü": [1, null]}'),
        ({1: "a"}, '{"1": "a"}'),
        ((1, 2), "[1, 2]"),
        ([], "[]"),
        (Weather(rain=True, day=datetime.date(2026, 5, 1)), '{"rain": true, "day": "2026-05-01"}'),
        ([Point(1.5)], '[{"x": 1.5}]'),
        (Wind(2.5), '{"speed": 2.5}'),
        (Model(), '{"mode": "json"}'),
        (Text("Rain"), (Text("Rain"),)),
        (["Rain", Text("Sun")], (Text("Rain"), Text("Sun"))),
    ],
)
async def test_what_a_tool_returns_becomes_text(session, emulator, value, content):
    result = await run_one(session, emulator, lambda: value)

    assert (result.content, result.is_error) == (content, False)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (object(), "object is not a JSON value"),
        (b"rain", "give its .decode()"),
        (float("nan"), "nan is not a number"),
        ("\ud800", "lone surrogate"),
        (2**70, "64 bits"),
        ((n for n in "ab"), "give list(...)"),
        ([Text("Rain"), 7], "an object of type int among parts"),
        (Document.from_bytes(b"%PDF-1.7 "), "holds only text"),
    ],
)
async def test_what_cannot_be_sent_is_an_error(session, emulator, value, problem):
    result = await run_one(session, emulator, lambda: value)

    assert result.is_error
    assert result.content.startswith("the result of the tool cannot be sent: ")
    assert problem in result.content


async def test_claude_gets_an_image(session, emulator, png):
    tool = make_tool(lambda: ["A map", Image.from_bytes(png)], "draw")
    run = call_all(session, emulator, [tool], "draw", model=CLAUDE)

    events = await read_all(run)

    assert texts_of(events) == [((Text("A map"), Image.from_bytes(png)), False)]
    result = emulator.requests[1].body["messages"][-1]["content"][0]
    assert [part["type"] for part in result["content"]] == ["text", "image"]


async def test_arguments_are_decoded_by_the_types_of_the_function(session, emulator):
    def plan(day: datetime.date, *, hours: int = 2):
        return f"{day:%d.%m.} {hours + 1}"

    result = await run_one(session, emulator, plan, {"day": "2026-05-01", "hours": 3})

    assert result.content == "01.05. 4"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"city": 7, "days": "x"}, "city"),
        ({}, "city"),
        ('{"city": "Ul', "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"city": NaN}', "not a number"),
    ],
)
@pytest.mark.parametrize(("model", "dialect"), [(GPT, None), (CLAUDE, None), (CLAUDE, "messages")])
async def test_invalid_arguments_are_a_result(
    session, emulator, arguments, problem, model, dialect
):
    emulator.reply(tool_calls=[("get_weather", arguments)])
    emulator.reply("Done.")

    run = session.run("Go", tools=[WEATHER], model=model, dialect=dialect)
    (result,) = results_of(await read_all(run))

    assert result.is_error
    assert result.content.startswith("The arguments of get_weather are invalid: ")
    assert problem in result.content
    assert run.completion.text == "Done."


async def test_an_unknown_tool_is_a_result_that_names_the_tools(session, emulator):
    run = call_all(session, emulator, [WEATHER, make_tool(work)], "get_time")

    assert texts_of(await read_all(run)) == [
        ("The tool 'get_time' does not exist. The tools are: get_weather, work.", True)
    ]


def test_a_tool_that_takes_too_long_is_cancelled():
    cleaned = []

    async def wait():
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(1)
            cleaned.append(now())

    async def test(session, emulator):
        tools = [make_tool(wait, timeout=5), make_tool(work)]
        events = await read_all(call_all(session, emulator, tools, "wait", "work"))
        return events, now()

    events, end = in_virtual_time(test)

    late = "TimeoutError: the tool did not finish within 5 s"
    assert texts_of(events) == [(late, True), ("done 0", False)]
    assert 6 <= cleaned[0] <= end < 7


def test_a_tool_that_ignores_its_timeout_is_left_behind(caplog):
    async def ignore():
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if now() > 100:
                    raise

    async def test(session, emulator):
        run = call_all(session, emulator, [make_tool(ignore, timeout=5)], "ignore")
        events, end = await read_all(run), now()
        await asyncio.sleep(100)
        return events, end

    events, end = in_virtual_time(test)

    assert texts_of(events)[0][1] is True
    assert 10 <= end < 11
    assert "left behind" in caplog.text


async def test_a_thread_that_takes_too_long_is_not_waited_for(session, emulator):
    release = threading.Event()

    result = await run_one(session, emulator, lambda: release.wait(5), timeout=0.01)

    release.set()
    assert result.is_error
    assert "0.01 s" in result.content


def test_no_other_call_runs_beside_a_sequential_tool():
    log = []

    async def step(name: str):
        log.append(f"{name} begins")
        await asyncio.sleep(1)
        log.append(f"{name} ends")

    async def test(session, emulator):
        tools = [make_tool(step), make_tool(step, "alone", sequential=True)]
        calls = [("step", {"name": "a"}), ("step", {"name": "b"}), ("alone", {"name": "c"})]
        await read_all(call_all(session, emulator, tools, *calls, ("step", {"name": "d"})))

    in_virtual_time(test)

    assert log[:4] == ["a begins", "b begins", "a ends", "b ends"]
    assert log[4:] == ["c begins", "c ends", "d begins", "d ends"]


def test_results_come_as_soon_as_those_before_them_are_known():
    async def sleep(seconds: float):
        await asyncio.sleep(seconds)

    async def test(session, emulator):
        calls = [("sleep", {"seconds": seconds}) for seconds in (1, 3, 2)]
        run = call_all(session, emulator, [make_tool(sleep)], *calls)
        return [(round(now()), e.call.arguments["seconds"]) async for e in run if results_of([e])]

    assert in_virtual_time(test) == [(1, 1), (3, 3), (3, 2)]


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_tool_sees_the_context_variables_of_the_caller(session, emulator, is_async):
    def read():
        return USER.get()

    async def read_later():
        name = USER.get()
        USER.set("another")
        return name

    tool = make_tool(read_later if is_async else read, "read")
    run = call_all(session, emulator, [tool], "read", "read")
    events = []
    async for event in run:
        USER.set("Ada")
        events.append(event)

    assert texts_of(events) == [("Ada", False)] * 2
    assert USER.get() == "Ada"


class Callable:
    async def __call__(self, city: str):
        return f"{city} async"


@pytest.mark.parametrize(
    ("function", "content"),
    [
        (Callable(), "Ulm async"),
        (Callable().__call__, "Ulm async"),
        (functools.partial(work, number=3), "done 3"),
        (lambda city: work(4), "done 4"),
        (lambda **arguments: arguments, '{"city": "Ulm"}'),
        (str.upper, None),
    ],
)
async def test_anything_that_can_be_called_is_a_function(session, emulator, function, content):
    arguments = {} if isinstance(function, functools.partial) else {"city": "Ulm"}

    result = await run_one(session, emulator, function, arguments)

    assert result.content == content if content else result.is_error


# --- on_tool --------------------------------------------------------------------------------------


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
            (
                "The call was refused: the result of the tool cannot be sent: an object of type"
                " object is not a JSON value; give a str, int, float, bool, None, list or dict",
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


async def test_a_tool_may_use_the_session(session, emulator):
    async def ask(question: str):
        return (await session.complete(question)).text

    emulator.reply(lambda record: Reply(tool_calls=[("ask", {"question": "Why?"})]), times=1)
    emulator.reply("Because.")
    emulator.reply("Done.")

    run = session.run("Go", tools=[make_tool(ask)], model=GPT)

    assert texts_of(await read_all(run)) == [("Because.", False)]
