"""How requests are written, and which responses on a connection belong to them."""

import asyncio
import gc
import socket
import weakref

import pytest
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import ChatRequest, ChatSession, RetryPolicy

ANSWER = b'{"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}'
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)


async def respond(_, writer):
    writer.write(WHOLE)


async def test_a_small_request_is_written_in_one_piece():
    pieces = []

    async def serve(reader, writer):
        pieces.append(await reader.read(2**16))
        writer.write(WHOLE)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with ChatSession("test-key", base_url=url) as session:
        assert (await session.complete("x" * 10_000)).text == "ok"
    server.close()

    (piece,) = pieces
    assert piece.endswith(b"x" * 10_000 + b'"}]}')


@pytest.mark.parametrize("size", [16_000, 17_000, 200_000, 500_000])
async def test_a_request_of_any_size_arrives_whole(size):
    async with (
        serving(respond) as server,
        ChatSession("test-key", base_url=server.base_url) as session,
    ):
        await session.complete("x" * size)

    (request,) = server.requests
    headers, _, body = request.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in headers
    assert b"x" * size in body


async def test_host_is_the_first_header_and_a_header_of_the_caller_replaces_the_default():
    headers = {"user-agent": "mine", "Accept": "application/json", "X-Team": "blue"}
    async with (
        serving(respond) as server,
        ChatSession("test-key", base_url=server.base_url, headers=headers) as session,
    ):
        await session.complete("Hi")
        await session.complete("Hi", headers={"host": "other"})

    first, second = (
        request.partition(b"\r\n\r\n")[0].split(b"\r\n") for request in server.requests
    )
    names = [line.partition(b":")[0].lower() for line in first[1:]]
    assert first[1].startswith(b"Host: 127.0.0.1")
    assert len(names) == len(set(names))
    for value in (b"mine", b"application/json", b"blue"):
        assert any(line.endswith(b": " + value) for line in first)
    assert [line for line in second if line.lower().startswith(b"host")] == [second[1]]
    assert second[1].endswith(b": other")


async def test_a_small_request_is_written_without_a_task():
    async with (
        serving(respond) as server,
        ChatSession("test-key", base_url=server.base_url) as session,
    ):
        await session.complete("Hi")
        before = asyncio.all_tasks()
        call = asyncio.create_task(session.complete("Hi"))
        await asyncio.sleep(0)
        assert asyncio.all_tasks() - before == {call}
        assert (await call).text == "ok"


async def test_a_read_is_too_small_for_malloc_to_map_memory(monkeypatch):
    sizes = []

    class Socket(socket.socket):
        def recv(self, size):
            if str(self.getpeername()[1]) in server.base_url:
                sizes.append(size)
            return super().recv(size)

    monkeypatch.setattr(socket, "socket", Socket)
    async with (
        serving(respond) as server,
        ChatSession("test-key", base_url=server.base_url) as session,
    ):
        await session.complete("Hi")

    assert sizes
    assert max(sizes) < 128 * 1024  # from this size on glibc maps memory


async def test_a_connection_lost_before_the_request_is_written_is_replaced():
    async with (
        serving(respond) as server,
        ChatSession("test-key", base_url=server.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        await session.complete("Hi")
        call = asyncio.create_task(session.complete("Hi"))
        await asyncio.sleep(0)
        (protocol,) = session._context.transport._owned.connector._acquired
        protocol.transport.abort()

        assert (await call).text == "ok"

    assert server.connections == 2


def response_with(text, status=b"200 OK"):
    body = ANSWER.replace(b"ok", text)
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


async def echo(request, writer):
    writer.write(response_with(request.rpartition(b'"content":"')[2].partition(b'"')[0]))


@pytest.mark.parametrize("status", [b"200 OK", b"408 Request Timeout"])
@pytest.mark.parametrize("size", [1, 20_000])
async def test_an_unsolicited_response_on_an_idle_connection_is_discarded(status, size):
    idle = asyncio.Event()

    async def serve(_, writer):
        await echo(server.requests[-1], writer)
        if len(server.requests) == 1:
            await idle.wait()
            writer.write(response_with(b"unsolicited", status))

    once = RetryPolicy(attempts=1)
    async with (
        serving(serve) as server,
        ChatSession("test-key", base_url=server.base_url, retry=once) as session,
    ):
        await session.complete("1")
        ((protocol, _),) = next(iter(session._context.transport._owned.connector._conns.values()))
        idle.set()
        while not protocol.should_close:  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(0)

        for prompt in ("2" * size, "3" * size):
            assert (await session.complete(prompt)).text == prompt

    assert (len(server.requests), server.connections) == (3, 2)


async def test_an_unsolicited_response_just_before_the_request_is_written_is_discarded():
    async def serve(_, writer):
        await echo(server.requests[-1], writer)

    async with (
        serving(serve) as server,
        ChatSession("test-key", base_url=server.base_url) as session,
    ):
        await session.complete("1")
        call = asyncio.create_task(session.complete("2"))
        await asyncio.sleep(0)
        (protocol,) = session._context.transport._owned.connector._acquired
        protocol.data_received(response_with(b"unsolicited"))

        assert (await call).text == "2"
        assert (await session.complete("3")).text == "3"

    assert len(server.requests) == 3


async def test_a_stream_releases_its_request_once_it_cannot_be_retried():
    async def send_word(_, writer):
        writer.write(CHUNKED + http_chunk(content("word")))

    async with (
        serving(send_word) as server,
        ChatSession("test-key", base_url=server.base_url) as session,
    ):
        request = ChatRequest().user("Hi")
        reference = weakref.ref(request)
        async with session.stream(request) as stream:
            del request
            async for _ in stream:
                break
            gc.collect()
            assert reference() is None
            assert stream._call.request.body is None
