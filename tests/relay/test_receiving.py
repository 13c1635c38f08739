"""A page of aiohttp that sends nothing needs no task to receive; the first message gets one."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp import WSCloseCode, WSMsgType, web

from aimlchat._client import aiohttp_hooks
from aimlchat.relay import relay
from aimlchat.relay.receiving import Receiving


def tasks_that_receive():
    names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]
    return [name for name in names if name in ("_receive_all", "_run")]


async def test_a_task_receives_from_the_first_message_on(
    aiohttp_websockets, upstream, upstream_session
):
    messages, counts = asyncio.Queue(), []

    async def handle(websocket):
        stream = upstream_session.stream("Go")
        return await relay(stream, websocket, on_message=messages.put_nowait)

    async with aiohttp_websockets.page(handle, compression=None) as page:
        await upstream.requested.wait()
        counts.append(len(tasks_that_receive()))
        for number in range(3):
            await page.send(number=number)
            assert json.loads(await messages.get()) == {"number": number}
            counts.append(len(tasks_that_receive()))
        await page.send(type="stop")
        frames = await page.frames()

    assert counts == [0, 1, 1, 1]
    assert frames[-1]["type"] == "abort"


async def test_a_web_socket_receives_again_after_a_relay(aiohttp_websockets, emulator, session):
    emulator.reply("Hello")

    async def handle(websocket):
        await relay(session.stream("Go"), websocket)
        received = await websocket.receive_json()
        await relay(session.stream("Go"), websocket)
        return received

    async with aiohttp_websockets.page(handle, compression=None) as page:
        await page.until("finish")
        await page.send(text="again")
        frames = await page.frames()

        assert await aiohttp_websockets.result() == {"text": "again"}
    assert frames[-1]["type"] == "finish"


async def test_what_depends_on_its_task_gets_one_from_the_start(aiohttp_server):
    """A failure of the first may mean that a pinned name has changed: review `aiohttp_hooks`."""
    found = {}

    class Logged(web.WebSocketResponse):
        async def receive(self, *args):
            return await super().receive(*args)

    makers = {
        "/plain": web.WebSocketResponse,
        "/timed": lambda: web.WebSocketResponse(receive_timeout=60),
        "/logged": Logged,
    }

    async def handle(request):
        websocket = makers[request.path]()
        await websocket.prepare(request)
        found[request.path] = aiohttp_hooks.has_no_message(websocket)
        await asyncio.sleep(0.01)  # the message of the page arrives
        found[f"{request.path} with a message"] = aiohttp_hooks.has_no_message(websocket)
        await websocket.close()
        return websocket

    async with (
        aiohttp_server(dict.fromkeys(makers, handle)) as host,
        aiohttp.ClientSession() as client,
    ):
        for path in makers:
            async with client.ws_connect(f"http://{host}{path}") as page:
                await page.send_str("Hello")
                assert (await page.receive()).type == WSMsgType.CLOSE

    assert [name for name, is_waiting in found.items() if is_waiting] == ["/plain"]


async def test_a_page_that_closes_with_its_connection_is_known_by_its_code(
    aiohttp_server, upstream, upstream_session
):
    """Browsers do so when they crash."""
    closed = asyncio.get_running_loop().create_future()

    async def handle(request):
        websocket = web.WebSocketResponse(compress=False)
        await websocket.prepare(request)
        await relay(upstream_session.stream("Go"), websocket)
        closed.set_result(websocket.close_code)
        return websocket

    async with aiohttp_server({"/": handle}) as host:
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(
            b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        await upstream.requested.wait()
        writer.write(b"\x88\x82\0\0\0\0" + WSCloseCode.GOING_AWAY.to_bytes(2))
        writer.close()

        assert await closed == WSCloseCode.GOING_AWAY


async def test_the_code_of_the_service_receives_in_a_task(aiohttp_websockets, upstream_session):
    tasks = asyncio.Queue()

    async def handle(websocket):
        stream = upstream_session.stream("Go")
        await relay(
            stream, websocket, on_message=lambda _: tasks.put_nowait(asyncio.current_task())
        )

    async with aiohttp_websockets.page(handle, compression=None) as page:
        await page.send(text="Hello")
        assert await tasks.get() is not None
        await page.send(type="stop")
        await page.frames()


@pytest.mark.parametrize("needs_task", [True, False])
async def test_a_message_that_comes_as_it_is_cancelled_is_not_received(needs_task):
    message, received = asyncio.get_running_loop().create_future(), []

    async def receive():
        received.append(await message)

    receiving = Receiving(receive(), needs_task=needs_task)
    await asyncio.sleep(0)
    message.set_result("Hello")
    tasks = receiving.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)

    assert received == []
    assert receiving.cancel() == tasks


async def test_one_that_ends_at_once_needs_no_task():
    async def receive():
        pass

    assert Receiving(receive(), needs_task=False).cancel() == ()
