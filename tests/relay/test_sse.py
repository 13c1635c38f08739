"""One stream as server-sent events, on aiohttp.web and on Starlette."""

import asyncio
import gc
import json

import aiohttp
import pytest
from starlette.responses import StreamingResponse

from aimlchat import RateLimitError
from aimlchat.relay import SSE_HEADERS, sse_events, sse_response


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture(params=["aiohttp", "starlette"])
def serve(request, aiohttp_server, starlette_server):
    """Serve one stream as server-sent events, and give the host."""

    def on_aiohttp(make_stream, **settings):
        async def answer(request):
            return await sse_response(request, make_stream(), **settings)

        return aiohttp_server({"/": answer})

    def on_starlette(make_stream, **settings):
        async def answer(_):
            return StreamingResponse(sse_events(make_stream(), **settings), headers=SSE_HEADERS)

        return starlette_server(answer)

    return {"aiohttp": on_aiohttp, "starlette": on_starlette}[request.param]


def frames_of(body):
    """The frames, and that each event is one ``data:`` line and the last one says so."""
    events = body.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


async def test_a_page_reads_the_frames_and_the_mark_of_the_end(serve, client, emulator, session):
    emulator.reply("Light\nscatters.", reasoning="Hm.")
    stream = session.stream("Why?")

    async with serve(lambda: stream) as host, client.get(f"http://{host}/") as response:
        frames = frames_of(await response.text())

    assert response.headers["X-Vercel-AI-UI-Message-Stream"] == "v1"
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["Cache-Control"] == "no-cache, no-transform"
    assert response.headers["X-Accel-Buffering"] == "no"
    said = "".join(frame["delta"] for frame in frames if frame["type"] == "text-delta")
    assert said == "Light\nscatters."
    assert frames[-1]["type"] == "finish"
    assert stream.completion.text == "Light\nscatters."


async def test_a_page_that_goes_closes_the_upstream_at_once(serve, client, quiet, soon):
    session, upstream = quiet

    async with serve(lambda: session.stream("Go")) as host:
        response = await client.get(f"http://{host}/")
        await upstream.asked.wait()
        async with soon():
            response.close()
            await upstream.gone.wait()


async def test_a_stuck_page_that_goes_closes_the_upstream_too(serve, client, soon, quiet_after):
    much = "x" * 50_000
    async with (
        quiet_after(*[much] * 200) as (session, upstream),
        serve(lambda: session.stream("Go"), max_buffer=10**8) as host,
    ):
        response = await client.get(f"http://{host}/")
        await upstream.said.wait()
        gc.disable()
        try:
            async with soon():
                response.close()
                await upstream.gone.wait()
        finally:
            gc.enable()


async def test_a_silent_model_is_bridged_by_comments(serve, client, thoughtful):
    session, _ = thoughtful

    async with (
        serve(lambda: session.stream("Go"), heartbeat=0.02) as host,
        client.get(f"http://{host}/") as response,
    ):
        for _ in range(2):
            await response.content.readuntil(b": heartbeat\n\n")


async def test_an_error_is_told_and_the_stream_has_it(serve, client, emulator, session):
    emulator.fail(status=429)
    stream = session.stream("Go")

    async with serve(lambda: stream) as host, client.get(f"http://{host}/") as response:
        frames = frames_of(await response.text())

    assert [frame["type"] for frame in frames] == ["start", "data-error", "error"]
    with pytest.raises(RateLimitError):
        _ = stream.completion


async def test_headers_of_ones_own_go_beside(aiohttp_server, client, emulator, session):
    async def answer(request):
        stream = session.stream("Go")
        return await sse_response(request, stream, headers={"Access-Control-Allow-Origin": "*"})

    async with (
        aiohttp_server({"/": answer}) as host,
        client.get(f"http://{host}/") as response,
    ):
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Cache-Control"] == "no-cache, no-transform"


async def test_a_stuck_page_is_cut_off(aiohttp_server, client, emulator, session):
    emulator.reply(chunks=["0123456789" * 400] * 4000)
    stream, over = session.stream("Go"), asyncio.Event()

    async def answer(request):
        response = await sse_response(request, stream, max_buffer=100_000)
        over.set()
        return response

    async with aiohttp_server({"/": answer}) as host:
        response = await client.get(f"http://{host}/")
        async with asyncio.timeout(10):
            await over.wait()
        await emulator.requests[0].finished()
        response.close()

    assert emulator.requests[0].outcome == "left"
    assert stream.partial.finish_reason is None


async def test_events_that_nobody_takes_are_bounded_and_end_with_the_error(
    emulator, session, answered
):
    emulator.reply(chunks=["0123456789"] * 100)
    events = sse_events(session.stream("Go"), max_buffer=500)

    first = await anext(events)
    await answered()
    rest = [event async for event in events]

    assert first == b'data: {"type":"start"}\n\n'
    assert b'"too_slow"' in b"".join(rest)
    assert rest[-1] == b"data: [DONE]\n\n"
    assert [event async for event in events] == []


@pytest.mark.parametrize("how", ["aclose", "drop", "cancel"])
async def test_leaving_events_closes_the_upstream_at_once(thoughtful, soon, how):
    session, upstream = thoughtful
    events = sse_events(session.stream("Go"))
    while b"One" not in await anext(events):
        pass

    gc.disable()
    try:
        async with soon():
            if how == "aclose":
                await events.aclose()
            elif how == "cancel":
                waiting = asyncio.ensure_future(anext(events))
                await asyncio.sleep(0)
                waiting.cancel()
            else:
                del events
            await upstream.gone.wait()
    finally:
        gc.enable()


async def test_events_that_were_never_begun_ask_for_nothing(emulator, session):
    sse_events(session.stream("Go"))

    assert emulator.requests == []
