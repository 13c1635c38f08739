"""One stream as server-sent events, on aiohttp.web and on Starlette."""

import asyncio
import gc
import json

import aiohttp
import pytest
from starlette.responses import StreamingResponse

from aimlchat import RateLimitError
from aimlchat.relay import SSE_HEADERS, Broadcast, sse_events, sse_response


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture(params=["aiohttp", "starlette"])
def serve(request, aiohttp_server, starlette_server):
    """Serve one stream as server-sent events, and yield the host."""

    def on_aiohttp(make_stream, **settings):
        async def handle(request):
            return await sse_response(request, make_stream(), **settings)

        return aiohttp_server({"/": handle})

    def on_starlette(make_stream, **settings):
        async def handle(_):
            return StreamingResponse(sse_events(make_stream(), **settings), headers=SSE_HEADERS)

        return starlette_server(handle)

    return {"aiohttp": on_aiohttp, "starlette": on_starlette}[request.param]


def parse_events(body):
    """Return the frames; check that each event is one ``data:`` line, and the last one [DONE]."""
    events = body.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


async def test_a_page_reads_the_frames_and_then_done(serve, client, emulator, session):
    emulator.reply("Light\nscatters.", reasoning="Hm.")
    stream = session.stream("Why?")

    async with serve(lambda: stream) as host, client.get(f"http://{host}/") as response:
        frames = parse_events(await response.text())

    assert response.headers["X-Vercel-AI-UI-Message-Stream"] == "v1"
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["Cache-Control"] == "no-cache, no-transform"
    assert response.headers["X-Accel-Buffering"] == "no"
    text = "".join(frame["delta"] for frame in frames if frame["type"] == "text-delta")
    assert text == "Light\nscatters."
    assert frames[-1]["type"] == "finish"
    assert stream.completion.text == "Light\nscatters."


async def test_a_page_that_disconnects_closes_the_upstream(
    serve, client, silent_upstream, upstream_session, event_timeout
):
    async with serve(lambda: upstream_session.stream("Go")) as host:
        response = await client.get(f"http://{host}/")
        await silent_upstream.requested.wait()
        response.close()
        async with event_timeout():
            await silent_upstream.closed.wait()


async def test_a_page_that_reads_nothing_and_disconnects_closes_the_upstream(
    serve, client, upstream, upstream_session, event_timeout
):
    async with serve(lambda: upstream_session.stream("Go"), max_buffer=10**8) as host:
        response = await client.get(f"http://{host}/")
        await upstream.send(*["x" * 50_000] * 200)
        gc.disable()
        try:
            response.close()
            async with event_timeout():
                await upstream.closed.wait()
        finally:
            gc.enable()


async def test_comments_are_sent_while_the_model_is_silent(
    serve, client, upstream, upstream_session
):
    async with (
        serve(lambda: upstream_session.stream("Go"), heartbeat=0.02) as host,
        client.get(f"http://{host}/") as response,
    ):
        for _ in range(2):
            await response.content.readuntil(b": heartbeat\n\n")


async def test_a_failed_stream_is_sent_as_an_error_and_not_raised(serve, client, emulator, session):
    emulator.fail(status=429)
    stream = session.stream("Go")

    async with serve(lambda: stream) as host, client.get(f"http://{host}/") as response:
        frames = parse_events(await response.text())

    assert [frame["type"] for frame in frames] == ["start", "start-step", "data-error", "error"]
    with pytest.raises(RateLimitError):
        _ = stream.completion


async def test_the_callers_headers_are_sent_too(aiohttp_server, client, session):
    async def handle(request):
        stream = session.stream("Go")
        return await sse_response(request, stream, headers={"Access-Control-Allow-Origin": "*"})

    async with (
        aiohttp_server({"/": handle}) as host,
        client.get(f"http://{host}/") as response,
    ):
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Cache-Control"] == "no-cache, no-transform"


async def test_a_page_that_reads_nothing_is_cut_off(
    aiohttp_server, client, emulator, session, event_timeout
):
    emulator.reply(chunks=["0123456789" * 400] * 4000)
    stream, has_returned = session.stream("Go"), asyncio.Event()

    async def handle(request):
        response = await sse_response(request, stream, max_buffer=100_000)
        has_returned.set()
        return response

    async with aiohttp_server({"/": handle}) as host:
        response = await client.get(f"http://{host}/")
        async with event_timeout():
            await has_returned.wait()
        await emulator.requests[0].finished()
        response.close()

    assert emulator.requests[0].outcome == "left"
    assert stream.partial.finish_reason is None


async def test_events_that_are_not_read_are_bounded_and_end_with_the_error(
    upstream, upstream_session, call_records
):
    events = sse_events(upstream_session.stream("Go"), max_buffer=500)

    first = await anext(events)
    await upstream.send(*["0123456789"] * 100)
    record = await call_records.get()
    rest = [event async for event in events]

    assert record.outcome == "abandoned"
    assert first == b'data: {"type":"start"}\n\n'
    assert b'"too_slow"' in b"".join(rest)
    assert rest[-1] == b"data: [DONE]\n\n"
    assert [event async for event in events] == []


@pytest.mark.parametrize("way", ["aclose", "drop", "cancel"])
async def test_leaving_the_events_closes_the_upstream(
    upstream, upstream_session, event_timeout, way
):
    upstream.opening = ("One",)
    events = sse_events(upstream_session.stream("Go"))
    while b"One" not in await anext(events):
        pass

    gc.disable()
    try:
        if way == "aclose":
            await events.aclose()
        elif way == "cancel":
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            waiting.cancel()
        else:
            del events
        async with event_timeout():
            await upstream.closed.wait()
    finally:
        gc.enable()


async def test_events_without_a_first_step_send_no_request(emulator, session):
    sse_events(session.stream("Go"))

    assert emulator.requests == []


@pytest.mark.parametrize("as_broadcast", [False, True])
async def test_the_response_to_head_has_no_body_and_sends_nothing_upstream(
    aiohttp_server, client, emulator, session, as_broadcast
):
    broadcast = Broadcast(session.stream("Go"))

    async def handle(request):
        if as_broadcast:
            return await broadcast.sse_response(request)
        return await sse_response(request, session.stream("Go"))

    async with aiohttp_server({"/": handle}) as host:
        for _ in range(2):  # on one connection, which a body would break
            async with client.head(f"http://{host}/") as response:
                assert response.headers["Content-Type"].startswith("text/event-stream")
                assert await response.read() == b""
    await broadcast.aclose()
    assert emulator.requests == []
