"""The undocumented names with which a body is read: they exist, every call works without them, and
a stream reads the same bytes as with `readany`, which is documented."""

import asyncio
import collections
import inspect

import aiohttp
import pytest
from aiohttp import client_proto
from raw_server import CHUNKED, content, http_chunk, serving

from aimlchat import ChatSession, RetryPolicy, StreamInterruptedError
from aimlchat._client import body_hooks

END = b"0\r\n\r\n"


class Opened:
    """The reader of a body that a server sends piece by piece."""

    def __init__(self, response, writer) -> None:
        self.content = response.content
        self.response = response
        self._writer = writer

    async def send(self, *pieces):
        for piece in pieces:
            self._writer.write(piece)
        await self._writer.drain()

    def abort(self):
        self._writer.transport.abort()


@pytest.fixture
async def opened():
    """Open a response whose body has begun with ``b"first"``."""
    writers, ended = asyncio.Queue(), asyncio.Event()

    async def begin(_, writer):
        writer.write(CHUNKED + http_chunk(b"first"))
        writers.put_nowait(writer)
        await ended.wait()

    async with (
        serving(begin) as server,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout()) as http,
        http.get(server.base_url) as response,
    ):
        yield Opened(response, await writers.get())
        ended.set()


@pytest.fixture
async def read(opened):
    """The reader of a stream, which has read the first piece."""
    read = body_hooks.stream_reader(opened.content)
    assert await read() == b"first"
    return read


class TestTheNamesExist:
    """A failure means that a pinned name has changed: review `body_hooks`."""

    def test_the_error_of_a_bodys_reader_can_be_set_and_removed(self):
        parameters = inspect.signature(aiohttp.StreamReader.set_exception).parameters

        assert list(parameters)[:2] == ["self", "exc"]

    def test_the_future_of_a_lost_connection(self):
        assert isinstance(client_proto.ResponseHandler.closed, property)

    async def test_a_reader_keeps_what_it_has_buffered_when_it_gets_an_error(self):
        async def cut(_, writer):
            writer.write(CHUNKED + http_chunk(b"one ") + http_chunk(b"two"))
            await writer.drain()
            writer.transport.abort()

        async with (
            serving(cut) as server,
            aiohttp.ClientSession() as http,
            http.get(server.base_url) as response,
        ):
            reader = response.content
            while reader.exception() is None:  # noqa: ASYNC110 - aiohttp has no event for it
                await asyncio.sleep(0)
            error = reader.exception()
            assert type(reader._buffer) is collections.deque

            assert body_hooks.take_buffered(reader) == b"one two"
            assert body_hooks.take_buffered(reader) == b""
            assert reader.exception() is error
            with pytest.raises(aiohttp.ClientError):
                await reader.readany()

    def test_those_with_which_a_stream_is_read(self, read):
        assert read.func is body_hooks._read

    async def test_aiohttp_resumes_a_connection_after_a_read_below_the_low_water_mark(
        self, opened, monkeypatch
    ):
        resumed = []
        monkeypatch.setattr(
            client_proto.ResponseHandler, "resume_reading", lambda *_: resumed.append(1)
        )

        await opened.content.readany()
        assert resumed == [1]  # if this fails, `stream_reader` saves nothing by that any more
        await opened.send(http_chunk(b"second"))
        await body_hooks.stream_reader(opened.content)()
        assert resumed == [1]


