"""A reader that handles a delta while the rest of the stream, and its end, arrive."""

import asyncio
import collections
import weakref

import aiohttp
import pytest
from clockwork import Clockwork, session_on
from delivery import HANG, reset, run_pending, wait_until_sent
from raw_server import CHUNKED, STREAM_HEADERS, content, http_chunk, serving

from aimlchat import RetryPolicy, StreamInterruptedError
from aimlchat._client.response import Response
from aimlchat._client.transport import _interruption

ONCE = RetryPolicy(attempts=1)
FINISH = content("", '"stop"')
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"total_tokens":4}}\n\n'
DONE = b"data: [DONE]\n\n"
UNTIL_THE_END = STREAM_HEADERS + b"Connection: close\r\n\r\n"


# --- how the connection ends --------------------------------------------------------------------


async def close(writer):
    writer.close()
    await writer.wait_closed()  # until the kernel has all of the data


async def end_well(writer):
    writer.write(b"0\r\n\r\n")
    await close(writer)


async def close_in_a_chunk(writer):
    writer.write(b'60\r\ndata: {"choices":[{"delta":{"content":"cut')
    await close(writer)


async def break_a_chunk(writer):
    writer.write(b"zz\r\n")
    await close(writer)


async def reset_late(writer):
    await wait_until_sent(writer)
    reset(writer)


# --- bodies, and a late reader of them ---------------------------------------------------------


def in_one_chunk(body):
    return http_chunk(body)


def in_small_chunks(body, size=20):
    return b"".join(http_chunk(body[i : i + size]) for i in range(0, len(body), size))


def uncoded(body):
    return body


def body_of(text, tail, size=1000):
    return b"".join(content(text[i : i + size]) for i in range(0, len(text), size)) + tail


async def read_late(body, end, *, code=in_one_chunk, arrives=None):
    """Handle the first delta until the rest has arrived; return the stream and its error, if any.

    Args:
        body: what the server sends after the first event.
        end: ends the connection.
        code: encodes the body for the transfer.
        arrives: waits for the rest; by default for the end of the stream, which aiohttp notices
            unless it has stopped reading.
    """
    resumed, ended = asyncio.Event(), asyncio.Event()

    async def respond(_, writer):
        writer.write((UNTIL_THE_END if code is uncoded else CHUNKED) + code(content("First. ")))
        await resumed.wait()
        writer.write(code(body))
        await end(writer)
        ended.set()

    async with (
        asyncio.timeout(HANG),
        serving(respond) as server,
        session_on(Clockwork(), server.base_url, retry=ONCE) as session,
    ):
        stream = session.stream("Why?", model="openai/gpt-4o")
        assert (await anext(stream)).text == "First. "
        resumed.set()
        await (arrives or wait_for_end)(body_reader(stream), ended)
        try:
            await stream.collect()
        except StreamInterruptedError as error:
            return stream, error
        return stream, None


def body_reader(stream):
    return stream._opened.response._response.content


async def wait_for_end(reader, ended):
    while not reader.is_eof() and reader.exception() is None:  # noqa: ASYNC110 - aiohttp has no event for it
        await asyncio.sleep(0)


async def until_full_and_sent(reader, ended):
    """Wait until aiohttp reads no further, and the server has sent and ended everything."""
    await until_full(reader, ended)
    await ended.wait()
    await run_pending()
    assert not reader.is_eof()
    assert reader.exception() is None
    assert reader.total_bytes < len(LARGE)  # some of the data is still in the kernel


async def until_full(reader, ended):
    while not reader._protocol._reading_paused:  # noqa: ASYNC110 - aiohttp has no event for it
        await asyncio.sleep(0)


# --- small bodies ------------------------------------------------------------------------------

ENDS = pytest.mark.parametrize(
    "end", [end_well, close, close_in_a_chunk, break_a_chunk, reset_late]
)
TAILS = pytest.mark.parametrize(
    "tail", [FINISH, FINISH + USAGE, FINISH + USAGE + DONE, DONE], ids=len
)
SMALL = "The rest."
# 844 KiB, of which aiohttp reads about 512 KiB ahead.
LARGE = "All that there is to say of it. " * 27_000


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
async def test_a_finished_stream_is_complete_however_the_connection_ended(end, tail, code):
    stream, failure = await read_late(body_of(SMALL, tail), end, code=code)

    check_complete(stream, failure, SMALL, tail)


@ENDS
@pytest.mark.parametrize("code", [in_one_chunk, in_small_chunks])
async def test_a_stream_without_a_finish_reason_is_interrupted_and_keeps_all_its_text(end, code):
    stream, failure = await read_late(body_of(SMALL, b""), end, code=code)

    check_interrupted(stream, failure, SMALL)


@pytest.mark.parametrize("end", [close, reset_late])
@TAILS
async def test_a_finished_stream_that_ends_with_its_connection_is_complete(end, tail):
    stream, failure = await read_late(body_of(SMALL, tail), end, code=uncoded)

    check_complete(stream, failure, SMALL, tail)


@pytest.mark.parametrize("end", [close, reset_late])
async def test_an_end_of_file_without_a_finish_reason_is_an_interruption(end):
    stream, failure = await read_late(body_of(SMALL, b""), end, code=uncoded)

    check_interrupted(stream, failure, SMALL)


