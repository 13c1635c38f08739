"""`Broadcasts`: the answers of many chats, resumed and stopped by the id of the chat."""

import asyncio
import logging

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from aimlchat.relay import SSE_HEADERS, Broadcasts


@pytest.fixture
async def broadcasts():
    async with Broadcasts() as opened:
        yield opened


def types_of(page):
    return [frame["type"] for frame in page.frames]


async def test_an_answer_is_followed_by_the_id_of_its_chat(
    broadcasts, emulator, session, make_page
):
    emulator.reply("Blue.")
    page = make_page()

    await broadcasts.start("chat", session.stream("Go"), message_id="m1")
    answer = await broadcasts.follow("chat")
    await answer.relay(page)

    assert page.frames[0] == {"type": "start", "messageId": "m1", "number": 1}
    assert types_of(page)[-1] == "finish"


async def test_there_is_nothing_to_follow_or_stop_in_a_chat_without_an_answer(broadcasts):
    assert await broadcasts.follow("chat") is None
    assert await broadcasts.stop("chat") is False


async def test_an_answer_goes_on_after_its_page_has_left(
    broadcasts, upstream, upstream_session, make_page
):
    upstream.opening = ("One ",)
    answer = await broadcasts.start("chat", upstream_session.stream("Go"))

    await answer.relay(make_page(disconnects_after=3))
    await upstream.finish("two")
    page = make_page()
    await (await broadcasts.follow("chat")).relay(page)

    assert "".join(frame.get("delta", "") for frame in page.frames) == "One two"


async def test_any_request_can_stop_an_answer(
    broadcasts, upstream, upstream_session, make_page, event_timeout
):
    upstream.opening = ("One",)
    answer, page = await broadcasts.start("chat", upstream_session.stream("Go")), make_page()
    following = asyncio.create_task(answer.relay(page))
    await page.has_received("One")

    assert await broadcasts.stop("chat") is True
    async with event_timeout():
        await upstream.closed.wait()
        await following

    assert types_of(page)[-1] == "abort"
    assert await broadcasts.stop("chat") is False
    assert await broadcasts.follow("chat", only_live=True) is None


async def test_a_new_answer_of_a_chat_replaces_the_one_before(
    broadcasts, stalling_session, emulator, session, make_page
):
    emulator.reply("Two")
    old_page, new_page = make_page(), make_page()
    old = await broadcasts.start("chat", stalling_session.stream("Go"))
    following = asyncio.create_task(old.relay(old_page))
    await old_page.has_received("One")

    await broadcasts.start("chat", session.stream("Go"))
    await following
    await (await broadcasts.follow("chat")).relay(new_page)

    assert types_of(old_page)[-1] == "abort"
    assert "".join(frame.get("delta", "") for frame in new_page.frames) == "Two"


@pytest.mark.parametrize("is_forgotten", [False, True])
async def test_a_page_of_an_earlier_answer_gets_all_of_the_new_one(
    emulator, session, make_page, is_forgotten
):
    emulator.reply(chunks=["a"] * 5, pace=0.001)
    emulator.reply(chunks=["b"] * 50, pace=0.001)
    page, again, late = make_page(), make_page(), make_page()
    async with Broadcasts() as broadcasts:
        answer = await broadcasts.start("chat", session.stream("Go"))
        await answer.relay(page)
        if is_forgotten:
            await answer.aclose()
        after = page.frames[-1]["number"]
        await broadcasts.start("chat", session.stream("Go"))
        await (await broadcasts.follow("chat")).relay(again, after=after)  # while it is generated
        await (await broadcasts.follow("chat")).relay(late, after=after)

    for new_page in (again, late):
        assert new_page.frames[0]["type"] == "start"
        assert "".join(frame.get("delta", "") for frame in new_page.frames) == "b" * 50


async def test_an_answer_that_no_page_follows_is_forgotten(emulator, session):
    async with Broadcasts(grace=0.01) as broadcasts:
        await broadcasts.start("chat", session.stream("Go"))
        while await broadcasts.follow("chat"):  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.005)


