"""How a stream ends, completely or not, and what is left of it then."""

import copy
import json
import pickle

import attrs
import pytest

from aimlchat import (
    AnswerDelta,
    Completion,
    ProtocolError,
    ServerError,
    StreamInterruptedError,
    StreamParser,
    ToolCallDelta,
)
from aimlchat._protocol.parser import BODY, CLOSED, DONE, EVENTS, FAILED, LINES, PLAIN, START
from aimlchat._protocol.whole import parse_completion

DONE_EVENT = b"[DONE]"


class TestGoodEnds:
    def test_a_stream_may_end_after_a_finish_reason(self, read, chunk):
        assert read(chunk({"content": "a"}, finish="stop")).completion.text == "a"

    def test_a_stream_may_end_with_done_after_a_chunk(self, read, chunk):
        assert read(chunk({"content": "a"}), DONE_EVENT).completion.text == "a"

    def test_a_stream_may_end_with_done_after_a_chunk_without_choices(self, read):
        assert read({"id": "c-1", "choices": []}, DONE_EVENT).completion.choices == ()

    @pytest.mark.parametrize("done", [b" [DONE] ", b"[DONE]\t"])
    def test_done_may_have_white_space_around_it(self, read, chunk, done):
        assert read(chunk({"content": "a"}), done).completion.text == "a"

    def test_the_last_event_may_lack_its_blank_line(self, read_bytes, sse, chunk):
        body = sse(chunk({"content": "a"}), chunk({"content": "b"}, finish="stop"))
        for end in (b"", b"\n"):
            reading = read_bytes([body.rstrip(b"\n") + end])
            assert reading.completion.text == "ab"

    def test_done_may_lack_its_blank_line(self, read_bytes, sse, chunk):
        assert read_bytes([sse(chunk({"content": "a"})) + b"data: [DONE]"]).completion.text == "a"

    @pytest.mark.parametrize(
        "junk",
        [
            b"junk",
            b"null",
            b"[]",
            b'{"choices": [',
            b'{"error": {"message": "too late", "type": "overloaded_error"}}',
            b'{"message": "m", "statusCode": 500}',
        ],
    )
    def test_junk_after_the_last_finish_reason_does_not_undo_it(self, read, chunk, junk):
        usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        reading = read(
            chunk({"content": "a"}, finish="stop"), junk, {"choices": [], "usage": usage}
        )
        assert reading.completion.text == "a"
        assert reading.completion.usage.total_tokens == 3

    def test_an_event_that_is_too_large_after_the_finish_reason_does_not_undo_it(
        self, read_bytes, sse, chunk
    ):
        reading = read_bytes([sse(chunk({"content": "a"}, finish="stop")), b"data: ", b"x" * 2**25])
        assert reading.completion.text == "a"

    def test_bytes_after_done_are_ignored(self, read_bytes, sse, chunk):
        reading = read_bytes([sse(chunk({"content": "a"}), DONE_EVENT), b"<html>", b"data: {\n\n"])
        assert reading.completion.text == "a"


class TestInterruptions:
    def test_an_end_before_a_finish_reason_is_an_interruption(self, read, chunk):
        reading = read(chunk({"content": "a"}))
        assert type(reading.error) is StreamInterruptedError
        assert reading.error.partial.text == "a"

    def test_a_choice_without_a_finish_reason_is_an_interruption(self, read, chunk):
        reading = read(chunk({"content": "a"}, finish="stop"), chunk({"content": "b"}, index=1))
        assert type(reading.error) is StreamInterruptedError
        assert [choice.text for choice in reading.error.partial.choices] == ["a", "b"]

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\n\n",
            b": ping\n\n",
            b"\xef\xbb\xbf",
            b"\xef",
            b"data:\n\n",
            b"event: x\n\n",
            b"null",
            b"7",
        ],
    )
    def test_a_body_without_an_event_is_an_interruption(self, read_bytes, body):
        reading = read_bytes([body])
        assert type(reading.error) is StreamInterruptedError
        assert reading.error.partial == Completion()

    def test_a_last_event_that_is_cut_is_ignored(self, read_bytes, sse, chunk):
        body = sse(chunk({"content": "a"}), chunk({"content": "b"}, finish="stop"))
        reading = read_bytes([body[:-4]])
        assert type(reading.error) is StreamInterruptedError
        assert reading.error.partial.text == "a"

    @pytest.mark.parametrize("buffered", [" ", "\n<thi", "b</thi", "\ud83e"], ids=ascii)
    def test_buffered_text_is_in_the_partial(self, read, chunk, buffered):
        reading = read(chunk({"content": buffered}), model="qwen3-32b")
        text = buffered.replace("\ud83e", "\ufffd")
        assert reading.error.partial.text == reading.joined() == text


