"""How a request is written, and how long it is held."""

import asyncio
import gc
import socket
import weakref

import pytest
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import ChatRequest, ChatSession, RetryPolicy

ANSWER = b'{"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}'
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)


async def answer(_, writer):
    writer.write(WHOLE)


async def test_a_small_request_comes_in_one_piece_head_and_body():
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
        serving(answer) as server,
        ChatSession("test-key", base_url=server.base_url) as session,
    ):
        await session.complete("x" * size)

    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert b"x" * size in body


async def test_the_host_comes_first_and_a_callers_header_replaces_the_usual_one():
    headers = {"user-agent": "mine", "Accept": "application/json", "X-Team": "blue"}
    async with (
        serving(answer) as server,
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
    for line in (b"mine", b"application/json", b"blue"):
        assert any(said.endswith(b": " + line) for said in first)
    assert [line for line in second if line.lower().startswith(b"host")] == [second[1]]
    assert second[1].endswith(b": other")


async def test_a_small_request_needs_no_task_to_write_it():
    async with (
        serving(answer) as server,
        ChatSession("test-key", base_url=server.base_url) as session,
    ):
        await session.complete("Hi")
        before = asyncio.all_tasks()
        call = asyncio.create_task(session.complete("Hi"))
        await asyncio.sleep(0)
        assert asyncio.all_tasks() - before == {call}
        assert (await call).text == "ok"


async def test_a_read_asks_for_so_little_that_no_memory_is_mapped_for_it(monkeypatch):
    asked = []

    class Socket(socket.socket):
        def recv(self, size):
            if str(self.getpeername()[1]) in server.base_url:
                asked.append(size)
            return super().recv(size)

    monkeypatch.setattr(socket, "socket", Socket)
    async with (
        serving(answer) as server,
        ChatSession("test-key", base_url=server.base_url) as session,
    ):
        await session.complete("Hi")

    assert asked
    assert max(asked) < 128 * 1024  # where the C library begins to


async def test_a_connection_that_is_lost_before_the_request_is_written_is_no_failure():
    async with (
        serving(answer) as server,
        ChatSession("test-key", base_url=server.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        await session.complete("Hi")
        call = asyncio.create_task(session.complete("Hi"))
        await asyncio.sleep(0)
        (protocol,) = session._transport._owned.connector._acquired
        protocol.transport.abort()

        assert (await call).text == "ok"

    assert server.connections == 2


def saying(text, status=b"200 OK"):
    body = ANSWER.replace(b"ok", text)
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


async def echo(request, writer):
    writer.write(saying(request.rpartition(b'"content":"')[2].partition(b'"')[0]))


@pytest.mark.parametrize("status", [b"200 OK", b"408 Request Timeout"])
@pytest.mark.parametrize("size", [1, 20_000])
async def test_an_answer_that_nobody_asked_for_is_nobodys(status, size):
    idle = asyncio.Event()

    async def serve(_, writer):
        await echo(server.requests[-1], writer)
        if len(server.requests) == 1:
            await idle.wait()
            writer.write(saying(b"unasked", status))

    once = RetryPolicy(attempts=1)
    async with (
        serving(serve) as server,
        ChatSession("test-key", base_url=server.base_url, retry=once) as session,
    ):
        await session.complete("1")
        ((protocol, _),) = next(iter(session._transport._owned.connector._conns.values()))
        idle.set()
        while not protocol.should_close:  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(0)

        for prompt in ("2" * size, "3" * size):
            assert (await session.complete(prompt)).text == prompt

    assert (len(server.requests), server.connections) == (3, 2)


async def test_nor_is_one_that_comes_just_before_the_request_is_written():
    async def serve(_, writer):
        await echo(server.requests[-1], writer)

    async with (
        serving(serve) as server,
        ChatSession("test-key", base_url=server.base_url) as session,
    ):
        await session.complete("1")
        call = asyncio.create_task(session.complete("2"))
        await asyncio.sleep(0)
        (protocol,) = session._transport._owned.connector._acquired
        protocol.data_received(saying(b"unasked"))

        assert (await call).text == "2"
        assert (await session.complete("3")).text == "3"

    assert len(server.requests) == 3


async def test_a_stream_holds_its_request_no_longer_than_it_may_send_it_again():
    async def begin(_, writer):
        writer.write(CHUNKED + http_chunk(content("word")))

    async with (
        serving(begin) as server,
        ChatSession("test-key", base_url=server.base_url) as session,
    ):
        request = ChatRequest().user("Hi")
        held = weakref.ref(request)
        async with session.stream(request) as stream:
            del request
            async for _ in stream:
                break
            gc.collect()
            assert held() is None
            assert stream._call._question.body is None
