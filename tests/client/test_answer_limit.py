"""``Limits.max_answer_bytes``: what is read of a response, compressed or not, on every path."""

import asyncio
import gzip
import zlib

import aiohttp
import pytest
from clockwork import Clockwork, session_on
from raw_server import content, serving

from aimlchat import (
    APIError,
    Limits,
    ProtocolError,
    RequestTimeoutError,
    RetryPolicy,
    StreamParser,
    Timeouts,
)
from aimlchat._client.content_coding import BodyDecoder
from aimlchat._client.retry import is_retryable
from aimlchat.batch.batches_api import create_batch, fetch_results
from aimlchat.session import endpoints_of

MIB = 2**20
SMALL = Limits(max_answer_bytes=10_000)
CALLS = {
    "complete": lambda session: session.complete("Hi"),
    "stream": lambda session: session.stream("Hi").collect(),
    "models": lambda session: session.models(),
    "a new batch": lambda session: create_batch(session, [b"{}"]),
    "results of a batch": lambda session: fetch_results(session, "b1"),
    "any endpoint": lambda session: endpoints_of(session).send("GET", "x", bytes),
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def responding(body, *, coding="", status=200):
    async def respond(reader, writer):
        writer.write(b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n" % status)
        if coding:
            writer.write(b"Content-Encoding: %s\r\n" % coding.encode())
        writer.write(b"\r\n%x\r\n%s\r\n" % (len(body), body))
        await reader.read()  # the body does not end: only the client can end it
        raise ConnectionResetError

    return serving(respond)


def whole(size):
    """Return the body of a completion, or of anything else, of this size."""
    body = b'{"id":"b1","data":[],"custom_id":"c","choices":[{"message":{"content":"%s"}}]}'
    return body % (b"x" * (size - len(body) + 2))


def bomb(block, times):
    """Return gzip that decodes to so many blocks; each block is a member of its own."""
    return gzip.compress(block) * times


@calls
@pytest.mark.parametrize(
    ("coding", "encode"), [("", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_a_larger_body_is_an_error_that_names_the_limit(call, coding, encode):
    body = encode(whole(10_001))
    async with (
        responding(body, coding=coding) as server,
        session_on(Clockwork(), server.base_url, limits=SMALL) as session,
    ):
        with pytest.raises(
            ProtocolError, match=r"10,000 bytes.*Limits\(max_answer_bytes"
        ) as caught:
            await call(session)
        await server.gone.wait()  # the connection is closed at once

    assert type(caught.value) is ProtocolError
    assert not is_retryable(caught.value, is_stream=True)
    assert len(server.requests) == len(caught.value.attempts) == 1


@calls
@pytest.mark.parametrize("limit", [10_000, 0, None])
@pytest.mark.parametrize("is_lent", [False, True])
async def test_a_body_of_just_that_size_is_read(call, limit, is_lent):
    async def respond(_, writer):
        body = whole(10_000)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    limits = Limits(max_answer_bytes=limit)
    async with serving(respond) as server, aiohttp.ClientSession() as http:
        lent = http if is_lent else None
        async with session_on(Clockwork(), server.base_url, limits=limits, http=lent) as session:
            await call(session)


async def test_a_small_body_that_came_with_its_headers_is_limited_too():
    async def respond(_, writer):
        body = whole(101)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    limits = Limits(max_answer_bytes=100)
    async with (
        serving(respond) as server,
        session_on(Clockwork(), server.base_url, limits=limits) as session,
    ):
        with pytest.raises(ProtocolError, match="100 bytes"):
            await session.complete("Hi")


@pytest.mark.parametrize("encode", [bytes, gzip.compress])
@pytest.mark.parametrize("size", [10_000, 10_001])
async def test_a_stream_has_the_same_limit_for_its_text_but_none_for_its_framing(encode, size):
    events = content("x" * 100) * 99 + content("x" * (size - 9900)) + b": ping\n\n" * 10_000
    body = encode(events + content("", '"stop"') + b"data: [DONE]\n\n")
    async with (
        responding(body, coding="" if encode is bytes else "gzip") as server,
        session_on(Clockwork(), server.base_url, limits=SMALL) as session,
    ):
        stream = session.stream("Hi")
        if size == 10_000:
            await stream.collect()
        else:
            with pytest.raises(ProtocolError, match=r"10,000 bytes.*Limits\(max_answer_bytes"):
                await stream.collect()

    assert stream.partial.text == "x" * size
    assert len(server.requests) == 1


async def test_an_endless_stream_ends_soon_above_the_limit():
    body = content("x" * 100) * 1000
    async with (
        responding(body) as server,
        session_on(Clockwork(), server.base_url, limits=SMALL) as session,
    ):
        stream = session.stream("Hi")
        with pytest.raises(ProtocolError, match="10,000 bytes"):
            await stream.collect()
        await server.gone.wait()

    assert 10_000 < len(stream.partial.text) < 12_000


@calls
@pytest.mark.parametrize("coding", ["br", "zstd"])
async def test_a_coding_that_was_not_asked_for_is_an_error_without_a_second_attempt(call, coding):
    async with (
        responding(b"\x0b\x05", coding=coding) as server,
        session_on(Clockwork(), server.base_url) as session,
    ):
        with pytest.raises(ProtocolError, match=f"{coding}.*not requested"):
            await call(session)
        await server.gone.wait()

    assert len(server.requests) == 1


# --- the loop goes on meanwhile -------------------------------------------------------------------


async def count_turns(call):
    """Return the error of a call, and how many turns another task had meanwhile."""
    turns = 0

    async def take_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.ensure_future(take_turns())
    try:
        with pytest.raises((ProtocolError, APIError)) as caught:
            await call
    finally:
        other.cancel()
    return caught.value, turns


@pytest.mark.parametrize(
    ("call", "block", "error", "turns"),
    [
        (CALLS["complete"], b" " * MIB, "8,388,608 bytes", 128),
        (CALLS["models"], b" " * MIB, "8,388,608 bytes", 128),
        (CALLS["results of a batch"], b" " * MIB, "8,388,608 bytes", 128),
        (CALLS["stream"], b"x" * MIB, "an event of the stream exceeds", 256),
        (CALLS["stream"], content("x" * (MIB - 200)), "8,388,608 bytes", 128),
    ],
)
async def test_others_have_their_turn_between_the_pieces_of_a_bomb(call, block, error, turns):
    limits = Limits(max_answer_bytes=8 * MIB)
    async with (
        responding(bomb(block, 64), coding="gzip") as server,
        session_on(Clockwork(), server.base_url, limits=limits) as session,
    ):
        caught, taken = await count_turns(call(session))

    assert error in str(caught)
    assert taken > turns


@pytest.mark.parametrize("block", [b": ping\n\n" * 10_000, b"\n" * 80_000, b""])
@pytest.mark.parametrize("phase", ["deadline", "first_token"])
async def test_a_timeout_is_noticed_between_the_pieces_of_a_bomb(block, phase):
    clock = Clockwork()
    settings = {"timeouts": Timeouts(**{phase: 3}), "retry": RetryPolicy(attempts=1)}
    async with (
        responding(bomb(block, 2000), coding="gzip") as server,
        session_on(clock, server.base_url, **settings) as session,
    ):
        call = asyncio.ensure_future(session.stream("Hi").collect())
        await server.requested.wait()
        turns = 0
        while not call.done() and turns < 500:
            await asyncio.sleep(0)
            turns += 1
            clock.advance(0.1)
        with pytest.raises(RequestTimeoutError) as caught:
            await call

    assert caught.value.phase == phase
    assert turns < 100


# --- the decoder ----------------------------------------------------------------------------------


def test_a_bomb_takes_no_more_memory_than_a_piece():
    decoder = BodyDecoder("gzip")
    decoder.feed(bomb(b"x" * MIB, 4))
    sizes = []
    while decoder.has_more:
        sizes.append(len(decoder.take()))
    assert sum(sizes) == 4 * MIB
    assert max(sizes) == 64 * 1024


def test_a_parser_without_a_session_has_a_limit_too():
    parser = StreamParser()
    event = content("x" * MIB)
    for _ in range(80):
        if parser.fault is None:
            parser.feed(event)
    with pytest.raises(ProtocolError, match="67,108,864 bytes"):
        parser.feed(event)