class TestFaults:
    @pytest.mark.parametrize(
        "event",
        [b"junk", b"null", b"[]", b"7", b'"text"', b"{", b'{"choices": [}', b"<html>", b"[DONE"],
    )
    def test_an_event_that_is_not_a_json_object_is_a_protocol_error(self, read, chunk, event):
        reading = read(chunk({"content": "a"}), event, chunk({"content": "b"}, finish="stop"))
        assert type(reading.error) is ProtocolError
        assert reading.error.partial.text == "a"

    def test_a_fault_is_raised_at_the_call_after_the_deltas_before_it(self, sse, chunk):
        parser = StreamParser()
        body = sse(chunk({"content": "a"}), b"junk", chunk({"content": "b"}))
        assert parser.feed(body) == [AnswerDelta("a")]
        assert parser.partial.text == "a"
        with pytest.raises(ProtocolError, match="junk") as caught:
            parser.feed(b"")
        assert caught.value.partial.text == "a"

    @pytest.mark.parametrize("buffered", [" ", "<thi", "b</thi", "\ud83e"], ids=ascii)
    def test_buffered_text_is_returned_before_the_fault(self, sse, chunk, buffered):
        parser = StreamParser("qwen3-32b")
        deltas = parser.feed(sse(chunk({"content": buffered}), b"junk"))
        assert "".join(delta.text for delta in deltas) == buffered.replace("\ud83e", "\ufffd")

    @pytest.mark.parametrize("last", [b"", b"[DONE", b"junk"])
    @pytest.mark.parametrize("buffered", [" ", "<thi", "b</thi", "\ud83e"], ids=ascii)
    def test_text_that_is_buffered_at_the_end_is_returned_before_the_fault(
        self, sse, chunk, buffered, last
    ):
        parser = StreamParser("qwen3-32b")
        fed = parser.feed(sse(chunk({"content": buffered})) + b"data: " + last)
        closed = parser.close()
        assert closed
        text = buffered.replace("\ud83e", "\ufffd")
        assert "".join(delta.text for delta in fed + closed) == text
        for call in (parser.close, lambda: parser.completion, lambda: parser.feed(b"x")):
            with pytest.raises(StreamInterruptedError) as caught:
                call()
            assert caught.value.partial.text == text

    def test_arguments_that_are_held_back_at_the_end_are_returned_before_the_fault(
        self, sse, chunk
    ):
        call = {"index": 0, "id": "t", "function": {"name": "f", "arguments": "{}"}}
        parser = StreamParser()
        parser.feed(sse(chunk({"tool_calls": [call]})))
        assert parser.close() == [ToolCallDelta("{}", 0, 0, "t", "f")]
        with pytest.raises(StreamInterruptedError):
            parser.close()

    def test_the_text_of_a_body_with_an_error_is_returned_before_the_error(self):
        choice = {"message": {"content": "Half"}, "error": {"message": "stopped", "code": 500}}
        parser = StreamParser()
        parser.feed(json.dumps({"choices": [choice]}).encode())
        assert parser.close() == [AnswerDelta("Half")]
        with pytest.raises(ServerError, match="stopped"):
            parser.close()

    def test_a_fault_is_raised_at_every_further_call(self, sse):
        parser = StreamParser()
        parser.feed(sse(b"junk"))
        for call in (
            parser.close,
            parser.close,
            lambda: parser.feed(b"x"),
            lambda: parser.completion,
        ):
            with pytest.raises(ProtocolError, match="junk"):
                call()

    def test_a_fault_names_the_position_at_which_the_json_is_broken(self, sse):
        parser = StreamParser()
        parser.feed(sse(b"{junk"))
        with pytest.raises(ProtocolError) as caught:
            parser.close()
        assert "line 1 column 2" in str(caught.value)

    def test_a_fault_shows_only_the_start_of_a_long_event(self, read):
        assert len(str(read(b"x" * 10_000).error)) < 500

    def test_done_before_any_chunk_is_a_fault(self, read):
        assert isinstance(read(DONE_EVENT).error, ProtocolError)
        assert isinstance(read({"choices": None}, DONE_EVENT).error, ProtocolError)
        assert isinstance(read({"choices": None, "x": 1}, DONE_EVENT).error, ProtocolError)
        assert isinstance(
            read({"meta": {"usage": {"credits_used": 1}}}, DONE_EVENT).error, ProtocolError
        )

    def test_an_event_that_is_too_large_is_a_fault_after_the_deltas_before_it(self, sse, chunk):
        parser = StreamParser()
        body = sse(chunk({"content": "a"})) + b'data: {"x": "' + b"x" * 2**24 + b'"}\n\n'
        assert parser.feed(body) == [AnswerDelta("a")]
        with pytest.raises(ProtocolError, match="16,777,216"):
            parser.close()

    def test_a_partial_can_be_pickled_and_copied_with_its_error(self, read, chunk):
        error = read(chunk({"content": "a"}), b"{}").error
        for again in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
            assert type(again) is StreamInterruptedError
            assert again.partial == error.partial
            assert again.partial.text == "a"


