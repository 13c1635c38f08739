"""One stream into one web socket, on every library."""

import asyncio
import contextlib
import gc
import json
import logging
import subprocess
import sys

import pytest

from aimlchat import (
    Completion,
    RateLimitError,
    StreamInterruptedError,
)
from aimlchat.relay import relay


def said(frames, kind):
    return "".join(frame["delta"] for frame in frames if frame["type"] == f"{kind}-delta")


def kinds(frames):
    """The kinds of frames in their order, each run of deltas as one."""
    row = [frame["type"] for frame in frames]
    return [kind for place, kind in enumerate(row) if place == 0 or kind != row[place - 1]]


async def test_a_page_gets_reasoning_then_answer_then_the_end(hall, emulator, session):
    emulator.reply("Light scatters.", reasoning="Think of light.", cost=0.004)

    async with hall.open(lambda ws: relay(session.stream("Why?"), ws)) as page, page() as it:
        frames = await it.frames()

    assert kinds(frames) == [
        "start",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "text-start",
        "text-delta",
        "text-end",
        "finish",
    ]
    assert said(frames, "reasoning") == "Think of light."
    assert said(frames, "text") == "Light scatters."
    completion = await hall.result()
    end = frames[-1]
    assert completion.finish_reason == "stop"
    assert end["finishReason"] == "stop"
    assert end["messageMetadata"]["cost"]["usd"] == completion.cost.usd == 0.004
    assert end["messageMetadata"]["usage"]["totalTokens"] == completion.usage.total_tokens
    assert end["messageMetadata"]["inferenceId"] == completion.inference_id


async def test_a_fast_page_gets_each_delta_at_once(hall, emulator, session):
    emulator.reply(chunks=["One ", "two ", "three"], pace=0.02)

    async with hall.open(lambda ws: relay(session.stream("Go"), ws)) as page, page() as it:
        deltas = [frame["delta"] for frame in await it.frames() if frame["type"] == "text-delta"]

    assert deltas == ["One ", "two ", "three"]


async def test_a_page_that_says_stop_keeps_what_had_come(hall, thoughtful, soon):
    session, upstream = thoughtful

    async with hall.open(lambda ws: relay(session.stream("Go"), ws)) as page, page() as it:
        await it.until("text-delta")
        async with soon():
            await it.say(type="stop")
            await upstream.gone.wait()
        rest = await it.frames()

    assert [frame["type"] for frame in rest] == ["text-end", "abort"]
    completion = await hall.result()
    assert isinstance(completion, Completion)
    assert (completion.text, completion.finish_reason) == ("One", None)


async def test_a_page_can_stop_before_the_first_token(hall, quiet, soon):
    session, upstream = quiet

    async with hall.open(lambda ws: relay(session.stream("Go"), ws)) as page, page() as it:
        await upstream.asked.wait()
        async with soon():
            await it.say(type="stop")
            await upstream.gone.wait()
        assert (await it.frames())[-1] == {"type": "abort", "reason": "stopped"}

    assert (await hall.result()).finish_reason is None


@pytest.mark.parametrize("how", ["politely", "rudely"])
async def test_a_page_that_goes_closes_the_upstream_at_once(hall, quiet, soon, how):
    session, upstream = quiet

    async with hall.open(lambda ws: relay(session.stream("Go"), ws)) as page, page() as it:
        await upstream.asked.wait()
        async with soon():
            if how == "rudely":
                it.connection.transport.abort()
            else:
                closing = asyncio.create_task(it.connection.close())
            await upstream.gone.wait()
        if how == "politely":
            await closing
        completion = await hall.result()

    assert isinstance(completion, Completion)
    assert completion.finish_reason is None


async def test_a_page_that_has_gone_already_is_no_error(hall, thoughtful):
    session, _ = thoughtful

    async def talk(websocket):
        await relay(session.stream("Go"), websocket)
        return await relay(session.stream("Go on"), websocket)

    async with hall.open(talk) as page, page() as it:
        await it.until("text-delta")
        it.connection.transport.abort()
        completion = await hall.result()

    assert completion.finish_reason is None


@pytest.mark.parametrize("hall", ["aiohttp", "websockets"], indirect=True)
async def test_who_listens_beside_the_relay_is_a_mistake(hall, thoughtful):
    session, _ = thoughtful

    async def talk(websocket):
        listening = asyncio.create_task(
            (websocket.recv if hasattr(websocket, "recv") else websocket.receive)()
        )
        await asyncio.sleep(0)
        try:
            return await relay(session.stream("Go"), websocket)
        finally:
            listening.cancel()

    async with hall.open(talk) as page, page() as it:
        error = await hall.result()
        await it.frames()

    assert "oncurren" in f"{type(error)} {error}"


async def test_other_messages_go_to_on_message_and_none_is_lost(hall, emulator, session):
    emulator.reply(chunks=["One", "Two"], pace=0.05)
    heard = []

    async def talk(websocket):
        await relay(session.stream("Go"), websocket, on_message=heard.append)
        receive = getattr(websocket, "receive_text", None) or getattr(websocket, "recv", None)
        return await (receive or websocket.receive_str)()

    async with hall.open(talk) as page, page() as it:
        await it.say(type="rate", stars=5)
        await it.connection.send(b"\x00bytes")
        await it.connection.send('["stop"]')
        await it.connection.send("[" * 10_000)
        await it.until("finish")
        await it.say(type="next")

        assert json.loads(await hall.result()) == {"type": "next"}
    assert heard == ['{"type": "rate", "stars": 5}', b"\x00bytes", '["stop"]', "[" * 10_000]