class TestAStreamIsRead:
    async def test_up_to_its_end(self, opened, read):
        await opened.send(http_chunk(b"second"))
        assert await read() == b"second"

        await opened.send(END)
        assert await read() == b""
        assert await read() == b""

    async def test_in_one_piece_if_several_have_arrived(self, opened, read):
        await opened.send(http_chunk(b"second "), http_chunk(b"third"), END)
        while not opened.content.is_eof():  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(0)

        assert await read() == b"second third"
        assert await read() == b""

    @pytest.mark.parametrize("size", [1, 300_000], ids=["many small pieces", "large pieces"])
    async def test_also_if_more_arrives_than_is_buffered(self, opened, read, size):
        sent = b"x" * max(size * 4, 20_000)
        chunks = [http_chunk(sent[at : at + size]) for at in range(0, len(sent), size)]
        sending = asyncio.create_task(opened.send(*chunks, END))
        protocol = opened.response.connection.protocol
        while not protocol._reading_paused:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)

        received = b""
        while data := await read():
            received += data

        await sending
        assert received == sent

    async def test_without_a_loss_after_a_wait_that_was_cancelled(self, opened, read):
        waiting = asyncio.create_task(read())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()

        await opened.send(http_chunk(b"second"))
        assert await read() == b"second"

    async def test_up_to_the_error_of_a_cut(self, opened, read):
        waiting = asyncio.create_task(read())
        await asyncio.sleep(0)
        opened.abort()

        with pytest.raises(aiohttp.ClientError):
            await waiting
        with pytest.raises(aiohttp.ClientError):
            await read()

    async def test_by_one_task_at_a_time(self, opened, read):
        waiting = asyncio.create_task(read())
        await asyncio.sleep(0)

        with pytest.raises(RuntimeError, match="another coroutine"):
            await read()
        await opened.send(http_chunk(b"second"))
        assert await waiting == b"second"

    async def test_never_after_its_connection_is_closed(self, opened, read, monkeypatch):
        # Before the reader has been told; at the end the connection has to be closed.
        monkeypatch.setattr(opened.content._protocol, "transport", None)

        with pytest.raises(RuntimeError, match="closed"):
            await read()
        monkeypatch.undo()


class TestWithoutThem:
    @pytest.mark.parametrize("missing", ["a name", "the reader"])
    async def test_a_stream_is_read_in_the_documented_way(self, monkeypatch, missing):
        if missing == "a name":
            monkeypatch.setattr(body_hooks, "_READER_NAMES", {"_buffer", "_gone"})
        else:
            monkeypatch.setattr(body_hooks, "stream_reader", lambda content: content.readany)

        async def respond(_, writer):
            writer.write(CHUNKED + http_chunk(content("one ")))
            await writer.drain()
            await asyncio.sleep(0.01)
            writer.write(http_chunk(content("two", '"stop"') + b"data: [DONE]\n\n") + END)

        async with (
            serving(respond) as server,
            ChatSession("k", base_url=server.base_url) as session,
        ):
            assert (await session.stream("Hi").collect()).text == "one two"
            assert (await session.stream("Hi").collect()).text == "one two"
        assert server.connections == 1

    async def test_a_reader_whose_time_aiohttp_limits_is_left_to_it(self, opened):
        opened.content._timer = aiohttp.helpers.TimerContext(asyncio.get_running_loop())

        assert body_hooks.stream_reader(opened.content) == opened.content.readany

    def test_a_body_that_came_with_the_headers_is_left_to_aiohttp(self):
        empty = aiohttp.streams.EMPTY_PAYLOAD

        assert body_hooks.stream_reader(empty) == empty.readany

    async def test_a_cut_stream_still_fails_if_the_bytes_before_its_error_are_lost(
        self, monkeypatch
    ):
        async def cut(_, writer):
            writer.write(CHUNKED + http_chunk(content("word")))
            await writer.drain()
            writer.transport.abort()

        monkeypatch.setattr(body_hooks, "closed_future", lambda _: None)
        monkeypatch.setattr(body_hooks, "take_buffered", lambda _: b"")
        monkeypatch.setattr(body_hooks, "set_body_error", lambda *_: None)
        once = RetryPolicy(attempts=1)
        async with (
            serving(cut) as server,
            ChatSession("k", base_url=server.base_url, retry=once) as session,
        ):
            with pytest.raises(StreamInterruptedError):
                await session.stream("Hi").collect()

    def test_objects_that_lack_the_names_are_left_alone(self):
        class Bare:
            connection = None

        assert body_hooks.closed_future(Bare()) is None
        body_hooks.set_body_error(Bare(), ValueError())
