"""What is written straight to a transport reads as what aiohttp would have written."""

import asyncio
import contextlib
import json

import aiohttp
import pytest
from aiohttp import web
from websockets.frames import Frame, Opcode

from aimlchat._client import aiohttp_hooks
from aimlchat.relay import Broadcast, relay, sse_response
from aimlchat.relay.encoding import EncodedFrames

# Around the lengths at which the header of a message grows (RFC 6455, section 5.2), and around the
# longest that is written directly; with the fields of its frame.
LENGTHS = [1, 125, 126, 127, 16_300, 16_400, 65_535, 65_536, 70_000]


def text_of(length):
    return "ä" + "x" * length


@contextlib.asynccontextmanager
async def raw_request(host, request):
    """Send a request over a bare connection, and yield its reader."""
    reader, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(request)
    try:
        yield reader
    finally:
        writer.close()


@pytest.mark.parametrize("length", LENGTHS)
def test_a_message_has_the_header_that_a_server_sends(length):
    empty = len(b'{"type":""}')
    frames = EncodedFrames([{"type": "x" * max(length - empty, 0)}, {"type": "finish"}])

    sent = [Frame(Opcode.TEXT, message).serialize(mask=False) for message in frames.messages]

    assert frames.framed_messages == b"".join(sent)


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_messages_of_any_length_arrive_whole_and_in_order(
    aiohttp_websockets, emulator, session, compression
):
    emulator.reply(chunks=[text_of(length) for length in LENGTHS], pace=0.005)

    async with aiohttp_websockets.page(
        lambda ws: relay(session.stream("Go"), ws), compression=compression
    ) as page:
        frames = await page.frames()

    assert "".join(frame.get("delta", "") for frame in frames) == "".join(map(text_of, LENGTHS))
    assert frames[-1]["type"] == "finish"


async def test_pings_of_the_service_come_between_the_messages(
    aiohttp_websockets, upstream, upstream_session
):
    async def handle(websocket):
        relaying = asyncio.create_task(relay(upstream_session.stream("Go"), websocket))
        for text in ("One ", "two "):
            await upstream.send(text)
            await websocket.ping(b"x" * 100)
        await upstream.finish("three")
        return await relaying

    async with aiohttp_websockets.page(handle, compression=None) as page:
        frames = await page.frames()

    assert "".join(frame.get("delta", "") for frame in frames) == "One two three"


async def test_nothing_is_written_behind_a_close_of_the_service(
    aiohttp_websockets, upstream, upstream_session
):
    upstream.opening = ("One",)

    async def handle(websocket):
        relaying = asyncio.create_task(relay(upstream_session.stream("Go"), websocket))
        await upstream.requested.wait()
        closing = asyncio.create_task(websocket.close())
        await asyncio.sleep(0)
        await upstream.send("Two")
        await closing
        return await relaying

    async with aiohttp_websockets.page(handle, compression=None) as page:
        frames = await page.frames()  # fails if a message follows the close
        completion = await aiohttp_websockets.result()

    assert "Two" not in "".join(frame.get("delta", "") for frame in frames)
    assert completion.finish_reason is None


async def test_a_web_socket_that_does_something_of_its_own_with_a_message_gets_each(
    aiohttp_server, emulator, session
):
    sent = []

    class Logged(web.WebSocketResponse):
        async def send_frame(self, message, opcode, compress=None):
            sent.append(json.loads(message))
            await super().send_frame(message, opcode, compress)

    async def handle(request):
        websocket = Logged(compress=False)
        await websocket.prepare(request)
        await relay(session.stream("Go"), websocket)
        return websocket

    emulator.reply("Hello")
    async with (
        aiohttp_server({"/": handle}) as host,
        aiohttp.ClientSession() as client,
        client.ws_connect(f"http://{host}/") as page,
    ):
        received = [message.json() async for message in page]

    assert sent == received != []


@pytest.fixture
def respond(emulator, session):
    """Answer a request with the words of one stream."""
    emulator.reply(chunks=["One ", "two ", "three"], pace=0.005)

    async def handle(request):
        return await sse_response(request, session.stream("Go"))

    return handle


def text_in(events):
    lines = [line[6:] for line in events.split(b"\n") if line.startswith(b"data: {")]
    return "".join(json.loads(line).get("delta", "") for line in lines)


