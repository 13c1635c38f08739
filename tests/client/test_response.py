"""The life of a response: its body is read, what went wrong is told, its connection is released."""

import asyncio
import traceback
from contextlib import asynccontextmanager

import pytest
from delivery import HANG, run_pending, wait_until_read, wait_until_sent
from raw_server import CHUNKED, http_chunk, serving
from virtual_time import run_in_virtual_time

from aimlchat import (
    AIMLChatError,
    Limits,
    ProtocolError,
    RequestTimeoutError,
    StreamInterruptedError,
    Timeouts,
)
from aimlchat._client.prepare import PreparedRequest
from aimlchat._client.rate_limit import Slot
from aimlchat._client.response import OpenResponse
from aimlchat._client.transport import Transport

END = b"0\r\n\r\n"
CUT = b"60\r\ncut off"
MALFORMED = b"zz\r\n"
MIB = 1024 * 1024


class Opener:
    """Opens responses of a server."""

    def __init__(self, server) -> None:
        self.server = server
        self._opened = []
        self._transport = Transport(
            server.base_url, proxy=None, ssl=None, trust_env=False, http=None, limits=Limits()
        )

    async def open(self):
        response = await self._transport.send("GET", "x", headers={}, timeouts=Timeouts())
        self._opened.append(response)
        return response

    async def close(self):
        for response in self._opened:
            response.close()
        await self._transport.close()


@asynccontextmanager
async def opening_from(handler):
    async with serving(handler) as server:
        opener = Opener(server)
        try:
            yield opener
        finally:
            await opener.close()


def opening(body, *, later=b"", then_close=False, headers=CHUNKED):
    """Return an opener of responses with this body, after which the server closes or waits.

    ``later`` is sent once the client has read the rest.
    """

    async def respond(_, writer):
        writer.write(headers + body)
        if later:
            await wait_until_read(writer)
            writer.write(later)
        if then_close:
            await wait_until_sent(writer)
            raise ConnectionResetError

    return opening_from(respond)


def nothing():
    pass


async def wait_until_lost(response):
    """Return once the reader of the body has learned that the connection is lost."""
    while response._response.content.exception() is None:
        await run_pending(1)


async def read_until_lost(response):
    """Return what `read` raises once the connection is lost, with what arrived still buffered."""
    await wait_until_lost(response)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - one of aiohttp's
        await response.read()
    return caught.value


# --- reading --------------------------------------------------------------------------------------


async def test_a_whole_body_is_read_in_any_number_of_chunks():
    async with opening(http_chunk(b"one ") + http_chunk(b"two") + END) as opener:
        response = await opener.open()

        assert await response.read_whole(nothing) == b"one two"


async def test_a_whole_body_that_is_cut_off_is_a_protocol_error():
    async with opening(http_chunk(b"one ") + CUT, then_close=True) as opener:
        response = await opener.open()
        with pytest.raises(ProtocolError, match="cut off") as caught:
            await response.read_whole(nothing)

    assert type(caught.value) is ProtocolError


async def test_the_caller_is_told_before_each_read():
    told = []
    async with opening(http_chunk(b"one")) as opener:
        response = await opener.open()
        reading = asyncio.ensure_future(response.read_whole(lambda: told.append(1)))
        await run_pending()
        assert told
        response.fail(RequestTimeoutError("late", phase="idle"))

        with pytest.raises(RequestTimeoutError):
            await reading


async def test_the_headers_are_read_by_names_of_any_case():
    headers = b"HTTP/1.1 200 OK\r\nX-Inference-ID: i-1\r\nContent-Length: 0\r\n\r\n"
    async with opening(b"", headers=headers) as opener:
        response = await opener.open()

    assert response.headers["x-inference-id"] == "i-1"


# --- what is left when the connection breaks ------------------------------------------------------


async def test_bytes_that_had_arrived_come_before_the_failure():
    async with opening(http_chunk(b"one") + CUT, then_close=True) as opener:
        response = await opener.open()
        error = await read_until_lost(response)

        data, failure = response.recover(error, None)
        assert (data.startswith(b"one"), failure) == (True, None)
        data, failure = response.recover(await read_until_lost(response), None)
        assert data == b""
        assert isinstance(failure, StreamInterruptedError)


async def test_the_failure_has_the_error_of_the_connection_as_its_cause_without_frames():
    async with opening(CUT, then_close=True) as opener:
        response = await opener.open()
        response.recover(await read_until_lost(response), None)
        error = await read_until_lost(response)
        _, failure = response.recover(error, None)

    assert failure.__cause__ is error
    assert error.__traceback__ is None


async def test_an_error_that_is_not_one_of_the_connection_is_raised_again():
    error = KeyError("a bug")
    async with opening(b"") as opener:
        response = await opener.open()
        with pytest.raises(KeyError) as caught:
            response.recover(error, None)

    assert caught.value is error


async def test_an_error_that_ends_the_body_from_outside_comes_after_what_had_arrived():
    error = AIMLChatError("enough")
    async with opening(http_chunk(b"one")) as opener:
        response = await opener.open()
        while not response._response.content._buffer:
            await run_pending(1)
        response.fail(error)

        assert response.recover(await read_until_lost(response), None) == (b"one", None)
        assert response.recover(await read_until_lost(response), None) == (b"", error)
        assert error.__traceback__ is None
        await asyncio.wait_for(opener.server.gone.wait(), HANG)


