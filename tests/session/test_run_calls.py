"""The calls of a round: they run at once, each isolated, and each has one result."""

import asyncio
import contextvars
import datetime as dt
import functools
import threading

import pytest
from run_tools import (
    CLAUDE,
    GPT,
    WEATHER,
    call_all,
    ignore,
    in_virtual_time,
    make_tool,
    now,
    read_all,
    results_of,
    run_one,
    texts_of,
    work,
)

USER = contextvars.ContextVar("user")


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
@pytest.mark.parametrize("name", ["functions.work", "größe 2", "x" * 70])
async def test_a_run_goes_on_after_a_call_whose_name_the_api_refuses(
    session, emulator, model, name
):
    run = call_all(session, emulator, [make_tool(work)], name, "work", model=model)

    (wrong, _), right = texts_of(await read_all(run))
    assert wrong == f"The tool {name!r} does not exist. The tools are: work."
    assert right == ("done 0", False)
    assert run.completion.text == "Done."


@pytest.mark.parametrize("model", [GPT, CLAUDE])
async def test_one_that_fails_beside_three_that_do_not(session, emulator, model):
    async def fail():
        msg = "no such city"
        raise ValueError(msg)

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


async def test_arguments_are_decoded_by_the_types_of_the_function(session, emulator):
    def plan(day: dt.date, *, hours: int = 2):
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
@pytest.mark.parametrize(
    "options", [{"model": GPT}, {"model": CLAUDE}, {"model": CLAUDE, "dialect": "messages"}]
)
async def test_invalid_arguments_are_a_result(session, emulator, arguments, problem, options):
    emulator.reply(tool_calls=[("get_weather", arguments)])
    emulator.reply("Done.")

    run = session.run("Go", tools=[WEATHER], **options)
    (result,) = results_of(await read_all(run))

    assert result.is_error
    assert result.content.startswith("The call did not run: ")
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


def test_a_tool_that_ignores_its_timeout_is_abandoned(caplog):
    async def test(session, emulator):
        run = call_all(session, emulator, [make_tool(ignore, timeout=5)], "ignore")
        events, end = await read_all(run), now()
        await asyncio.sleep(100)
        return events, end

    events, end = in_virtual_time(test)

    assert texts_of(events)[0][1] is True
    assert 10 <= end < 11
    assert "abandoned" in caplog.text


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
        (functools.partial(work, seconds=0), "done 4"),
        (lambda number: work(number, 0), "done 4"),
        (lambda **arguments: arguments, '{"city": "Ulm"}'),
    ],
)
async def test_anything_that_can_be_called_is_a_function(session, emulator, function, content):
    arguments = {"number": 4} if content.startswith("done") else {"city": "Ulm"}

    result = await run_one(session, emulator, function, arguments)

    assert (result.content, result.is_error) == (content, False)


async def test_a_tool_may_use_the_session(session, emulator):
    async def ask(question: str):
        return (await session.complete(question)).text

    emulator.reply(tool_calls=[("ask", {"question": "Why?"})])
    emulator.reply("Because.")
    emulator.reply("Done.")

    run = session.run("Go", tools=[make_tool(ask)], model=GPT)

    assert texts_of(await read_all(run)) == [("Because.", False)]
