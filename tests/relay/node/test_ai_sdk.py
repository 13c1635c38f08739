"""The npm package ``ai`` reads the frames of the relay and builds the same message."""

import asyncio
import json

import pytest
from starlette.responses import StreamingResponse

from aimlchat.relay import SSE_HEADERS, Broadcast, relay, sse_events, sse_response


@pytest.fixture
def ai_sdk(node):
    """Run read.mjs on an endpoint or on frames, and return what it prints."""

    async def read(*arguments, frames=()):
        return await node("read.mjs", *arguments, stdin="\n".join(map(json.dumps, frames)))

    return read


def get_parts(result):
    start, *parts = result["message"]["parts"]
    assert start == {"type": "step-start"}
    return [(part["type"], part.get("text")) for part in parts]


@pytest.fixture(params=["aiohttp", "starlette"])
def serve(request, aiohttp_server, starlette_server):
    def on_aiohttp(make_stream):
        async def handle(request):
            return await sse_response(request, make_stream())

        return aiohttp_server({"/": handle})

    def on_starlette(make_stream):
        async def handle(_):
            return StreamingResponse(sse_events(make_stream()), headers=SSE_HEADERS)

        return starlette_server(handle)

    return {"aiohttp": on_aiohttp, "starlette": on_starlette}[request.param]


async def test_the_transport_of_the_ai_sdk_reads_the_events(serve, ai_sdk, emulator, session):
    emulator.reply("Light\nscatters. \N{SUNRISE}", reasoning="Think of light.", cost=0.004)
    stream = session.stream("Why?")

    async with serve(lambda: stream) as host:
        result = await ai_sdk(f"http://{host}/")

    completion = stream.completion
    assert get_parts(result) == [("reasoning", completion.reasoning), ("text", completion.text)]
    assert result["message"]["metadata"]["finishReason"] == "stop"
    assert result["message"]["metadata"]["cost"]["usd"] == 0.004
    assert result["errors"] == []


async def test_the_transport_of_the_ai_sdk_reads_an_error(serve, ai_sdk, emulator, session):
    emulator.fail(status=401)

    async with serve(lambda: session.stream("Go")) as host:
        result = await ai_sdk(f"http://{host}/")

    assert result["errors"] == ["This service cannot sign in to the model's provider."]


async def collect_frames(start_relay):
    """Return all frames of a relay to a callable; what the relay raises is ignored."""
    frames = []

    async def send(text):
        frames.append(json.loads(text))

    await asyncio.gather(start_relay(send), return_exceptions=True)
    return frames


async def test_the_schema_of_the_ai_sdk_accepts_every_frame(ai_sdk, emulator, session):
    emulator.reply(
        "Look.", reasoning="Hm.", tool_calls=[("find", {"q": 1}), ("look", "[broken")], pace=0.02
    )
    with_heartbeats = await collect_frames(
        lambda send: relay(session.stream("Go"), send, heartbeat=0.005)
    )
    emulator.reply(refusal="No.")
    refused = await collect_frames(lambda send: relay(session.stream("Go"), send))
    emulator.reply("Hello", reasoning="Hm.")
    broadcast = Broadcast(session.stream("Go"))
    numbered = await collect_frames(broadcast.relay)
    await broadcast.aclose()
    emulator.fail(status=429, retry_after=3)
    failed = await collect_frames(lambda send: relay(session.stream("Go"), send))
    rows = (with_heartbeats, refused, numbered, failed)

    results = await asyncio.gather(*(ai_sdk(frames=row) for row in rows))

    assert {frame["type"] for row in rows for frame in row} == {
        *"start start-step finish-step reasoning-start reasoning-delta reasoning-end".split(),
        *"text-start text-delta text-end data-heartbeat data-error error finish".split(),
        *"tool-input-start tool-input-delta tool-input-available tool-input-error".split(),
    }
    assert [result["refused"] for result in results] == [[]] * 4
    parts = results[0]["message"]["parts"]
    assert [(part["type"], part["state"]) for part in parts[3:]] == [
        ("tool-find", "input-available"),
        ("tool-look", "output-error"),
    ]
    assert parts[3]["input"] == {"q": 1}
    assert "[broken" in (parts[4].get("rawInput"), parts[4].get("input"))  # ai 6, ai 7
    assert get_parts(results[0])[:2] == [("reasoning", "Hm."), ("text", "Look.")]
    assert get_parts(results[1]) == [("text", "No.")]
    assert get_parts(results[2]) == [("reasoning", "Hm."), ("text", "Hello")]


async def test_the_ai_sdk_keeps_the_text_before_a_stop(
    ai_sdk, aiohttp_websockets, upstream, upstream_session
):
    upstream.opening = ("One",)

    async with aiohttp_websockets.page(lambda ws: relay(upstream_session.stream("Go"), ws)) as page:
        frames = [await page.frame() for _ in range(4)]
        await page.send(type="stop")
        frames += await page.frames()
    result = await ai_sdk(frames=frames)

    assert frames[-1]["type"] == "abort"
    assert get_parts(result) == [("text", "One")]
    assert (result["refused"], result["errors"]) == ([], [])


def get_weather(city: str) -> dict:
    """Return the weather of a city."""
    return {"city": city, "celsius": 21}


def find_map(city: str) -> dict:
    """Find the map of a city."""
    msg = f"no map of {city}"
    raise LookupError(msg)


@pytest.mark.parametrize("as_broadcast", [False, True])
async def test_the_ai_sdk_reads_a_run_with_a_step_of_tools(ai_sdk, emulator, session, as_broadcast):
    calls = [("get_weather", {"city": "Ulm"}), ("find_map", {"city": "Ulm"})]
    emulator.reply("Let me see.", reasoning="Hm.", tool_calls=calls, cost=0.001)
    emulator.reply("It is warm.", cost=0.002)
    run = session.run("Ulm?", tools=[get_weather, find_map])
    broadcast = Broadcast(run)

    frames = await collect_frames(
        broadcast.relay if as_broadcast else lambda send: relay(run, send)
    )
    await broadcast.aclose()
    result = await ai_sdk(frames=frames)

    assert (result["refused"], result["errors"]) == ([], [])
    parts = result["message"]["parts"]
    assert [part["type"] for part in parts] == [
        *("step-start", "reasoning", "text", "tool-get_weather", "tool-find_map"),
        *("step-start", "text"),
    ]
    weather, found = parts[3:5]
    assert (weather["state"], weather["input"]) == ("output-available", {"city": "Ulm"})
    assert weather["output"] == {"city": "Ulm", "celsius": 21}
    assert (found["state"], found["errorText"]) == ("output-error", "LookupError: no map of Ulm")
    assert parts[-1]["text"] == run.completion.text == "It is warm."
    assert result["message"]["metadata"]["cost"]["usd"] == run.cost.usd == 0.003
    assert result["message"]["metadata"]["finishReason"] == "stop"