async def test_an_error_that_ends_the_body_from_outside_wakes_its_reader():
    async with opening(b"") as opener:
        response = await opener.open()
        reading = asyncio.ensure_future(response.read())
        await run_pending()
        response.fail(AIMLChatError("enough"))

        with pytest.raises(AIMLChatError, match="enough"):
            await reading


# --- the body of an error response ----------------------------------------------------------------


async def test_the_body_of_an_error_is_read_to_its_end_and_the_connection_is_kept():
    async with opening(http_chunk(b"one ") + http_chunk(b"two") + END) as opener:
        for _ in range(2):
            response = await opener.open()
            assert await response.read_error_body(nothing) == b"one two"

        assert opener.server.connections == 1


async def test_the_body_of_an_error_that_breaks_off_is_returned_as_far_as_it_came():
    async with opening(http_chunk(b"one ") + CUT, then_close=True) as opener:
        response = await opener.open()

        assert (await response.read_error_body(nothing)).startswith(b"one ")


async def test_the_body_of_an_error_is_cut_at_a_mebibyte():
    async with opening(http_chunk(b"x" * 16 * MIB)) as opener:
        response = await opener.open()
        body = await response.read_error_body(nothing)

        assert MIB <= len(body) < 2 * MIB
        await asyncio.wait_for(opener.server.gone.wait(), HANG)


# --- releasing ------------------------------------------------------------------------------------


async def test_a_body_that_has_ended_gives_its_connection_back():
    async with opening(http_chunk(b"one") + END) as opener:
        for _ in range(3):
            response = await opener.open()
            await response.release()

        assert opener.server.connections == 1


def test_a_body_that_ends_soon_after_gives_its_connection_back():
    async def respond(_, writer):
        writer.write(CHUNKED + http_chunk(b"one"))
        await asyncio.sleep(0.04)
        writer.write(END)

    assert run_in_virtual_time(count_connections(respond)) == 1


def test_a_body_that_does_not_end_closes_its_connection():
    async def respond(reader, writer):
        writer.write(CHUNKED + http_chunk(b"one"))
        await reader.read()
        raise ConnectionResetError

    assert run_in_virtual_time(count_connections(respond)) == 2


async def count_connections(handler):
    """Open and release two responses; return how many connections they took."""
    async with opening_from(handler) as opener:
        for _ in range(2):
            response = await opener.open()
            await response.release()
        return opener.server.connections


async def test_a_connection_that_breaks_while_it_is_released_is_no_failure():
    async with opening(http_chunk(b"one") + CUT, then_close=True) as opener:
        response = await opener.open()
        await response.release()

        await asyncio.wait_for(opener.server.gone.wait(), HANG)


async def test_closing_and_releasing_may_be_repeated():
    async with opening(http_chunk(b"one") + END) as opener:
        response = await opener.open()
        await response.release()
        await response.release()
        response.close()
        response.close()


@pytest.mark.parametrize("rest", [CUT, MALFORMED])
async def test_an_exception_of_the_caller_keeps_its_traceback_while_a_response_is_released(rest):
    async with opening(http_chunk(b"one"), later=rest, then_close=True) as opener:
        response = await opener.open()
        await wait_until_lost(response)
        try:
            raise_deep_inside()
        except KeyError as error:
            await response.release()

            frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert frames[-1] == "raise_deep_inside"


@pytest.mark.parametrize("rest", [CUT, MALFORMED])
async def test_an_exception_of_the_caller_keeps_its_traceback_while_a_body_breaks_off(rest):
    async with opening(http_chunk(b"one"), later=rest, then_close=True) as opener:
        response = await opener.open()
        await wait_until_lost(response)
        try:
            raise_deep_inside()
        except KeyError as error:
            await response.read_error_body(nothing)

            frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert frames[-1] == "raise_deep_inside"


def raise_deep_inside():
    raise KeyError


# --- a response that occupies a slot --------------------------------------------------------------


async def test_its_slot_is_free_once_it_is_closed():
    semaphore = asyncio.Semaphore(0)
    async with opening(http_chunk(b"one") + END) as opener:
        request = PreparedRequest("x", {}, client_request_id="mine")
        opened = OpenResponse(await opener.open(), request, (), Slot(semaphore, None))
        await opened.release()
        opened.close()

    assert semaphore._value == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (b"", (None, "mine")),
        (b"X-Inference-Id: i-1\r\nX-Client-Request-Id: theirs\r\n", ("i-1", "theirs")),
    ],
)
async def test_the_ids_are_those_of_the_headers_and_else_those_of_the_request(headers, expected):
    lines = b"HTTP/1.1 200 OK\r\n" + headers + b"Content-Length: 0\r\n\r\n"
    async with opening(b"", headers=lines) as opener:
        request = PreparedRequest("x", {}, client_request_id="mine")
        opened = OpenResponse(await opener.open(), request, (), None)

    metadata = opened.metadata
    assert (metadata["inference_id"], metadata["client_request_id"]) == expected
