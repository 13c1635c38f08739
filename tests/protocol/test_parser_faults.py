"""How a stream ends, well or badly, and what is left of it then."""

import copy
import json
import pickle

import pytest

from aimlchat import (
    AIMLChatError,
    AnswerDelta,
    APIError,
    AuthenticationError,
    BadRequestError,
    Completion,
    InsufficientCreditsError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    StreamParser,
)

DONE = b"[DONE]"


class TestGoodEnds:
    def test_end_of_file_after_a_finish_reason(self, read, chunk):
        assert read(chunk({"content": "a"}, finish="stop")).completion.text == "a"

    def test_done_after_a_chunk(self, read, chunk):
        assert read(chunk({"content": "a"}), DONE).completion.text == "a"

    def test_done_after_a_chunk_without_choices_in_it(self, read):
        assert read({"id": "c-1", "choices": []}, DONE).completion.choices == ()

    @pytest.mark.parametrize("done", [b" [DONE] ", b"[DONE]\t"])
    def test_done_may_have_white_space_around_it(self, read, chunk, done):
        assert read(chunk({"content": "a"}), done).completion.text == "a"

    def test_the_last_event_may_lack_its_blank_line(self, read_bytes, sse, chunk):
        body = sse(chunk({"content": "a"}), chunk({"content": "b"}, finish="stop"))
        for end in (b"", b"\n"):
            reading = read_bytes([body.rstrip(b"\n") + end])
            assert reading.completion.text == "ab"

    def test_a_last_done_may_lack_its_blank_line(self, read_bytes, sse, chunk):
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

    def test_an_event_too_large_after_the_finish_reason_does_not_undo_it(
        self, read_bytes, sse, chunk
    ):
        reading = read_bytes([sse(chunk({"content": "a"}, finish="stop")), b"data: ", b"x" * 2**25])
        assert reading.completion.text == "a"

    def test_html_after_done_is_not_even_read(self, read_bytes, sse, chunk):
        reading = read_bytes([sse(chunk({"content": "a"}), DONE), b"<html>", b"data: {\n\n"])
        assert reading.completion.text == "a"


class TestInterruptions:
    def test_end_of_file_before_the_finish_reason(self, read, chunk):
        reading = read(chunk({"content": "a"}))
        assert type(reading.error) is StreamInterruptedError
        assert reading.error.partial.text == "a"

    def test_a_choice_that_began_and_did_not_finish(self, read, chunk):
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
    def test_a_body_without_an_event(self, read_bytes, body):
        reading = read_bytes([body])
        assert type(reading.error) is StreamInterruptedError
        assert reading.error.partial == Completion()

    def test_a_last_event_that_is_cut_does_not_count(self, read_bytes, sse, chunk):
        body = sse(chunk({"content": "a"}), chunk({"content": "b"}, finish="stop"))
        reading = read_bytes([body[:-4]])
        assert type(reading.error) is StreamInterruptedError
        assert reading.error.partial.text == "a"

    @pytest.mark.parametrize("held", [" ", "\n<thi", "b</thi", "\ud83e"], ids=ascii)
    def test_what_was_held_back_is_in_the_partial(self, read, chunk, held):
        reading = read(chunk({"content": held}), model="qwen3-32b")
        text = held.replace("\ud83e", "\ufffd")
        assert reading.error.partial.text == reading.joined() == text


