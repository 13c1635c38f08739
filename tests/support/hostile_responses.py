"""Responses that never end, or that take far more memory than their size, by name."""

import asyncio
import itertools
import json
import zlib

import attrs
from raw_server import CHUNKED, STREAM_HEADERS, content, http_chunk

MEGABYTE = 1024 * 1024
BLOCK = b"x" * 65536
SPACES = b" " * MEGABYTE
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ERROR = b"HTTP/1.1 500 No\r\nContent-Type: application/json\r\n"
ANSWER = b'{"choices":[{"message":{"content":"'
ONE = content("One ")
END = content("", '"stop"') + b"data: [DONE]\n\n"
DEEP = b"[" * 5 * MEGABYTE
LONG = "a" * 9999
GZIP = zlib.MAX_WBITS | 16


@attrs.frozen
class Attack:
    """The kind of call, what the server does, and how the call has to end: an error, or None.

    A `RequestTimeoutError` is always right, too, since nothing says how fast a machine is. So is a
    `StreamInterruptedError`, which is a `ProtocolError`, for that one.
    """

    kind: str
    handler: object
    error: str | None

    def is_right(self, error):
        """Return whether a call may end with the error of this name."""
        if self.error == "ProtocolError" and error == "StreamInterruptedError":
            return True
        return error in (self.error, "RequestTimeoutError")


def event(data):
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


def delta(choice=None, **fields):
    return event({"id": "c", "choices": [{"index": 0, "delta": fields} | (choice or {})]})