async def test_the_hook_gets_what_was_received_when_the_answer_has_ended(
    broadcasts, emulator, session, stalling_session, make_page
):
    emulator.reply("Two")
    ended, page = asyncio.Queue(), make_page()
    await broadcasts.start("chat", session.stream("Go"), on_end=ended.put)
    whole = await ended.get()
    answer = await broadcasts.start("chat", stalling_session.stream("Go"), on_end=ended.put_nowait)
    following = asyncio.create_task(answer.relay(page))
    await page.has_received("One")
    await broadcasts.aclose()
    await following

    assert (whole.text, whole.is_complete) == ("Two", True)
    stopped = ended.get_nowait()
    assert (stopped.text, stopped.is_complete) == ("One", False)


async def test_an_error_of_the_hook_is_logged(broadcasts, emulator, session, caplog):
    await broadcasts.start("chat", session.stream("Go"), on_end={}.__getitem__)
    await broadcasts.aclose()

    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_the_hook_is_called_although_closing_was_cancelled(stalling_session, make_page):
    ended, broadcasts = asyncio.Queue(), Broadcasts()

    async def store(completion):
        await asyncio.sleep(0)
        await ended.put(completion)

    page = make_page()
    answer = await broadcasts.start("chat", stalling_session.stream("Go"), on_end=store)
    following = asyncio.create_task(answer.relay(page))
    await page.has_received("One")
    closing = asyncio.create_task(broadcasts.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})
    await broadcasts.aclose()
    await following

    assert ended.get_nowait().text == "One"


@pytest.mark.parametrize("chat_id", [5, None, b"chat"])
async def test_an_id_that_is_no_text_is_refused(broadcasts, session, chat_id, emulator):
    with pytest.raises(TypeError, match=r"str\(chat.id\)"):
        await broadcasts.start(chat_id, session.stream("Go"))
    for method in (broadcasts.follow, broadcasts.stop):
        with pytest.raises(TypeError, match=r"str\(chat.id\)"):
            await method(chat_id)
    assert emulator.requests == []


async def test_no_answer_can_begin_after_the_end(session, emulator):
    broadcasts = Broadcasts()
    await broadcasts.aclose()

    with pytest.raises(RuntimeError, match="closed"):
        await broadcasts.start("chat", session.stream("Go"))
    assert emulator.requests == []


async def test_a_page_of_use_chat_resumes_after_a_reload_and_stops(
    broadcasts, asgi_server, upstream, upstream_session
):
    async def ask(request):
        answer = await broadcasts.start(
            request.path_params["chat_id"], upstream_session.stream("Go")
        )
        return StreamingResponse(answer.sse_events(), headers=SSE_HEADERS)

    async def resume(request):
        answer = await broadcasts.follow(request.path_params["chat_id"], only_live=True)
        if answer is None:
            return Response(status_code=204)
        return StreamingResponse(answer.sse_events(), headers=SSE_HEADERS)

    async def stop(request):
        await broadcasts.stop(request.path_params["chat_id"])
        return Response(status_code=204)

    app = Starlette(
        routes=[
            Route("/chat/{chat_id}", ask, methods=["POST"]),
            Route("/chat/{chat_id}/stream", resume),
            Route("/chat/{chat_id}/stop", stop, methods=["POST"]),
        ]
    )
    upstream.opening = ("One",)
    async with asgi_server(app) as host, aiohttp.ClientSession(f"http://{host}") as client:
        async with client.post("/chat/1") as response:
            await response.content.readuntil(b'"delta":"One"')  # then the page is closed
        async with client.get("/chat/1/stream") as resumed:
            await resumed.content.readuntil(b'"delta":"One"')
            async with client.post("/chat/1/stop") as response:
                assert response.status == 204
            rest = await resumed.text()
        async with client.get("/chat/1/stream") as response:
            assert response.status == 204

    assert '"type":"abort"' in rest
    assert rest.endswith("data: [DONE]\n\n")