async def test_an_http_1_0_response_is_not_chunked(aiohttp_server, respond):
    async with (
        aiohttp_server({"/": respond}) as host,
        raw_request(host, b"GET / HTTP/1.0\r\nHost: here\r\n\r\n") as reader,
    ):
        headers, _, body = (await reader.read()).partition(b"\r\n\r\n")

    assert b"chunked" not in headers
    assert body.endswith(b"data: [DONE]\n\n")
    assert text_in(body) == "One two three"


async def test_the_size_of_a_response_is_known_to_the_log_of_accesses(aiohttp_server, respond):
    sizes = []

    async def handle(request):
        response = await respond(request)
        await response.write_eof()
        sizes.append(response.body_length)
        return response

    async with (
        aiohttp_server({"/": handle}) as host,
        raw_request(host, b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n") as reader,
    ):
        whole = await reader.read()

    assert sizes == [len(whole)]


async def test_a_response_ends_with_its_last_event_in_one_write(aiohttp_server, respond):
    writes = []

    async def handle(request):
        transport, write = request.transport, request.transport.write
        transport.write = lambda data: writes.append(data) or write(data)
        try:
            return await respond(request)
        finally:
            del transport.write

    async with (
        aiohttp_server({"/": handle}) as host,
        raw_request(host, b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n") as reader,
    ):
        whole = await reader.read()

    assert b"".join(writes) == whole
    assert writes[-1] == b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


@pytest.mark.parametrize("kind", ["ws", "sse"])
async def test_pages_of_every_kind_follow_one_broadcast(
    aiohttp_server, upstream, upstream_session, kind
):
    """A page that takes everything directly, and one that aiohttp compresses for."""
    broadcast = Broadcast(upstream_session.stream("Go"))

    async def follow(request):
        if request.path == "/sse":
            return await broadcast.sse_response(request)
        websocket = web.WebSocketResponse(compress=request.path == "/deflate")
        await websocket.prepare(request)
        await broadcast.relay(websocket)
        return websocket

    async def read(client, url):
        if url.endswith("/sse"):
            async with client.get(url) as response:
                return text_in(await response.read())
        async with client.ws_connect(url, compress=15) as page:
            return "".join([message.json().get("delta", "") async for message in page])

    paths = {"ws": ["/plain", "/deflate"], "sse": ["/sse", "/sse"]}[kind]
    async with (
        aiohttp_server(dict.fromkeys(paths, follow)) as host,
        aiohttp.ClientSession() as client,
    ):
        reading = [asyncio.create_task(read(client, f"http://{host}{path}")) for path in paths]
        for text in ("One ", "two "):
            await upstream.send(text)
            await asyncio.sleep(0.01)
        await upstream.finish("three")

        assert await asyncio.gather(*reading) == ["One two three"] * 2


async def test_the_transports_of_aiohttp_are_found(aiohttp_server):
    """A failure means that a pinned name has changed: review `aiohttp_hooks`."""
    found = {}

    async def handle(request):
        if request.path == "/sse":
            response = web.StreamResponse()
            writer = await response.prepare(request)
            found["/sse"] = aiohttp_hooks.chunk_transport(writer) is request.transport
            writer.enable_compression()
            found["compressed"] = aiohttp_hooks.chunk_transport(writer) is not None
            return response
        websocket = web.WebSocketResponse(compress=request.path == "/deflate")
        found["unprepared"] = aiohttp_hooks.message_transport(websocket) is not None
        await websocket.prepare(request)
        transport = aiohttp_hooks.message_transport(websocket)
        found[request.path] = transport is request.transport
        await websocket.close()
        return websocket

    paths = ["/plain", "/deflate", "/sse"]
    async with (
        aiohttp_server(dict.fromkeys(paths, handle)) as host,
        aiohttp.ClientSession() as client,
    ):
        for path in paths[:2]:
            async with client.ws_connect(f"http://{host}{path}", compress=15) as page:
                found["a client's"] = aiohttp_hooks.message_transport(page) is not None
                await page.receive()
        await (await client.get(f"http://{host}/sse")).read()

    assert found == {
        "unprepared": False,
        "/plain": True,
        "/deflate": False,
        "/sse": True,
        "compressed": False,
        "a client's": False,
    }
