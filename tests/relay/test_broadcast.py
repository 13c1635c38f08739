"""`Broadcast`: one stream for several pages, which may join late and reconnect."""

import asyncio
import json

import aiohttp
import pytest
from starlette.responses import StreamingResponse

from aimlchat import ServerError
from aimlchat.relay import SSE_HEADERS, Broadcast, PageTooSlowError


def joined_text(frames):
    return "".join(frame["delta"] for frame in frames if frame["type"] == "text-delta")


async def send_and_wait(upstream, page, *texts):
    """Send texts one at a time, each after the page has received the one before."""
    for text in texts:
        await upstream.send(text)
        await page.has_received(text)


async def test_all_pages_get_the_same_from_one_call(server, emulator, session):
    emulator.reply(chunks=["One ", "two ", "three"], reasoning="Hm.", pace=0.01)
    broadcast = Broadcast(session.stream("Go"))

    async with server.serve(broadcast.relay) as connect, connect() as one, connect() as two:
        frames = await asyncio.gather(one.frames(), two.frames())

    assert [joined_text(row) for row in frames] == ["One two three"] * 2
    assert [(await server.result()).text for _ in range(2)] == ["One two three"] * 2
    assert len(emulator.requests) == 1
    await broadcast.aclose()


async def test_all_followers_get_the_same_completion(upstream, upstream_session, make_page):
    broadcast, pages = Broadcast(upstream_session.stream("Go")), [make_page(), make_page()]
    relaying = [asyncio.create_task(broadcast.relay(page)) for page in pages]
    await upstream.finish("One")

    one, two = await asyncio.gather(*relaying)

    assert one is two
    assert one.text == "One"
    await broadcast.aclose()


async def test_a_late_page_gets_the_text_so_far_in_one_frame_then_the_rest(
    upstream, upstream_session, make_page
):
    broadcast, early, late = Broadcast(upstream_session.stream("Go")), make_page(), make_page()

    early_relay = asyncio.create_task(broadcast.relay(early))
    await send_and_wait(upstream, early, "One ", "two ")
    late_relay = asyncio.create_task(broadcast.relay(late))
    await late.has_received("two ")
    await upstream.finish("three")
    await asyncio.gather(early_relay, late_relay)

    types = [frame["type"] for frame in late.frames[:4]]
    assert types == ["start", "start-step", "text-start", "text-delta"]
    assert late.frames[3]["delta"] == "One two "
    assert joined_text(late.frames) == joined_text(early.frames) == "One two three"
    await broadcast.aclose()


async def test_a_joined_frame_has_the_number_of_the_last_frame_in_it(
    upstream, upstream_session, make_page
):
    broadcast, live, late = Broadcast(upstream_session.stream("Go")), make_page(), make_page()

    live_relay = asyncio.create_task(broadcast.relay(live))
    await send_and_wait(upstream, live, "One ", "two ")
    await upstream.finish("three")
    await live_relay
    await broadcast.relay(late)

    assert [frame["number"] for frame in live.frames] == [*range(1, 10)]
    assert [frame["number"] for frame in late.frames] == [1, 2, 3, 6, 7, 8, 9]
    await broadcast.aclose()


@pytest.mark.parametrize("received", range(10))
async def test_a_page_that_reconnects_misses_nothing_and_gets_nothing_twice(
    emulator, session, make_page, received
):
    emulator.reply(chunks=["One ", "two ", "three"], pace=0.005)
    broadcast, page, again = (
        Broadcast(session.stream("Go")),
        make_page(disconnects_after=received),
        make_page(),
    )

    await broadcast.relay(page)
    await broadcast.relay(again, after=page.frames[-1]["number"] if page.frames else 0)

    frames = page.frames + again.frames
    assert joined_text(frames) == "One two three"
    assert [frame["type"] for frame in frames].count("start") == 1
    assert frames[-1]["type"] == "finish"
    assert len(emulator.requests) == 1
    await broadcast.aclose()


async def test_a_page_that_disconnects_leaves_the_call_to_the_others(
    upstream, upstream_session, make_page
):
    broadcast, page = Broadcast(upstream_session.stream("Go"), grace=0), make_page()

    staying = asyncio.create_task(broadcast.relay(page))
    leaving = asyncio.create_task(broadcast.relay(make_page(disconnects_after=2)))
    await upstream.send("One ")
    partial = await leaving
    await upstream.finish("two")

    assert (partial.text, partial.finish_reason) == ("One ", None)
    assert (await staying).text == "One two"


