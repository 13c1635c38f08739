"""A reader that is busy with a delta while the rest of the answer, and the end, arrive."""

import array
import asyncio
import collections
import gc
import socket
import struct
import sys
import weakref

import aiohttp
import pytest
from clockwork import Clockwork, session_on
from delivery import run_pending
from raw_server import CHUNKED, STREAM_HEADERS, content, http_chunk, serving

from aimlchat import RetryPolicy, StreamInterruptedError
from aimlchat._client.transport import Exchange

ONCE = RetryPolicy(attempts=1)
FINISH = content("", '"stop"')
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"total_tokens":4}}\n\n'
DONE = b"data: [DONE]\n\n"
UNTIL_THE_END = STREAM_HEADERS + b"Connection: close\r\n\r\n"


# --- how the connection ends --------------------------------------------------------------------


async def close(writer):
    writer.close()
    await writer.wait_closed()  # until the kernel has all of it


async def end_well(writer):
    writer.write(b"0\r\n\r\n")
    await close(writer)


async def close_in_a_chunk(writer):
    writer.write(b'60\r\ndata: {"choices":[{"delta":{"content":"cut')
    await close(writer)


async def break_a_chunk(writer):
    writer.write(b"zz\r\n")
    await close(writer)


async def reset(writer):
    """Reset the connection once the client's kernel has all that was sent."""
    while unsent(writer):  # noqa: ASYNC110 - the kernel has no event for it
        await asyncio.sleep(0)
    sock = writer.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def unsent(writer):
    """How much has not arrived yet; only Linux tells what is on its way."""
    waiting = writer.transport.get_write_buffer_size()
    if waiting or sys.platform != "linux":
        return waiting
    import fcntl  # noqa: PLC0415 - not on Windows
    import termios  # noqa: PLC0415

    count = array.array("i", [0])
    fcntl.ioctl(writer.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, count)
    return count[0]


# --- the answers, and a reader of them ----------------------------------------------------------


def in_one_chunk(body):
    return http_chunk(body)


def in_small_chunks(body, size=20):
    return b"".join(http_chunk(body[i : i + size]) for i in range(0, len(body), size))


def uncoded(body):
    return body


def body_of(text, tail, size=1000):
    return b"".join(content(text[i : i + size]) for i in range(0, len(text), size)) + tail


async def read_late(body, end, *, code=in_one_chunk, arrives=None):
    """Hold the first delta until the rest has arrived; return the stream and what it raised.

    ``arrives`` waits for that; by default for the end, which is seen where nothing is held back.
    """
    held, ended = asyncio.Event(), asyncio.Event()

    async def answer(_, writer):
        writer.write((UNTIL_THE_END if code is uncoded else CHUNKED) + code(content("First. ")))
        await held.wait()
        writer.write(code(body))
        await end(writer)
        ended.set()

    async with (
        asyncio.timeout(10),
        serving(answer) as server,
        session_on(Clockwork(), server.base_url, retry=ONCE) as session,
    ):
        stream = session.stream("Why?", model="openai/gpt-4o")
        assert (await anext(stream)).text == "First. "
        held.set()
        await (arrives or arrival_of_the_end)(reader_of(stream), ended)
        try:
            await stream.collect()
        except StreamInterruptedError as error:
            return stream, error
        return stream, None


def reader_of(stream):
    return stream._opened.exchange._response.content


async def arrival_of_the_end(reader, ended):
    while not reader.is_eof() and reader.exception() is None:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)


async def a_full_buffer_and_the_end(reader, ended):
    """Wait until aiohttp reads no further, and the server has sent and ended everything."""
    await a_full_buffer(reader, ended)
    await ended.wait()
    await run_pending()
    assert not reader.is_eof()
    assert reader.exception() is None
    assert reader.total_bytes < len(LARGE)  # so that some of it is still in the kernel


async def a_full_buffer(reader, ended):
    while not reader._protocol._reading_paused:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)


# --- small answers ------------------------------------------------------------------------------

ENDS = pytest.mark.parametrize("end", [end_well, close, close_in_a_chunk, break_a_chunk, reset])
TAILS = pytest.mark.parametrize(
    "tail", [FINISH, FINISH + USAGE, FINISH + USAGE + DONE, DONE], ids=len
)
SMALL = "The rest of it."
LARGE = (
    "All that there is to say of it. " * 27_000
)  # 844 KiB; aiohttp reads 512 KiB ahead, or a little more


def check_complete(stream, failure, text, tail):
    assert failure is None
    assert stream.completion.text == "First. " + text
    usage = stream.completion.usage
    assert (usage and usage.total_tokens) == (4 if USAGE in tail else None)


def check_interrupted(stream, failure, text):
    assert type(failure) is StreamInterruptedError
    assert failure.partial == stream.partial
    assert failure.partial.text == "First. " + text


@ENDS
@TAILS
@pytest.mark.parametrize("code", [in_one_chunk, in_small_chunks])
async def test_an_answer_that_finished_is_complete_however_the_connection_ended(end, tail, code):
    stream, failure = await read_late(body_of(SMALL, tail), end, code=code)

    check_complete(stream, failure, SMALL, tail)


@ENDS
@pytest.mark.parametrize("code", [in_one_chunk, in_small_chunks])
async def test_an_answer_without_a_finish_reason_is_interrupted_and_all_of_it_kept(end, code):
    stream, failure = await read_late(body_of(SMALL, b""), end, code=code)

    check_interrupted(stream, failure, SMALL)


@pytest.mark.parametrize("end", [close, reset])
@TAILS
async def test_an_answer_that_ends_with_its_connection_is_complete_if_it_finished(end, tail):
    stream, failure = await read_late(body_of(SMALL, tail), end, code=uncoded)

    check_complete(stream, failure, SMALL, tail)


