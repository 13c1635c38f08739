"""The npm package ``ai`` reads what the relay writes, and ends with the same message."""

import asyncio
import json

import pytest
from starlette.responses import StreamingResponse

from aimlchat.relay import SSE_HEADERS, Broadcast, relay, sse_events, sse_response


@pytest.fixture
def ai_sdk(node):
    """Run read.mjs on an endpoint or on frames, and return what it says."""

    async def read(*arguments, frames=()):
        return await node("read.mjs", *arguments, said="\n".join(map(json.dumps, frames)))

    return read


def parts_of(read):
    return [(part["type"], part.get("text")) for part in read["message"]["parts"]]


@pytest.fixture(params=["aiohttp", "starlette"])
def serve(request, aiohttp_server, starlette_server):
    def on_aiohttp(make_stream):
        async def answer(request):
            return await sse_response(request, make_stream())

        return aiohttp_server({"/": answer})

    def on_starlette(make_stream):
        async def answer(_):
            return StreamingResponse(sse_events(make_stream()), headers=SSE_HEADERS)

        return starlette_server(answer)

    return {"aiohttp": on_aiohttp, "starlette": on_starlette}[request.param]


async def test_its_transport_reads_the_events(serve, ai_sdk, emulator, session):
    emulator.reply("Light\nscatters. \N{SUNRISE}", reasoning="Think of light.", cost=0.004)
    stream = session.stream("Why?")

    async with serve(lambda: stream) as host:
        read = await ai_sdk(f"http://{host}/")

    whole = stream.completion
    assert parts_of(read) == [("reasoning", whole.reasoning), ("text", whole.text)]
    assert read["message"]["metadata"]["finishReason"] == "stop"
    assert read["message"]["metadata"]["cost"]["usd"] == 0.004
    assert read["errors"] == []


async def test_its_transport_reads_an_error(serve, ai_sdk, emulator, session):
    emulator.fail(status=401)

    async with serve(lambda: session.stream("Go")) as host:
        read = await ai_sdk(f"http://{host}/")

    assert read["errors"] == ["This service cannot sign in to the model's provider."]


async def frames_of(follow):
    sent = []

    async def send(text):
        sent.append(json.loads(text))

    await asyncio.gather(follow(send), return_exceptions=True)
    return sent


async def test_its_schema_accepts_every_frame_of_a_web_socket(ai_sdk, emulator, session):
    emulator.reply(
        "Look.", reasoning="Hm.", tool_calls=[("find", {"q": 1}), ("look", "[broken")], pace=0.02
    )
    beating = await frames_of(lambda send: relay(session.stream("Go"), send, heartbeat=0.005))
    emulator.reply(refusal="No.")
    refused = await frames_of(lambda send: relay(session.stream("Go"), send))
    emulator.reply("Hello", reasoning="Hm.")
    broadcast = Broadcast(session.stream("Go"))
    numbered = await frames_of(broadcast.relay)
    await broadcast.aclose()
    emulator.fail(status=429, retry_after=3)
    failed = await frames_of(lambda send: relay(session.stream("Go"), send))
    rows = (beating, refused, numbered, failed)

    reads = await asyncio.gather(*(ai_sdk(frames=row) for row in rows))

    assert {frame["type"] for row in rows for frame in row} == {
        *"start reasoning-start reasoning-delta reasoning-end".split(),
        *"text-start text-delta text-end data-heartbeat data-error error finish".split(),
        *"tool-input-start tool-input-delta tool-input-available tool-input-error".split(),
    }
    assert [read["refused"] for read in reads] == [[]] * 4
    parts = reads[0]["message"]["parts"]
    assert [(part["type"], part.get("input")) for part in parts[2:]] == [
        ("tool-find", {"q": 1}),
        ("tool-look", None),
    ]
    assert parts_of(reads[0])[:2] == [("reasoning", "Hm."), ("text", "Look.")]
    assert parts_of(reads[1]) == [("text", "No.")]
    assert parts_of(reads[2]) == [("reasoning", "Hm."), ("text", "Hello")]


async def test_it_keeps_what_came_before_a_stop(ai_sdk, one_hall, thoughtful):
    session, _ = thoughtful

    async with one_hall.open(lambda ws: relay(session.stream("Go"), ws)) as page, page() as it:
        frames = [await it.frame() for _ in range(3)]
        await it.say(type="stop")
        frames += await it.frames()
    read = await ai_sdk(frames=frames)

    assert frames[-1]["type"] == "abort"
    assert parts_of(read) == [("text", "One")]
    assert (read["refused"], read["errors"]) == ([], [])
