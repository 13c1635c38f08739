"""Bodies that are no event stream: a whole completion, HTML, or JSON of another kind."""

import json

import pytest

from aimlchat import Completion, ProtocolError, StreamParser


class TestWholeBodies:
    BODY = {  # noqa: RUF012 - nothing writes to it
        "id": "c-1",
        "model": "m-1",
        "choices": [
            {
                "index": 0,
                "message": {"reasoning_content": "hm", "content": "yes"},
                "finish_reason": "end_turn",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }

    @pytest.mark.parametrize(
        "before", [b"", b"\n", b" \r\n\t", b"\xef\xbb\xbf", b"\n\xef\xbb\xbf\n"]
    )
    @pytest.mark.parametrize("size", [1, 7, 10_000])
    def test_a_whole_completion_instead_of_a_stream_becomes_deltas(self, read_bytes, before, size):
        body = before + json.dumps(self.BODY, indent=1).encode() + b"\n"
        reading = read_bytes([body[i : i + size] for i in range(0, len(body), size)])
        assert [delta.text for delta in reading.deltas] == ["hm", "yes"]
        completion = reading.completion
        assert (completion.reasoning, completion.text) == ("hm", "yes")
        assert (completion.finish_reason, completion.native_finish_reason) == ("stop", "end_turn")
        assert completion.usage.total_tokens == 3
        assert completion.raw == self.BODY

    def test_a_whole_completion_needs_no_finish_reason(self, read_bytes):
        body = b'{"choices":[{"message":{"content":"<think>hm</think>yes"}}]}'
        reading = read_bytes([body], "qwen3-32b")
        assert [delta.text for delta in reading.deltas] == ["hm", "yes"]
        assert reading.completion.text == "yes"

    @pytest.mark.parametrize(
        "body",
        [
            b"<!DOCTYPE html><html><title>502</title></html>",
            b"\n\n <html>",
            b"\xef\xbb\xbf<html>",
            b"[]",
            b'[{"choices": []}]',
            b"{}",
            b'{"id": "c-1"}',
            b'{"choices": null}',
            b'{"choices": []}',
            b'{"choices": [null]}',
            b'{"choices": {}}',
            b'{"choices": [{"message": {"content": "a',
            b"{]",
            b"[DONE]",
            b'{"choices": [{"message": {"content": "a"}}]} {}',
        ],
    )
    def test_a_body_without_a_choice_is_a_protocol_error(self, read_bytes, body):
        for pieces in ([body], [body[i : i + 1] for i in range(len(body))]):
            error = read_bytes(pieces).error
            assert type(error) is ProtocolError
            assert error.partial == Completion()

    def test_html_is_a_fault_at_its_first_byte(self):
        parser = StreamParser()
        assert parser.feed(b"<html>") == []
        with pytest.raises(ProtocolError, match="HTML"):
            parser.feed(b"")

    def test_an_endless_body_is_a_fault_before_it_fills_the_memory(self):
        parser = StreamParser(max_answer_bytes=100_000)
        parser.feed(b'{"x": "')
        while parser.fault is None:
            parser.feed(b"x" * 2**10)
        with pytest.raises(ProtocolError, match=r"100,000 bytes.*max_answer_bytes"):
            parser.feed(b"")