def forever(data):
    """Return what makes an endless iterator, which sends small items many at a time."""
    return lambda: itertools.repeat(data * max(20_000 // len(data), 1))


def numbered(template):
    """Return what makes an endless iterator over a template, with another number in each."""

    def number(start):
        count = max(20_000 // len(template), 1)
        return b"".join(template % n for n in range(start, start + count))

    return lambda: map(number, itertools.count(step=max(20_000 // len(template), 1)))


def compress(pieces, bits=GZIP):
    """Compress pieces one by one, for ever if they are endless."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, bits)
    for piece in pieces:
        if data := compressor.compress(piece):
            yield data
    yield compressor.flush()


def bomb(first, piece=SPACES, bits=GZIP):
    """Return what makes an endless compressed body; a megabyte of it becomes a gigabyte."""
    return lambda: compress(itertools.chain([first], itertools.repeat(piece)), bits)


def send(*parts, then=tuple, pace=0.0):
    """Return a handler that sends parts, and then what an iterator yields."""

    async def handler(_, writer):
        writer.write(b"".join(parts))
        await writer.drain()
        for item in then():
            writer.write(item)
            await writer.drain()
            await asyncio.sleep(pace)
        raise ConnectionResetError  # the end of the connection

    return handler


def raw(*parts, kind="complete", error="ProtocolError", **rest):
    return Attack(kind, send(*parts, **rest), error)


def answer(*parts, headers=b"", **rest):
    return raw(JSON, headers, b"\r\n", *parts, **rest)


def models(*parts, headers=b"", **rest):
    return raw(JSON, headers, b"\r\n", *parts, kind="models", **rest)


def failure(*parts, headers=b"", **rest):
    return raw(ERROR, headers, b"\r\n", *parts, error="ServerError", **rest)


def stream(*parts, headers=b"", **rest):
    return raw(STREAM_HEADERS, headers, b"\r\n", *parts, kind="stream", **rest)


def streams_with_long_keys():
    """Return a handler whose streams each have one long key that no other stream has."""
    numbers = itertools.count()

    async def handler(reader, writer):
        chunk = event(b'{"%d%b":1,"choices":[]}' % (next(numbers), b"k" * 4 * MEGABYTE))
        await send(STREAM_HEADERS, b"\r\n", chunk, ONE, END)(reader, writer)

    return Attack("streams", handler, None)


AS_GZIP = b"Content-Encoding: gzip\r\n"
AS_DEFLATE = b"Content-Encoding: deflate\r\n"
COMPRESSED = {
    "a gzip bomb as an answer": answer(headers=AS_GZIP, then=bomb(ANSWER)),
    "a deflate bomb as an answer": answer(
        headers=AS_DEFLATE, then=bomb(ANSWER, bits=zlib.MAX_WBITS)
    ),
    "a bomb of many members": answer(headers=AS_GZIP, then=forever(b"".join(compress([SPACES])))),
    "a bomb of empty members": answer(headers=AS_GZIP, then=forever(b"".join(compress([])))),
    "a gzip bomb as an event": stream(headers=AS_GZIP, then=bomb(b"data: ", BLOCK)),
    "a gzip bomb of deltas": stream(headers=AS_GZIP, then=bomb(b"", content(LONG) * 100)),
    "a gzip bomb of pings": stream(headers=AS_GZIP, then=bomb(b"", b": ping\n\n" * 9999)),
    "a gzip bomb as an error": failure(headers=AS_GZIP, then=bomb(b'{"message":"')),
    "a gzip bomb as a list of models": models(headers=AS_GZIP, then=bomb(b'{"data":["')),
    "brotli that was not requested": answer(
        headers=b"Content-Encoding: br\r\n", then=forever(BLOCK)
    ),
}
HEADERS = {
    "endless headers": raw(b"HTTP/1.1 200 OK\r\n", then=numbered(b"X-%d: a\r\n")),
    "one endless header": raw(b"HTTP/1.1 200 OK\r\nX: ", then=forever(BLOCK)),
    "an endless status line": raw(b"HTTP/1.1 200 ", then=forever(BLOCK)),
    "endless informational responses": raw(then=forever(b"HTTP/1.1 103 Early\r\n\r\n")),
    "an endless extension of a chunk": raw(CHUNKED, b"5;", kind="stream", then=forever(BLOCK)),
    "an endless trailer": raw(
        CHUNKED, http_chunk(ONE), b"0\r\n", kind="stream", then=numbered(b"X-%d: a\r\n")
    ),
    "a wait of 4,000 digits": raw(
        b"HTTP/1.1 429 No\r\nContent-Length: 0\r\nRetry-After: %b\r\n\r\n" % (b"9" * 4000),
        error="RateLimitError",
    ),
}  # fmt: skip
BODIES = {
    "an endless answer": answer(ANSWER, then=forever(BLOCK)),
    "an endless list of models": models(b'{"data":[', then=forever(b'{"id":"x"},')),
    "an endless error": failure(then=forever(BLOCK)),
    "endless white space as an answer": answer(then=forever(SPACES)),
    "endless white space as a stream": stream(then=forever(SPACES)),
    "endless line ends": stream(then=forever(b"\n")),
    "endless pings": stream(ONE, then=forever(b": ping\n\n")),
    "endless chunks without text": stream(ONE, then=forever(delta())),
    "an endless event": stream(b"data: ", then=forever(BLOCK)),
    "an endless line": stream(then=forever(BLOCK)),
    "an endless event of short lines": stream(then=forever(b"data: x\n")),
    "endless lines without data": stream(then=forever(b"event: x\n")),
    "endless bytes behind [DONE]": stream(ONE, END, then=forever(BLOCK), error=None),
    "an error that trickles": failure(then=lambda: itertools.repeat(b" "), pace=0.3),
    "an answer that trickles": answer(ANSWER, then=lambda: itertools.repeat(b"x"), pace=0.3),
}
CONTENT = {
    "endless tiny deltas": stream(then=forever(content("ab"))),
    "endless text": stream(then=forever(content(LONG))),
    "endless reasoning": stream(then=forever(delta(reasoning_content=LONG))),
    "endless refusal": stream(then=forever(delta(refusal=LONG))),
    "endless arguments": stream(
        then=forever(delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": LONG}}]))
    ),
    "endless arguments of no name": stream(
        then=forever(delta(tool_calls=[{"index": 0, "function": {"arguments": LONG}}]))
    ),
    "endless audio": stream(then=forever(delta(audio={"data": LONG}))),
    "endless images": stream(then=forever(delta(images=[{"image_url": {"url": LONG}}]))),
    "endless annotations": stream(then=forever(delta(annotations=[{"url": LONG}]))),
    "endless log probabilities": stream(
        then=forever(delta({"logprobs": {"content": [{"token": LONG}]}}, content="a"))
    ),
    "endless white space behind a tag": stream(
        delta(content="<think>"), then=forever(delta(content=" " * 9999))
    ),
    "endless choices": stream(
        then=numbered(event(b'{"choices":[{"index":%d,"delta":{"content":"a"}}]}'))
    ),
    "endless tool calls": stream(
        then=numbered(event(b'{"choices":[{"delta":{"tool_calls":[{"id":"t%d"}]}}]}'))
    ),
}


def tool_calls(template):
    calls = b",".join(template.replace(b"%d", b"%d" % n) for n in range(100_000))
    return event(b'{"choices":[{"delta":{"tool_calls":[%b]}}]}' % calls)


DIGITS = b"9" * MEGABYTE
VALUES = {
    "100,000 tool calls at once": stream(
        tool_calls(b'{"index":%d,"id":"t%d","function":{"name":"f","arguments":"{}"}}'), END
    ),
    "100,000 tool calls of one id": stream(
        tool_calls(b'{"index":%d,"id":"t","function":{"name":"f","arguments":"{}"}}'), END
    ),
    "numbers of a million digits": stream(
        event(b'{"created":%b,"choices":[],"usage":{"total_tokens":%b}}' % (DIGITS, DIGITS)),
        ONE,
        END,
        error=None,
    ),
    "an answer nested deep": answer(DEEP),
    "an answer with content nested deep": answer(b'{"choices":[{"message":{"content":', DEEP),
    "an event nested deep": stream(event(b'{"x":' + DEEP), END),
    "endless unknown keys": stream(then=numbered(event(b'{"key-%d":1,"choices":[]}'))),
    "endless long unknown keys": stream(
        then=numbered(event(b'{"%%d%b":1,"choices":[]}' % (b"k" * MEGABYTE)))
    ),
    "endless large values of unknown keys": stream(
        then=numbered(event(b'{"key-%%d":"%b","choices":[]}' % (b"v" * MEGABYTE)))
    ),
    "many streams with a long key each": streams_with_long_keys(),
}
ATTACKS = COMPRESSED | HEADERS | BODIES | CONTENT | VALUES
