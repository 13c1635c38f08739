"""``extra=``: frames of the service between the frames of an answer."""

import asyncio
import json
import logging
import math

import aiohttp
import pytest

from aimlchat import ServerError
from aimlchat.relay import Broadcast, relay, sse_events, sse_response

PROGRESS = {"type": "data-progress", "id": "p", "data": {"done": 1}}


async def give(*frames):
    for frame in frames:
        yield frame


def types_of(frames):
    return [frame["type"] for frame in frames]


async def read_events(events):
    payloads = [event.partition(b"data: ")[2] async for event in events]
    return [json.loads(payload) for payload in payloads if payload.startswith(b"{")]


async def test_a_data_part_is_sent_while_the_model_thinks(upstream, upstream_session, make_page):
    page, released = make_page(), asyncio.Event()

    async def progress():
        yield PROGRESS
        await released.wait()
        yield PROGRESS | {"data": {"done": 2}}

    relaying = asyncio.create_task(relay(upstream_session.stream("Go"), page, extra=progress()))
    await upstream.requested.wait()  # which sends no response headers yet
    await page.has_received_frame("data-progress")
    await upstream.send("One")
    await page.has_received("One")
    released.set()
    await page.has_received_frame("data-progress", count=2)
    await upstream.finish(" two")
    completion = await relaying

    assert types_of(page.frames) == [
        *"start start-step data-progress text-start text-delta data-progress text-delta".split(),
        *"text-end finish-step finish".split(),
    ]
    assert page.frames[2] == PROGRESS
    assert completion.text == "One two"


async def test_the_iterator_is_closed_before_the_last_frame(emulator, session, make_page):
    page, closed = make_page(), []

    async def forever():
        try:
            yield PROGRESS
            await asyncio.Event().wait()
        finally:
            closed.append(types_of(page.frames)[-1])

    emulator.reply("One")
    await relay(session.stream("Go"), page, extra=forever())

    assert closed == ["text-delta"]
    assert types_of(page.frames)[-1] == "finish"


async def test_frames_that_are_ready_at_the_end_of_the_answer_are_still_sent(emulator, session):
    emulator.reply("One")

    frames = await read_events(sse_events(session.stream("Go"), extra=give(*[PROGRESS] * 20)))

    assert types_of(frames).count("data-progress") == 20
    assert types_of(frames)[-1] == "finish"


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
async def test_an_exception_in_the_iterator_is_logged_and_the_answer_goes_on(
    emulator, session, caplog, error
):
    async def fail():
        yield PROGRESS
        raise error

    emulator.reply("One", pace=0.01)
    frames = await read_events(sse_events(session.stream("Go"), extra=fail()))

    assert types_of(frames)[2] == "data-progress"
    assert types_of(frames)[-1] == "finish"
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage().startswith("the iterator of extra= ")
    assert record.exc_info[0] is error


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"type": "progress", "data": 1}, "type 'progress' cannot be sent by extra=: give `data-`"),
        ({"type": "data-", "data": 1}, "type 'data-' cannot be sent"),
        ({"type": "text-delta", "id": "text-1", "delta": "x"}, "type 'text-delta' cannot be sent"),
        ({"type": "data-error", "data": {}}, "type 'data-error' cannot be sent"),
        ({"data": 1}, "type None cannot be sent"),
        ({"type": "data-x"}, "the frame of type 'data-x' lacks data"),
        ({"type": "file", "url": "/a"}, "the frame of type 'file' lacks mediaType"),
        ({"type": "data-x", "data": 1, "id": 5}, "id of the frame of type 'data-x' is of type int"),
        ({"type": "data-x", "data": 1, "id": None}, "id of the frame of type 'data-x'"),
        ({"type": "data-x", "data": 1, "transient": 1}, "is of type int, not bool"),
        ({"type": "data-x", "data": 1, "number": 1}, "has no field 'number', only type, data, id"),
        ({"type": "data-x", "data": object()}, "Encoding objects of type object is unsupported"),
        ({"type": "message-metadata", "messageMetadata": "x"}, "is of type str, not Mapping"),
        ("data-x", "a frame is a dictionary, such as a DataPart, not of type str"),
    ],
)
async def test_a_frame_that_the_ai_sdk_would_fail_on_is_refused(
    emulator, session, caplog, frame, message
):
    emulator.reply("One")
    sent = await read_events(sse_events(session.stream("Go"), extra=give(PROGRESS, frame)))

    assert types_of(sent).count("data-progress") == 1
    assert types_of(sent)[-1] == "finish"
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert message in str(record.exc_info[1])


