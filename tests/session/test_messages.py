"""Turns that go back on ``/v1/messages``, against the emulator, which checks their signatures."""

import asyncio
import copy
import json
import pickle

import pytest
from message_events import message_events
from raw_server import CHUNKED, http_chunk, serving

from aimlchat import (
    BadRequestError,
    ChatRequest,
    ChatSession,
    RateLimitError,
    RetryPolicy,
    ServerError,
    StreamInterruptedError,
    Tool,
)

CLAUDE = "anthropic/claude-sonnet-4.5"
NEWEST = "anthropic/claude-opus-4-8"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = Tool("get_weather", description="The weather of a city", parameters=CITY)
ASK = ChatRequest(CLAUDE, tools=[WEATHER], thinking=2048).user("Do I need an umbrella in Ulm?")
CALL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Ulm"}}
TURN = [
    {"type": "thinking", "thinking": "Hm, Münster?"},
    {"type": "redacted_thinking", "data": "cmVk"},
    {"type": "text", "text": "Let me look."},
    {"type": "thinking", "thinking": ""},
    CALL,
]


async def get_turn(session, request, *, is_stream):
    if is_stream:
        return await session.stream(request).collect()
    return await session.complete(request)


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("model", [CLAUDE, NEWEST, "anthropic/claude-3.7-sonnet"])
async def test_a_round_of_tools_with_thinking_goes_on(session, emulator, model, is_stream):
    emulator.reply(blocks=TURN)
    request = ASK.options(model=model)

    first = await get_turn(session, request, is_stream=is_stream)
    (call,) = first.tool_calls
    request = request.assistant(first).tool_result(call.id, "It rains.")
    second = await get_turn(session, request, is_stream=is_stream)

    assert call.arguments == {"city": "Ulm"}
    assert "It rains." in second.text
    assert [record.path for record in emulator.requests] == ["/v1/messages"] * 2


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_conversation_goes_on_from_json_and_from_a_pickle(session, emulator, is_stream):
    emulator.reply(blocks=TURN)
    first = await get_turn(session, ASK, is_stream=is_stream)
    stored = json.dumps([{"role": "user", "content": "Hi"}, first.as_message()])

    messages = json.loads(stored)
    messages.append({"role": "tool", "tool_call_id": "toolu_1", "content": "It rains."})
    request = pickle.loads(pickle.dumps(ASK.assistant(first).tool_result("toolu_1", "It rains.")))

    for again in (messages, request):
        completion = await session.complete(again, model=CLAUDE, tools=[WEATHER], thinking=2048)
        assert "It rains." in completion.text


def drop(blocks, index):
    del blocks[index]


def change(blocks, index, key):
    blocks[index][key] = "x" + blocks[index][key]


@pytest.mark.parametrize(
    "alter",
    [
        lambda blocks: change(blocks, 0, "signature"),
        lambda blocks: change(blocks, 0, "thinking"),
        lambda blocks: change(blocks, 1, "data"),
        lambda blocks: change(blocks, 3, "signature"),
        lambda blocks: change(blocks, 3, "thinking"),
        lambda blocks: drop(blocks, 0),
        lambda blocks: drop(blocks, 1),
        lambda blocks: drop(blocks, 3),
        lambda blocks: blocks.insert(1, blocks.pop(0)),
        lambda blocks: blocks.append(blocks.pop(3)),
    ],
)
async def test_each_alteration_of_a_turn_is_refused(session, emulator, alter):
    emulator.reply(blocks=TURN)
    message = (await session.stream(ASK).collect()).as_message()
    altered = copy.deepcopy(message)
    alter(altered["content_blocks"])

    with pytest.raises(BadRequestError):
        await session.complete(ASK.assistant(altered).tool_result("toolu_1", "It rains."))
    await session.complete(ASK.assistant(message).tool_result("toolu_1", "It rains."))


async def test_the_conversation_goes_on_with_another_model(session, emulator):
    emulator.reply(blocks=TURN)
    first = await session.complete(ASK)
    request = ASK.assistant(first).tool_result("toolu_1", "It rains.").options(thinking=None)

    completion = await session.complete(request, model="openai/gpt-4o")

    assert "It rains." in completion.text
    assert emulator.requests[-1].path == "/v1/chat/completions"


async def test_a_blank_text_in_a_turn_does_not_stop_the_conversation(session, emulator):
    emulator.reply(blocks=[TURN[0], {"type": "text", "text": "\n\n"}, CALL])
    first = await session.complete(ASK)
    completion = await session.complete(ASK.assistant(first).tool_result("toolu_1", "It rains."))
    assert "It rains." in completion.text


@pytest.mark.parametrize("options", [{"dialect": "messages"}, {}])
async def test_the_second_request_reads_the_prompt_cache(session, options):
    base = ChatRequest(CLAUDE, **options).system("Be brief.").user("word " * 2000).cache()

    first, second = [(await session.complete(base.user(text))).usage for text in ("a", "b")]

    assert first.cache_write_tokens == second.cached_tokens > 2000
    assert first.cached_tokens == second.cache_write_tokens == 0
    assert first.prompt_tokens == second.prompt_tokens > first.cache_write_tokens


async def test_a_status_of_the_endpoint_is_retried_by_the_same_rules(session, emulator):
    emulator.fail(status=529, times=1)
    completion = await session.complete(ASK, retry=RetryPolicy(attempts=2, base_delay=0))
    assert len(completion.attempts) == 2

    emulator.fail(status=429, message="Slow down.", times=1)
    with pytest.raises(RateLimitError, match=r"Slow down\."):
        await session.complete(ASK, retry=RetryPolicy(attempts=1))


def serve(*parts, stays_open=False):
    async def handler(_, writer):
        writer.write(CHUNKED)
        for part in parts:
            writer.write(http_chunk(part))
        if stays_open:
            await asyncio.sleep(60)
        writer.write(b"0\r\n\r\n")

    return serving(handler)


async def test_a_stream_ends_at_message_stop_though_the_socket_stays_open():
    data = message_events([{"type": "text", "text": "Hi"}])
    async with (
        serve(data, stays_open=True) as server,
        ChatSession("k", base_url=server.base_url) as session,
    ):
        completion = await asyncio.wait_for(session.stream(ASK).collect(), 2)
    assert completion.text == "Hi"
    assert completion.is_complete


async def test_a_stop_reason_alone_is_a_cut_stream():
    data = message_events([{"type": "text", "text": "Hi"}]).split(b"event: message_stop")[0]
    async with serve(data) as server, ChatSession("k", base_url=server.base_url) as session:
        with pytest.raises(StreamInterruptedError, match="message_stop") as caught:
            await session.stream(ASK).collect()
    assert caught.value.partial.text == "Hi"


async def test_an_error_event_is_raised_as_what_it_is():
    data = message_events([{"type": "text", "text": "Hi"}]).split(b"event: message_delta")[0]
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}
    data += b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n"
    async with serve(data) as server, ChatSession("k", base_url=server.base_url) as session:
        with pytest.raises(ServerError, match=r"Busy\.") as caught:
            await session.stream(ASK).collect()
    assert caught.value.status == 529
    assert caught.value.partial.text == "Hi"
