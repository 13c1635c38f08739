"""Errors and chunks in lines that are no ``data`` of the standard for server-sent events."""

import json

import pytest

from aimlchat import BadRequestError, ProtocolError, ServerError, StreamInterruptedError
from aimlchat._protocol.sse import EventDecoder

FULL = b'{"code":400,"message":"the context is full"}'
BODY = b'{"error":%s}' % FULL
PRETTY = json.dumps(json.loads(BODY), indent=2).encode()
DONE = b"data: [DONE]\n\n"

ERRORS = {
    "field": b"error: " + FULL + b"\n\n",
    "field in capitals": b"ERROR:" + FULL + b"\n\n",
    "field without a blank line": b"error: " + FULL + b"\n",
    "field with a body": b"error: " + BODY + b"\n\n",
    "named event": b"event: error\ndata: " + FULL + b"\n\n",
    "named event with a body": b"event: error\ndata: " + BODY + b"\n\n",
    "named event in lines": b"id: 1\nevent: stream_error\n: ping\ndata: " + FULL + b"\n\n",
    "bare line": BODY + b"\n",
    "bare event": BODY + b"\n\n",
    "bare event behind a comment": b": ping\n\n" + BODY + b"\n\n",
    "bare event in lines": PRETTY + b"\n\n",
    "bare array": b"[" + BODY + b"]\n\n",
    "data without a blank line": b'data: {"choices":[]}\ndata: ' + BODY + b"\n\n",
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=list(ERRORS))
@pytest.mark.parametrize("text", ["", "Hel"], ids=["first", "behind text"])
@pytest.mark.parametrize("end", [b"", DONE], ids=["eof", "done"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_an_error_is_raised_at_any_split(read_bytes, error, text, end, line_end):
    before = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % text.encode() if text else b""
    body = (before + error + end).replace(b"\n", line_end)
    for size in (1, 10, len(body)):
        reading = read_bytes([body[i : i + size] for i in range(0, len(body), size)])
        assert (type(reading.error), reading.error.status) == (BadRequestError, 400)
        assert reading.error.message == "the context is full"
        assert reading.error.partial.text == text


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (b"error: slot unavailable\n\n", "slot unavailable"),
        (b"Error: slot unavailable\n\n", "slot unavailable"),
        (b"event: error\ndata: slot\ndata: unavailable\n\n", "slot\nunavailable"),
        (b"event: error\n\n", "the server sent an error without a message"),
        (b"event: error\ndata: {}\n\n", "the server sent an error without a message"),
        (b'event: error\ndata: {"message":""}\n\n', "the server sent an error without a message"),
    ],
)
def test_an_error_may_be_plain_text_or_empty(read_bytes, sse, chunk, error, message):
    reading = read_bytes([sse(chunk({"content": "Hel"})) + error + DONE])
    assert (type(reading.error), reading.error.message) == (ServerError, message)


@pytest.mark.parametrize("value", [b"", b" null", b" {}", b' {"message":"","code":null}'])
def test_a_line_of_an_error_that_says_nothing_is_ignored(read_bytes, sse, chunk, value):
    first, last = sse(chunk({"content": "a"})), sse(chunk({"content": "b"}, finish="stop"))
    completion = read_bytes([first + b"error:" + value + b"\n\n" + last + DONE]).completion
    assert (completion.text, completion.raw["choices"][0]["finish_reason"]) == ("ab", "stop")


COMMENTS = [
    b"data: : PROCESSING\n\n",
    b"data: : PROCESSING\ndata: : PROCESSING\n\n",
    b'data: : PROCESSING\ndata: {"choices":[{"delta":{"content":""}}]}\n\n',
]


@pytest.mark.parametrize("comment", COMMENTS)
def test_a_comment_that_is_wrapped_as_data_is_ignored(read_bytes, sse, chunk, comment):
    first, last = sse(chunk({"content": "a"})), sse(chunk({"content": "b"}, finish="stop"))
    body = comment + first + comment + last + comment[:-1]
    for pieces in ([body], [body[i : i + 1] for i in range(len(body))]):
        assert read_bytes(pieces).completion.text == "ab"


@pytest.mark.parametrize(
    "tail",
    [
        b"<html>502</html>\n\n",
        b'"x"\n\n',
        b"data: nonsense\n\n",
        b"error: late\n\n",
        b'{"error":"late"}\n\n',
        b"data: " + b" " * 100 + b'{"choices":[{"delta":{"content":"late"}}]}\n\n',
    ],
)
@pytest.mark.parametrize("blank", [b"", b"\n"], ids=["same block", "next block"])
def test_nothing_behind_done_counts_at_any_split(read_bytes, sse, chunk, tail, blank):
    body = sse(chunk({"content": "a"})) + b"data: [DONE]\n" + blank + tail
    for size in (1, 7, len(body)):
        reading = read_bytes([body[i : i + size] for i in range(0, len(body), size)])
        assert reading.completion.text == reading.joined() == "a"


def test_only_the_last_name_of_an_event_counts(read_bytes, sse, chunk):
    last = sse(chunk({"content": "a"}, finish="stop"))
    assert read_bytes([b"event: error\nevent: chunk\n" + last]).completion.text == "a"


def test_an_error_behind_the_finish_reason_does_not_undo_it(read_bytes, sse, chunk):
    whole = sse(chunk({"content": "a"}, finish="stop"))
    for error in ERRORS.values():
        assert read_bytes([whole + error + DONE]).completion.text == "a"


@pytest.mark.parametrize("line", [b"Internal Server Error", b'Data: {"a":1}', b" data: a", b"<p>"])
class TestOtherLines:
    def test_a_line_that_is_no_field_is_an_error_if_only_done_ends_the_stream(
        self, read_bytes, sse, chunk, line
    ):
        body = sse(chunk({"content": "Hel"})) + line + b"\n\n" + DONE
        error = read_bytes([body]).error
        assert type(error) is ProtocolError
        assert line.decode() in str(error)
        assert error.partial.text == "Hel"

    def test_it_is_named_if_the_stream_is_interrupted(self, read_bytes, sse, chunk, line):
        error = read_bytes([sse(chunk({"content": "Hel"})) + line + b"\n"]).error
        assert type(error) is StreamInterruptedError
        assert line.decode() in str(error)

    def test_it_is_ignored_if_the_stream_has_its_finish_reason(self, read_bytes, sse, chunk, line):
        body = line + b"\n\n" + sse(chunk({"content": "a"}, finish="stop"))
        assert read_bytes([b": ping\n\n" + body]).completion.text == "a"


@pytest.mark.parametrize("line", [b"x: y", b"ping", b"retry: 5", b"x-y: 1", b"  ", b": {"])
def test_an_unknown_field_is_ignored(read_bytes, sse, chunk, line):
    body = sse(chunk({"content": "a"})) + line + b"\n\n" + DONE
    assert read_bytes([body]).completion.text == "a"


@pytest.mark.parametrize("name", [b"event: error\n", b"event: x\n"])
def test_names_and_comments_without_blank_lines_take_no_memory(name):
    decoder = EventDecoder()
    decoder.feed(b"data: a\n\n")
    for _ in range(1000):
        decoder.feed(name + b": still here\nid: 1\n")
        decoder.feed(b": ")
        decoder.feed(b"x" * 100 + b"\n")
        assert len(decoder._buffer) < 5000
    events = decoder.feed(b"data: b\n\n")
    assert events == [b"b" if b"x" in name else b'{"error":"b"}']