class TestIsComplete:
    def test_a_stream_is_complete_once_its_end_was_noted(self, sse, chunk):
        parser = StreamParser()
        assert not parser.partial.is_complete
        parser.feed(sse(chunk({"content": "a"}, finish="stop")))
        assert not parser.partial.is_complete
        parser.close()
        assert parser.completion.is_complete
        assert parser.completion != attrs.evolve(parser.completion, is_complete=False)

    def test_a_stream_without_a_finish_reason_is_complete_after_done(self, read, chunk):
        completion = read(chunk({"content": "a"}), DONE_EVENT).completion
        assert (completion.is_complete, completion.finish_reason) == (True, None)

    @pytest.mark.parametrize("reason", ["length", "content_filter", "odd", None])
    def test_a_whole_body_is_complete_whatever_its_finish_reason(self, read_bytes, reason):
        body = json.dumps(
            {"choices": [{"message": {"content": "a"}, "finish_reason": reason}]}
        ).encode()
        assert read_bytes([body]).completion.is_complete
        assert parse_completion(body).is_complete

    def test_the_partial_of_an_error_is_not_complete(self, read, chunk):
        for end in ((), (b"junk",), ({"error": "x"},)):
            partial = read(chunk({"content": "a"}), *end).error.partial
            assert not partial.is_complete
            assert not pickle.loads(pickle.dumps(partial)).is_complete


class TestCompletion:
    def test_the_completion_is_a_runtime_error_before_the_end(self, sse, chunk):
        parser = StreamParser()
        parser.feed(sse(chunk({"content": "a"}, finish="stop")))
        with pytest.raises(RuntimeError, match="partial"):
            parser.completion  # noqa: B018 - reading it is the test
        parser.close()
        assert parser.completion.text == "a"

    def test_the_completion_raises_an_interruption(self):
        parser = StreamParser()
        for _ in range(2):
            with pytest.raises(StreamInterruptedError):
                parser.close()
        with pytest.raises(StreamInterruptedError) as caught:
            parser.completion  # noqa: B018 - reading it is the test
        assert caught.value.partial == Completion()

    def test_close_may_be_repeated(self, sse, chunk):
        parser = StreamParser("qwen3-32b")
        parser.feed(sse(chunk({"content": " a</thi"}, finish="stop")))
        assert parser.close() == [AnswerDelta("</thi")]
        assert parser.close() == []
        assert parser.feed(sse(chunk({"content": "b"}))) == []
        assert parser.completion.text == " a</thi"

    def test_a_partial_does_not_change_with_later_chunks(self, sse, chunk):
        parser = StreamParser()
        first = chunk({"content": "a", "annotations": [1], "audio": {"data": "x"}})
        first["choices"][0]["logprobs"] = {"content": [1]}
        parser.feed(sse(first))
        partial = parser.partial
        before = copy.deepcopy(partial)
        parser.feed(sse(first))
        assert partial == before
        assert parser.partial != before

    def test_a_partial_can_be_read_before_the_first_byte(self):
        assert StreamParser().partial == Completion()


class TestState:
    TEXT = b'data: {"id":"c","model":"m","choices":[{"delta":{"content":"a"}}]}\n\n'
    STOP = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    CALL = b'data: {"choices":[{"delta":{"tool_calls":[{"id":"t"}]}}]}\n\n'
    ERROR = b'data: {"error":"overloaded"}\n\n'
    END = b"data: [DONE]\n\n"

    @pytest.mark.parametrize(
        ("pieces", "states"),
        [
            ([], [FAILED]),
            ([b" ", b"\xef\xbb"], [START, START, FAILED]),
            ([b"\n", b"<html>"], [START, FAILED, FAILED]),
            ([b"{"], [BODY, FAILED]),
            ([TEXT[6:-1], STOP[6:-1]], [BODY, LINES, CLOSED]),
            ([TEXT[6:-1] + TEXT[6:-1], b"[DONE]\n", TEXT], [LINES, DONE, DONE, CLOSED]),
            ([TEXT[6:-1] + ERROR[6:-1]], [FAILED, FAILED]),
            ([b'{"choices":[{', b'"message":{"content":"a"}}]}'], [BODY, BODY, CLOSED]),
            ([b"data"], [EVENTS, FAILED]),
            ([TEXT, TEXT], [PLAIN, PLAIN, FAILED]),
            ([TEXT, STOP], [PLAIN, PLAIN, CLOSED]),
            ([TEXT, STOP + ERROR], [PLAIN, PLAIN, CLOSED]),
            ([TEXT, STOP, END, ERROR], [PLAIN, PLAIN, DONE, DONE, CLOSED]),
            ([TEXT, END], [PLAIN, DONE, CLOSED]),
            ([TEXT + END[:-2]], [PLAIN, CLOSED]),
            ([END], [FAILED, FAILED]),
            ([TEXT, ERROR], [PLAIN, FAILED, FAILED]),
            ([TEXT, *[CALL] * 16, STOP], [*[PLAIN] * 16, EVENTS, EVENTS, CLOSED]),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_each_read_leads_to_its_state(self, pieces, states):
        parser = StreamParser()
        seen = []
        for piece in pieces:
            parser.feed(piece)
            seen.append(parser._state)
        parser.end()
        assert [*seen, parser._state] == states
        assert (parser.fault is not None) == (states[-1] is FAILED)
        assert parser.done == (b"[DONE]" in b"".join(pieces) and states[-1] is CLOSED)
