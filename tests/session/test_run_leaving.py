"""Leaving a run of tools early: the tools and the connection stop at once."""

import asyncio
import threading

import pytest
from run_tools import GPT, ignore, in_virtual_time, make_tool, now

from aimlchat import StreamInterruptedError, Tool, ToolResult


async def note():
    pass


NOTE = Tool("note", function=note)


class Waiting:
    """A tool that waits for ever, and notes that it was cancelled and has cleaned up."""

    def __init__(self):
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.cleaned = False

    async def __call__(self):
        self.begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            self.cleaned = True
            self.ended.set()


@pytest.fixture
def waiting():
    return Waiting()


@pytest.fixture
def waiting_run(session, emulator, waiting):
    emulator.reply("Let me see.", tool_calls=[("wait", {}), ("f", {})])
    return session.run("Go", tools=[make_tool(waiting, "wait"), make_tool(note, "f")], model=GPT)


def other_tasks():
    return [t for t in asyncio.all_tasks() if "tool" in t.get_name() or "round" in t.get_name()]


async def test_cancelling_in_the_middle_of_a_tool_stops_it(waiting_run, waiting):
    reader = asyncio.create_task(waiting_run.collect())
    await waiting.begun.wait()
    reader.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reader
    assert waiting.cleaned
    assert other_tasks() == []
    assert len(waiting_run.request.messages) == 1
    with pytest.raises(RuntimeError, match="closed before its end"):
        _ = waiting_run.completion
    with pytest.raises(StreamInterruptedError, match="run was closed"):
        await anext(waiting_run)


def test_a_timeout_of_the_caller_stops_the_tool():
    waiting = Waiting()

    async def test(session, emulator):
        emulator.reply(tool_calls=[("wait", {})])
        run = session.run("Go", tools=[make_tool(waiting, "wait")])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await run.collect()
        return other_tasks()

    assert in_virtual_time(test) == []
    assert waiting.cleaned


async def test_another_task_may_close_the_run(waiting_run, waiting):
    reader = asyncio.create_task(waiting_run.collect())
    await waiting.begun.wait()
    await waiting_run.aclose()

    assert waiting.cleaned
    with pytest.raises(StreamInterruptedError):
        await reader
    await waiting_run.aclose()


async def test_the_end_of_the_block_stops_the_tools(session, emulator, waiting):
    emulator.reply(tool_calls=[("f", {}), ("wait", {})])
    tools = [make_tool(waiting, "wait"), make_tool(note, "f")]
    async with session.run("Go", tools=tools, model=GPT) as run:
        async for event in run:
            if isinstance(event, ToolResult):
                break

    assert waiting.cleaned
    assert other_tasks() == []


async def test_leaving_in_the_middle_of_a_round_closes_its_connection(session, emulator):
    async with session.run("Tell me a story.", tools=[NOTE], model=GPT) as run:
        await anext(run)

    assert run.partial.text == ""
    assert len(run.request.messages) == 1
    await asyncio.sleep(0)
    assert emulator.requests[0].outcome != "complete"


async def test_a_dropped_run_stops_its_tools(session, emulator, waiting, gc_disabled):
    emulator.reply(tool_calls=[("f", {}), ("wait", {})])
    tools = [make_tool(waiting, "wait"), make_tool(note, "f")]
    run = session.run("Go", tools=tools, model=GPT)
    async for event in run:
        if isinstance(event, ToolResult):
            break
    del run, event
    await waiting.ended.wait()

    assert waiting.cleaned


async def test_the_thread_of_a_function_runs_on(session, emulator):
    begun, release, ended = threading.Event(), threading.Event(), threading.Event()

    def block():
        begun.set()
        release.wait(5)
        ended.set()

    emulator.reply(tool_calls=[("block", {})])
    reader = asyncio.create_task(session.run("Go", tools=[make_tool(block)]).collect())
    await asyncio.to_thread(begun.wait, 5)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    release.set()

    assert await asyncio.to_thread(ended.wait, 5)


def test_a_tool_that_ignores_its_cancellation_is_left_behind_after_five_seconds(caplog):
    async def test(session, emulator):
        emulator.reply(tool_calls=[("ignore", {})])
        run = session.run("Go", tools=[make_tool(ignore)])
        reader = asyncio.create_task(run.collect())
        await asyncio.sleep(10)
        reader.cancel()
        await asyncio.wait([reader])
        end = now()
        await asyncio.sleep(100)
        return end

    assert 15 <= in_virtual_time(test) < 16
    assert "tool ignore was cancelled and still runs" in caplog.text


async def test_a_run_that_was_never_begun_can_be_closed(session, emulator):
    run = session.run("Go", tools=[NOTE])
    await run.aclose()

    with pytest.raises(StreamInterruptedError):
        await run.collect()
    assert emulator.requests == []


async def test_closing_after_the_end_changes_nothing(session):
    async with session.run("Hi", tools=[]) as run:
        completion = await run.collect()
    await run.aclose()

    assert run.completion is completion
    assert [event async for event in run] == []
