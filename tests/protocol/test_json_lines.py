"""Streams of JSON lines, with or without ``data:``, but without blank lines between them."""

import json

import pytest

from aimlchat import AnswerDelta, ServerError, StreamInterruptedError, StreamParser


def lines(*chunks, prefix=b"", end=b"\n"):
    return b"".join(prefix + json.dumps(chunk).encode() + end for chunk in chunks)


@pytest.fixture
def chunks(chunk):
    return chunk({"content": "Hel"}), chunk({"content": "lo"}), chunk(finish="stop")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("prefix", [b"", b"data: "], ids=["bare", "data"])
@pytest.mark.parametrize("size", [1, 50, 10_000])
class TestLines:
    def split(self, body, size):
        return [body[i : i + size] for i in range(0, len(body), size)]

    def test_each_line_is_a_chunk(self, read_bytes, chunks, prefix, end, size):
        body = lines(*chunks, prefix=prefix, end=end)
        for tail in (b"", prefix + b"[DONE]" + end, end):
            completion = read_bytes(self.split(body + tail, size)).completion
            assert (completion.text, completion.finish_reason) == ("Hello", "stop")

    def test_done_ends_them(self, read_bytes, chunks, prefix, end, size):
        body = lines(*chunks[:2], prefix=prefix, end=end) + prefix + b"[DONE]" + end
        assert read_bytes(self.split(body, size)).completion.text == "Hello"

    def test_a_stream_that_is_cut_is_interrupted(self, read_bytes, chunks, prefix, end, size):
        body = lines(*chunks[:2], prefix=prefix, end=end)
        for tail in (b"", prefix + b'{"choi'):
            error = read_bytes(self.split(body + tail, size)).error
            assert type(error) is StreamInterruptedError
            assert error.partial.text == "Hello"

    def test_an_error_is_raised(self, read_bytes, chunks, prefix, end, size):
        failed = {"error": {"message": "gone", "code": 502}}
        body = lines(*chunks[:2], failed, prefix=prefix, end=end)
        error = read_bytes(self.split(body, size)).error
        assert (type(error), error.status, error.partial.text) == (ServerError, 502, "Hello")


def test_lines_become_deltas_as_they_arrive(chunks):
    parser = StreamParser("gpt-4o")
    parser.feed(lines(chunks[0]))
    assert parser.feed(lines(chunks[1])) == [AnswerDelta("Hel"), AnswerDelta("lo")]


def test_a_whole_body_of_one_line_is_no_stream(read_bytes):
    body = lines({"choices": [{"message": {"content": "Hi"}}]})
    assert read_bytes([body, b"\n", b"  \n"]).completion.text == "Hi"


def test_one_chunk_as_the_whole_body_is_complete_only_with_a_finish_reason(read_bytes, chunk):
    whole = json.dumps(chunk({"content": "Hi"}, finish="stop")).encode()
    cut = json.dumps(chunk({"content": "Hi"})).encode()
    assert read_bytes([whole]).completion.text == "Hi"
    error = read_bytes([cut]).error
    assert (type(error), error.partial.text) == (StreamInterruptedError, "Hi")