@pytest.mark.parametrize("end", [close, reset])
async def test_an_end_of_file_without_a_finish_reason_is_an_interruption(end):
    stream, failure = await read_late(body_of(SMALL, b""), end, code=uncoded)

    check_interrupted(stream, failure, SMALL)


@ENDS
async def test_a_finish_reason_that_was_held_with_the_delta_completes_the_answer(end):
    stream, failure = await read_late(FINISH + USAGE, end)

    check_complete(stream, failure, "", USAGE)


# --- answers larger than what aiohttp reads ahead -----------------------------------------------


@ENDS
@TAILS
async def test_a_large_answer_that_finished_is_complete_however_the_connection_ended(end, tail):
    stream, failure = await read_late(body_of(LARGE, tail), end, arrives=a_full_buffer_and_the_end)

    check_complete(stream, failure, LARGE, tail)


@ENDS
async def test_a_large_answer_without_a_finish_reason_is_interrupted_and_all_of_it_kept(end):
    stream, failure = await read_late(body_of(LARGE, b""), end, arrives=a_full_buffer_and_the_end)

    check_interrupted(stream, failure, LARGE)


async def test_an_answer_larger_than_all_buffers_comes_whole():
    text = LARGE * 10

    stream, failure = await read_late(
        body_of(text, FINISH + USAGE, size=10_000), end_well, arrives=a_full_buffer
    )

    check_complete(stream, failure, text, USAGE)


@ENDS
async def test_an_answer_in_more_chunks_than_aiohttp_keeps_comes_whole(end):
    stream, failure = await read_late(
        body_of("word " * 20_000, FINISH),
        end,
        code=lambda body: in_small_chunks(body, 5),
        arrives=a_full_buffer_and_the_end,
    )

    check_complete(stream, failure, "word " * 20_000, FINISH)


async def test_a_stream_left_at_bytes_behind_its_error_is_freed_by_reference_counts_alone():
    async def cut(_, writer):
        writer.write(CHUNKED + http_chunk(content("First. ")))
        await held.wait()
        writer.write(http_chunk(content("Second. ")))
        await close_in_a_chunk(writer)

    held = asyncio.Event()
    async with (
        serving(cut) as server,
        session_on(Clockwork(), server.base_url, retry=ONCE) as session,
    ):
        gc.collect()
        gc.disable()
        try:
            stream = session.stream("Why?")
            await anext(stream)
            held.set()
            await arrival_of_the_end(reader_of(stream), None)
            assert (await anext(stream)).text == "Second. "  # read after its error was raised
            freed = weakref.ref(stream)
            del stream

            assert freed() is None
        finally:
            gc.enable()


async def test_an_error_that_is_none_of_a_connection_is_not_hidden_by_the_bytes_before_it():
    async def answer(reader, writer):
        writer.write(CHUNKED + http_chunk(b"one"))
        await reader.read()

    async with (
        serving(answer) as server,
        aiohttp.ClientSession() as http,
        http.post(server.base_url) as response,
    ):
        while not response.content._buffer:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
        exchange = Exchange(response)
        fault = ArithmeticError("a fault of ours")

        with pytest.raises(ArithmeticError, match="a fault of ours"):
            exchange.rest(fault, None)
        assert exchange.rest(ConnectionResetError(), None) == (b"one", None)
        exchange.close()


# --- what this stands on ------------------------------------------------------------------------


async def test_aiohttps_reader_is_what_the_transport_takes_it_for():
    """`Exchange.rest` takes what is buffered behind an error, by aiohttp's private means."""

    async def cut(_, writer):
        writer.write(CHUNKED + http_chunk(b"one ") + http_chunk(b"two"))
        await close_in_a_chunk(writer)

    async with (
        serving(cut) as server,
        aiohttp.ClientSession() as http,
        http.post(server.base_url) as response,
    ):
        reader = response.content
        await arrival_of_the_end(reader, None)

        with pytest.raises(aiohttp.ClientPayloadError):
            await reader.readany()  # it raises before it gives what it holds
        assert type(reader._buffer) is collections.deque
        held = b"".join(reader._buffer)
        assert held.startswith(b"one two")
        assert reader._read_nowait(-1) == held
        assert not reader._buffer
        with pytest.raises(aiohttp.ClientPayloadError):
            await reader.readany()


async def test_aiohttps_reader_keeps_an_error_that_is_set_from_outside_behind_its_bytes():
    """`Exchange.fail` ends a read in this way."""

    async def answer(reader, writer):
        writer.write(CHUNKED + http_chunk(b"one"))
        await reader.read()

    async with (
        serving(answer) as server,
        aiohttp.ClientSession() as http,
        http.post(server.base_url) as response,
    ):
        reader = response.content
        while not reader._buffer:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
        reader.set_exception(TimeoutError("late"))
        response.close()

        with pytest.raises(TimeoutError, match="late"):
            await reader.readany()
        assert reader._read_nowait(-1) == b"one"


async def test_aiohttp_tells_of_a_lost_connection_by_a_future():
    """`_lost` stands on it: a chunk whose size is broken ends the connection in silence."""

    async def babble(reader, writer):
        writer.write(CHUNKED + http_chunk(b"one"))
        await asked.wait()
        writer.write(b"zz\r\n")
        await reader.read()

    asked = asyncio.Event()
    async with (
        serving(babble) as server,
        aiohttp.ClientSession() as http,
        http.post(server.base_url) as response,
    ):
        closed = response.connection.protocol.closed
        asked.set()
        await asyncio.wait([closed])

        assert closed.exception() is None or isinstance(closed.exception(), OSError)
