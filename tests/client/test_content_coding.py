"""Compressed bodies: what is asked for, what is decoded, and that no status is lost behind one."""

import asyncio
import gzip
import zlib

import aiohttp
import pytest
from aiohttp import ClientRequest
from clockwork import Clockwork, session_on
from raw_server import content, http_chunk, serving

from aimlchat import (
    APIError,
    AuthenticationError,
    ChatSession,
    ProtocolError,
    RateLimitError,
    RetryPolicy,
    ServerError,
)
from aimlchat._client.content_coding import MAX_READ_BYTES, BodyDecoder, find_decoder
from aimlchat.session import endpoints_of

MIB = 1024 * 1024
PIECE = MAX_READ_BYTES
WHOLE = b'{"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}'
EVENTS = content("a") + content("b") + content("", '"stop"')
REFUSAL = b'{"error": {"message": "Slow down there."}}'
ONCE = RetryPolicy(attempts=1)


def raw_deflate(data):
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


CODINGS = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("GZIP", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]) + b"\0" * 9),
    ("gzip", bytes),  # a gateway that decoded the body and forwards the header
    ("gzip, identity", gzip.compress),
    ("identity", bytes),
    ("utf-8", bytes),
]
coded = pytest.mark.parametrize(("coding", "encode"), CODINGS)


def responding(body, *, status=200, coding="", kind=b"application/json", length=None):
    headers = b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n" % (
        status,
        kind,
        len(body) if length is None else length,
    )
    if coding:
        headers += b"Content-Encoding: %s\r\n" % coding.encode()

    async def respond(_, writer):
        writer.write(headers + b"\r\n" + body)
        if length is not None:
            await writer.drain()
            writer.transport.abort()

    return serving(respond)


def session_of(server, **options):
    return session_on(Clockwork(), server.base_url, retry=ONCE, **options)


# --- what is asked for ----------------------------------------------------------------------------


def codings_asked_for(request):
    lines = request.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return [line.partition(b": ")[2] for line in lines if line.startswith(b"accept-encoding:")]


async def respond_to_anything(_, writer):
    body = b'{"id": "b1", "data": [], "choices": [{"message": {"content": "ok"}}]}'
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


@pytest.fixture
def with_brotli(monkeypatch):
    """Make aiohttp ask for all that it could decode if Brotli and Zstandard were installed."""
    wide = {**ClientRequest.DEFAULT_HEADERS, "Accept-Encoding": "gzip, deflate, br, zstd"}
    monkeypatch.setattr(ClientRequest, "DEFAULT_HEADERS", wide)


@pytest.mark.usefixtures("with_brotli")
@pytest.mark.parametrize("lender", [None, {}, {"accept-encoding": "br"}], ids=repr)
async def test_only_what_every_python_can_decode_is_asked_for(lender):
    async with (
        serving(respond_to_anything) as server,
        aiohttp.ClientSession(headers=lender) as http,
    ):
        lent = None if lender is None else http
        async with ChatSession("k", base_url=server.base_url, http=lent) as session:
            await session.complete("Hi")
            await session.complete("x" * 20_000)
            await session.complete("x" * 500_000)
            await session.models()
            await endpoints_of(session).send("POST", "batches", bytes, b"{}")
            await session.stream("Hi").collect()

    *whole, stream = [codings_asked_for(request) for request in server.requests]
    assert whole == [[b"gzip, deflate"]] * 5
    assert stream == [b"identity"]


@pytest.mark.parametrize("is_lent", [False, True])
async def test_a_callers_own_choice_is_sent(is_lent):
    own = {"accept-encoding": "identity"}
    async with serving(respond_to_anything) as server, aiohttp.ClientSession() as http:
        lent = http if is_lent else None
        async with ChatSession("k", base_url=server.base_url, http=lent, headers=own) as session:
            await session.complete("Hi")

    assert codings_asked_for(server.requests[0]) == [b"identity"]


# --- what is decoded ------------------------------------------------------------------------------


@coded
@pytest.mark.parametrize("is_lent", [False, True])
async def test_a_whole_body_is_decoded(coding, encode, is_lent):
    async with (
        responding(encode(WHOLE), coding=coding) as server,
        aiohttp.ClientSession() as http,
        session_of(server, http=http if is_lent else None) as session,
    ):
        assert (await session.complete("Hi")).text == "ok"


@coded
async def test_a_stream_is_decoded(coding, encode):
    async with (
        responding(encode(EVENTS), coding=coding, kind=b"text/event-stream") as server,
        session_of(server) as session,
    ):
        assert (await session.stream("Hi").collect()).text == "ab"


