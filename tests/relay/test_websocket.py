"""`relay`: one stream into one web socket, with every library."""

import asyncio
import json
import logging

import pytest

from aimlchat import Completion, RateLimitError, StreamInterruptedError
from aimlchat.relay import relay


def joined_text(frames, kind="text"):
    return "".join(frame["delta"] for frame in frames if frame["type"] == f"{kind}-delta")


def types_without_repeats(frames):
    """The types of frames in their order, each run of equal types as one."""
    types = [frame["type"] for frame in frames]
    return [kind for index, kind in enumerate(types) if index == 0 or kind != types[index - 1]]


async def test_a_page_gets_reasoning_then_the_answer_then_the_end(server, emulator, session):
    emulator.reply("Light scatters.", reasoning="Think of light.", cost=0.004)

    async with server.page(lambda ws: relay(session.stream("Why?"), ws)) as page:
        frames = await page.frames()

    assert types_without_repeats(frames) == [
        "start",
        "start-step",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "text-start",
        "text-delta",
        "text-end",
        "finish-step",
        "finish",
    ]
    assert joined_text(frames, "reasoning") == "Think of light."
    assert joined_text(frames) == "Light scatters."
    completion = await server.result()
    end = frames[-1]
    assert completion.finish_reason == "stop"
    assert completion.is_complete
    assert end["finishReason"] == "stop"
    assert end["messageMetadata"]["cost"]["usd"] == completion.cost.usd == 0.004
    assert end["messageMetadata"]["usage"]["totalTokens"] == completion.usage.total_tokens
    assert end["messageMetadata"]["inferenceId"] == completion.inference_id


async def test_each_delta_is_sent_before_the_next_one_arrives(server, upstream, upstream_session):
    async with server.page(lambda ws: relay(upstream_session.stream("Go"), ws)) as page:
        for text in ("One ", "two ", "three"):
            await upstream.send(text)
            assert (await page.until("text-delta"))["delta"] == text
        await page.send(type="stop")
        await page.frames()


async def test_other_messages_of_the_page_go_to_on_message_and_later_ones_are_kept(
    server, upstream, upstream_session
):
    messages = asyncio.Queue()
    sent = ['{"type": "rate", "stars": 5}', b"\x00bytes", '["stop"]', "[" * 10_000]

    async def handle(websocket):
        await relay(upstream_session.stream("Go"), websocket, on_message=messages.put_nowait)
        receive = getattr(websocket, "receive_text", None) or getattr(websocket, "recv", None)
        return await (receive or websocket.receive_str)()

    async with server.page(handle) as page:
        for message in sent:
            await page.connection.send(message)
        assert [await messages.get() for _ in sent] == sent
        await upstream.finish("One")
        await page.until("finish")
        await page.send(type="next")

        assert json.loads(await server.result()) == {"type": "next"}


async def test_an_error_in_on_message_is_logged_and_does_not_end_the_relay(
    server, upstream, upstream_session, caplog
):
    was_called = asyncio.Event()

    def hook(_):
        was_called.set()
        raise LookupError

    async with server.page(
        lambda ws: relay(upstream_session.stream("Go"), ws, on_message=hook)
    ) as page:
        await page.connection.send("hello")
        await was_called.wait()
        await upstream.finish("One")
        frames = await page.frames()

    assert frames[-1]["type"] == "finish"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_heartbeats_are_sent_while_the_model_is_silent(server, upstream, upstream_session):
    async with server.page(
        lambda ws: relay(upstream_session.stream("Go"), ws, heartbeat=0.02)
    ) as page:
        heartbeats = [await page.until("data-heartbeat") for _ in range(2)]
        await page.send(type="stop")
        await page.until("abort")

    assert heartbeats == [{"type": "data-heartbeat", "data": None, "transient": True}] * 2


async def test_the_error_of_a_stream_is_sent_as_code_and_sentence_and_then_raised(
    server, emulator, session
):
    emulator.fail(status=429, message="test-key: your prompt was 'secret'", retry_after=7)

    async with server.page(lambda ws: relay(session.stream("Go"), ws)) as page:
        frames = await page.frames()

    assert frames == [
        {"type": "start"},
        {"type": "start-step"},
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
    assert isinstance(await server.result(), RateLimitError)


async def test_the_text_of_an_interrupted_stream_is_kept(server, emulator, session):
    emulator.reply(events=[{"choices": [{"index": 0, "delta": {"content": "Half"}}]}], done=False)

    async with server.page(lambda ws: relay(session.stream("Go"), ws)) as page:
        frames = await page.frames()

    assert joined_text(frames) == "Half"
    assert [frame["type"] for frame in frames[-3:]] == ["text-end", "data-error", "error"]
    error = await server.result()
    assert isinstance(error, StreamInterruptedError)
    assert error.partial.text == "Half"


async def test_a_page_that_has_already_disconnected_is_not_an_error(
    server, upstream, upstream_session
):
    upstream.opening = ("One",)

    async def handle(websocket):
        await relay(upstream_session.stream("Go"), websocket)
        return await relay(upstream_session.stream("Go on"), websocket)

    async with server.page(handle) as page:
        await page.until("text-delta")
        page.abort()
        completion = await server.result()

    assert isinstance(completion, Completion)
    assert completion.finish_reason is None


@pytest.mark.parametrize("server", ["aiohttp", "websockets"], indirect=True)
async def test_receiving_from_the_web_socket_during_the_relay_raises(server, upstream_session):
    async def handle(websocket):
        receive = websocket.recv if hasattr(websocket, "recv") else websocket.receive
        receiving = asyncio.create_task(receive())
        await asyncio.sleep(0)
        try:
            return await relay(upstream_session.stream("Go"), websocket)
        finally:
            receiving.cancel()

    async with server.page(handle) as page:
        error = await server.result()
        await page.frames()

    assert "oncurren" in f"{type(error)} {error}"