async def test_a_hook_that_fails_is_logged_and_breaks_nothing(hall, emulator, session, caplog):
    emulator.reply(chunks=["One", "Two"], pace=0.05)
    hook = {}.__getitem__

    async with (
        hall.open(lambda ws: relay(session.stream("Go"), ws, on_message=hook)) as page,
        page() as it,
    ):
        await it.connection.send("hello")
        frames = await it.frames()

    assert frames[-1]["type"] == "finish"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_a_silent_model_is_bridged_by_heartbeats(hall, thoughtful):
    session, _ = thoughtful

    async with (
        hall.open(lambda ws: relay(session.stream("Go"), ws, heartbeat=0.02)) as page,
        page() as it,
    ):
        beats = [await it.until("data-heartbeat") for _ in range(2)]
        await it.say(type="stop")
        await it.until("abort")

    assert beats == [{"type": "data-heartbeat", "data": None, "transient": True}] * 2


async def test_an_error_is_a_sentence_and_a_code_and_is_raised_behind_them(hall, emulator, session):
    emulator.fail(status=429, message="test-key: your prompt was 'secret'", retry_after=7)

    async with hall.open(lambda ws: relay(session.stream("Go"), ws)) as page, page() as it:
        frames = await it.frames()

    assert frames == [
        {"type": "start"},
        {
            "type": "data-error",
            "data": {"code": "rate_limit", "retryAfter": 7.0},
            "transient": True,
        },
        {
            "type": "error",
            "errorText": "There are too many requests right now. Try again in a while.",
        },
    ]
    assert isinstance(await hall.result(), RateLimitError)


async def test_a_cut_answer_keeps_its_text_and_raises(hall, emulator, session):
    emulator.reply(events=[{"choices": [{"index": 0, "delta": {"content": "Half"}}]}], done=False)

    async with hall.open(lambda ws: relay(session.stream("Go"), ws)) as page, page() as it:
        frames = await it.frames()

    assert said(frames, "text") == "Half"
    assert [frame["type"] for frame in frames[-3:]] == ["text-end", "data-error", "error"]
    error = await hall.result()
    assert isinstance(error, StreamInterruptedError)
    assert error.partial.text == "Half"


async def test_relaying_a_stream_that_another_task_uses_fails_and_closes_it(one_hall, quiet, soon):
    session, upstream = quiet
    stream = session.stream("Go")
    other_task = asyncio.create_task(stream.collect())
    await upstream.said.wait()
    if upstream.speaks:  # else the other task waits for the response headers for ever
        while not stream.partial.text:  # noqa: ASYNC110 - a stream has no event for it
            await asyncio.sleep(0)

    async with one_hall.open(lambda ws: relay(stream, ws)) as page, page() as it:
        frames = await it.frames()
        error = await one_hall.result()
        async with soon():
            await upstream.gone.wait()

    assert isinstance(error, RuntimeError)
    assert "another task reads this stream" in str(error)
    assert frames[1]["data"] == {"code": "internal"}
    assert "task" not in json.dumps(frames)
    with pytest.raises(StreamInterruptedError):
        await other_task


async def test_cancelling_closes_the_upstream(hall, quiet, soon):
    session, upstream = quiet
    running = asyncio.Queue()

    async def talk(websocket):
        task = asyncio.ensure_future(relay(session.stream("Go"), websocket))
        running.put_nowait(task)
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return task.cancelled()

    async with hall.open(talk) as page, page():
        task = await running.get()
        await upstream.asked.wait()
        async with soon():
            task.cancel()
            await upstream.gone.wait()

        assert await hall.result() is True


async def test_cancelling_is_safe_at_every_step(emulator, session):
    async def send(_):
        await asyncio.sleep(0)

    for steps in range(60):
        emulator.reply(chunks=["One", "Two"], pace=0.001)
        task = asyncio.create_task(relay(session.stream("Go"), send))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for request in emulator.requests:
        await request.finished()


async def test_nothing_waits_for_the_cycle_collector(one_hall, thoughtful, soon):
    session, upstream = thoughtful
    gc.disable()
    try:
        async with (
            one_hall.open(lambda ws: relay(session.stream("Go"), ws)) as page,
            page() as it,
        ):
            await it.until("text-delta")
            async with soon():
                it.connection.transport.abort()
                await upstream.gone.wait()
            await one_hall.result()
    finally:
        gc.enable()


async def test_any_async_callable_that_sends_a_string_will_do(emulator, session):
    emulator.reply("Hello")
    sent = []

    async def send(text):
        sent.append(json.loads(text))

    completion = await relay(session.stream("Go"), send)

    assert said(sent, "text") == completion.text == "Hello"


async def test_a_callable_has_gone_when_it_raises_a_connection_error(thoughtful, soon):
    session, upstream = thoughtful

    async def send(text):
        if "delta" in text:
            raise BrokenPipeError

    completion = await relay(session.stream("Go"), send)
    async with soon():
        await upstream.gone.wait()

    assert (completion.text, completion.finish_reason) == ("One", None)


async def test_another_error_of_a_callable_comes_through(thoughtful, soon):
    session, upstream = thoughtful

    async def send(text):
        if "delta" in text:
            raise LookupError

    with pytest.raises(LookupError):
        await relay(session.stream("Go"), send)
    async with soon():
        await upstream.gone.wait()


async def test_what_is_no_web_socket_is_refused_before_anything_is_sent(emulator, session):
    with pytest.raises(TypeError, match="this is a dict"):
        await relay(session.stream("Go"), {})

    assert emulator.requests == []


def test_the_relay_imports_no_web_framework_and_no_client():
    code = (
        "import sys, aimlchat.relay; "
        "print(*{'aiohttp', 'starlette', 'fastapi', 'websockets'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