class TestFaults:
    @pytest.mark.parametrize(
        "event",
        [b"junk", b"null", b"[]", b"7", b'"text"', b"{", b'{"choices": [}', b"<html>", b"[DONE"],
    )
    def test_an_event_that_is_no_json_object_is_a_protocol_error(self, read, chunk, event):
        reading = read(chunk({"content": "a"}), event, chunk({"content": "b"}, finish="stop"))
        assert type(reading.error) is ProtocolError
        assert reading.error.partial.text == "a"

    def test_deltas_before_a_fault_come_first_and_the_fault_at_the_next_call(self, sse, chunk):
        parser = StreamParser()
        body = sse(chunk({"content": "a"}), b"junk", chunk({"content": "b"}))
        assert parser.feed(body) == [AnswerDelta("a")]
        assert parser.partial.text == "a"
        with pytest.raises(ProtocolError, match="junk") as caught:
            parser.feed(b"")
        assert caught.value.partial.text == "a"

    @pytest.mark.parametrize("held", [" ", "<thi", "b</thi", "\ud83e"], ids=ascii)
    def test_what_was_held_back_comes_before_the_fault(self, sse, chunk, held):
        parser = StreamParser("qwen3-32b")
        deltas = parser.feed(sse(chunk({"content": held}), b"junk"))
        assert "".join(delta.text for delta in deltas) == held.replace("\ud83e", "\ufffd")

    def test_a_fault_is_raised_again_at_every_call(self, sse):
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

    def test_a_fault_says_where_the_json_is_broken(self, sse):
        parser = StreamParser()
        parser.feed(sse(b"{junk"))
        with pytest.raises(ProtocolError) as caught:
            parser.close()
        assert "line 1 column 2" in str(caught.value)

    def test_a_fault_shows_the_start_of_what_came_and_no_more(self, read):
        assert len(str(read(b"x" * 10_000).error)) < 500

    def test_done_before_any_chunk_is_a_fault(self, read):
        assert isinstance(read(DONE).error, ProtocolError)
        assert isinstance(read({"choices": None}, DONE).error, ProtocolError)
        assert isinstance(read({"choices": None, "x": 1}, DONE).error, ProtocolError)
        assert isinstance(read({"meta": {"usage": {"credits_used": 1}}}, DONE).error, ProtocolError)

    def test_an_event_too_large_is_a_fault_after_the_deltas_before_it(self, sse, chunk):
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


class TestCompletion:
    def test_before_the_end_it_is_a_runtime_error(self, sse, chunk):
        parser = StreamParser()
        parser.feed(sse(chunk({"content": "a"}, finish="stop")))
        with pytest.raises(RuntimeError, match="partial"):
            parser.completion  # noqa: B018 - reading it is the test
        parser.close()
        assert parser.completion.text == "a"

    def test_after_an_interruption_it_raises_that(self):
        parser = StreamParser()
        for _ in range(2):
            with pytest.raises(StreamInterruptedError):
                parser.close()
        with pytest.raises(StreamInterruptedError) as caught:
            parser.completion  # noqa: B018 - reading it is the test
        assert caught.value.partial == Completion()

    def test_the_close_may_be_repeated(self, sse, chunk):
        parser = StreamParser("qwen3-32b")
        parser.feed(sse(chunk({"content": " a</thi"}, finish="stop")))
        assert parser.close() == [AnswerDelta("</thi")]
        assert parser.close() == []
        assert parser.feed(sse(chunk({"content": "b"}))) == []
        assert parser.completion.text == " a</thi"

    def test_a_partial_does_not_change_with_what_comes_later(self, sse, chunk):
        parser = StreamParser()
        first = chunk({"content": "a", "annotations": [1], "audio": {"data": "x"}})
        first["choices"][0]["logprobs"] = {"content": [1]}
        parser.feed(sse(first))
        partial = parser.partial
        before = copy.deepcopy(partial)
        parser.feed(sse(first))
        assert partial == before
        assert parser.partial != before

    def test_a_partial_can_be_read_before_anything_came(self):
        assert StreamParser().partial == Completion()


ERRORS = [
    ({"type": "overloaded_error"}, ServerError, 529),
    ({"type": "rate_limit_error"}, RateLimitError, 429),
    ({"code": "rate_limit_exceeded"}, RateLimitError, 429),
    ({"type": "invalid_request_error"}, BadRequestError, 400),
    ({"type": "invalid_request_error", "code": "context_length_exceeded"}, BadRequestError, 400),
    ({"type": "authentication_error"}, AuthenticationError, 401),
    ({"type": "invalid_request_error", "code": "invalid_api_key"}, AuthenticationError, 401),
    ({"type": "permission_error"}, PermissionDeniedError, 403),
    ({"type": "not_found_error"}, NotFoundError, 404),
    ({"type": "invalid_request_error", "code": "model_not_found"}, NotFoundError, 404),
    ({"type": "billing_error"}, InsufficientCreditsError, 402),
    ({"type": "insufficient_quota"}, InsufficientCreditsError, 402),
    ({"type": "api_error"}, ServerError, 500),
    ({}, ServerError, 500),
    ({"code": 429}, RateLimitError, 429),
    ({"code": "503"}, ServerError, 503),
    ({"status": 404}, NotFoundError, 404),
    ({"statusCode": "401"}, AuthenticationError, 401),
    ({"code": 200}, ServerError, 500),
    ({"code": "04290"}, ServerError, 500),
    ({"code": "0500" + "0" * 5000}, ServerError, 500),
    ({"code": {"a": 1}, "type": [7]}, ServerError, 500),
    ({"code": None, "type": None}, ServerError, 500),
    ({"code": True}, ServerError, 500),
]