async def test_cancelling_a_page_leaves_the_call(upstream, upstream_session, make_page):
    broadcast, page, other = Broadcast(upstream_session.stream("Go")), make_page(), make_page()

    following = asyncio.create_task(broadcast.relay(page))
    await send_and_wait(upstream, page, "One ")
    following.cancel()
    await upstream.finish("two")
    completion = await broadcast.relay(other)

    assert following.cancelled()
    assert completion.text == "One two"
    await broadcast.aclose()


async def test_a_page_can_join_after_the_end(emulator, session, make_page):
    emulator.reply("One two")
    broadcast, page = Broadcast(session.stream("Go")), make_page()

    await broadcast.relay(make_page())
    assert not broadcast.is_live
    completion = await broadcast.relay(page)

    assert joined_text(page.frames) == completion.text == "One two"
    await broadcast.aclose()


async def test_a_stop_of_one_page_stops_the_answer_for_all(
    aiohttp_websockets, upstream, upstream_session, event_timeout
):
    upstream.opening = ("One",)
    broadcast = Broadcast(upstream_session.stream("Go"))

    async with (
        aiohttp_websockets.serve(broadcast.relay) as connect,
        connect() as one,
        connect() as two,
    ):
        await asyncio.gather(one.until("text-delta"), two.until("text-delta"))
        await one.send(type="stop")
        async with event_timeout():
            await upstream.closed.wait()
        frames = await asyncio.gather(one.frames(), two.frames())

    assert [row[-1]["type"] for row in frames] == ["abort", "abort"]
    assert broadcast.partial.text == "One"
    await broadcast.aclose()


async def test_every_page_gets_the_error(emulator, session, make_page):
    emulator.fail(status=500)
    broadcast, pages = Broadcast(session.stream("Go")), [make_page(), make_page()]

    errors = await asyncio.gather(*map(broadcast.relay, pages), return_exceptions=True)

    assert [type(error) for error in errors] == [ServerError, ServerError]
    assert [page.frames[-1]["type"] for page in pages] == ["error", "error"]
    await broadcast.aclose()


async def test_a_page_that_reads_nothing_ends_only_its_own_delivery(emulator, session, make_page):
    emulator.reply(chunks=["One ", "two"], pace=0.01)
    broadcast, page = Broadcast(session.stream("Go")), make_page()

    async def accept_nothing(_):
        await asyncio.Event().wait()

    error, completion = await asyncio.gather(
        broadcast.relay(accept_nothing, patience=0.05),
        broadcast.relay(page),
        return_exceptions=True,
    )

    assert isinstance(error, PageTooSlowError)
    assert completion.text == joined_text(page.frames) == "One two"
    await broadcast.aclose()


async def test_the_event_source_of_a_browser_reconnects_by_itself(
    aiohttp_server, emulator, session
):
    emulator.reply(chunks=["One ", "two ", "three"], pace=0.01)
    broadcast = Broadcast(session.stream("Go"))

    async with (
        aiohttp_server({"/": broadcast.sse_response}) as host,
        aiohttp.ClientSession() as client,
    ):
        async with client.get(f"http://{host}/") as response:
            await response.content.readuntil(b'"delta":"One ')
        last_id = {"Last-Event-ID": "4"}
        async with client.get(f"http://{host}/", headers=last_id) as response:
            events = (await response.text()).split("\n\n")
        not_a_number = {"Last-Event-ID": "x"}
        async with client.get(f"http://{host}/", headers=not_a_number) as response:
            from_start = await response.text()

    assert events[0].startswith("id: ")
    frames = [json.loads(event.split("data: ")[1]) for event in events[:-2]]
    assert joined_text(frames) == "two three"
    assert "number" not in frames[0]
    assert events[-2:] == ["data: [DONE]", ""]
    assert from_start.startswith('id: 1\ndata: {"type":"start"}\n\n')
    await broadcast.aclose()


async def test_starlette_sends_a_broadcast_as_events(starlette_server, emulator, session):
    emulator.reply(chunks=["One ", "two"])
    broadcast = Broadcast(session.stream("Go"))

    async def handle(request):
        after = int(request.query_params.get("after", 0))
        return StreamingResponse(broadcast.sse_events(after=after), headers=SSE_HEADERS)

    async with starlette_server(handle) as host, aiohttp.ClientSession() as client:
        async with client.get(f"http://{host}/") as response:
            whole = await response.text()
        async with client.get(f"http://{host}/?after=4") as response:
            rest = await response.text()

    assert '"delta":"One ' in whole
    assert '"delta":"One ' not in rest
    assert '"delta":"two"' in rest
    await broadcast.aclose()