async def test_all_kinds_of_frames_are_sent_as_they_were_when_they_were_yielded(emulator, session):
    frames = [
        {"type": "data-x", "data": {"n": [1, None, "\N{SUNRISE}"]}, "transient": True},
        {"type": "source-url", "sourceId": "s", "url": "https://example.com", "title": "T"},
        {"type": "source-document", "sourceId": "d", "mediaType": "text/plain", "title": "T"},
        {"type": "file", "url": "data:text/plain,x", "mediaType": "text/plain"},
        {"type": "message-metadata", "messageMetadata": {"createdAt": 5}},
    ]

    async def reuse_one_dictionary():
        data = {}
        for count in range(3):
            data["count"] = count
            yield {"type": "data-count", "data": data}

    sent = []
    for extra in (give(*frames), reuse_one_dictionary()):
        emulator.reply("One", pace=0.01)
        sent.append(await read_events(sse_events(session.stream("Go"), extra=extra)))

    assert [frame for frame in sent[0] if frame in frames] == frames
    counts = [frame["data"]["count"] for frame in sent[1] if frame["type"] == "data-count"]
    assert counts == [0, 1, 2]


async def test_a_number_that_json_lacks_is_null(emulator, session):
    emulator.reply("One")
    extra = give({"type": "data-x", "data": math.nan})

    frames = await read_events(sse_events(session.stream("Go"), extra=extra))

    assert {"type": "data-x", "data": None} in frames


async def test_a_failure_of_the_stream_closes_the_iterator_and_is_raised(
    emulator, session, make_page
):
    page, closed = make_page(), []

    async def forever():
        try:
            while True:
                yield PROGRESS
                await asyncio.sleep(0.01)
        finally:
            closed.append(True)

    emulator.fail(status=500)
    with pytest.raises(ServerError):
        await relay(session.stream("Go"), page, extra=forever())

    assert closed == [True]
    assert types_of(page.frames)[-2:] == ["data-error", "error"]


async def test_cancelling_closes_the_upstream_connection_and_the_iterator(
    upstream, upstream_session, make_page, call_records
):
    page, closed = make_page(), []

    async def forever():
        try:
            yield PROGRESS
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # what it has to clean up may take a while
            closed.append(True)

    upstream.opening = ("One",)
    relaying = asyncio.create_task(relay(upstream_session.stream("Go"), page, extra=forever()))
    await page.has_received("One")
    relaying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await relaying

    assert closed == [True]
    assert (await call_records.get()).outcome == "cancelled"
    await upstream.closed.wait()
    assert not [task for task in asyncio.all_tasks() if "aimlchat.relay" in task.get_name()]


async def test_a_stop_ends_both_with_one_abort(upstream, upstream_session, aiohttp_websockets):
    upstream.opening = ("One",)

    async def forever():
        yield PROGRESS
        await asyncio.Event().wait()

    async def handle(websocket):
        return await relay(upstream_session.stream("Go"), websocket, extra=forever())

    async with aiohttp_websockets.page(handle) as page:
        await page.until("text-delta")
        await page.send(type="stop")
        frames = await page.frames()

    assert types_of(frames)[-1] == "abort"
    assert types_of(frames).count("abort") == 1


async def test_all_pages_of_a_broadcast_get_the_frames_with_their_numbers(emulator, session):
    emulator.reply("One", pace=0.01)
    broadcast = Broadcast(session.stream("Go"), extra=give(PROGRESS))

    first, second = await asyncio.gather(
        read_events(broadcast.sse_events()), read_events(broadcast.sse_events())
    )
    rest = [event async for event in broadcast.sse_events(after=2)]
    await broadcast.aclose()

    assert first[2] == second[2] == PROGRESS
    assert rest[0].startswith(b"id: 3\ndata: ")


async def test_sse_response_sends_the_frames(aiohttp_server, emulator, session):
    emulator.reply("One", pace=0.01)

    async def handle(request):
        return await sse_response(request, session.stream("Go"), extra=give(PROGRESS))

    async with (
        aiohttp_server({"/": handle}) as host,
        aiohttp.ClientSession() as client,
        client.get(f"http://{host}/") as response,
    ):
        text = await response.text()

    assert json.dumps(PROGRESS, separators=(",", ":")) in text


async def test_a_page_that_reads_nothing_ends_a_flood_of_frames(emulator, session):
    async def flood():
        while True:
            yield PROGRESS
            await asyncio.sleep(0)

    emulator.reply(chunks=["One"] * 5, pace=3600)
    events = sse_events(session.stream("Go"), extra=flood(), max_buffer=6400)
    for _ in ("start", "start-step"):
        await anext(events)
    await events._producer.task
    frames = await read_events(events)

    assert types_of(frames) == ["data-error", "error"]
    assert frames[0]["data"]["code"] == "too_slow"


@pytest.mark.parametrize("extra", [[PROGRESS], give, 5])
async def test_what_is_no_async_iterator_is_refused_at_once(session, extra):
    with pytest.raises(TypeError, match="extra takes an async iterator of frames"):
        sse_events(session.stream("Go"), extra=extra)


async def test_an_iterator_without_aclose_is_read_too(emulator, session):
    class Frames:
        def __init__(self):
            self.left = [PROGRESS, PROGRESS]

        def __aiter__(self):
            return self

        async def __anext__(self):
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop()

    emulator.reply("One")
    frames = await read_events(sse_events(session.stream("Go"), extra=Frames()))

    assert types_of(frames).count("data-progress") == 2