@ENDS
async def test_a_finish_reason_that_arrives_while_the_reader_is_busy_completes_the_stream(end):
    stream, failure = await read_late(FINISH + USAGE, end)

    check_complete(stream, failure, "", USAGE)


# --- bodies larger than what aiohttp reads ahead ------------------------------------------------


@ENDS
@TAILS
async def test_a_large_finished_stream_is_complete_however_the_connection_ended(end, tail):
    stream, failure = await read_late(body_of(LARGE, tail), end, arrives=until_full_and_sent)

    check_complete(stream, failure, LARGE, tail)


@ENDS
async def test_a_large_stream_without_a_finish_reason_is_interrupted_and_keeps_all_its_text(end):
    stream, failure = await read_late(body_of(LARGE, b""), end, arrives=until_full_and_sent)

    check_interrupted(stream, failure, LARGE)


async def test_a_stream_larger_than_all_buffers_arrives_whole():
    text = LARGE * 10

    stream, failure = await read_late(
        body_of(text, FINISH + USAGE, size=10_000), end_well, arrives=until_full
    )

    check_complete(stream, failure, text, USAGE)


@ENDS
async def test_a_stream_in_more_chunks_than_aiohttp_keeps_arrives_whole(end):
    stream, failure = await read_late(
        body_of("word " * 20_000, FINISH),
        end,
        code=lambda body: in_small_chunks(body, 5),
        arrives=until_full_and_sent,
    )

    check_complete(stream, failure, "word " * 20_000, FINISH)


async def test_a_stream_dropped_before_the_error_after_its_buffered_bytes_is_freed(gc_disabled):
    async def cut(_, writer):
        writer.write(CHUNKED + http_chunk(content("First. ")))
        await resumed.wait()
        writer.write(http_chunk(content("Second. ")))
        await close_in_a_chunk(writer)

    resumed = asyncio.Event()
    async with (
        serving(cut) as server,
        session_on(Clockwork(), server.base_url, retry=ONCE) as session,
    ):
        stream = session.stream("Why?")
        await anext(stream)
        resumed.set()
        await wait_for_end(body_reader(stream), None)
        assert (await anext(stream)).text == "Second. "  # read from the buffer after the error
        reference = weakref.ref(stream)
        del stream

        assert reference() is None


async def test_an_error_that_is_not_a_connection_error_is_raised_before_the_buffered_bytes():
    async def respond(reader, writer):
        writer.write(CHUNKED + http_chunk(b"one"))
        await reader.read()

    async with (
        serving(respond) as server,
        aiohttp.ClientSession() as http,
        http.post(server.base_url) as response,
    ):
        while not response.content._buffer:  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(0)
        opened = Response(response, _interruption)
        fault = ArithmeticError("a bug in the SDK")

        with pytest.raises(ArithmeticError, match="a bug in the SDK"):
            opened.recover(fault, None)
        assert opened.recover(ConnectionResetError(), None) == (b"one", None)
        opened.close()


# --- the behavior of aiohttp that this relies on ------------------------------------------------


async def test_the_reader_of_aiohttp_raises_before_it_returns_what_is_buffered():
    """`Response.recover` reads what is buffered before an error, by private names of aiohttp."""

    async def cut(_, writer):
        writer.write(CHUNKED + http_chunk(b"one ") + http_chunk(b"two"))
        await close_in_a_chunk(writer)

    async with (
        serving(cut) as server,
        aiohttp.ClientSession() as http,
        http.post(server.base_url) as response,
    ):
        reader = response.content
        await wait_for_end(reader, None)

        with pytest.raises(aiohttp.ClientPayloadError):
            await reader.readany()  # although it has data
        assert type(reader._buffer) is collections.deque
        buffered = b"".join(reader._buffer)
        assert buffered.startswith(b"one two")
        assert reader._read_nowait(-1) == buffered
        assert not reader._buffer
        with pytest.raises(aiohttp.ClientPayloadError):
            await reader.readany()


async def test_an_exception_set_on_the_reader_of_aiohttp_leaves_its_bytes_readable():
    """`Response.fail` ends a read by setting an exception."""

    async def respond(reader, writer):
        writer.write(CHUNKED + http_chunk(b"one"))
        await reader.read()

    async with (
        serving(respond) as server,
        aiohttp.ClientSession() as http,
        http.post(server.base_url) as response,
    ):
        reader = response.content
        while not reader._buffer:  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(0)
        reader.set_exception(TimeoutError("late"))
        response.close()

        with pytest.raises(TimeoutError, match="late"):
            await reader.readany()
        assert reader._read_nowait(-1) == b"one"


async def test_aiohttp_reports_a_lost_connection_through_a_future():
    """`Response._connection_lost` relies on it: an invalid chunk size raises no exception."""

    async def break_size(reader, writer):
        writer.write(CHUNKED + http_chunk(b"one"))
        await requested.wait()
        writer.write(b"zz\r\n")
        await reader.read()

    requested = asyncio.Event()
    async with (
        serving(break_size) as server,
        aiohttp.ClientSession() as http,
        http.post(server.base_url) as response,
    ):
        closed = response.connection.protocol.closed
        requested.set()
        await asyncio.wait([closed])

        assert closed.exception() is None or isinstance(closed.exception(), OSError)