@pytest.mark.parametrize(("facts", "kind", "status"), ERRORS, ids=lambda v: str(v)[:60])
class TestErrorEvents:
    @pytest.fixture
    def body(self, facts):
        return {"error": {"message": "It went wrong."} | facts}

    @staticmethod
    def check(error, kind, status):
        assert type(error) is kind
        assert error.status == status
        assert error.message == "It went wrong."

    def test_an_error_in_a_stream_is_what_it_stands_for(self, read, chunk, body, kind, status):
        reading = read(chunk({"content": "a"}), body, chunk(finish="stop"))
        self.check(reading.error, kind, status)
        assert reading.error.partial.text == "a"
        assert reading.error.body == body

    def test_an_error_in_an_envelope_is_one_too(self, read, body, kind, status):
        self.check(read({"event": body, "state": {}}).error, kind, status)

    def test_an_error_as_the_whole_body_is_one_too(self, read_bytes, body, kind, status):
        error = read_bytes([json.dumps(body).encode()]).error
        self.check(error, kind, status)
        assert error.partial == Completion()


@pytest.mark.parametrize("status_code", [429, "429"])
def test_the_vendors_own_error_body_may_come_as_an_event(read, chunk, status_code):
    body = {"message": "Slow down.", "path": "/p", "requestId": "r-1", "statusCode": status_code}
    error = read(chunk({"content": "a"}), body).error
    assert (type(error), error.status) == (RateLimitError, 429)
    assert (error.message, error.path, error.request_id) == ("Slow down.", "/p", "r-1")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Rate limit reached", 429),
        ("the model is overloaded", 529),
        ("boom", 500),
        (["boom"], 500),
        (True, 500),
    ],
)
def test_an_error_may_be_a_plain_value(read, said, status):
    error = read({"error": said}).error
    assert isinstance(error, APIError)
    assert error.status == status


@pytest.mark.parametrize("error", [None, {}, "", False, []], ids=repr)
def test_an_empty_error_is_none(read, chunk, error):
    reading = read(chunk({"content": "a"}, finish="stop", error=error))
    assert reading.completion.text == "a"


@pytest.mark.parametrize("depth", [900, 950, 970, 990, 100_000])
def test_an_error_nested_without_end_is_an_error(read, depth):
    nested = b"[" * depth + b"]" * depth
    error = read(b'{"error":{"message":"m","code":%s,"type":%s}}' % (nested, nested)).error
    assert (type(error), error.message) == (ServerError, "m")
    nested = b'{"error":' * depth + b'"m"' + b"}" * depth
    assert type(read(nested).error) is ServerError


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
    def test_a_whole_completion_instead_of_a_stream_is_obeyed(self, read_bytes, before, size):
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

    def test_html_is_a_fault_at_once(self):
        parser = StreamParser()
        assert parser.feed(b"<html>") == []
        with pytest.raises(ProtocolError, match="HTML"):
            parser.feed(b"")

    def test_a_body_without_end_is_a_fault_before_it_fills_the_memory(self):
        parser = StreamParser()
        parser.feed(b'{"x": "')
        for _ in range(17):
            if parser.fault is None:
                parser.feed(b"x" * 2**20)
        with pytest.raises(ProtocolError, match="16,777,216"):
            parser.feed(b"")


@pytest.mark.parametrize("model", ["", "qwen3-32b", "gpt-4o"])
@pytest.mark.parametrize("body", [b"data: {\n\n", b"<", b"{", b"", b"data: [DONE]\n\n"])
def test_every_error_has_a_partial(read_bytes, model, body):
    error = read_bytes([body], model).error
    assert isinstance(error, AIMLChatError)
    assert error.partial == Completion()