async def test_a_compressed_stream_arrives_delta_by_delta():
    deflater = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)

    async def respond(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        flushed = deflater.compress(content("a")) + deflater.flush(zlib.Z_SYNC_FLUSH)
        writer.write(http_chunk(flushed[:5]))
        writer.write(http_chunk(flushed[5:]))

    async with (
        serving(respond) as server,
        session_of(server) as session,
        session.stream("Hi") as stream,
    ):
        assert (await anext(stream)).text == "a"


async def test_what_a_cut_stream_had_sent_is_in_its_partial():
    data = gzip.compress(content("a"))
    async with responding(data, coding="gzip", length=999) as server, session_of(server) as session:
        with pytest.raises(ProtocolError) as caught:
            await session.stream("Hi").collect()

    assert caught.value.partial.text == "a"


@pytest.mark.parametrize(
    ("coding", "body"),
    [("br", b"\x0b\x05"), ("zstd", b"\x28\xb5"), ("gzip, br", b"x"), ("gzip", b"\x1f\x8bgarbage")],
)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_good_response_that_cannot_be_decoded_is_a_protocol_error(coding, body, is_stream):
    async with responding(body, coding=coding) as server, session_of(server) as session:
        call = session.stream("Hi").collect() if is_stream else session.complete("Hi")
        with pytest.raises(ProtocolError, match=coding):
            await call

    assert len(server.requests) == 1


# --- the status of a refusal ----------------------------------------------------------------------


@coded
async def test_the_message_of_a_compressed_refusal_is_read(coding, encode):
    async with (
        responding(encode(REFUSAL), status=429, coding=coding) as server,
        session_of(server) as session,
    ):
        with pytest.raises(RateLimitError) as caught:
            await session.complete("Hi")

    assert caught.value.message == "Slow down there."


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthenticationError), (429, RateLimitError), (503, ServerError)]
)
@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("br", b"\x0b\x05\x80"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("gzip, br", b"x"),
        ("gzip", b"\x1f\x8bgarbage"),
        ("deflate", b"garbage"),
        ("br", b""),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_body_that_cannot_be_decoded_leaves_the_status(
    status, kind, coding, body, is_stream
):
    async with (
        responding(body, status=status, coding=coding) as server,
        session_of(server) as session,
    ):
        call = session.stream("Hi").collect() if is_stream else session.complete("Hi")
        with pytest.raises(kind) as caught:
            await call

    error = caught.value
    assert (error.status, error.body) == (status, "")
    assert "without a message" in error.message
    assert coding in error.message


async def test_a_refusal_that_cannot_be_decoded_is_retried_after_the_wait_in_its_header():
    async def respond(_, writer):
        if len(server.requests) == 1:
            writer.write(b"HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Encoding: br\r\n")
            writer.write(b"Content-Length: 3\r\n\r\nabc")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(WHOLE) + WHOLE)

    clock = Clockwork()
    async with serving(respond) as server, session_on(clock, server.base_url) as session:
        assert (await session.complete("Hi")).text == "ok"

    assert clock.sleeps[0] == 7.25


@pytest.mark.parametrize("coding", ["", "gzip"])
async def test_a_body_that_is_cut_leaves_the_status_and_what_came(coding):
    body = gzip.compress(REFUSAL) if coding else REFUSAL[:-8]
    async with (
        responding(body, status=429, coding=coding, length=999) as server,
        session_of(server) as session,
    ):
        with pytest.raises(RateLimitError) as caught:
            await session.complete("Hi")

    assert caught.value.message.startswith("Slow down")
    assert "cut off" in caught.value.message


async def test_a_body_that_expands_beyond_all_measure_leaves_the_status():
    bomb = gzip.compress(b"x" * 16 * MIB)
    async with responding(bomb, status=429, coding="gzip") as server, session_of(server) as session:
        with pytest.raises(APIError) as caught:
            await session.complete("Hi")

    assert type(caught.value) is RateLimitError
    assert len(caught.value.body) <= 2 * MIB
    assert "1 MiB" in caught.value.message


async def test_other_tasks_run_while_a_body_expands():
    turns = 0

    async def take_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    body = gzip.compress(b" " * (16 * MIB) + WHOLE, 1)
    async with responding(body, coding="gzip") as server, session_of(server) as session:
        other = asyncio.ensure_future(take_turns())
        completion = await session.complete("Hi")
        other.cancel()

    assert completion.text == "ok"
    assert turns >= 16  # one for each MiB


# --- the decoder ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(("coding", "encode"), [CODINGS[0], *CODINGS[3:7]])
def test_any_split_gives_the_same_bytes(coding, encode, size):
    data, decoder, decoded = encode(EVENTS), BodyDecoder(coding), b""
    for start in range(0, len(data), size):
        decoder.feed(data[start : start + size])
        while decoder.has_more:
            decoded += decoder.take()
    assert decoded == EVENTS
    assert decoder.fault is None


def test_a_piece_has_at_most_32_kib():
    decoder = BodyDecoder("gzip")
    decoder.feed(gzip.compress(b"x" * 3 * PIECE))
    assert [len(decoder.take()) for _ in range(4)] == [
        PIECE,
        PIECE,
        PIECE,
        0,
    ]
    assert not decoder.has_more


@pytest.mark.parametrize(
    "size",
    [
        PIECE - 1,
        PIECE,
        PIECE + 1,
        PIECE + 100,
        PIECE * 2 + 258,
    ],
)
@pytest.mark.parametrize(("coding", "encode"), [CODINGS[0], *CODINGS[3:5]])
def test_the_end_of_a_body_is_decoded_wherever_its_last_piece_begins(coding, encode, size):
    decoder, decoded = BodyDecoder(coding), b""
    decoder.feed(encode(b"x" * size))
    while decoder.has_more:
        decoded += decoder.take()
    assert len(decoded) == size


def test_members_that_hold_nothing_are_decoded_a_hundred_at_a_time():
    decoder = BodyDecoder("gzip")
    decoder.feed(gzip.compress(b"") * 150 + gzip.compress(b"end"))
    assert (decoder.take(), decoder.has_more) == (b"", True)
    assert (decoder.take(), decoder.has_more) == (b"end", False)


def test_what_came_before_the_fault_is_decoded():
    deflater = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    decoder = BodyDecoder("gzip")
    decoder.feed(deflater.compress(b"abc") + deflater.flush(zlib.Z_SYNC_FLUSH))
    assert decoder.take() == b"abc"
    decoder.feed(b"\xff" * 50)
    assert decoder.take() == b""
    assert isinstance(decoder.fault, ProtocolError)
    decoder.feed(b"more")
    assert decoder.take() == b""


def test_a_name_that_is_no_coding_needs_no_decoder():
    assert find_decoder({"Content-Encoding": "utf-8"}) is None
