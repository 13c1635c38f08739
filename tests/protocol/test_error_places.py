"""Errors inside a chunk or a whole body: in a choice, in its message, or as its finish reason."""

import json

import pytest

from aimlchat import (
    APIError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from aimlchat._protocol.whole import parse_completion

GONE = {"code": 502, "message": "upstream went away"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def choice(delta=None, finish=None, **keys):
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish} | keys]}


FAILED_CHUNKS = {
    "choice and finish reason": choice({"content": ""}, "error", error=GONE),
    "choice": choice(error=GONE),
    "choice and another finish reason": choice(finish="stop", error=GONE),
    "delta": choice({"error": GONE}),
    "message": choice(message={"error": GONE}),
    "top and finish reason": choice(finish="error") | {"error": GONE},
    "envelope": {"event": choice(finish="error", error=GONE), "state": {}},
}


@pytest.mark.parametrize("failed", FAILED_CHUNKS.values(), ids=list(FAILED_CHUNKS))
@pytest.mark.parametrize("done", [(), (b"[DONE]",)], ids=["eof", "done"])
def test_an_error_in_a_chunk_is_raised_with_what_came_before_it(read, chunk, failed, done):
    reading = read(chunk({"content": "Hel"}), failed, *done)
    assert (type(reading.error), reading.error.status) == (ServerError, 502)
    assert reading.error.message == "upstream went away"
    assert reading.error.partial.text == reading.joined() == "Hel"
    assert not reading.error.partial.is_complete


def test_text_and_usage_beside_an_error_are_kept(read, chunk):
    failed = choice({"content": "lo"}, "error", error=GONE) | {"usage": USAGE}
    partial = read(chunk({"content": "Hel"}), failed).error.partial
    assert (partial.text, partial.usage.total_tokens) == ("Hello", 7)


@pytest.mark.parametrize(
    "reason",
    ["error", "ERROR", " error ", "network_error", "abort", "insufficient_system_resource"],
)
@pytest.mark.parametrize("top", [{}, {"created": [0]}], ids=["fast path", "lenient path"])
def test_a_finish_reason_that_means_a_failure_is_an_error(read, chunk, reason, top):
    reading = read(chunk({"content": "Hel"}), choice(finish=reason) | top, b"[DONE]")
    assert (type(reading.error), reading.error.status) == (ServerError, 500)
    assert reason.strip() in reading.error.message
    assert reading.error.partial.text == "Hel"


def test_a_finish_reason_may_be_an_object(read, chunk):
    assert isinstance(
        read(chunk({"content": "a"}, finish={"type": "abort"}), b"[DONE]").error, APIError
    )
    assert read(chunk({"content": "a"}, finish={"type": "stop"})).completion.finish_reason == "stop"


@pytest.mark.parametrize(
    "error",
    [None, {}, "", " ", "null", False, [], {"code": "", "message": "", "type": None, "param": {}}],
    ids=repr,
)
def test_an_empty_error_in_a_choice_counts_as_absent(read, error):
    assert (
        read(choice({"content": "a", "error": error}, "stop", error=error)).completion.text == "a"
    )


def test_an_error_behind_the_finish_reason_loses_neither_usage_nor_cost(read, chunk):
    late = {"error": GONE, "usage": USAGE, "meta": {"usage": {"usd_spent": 0.5}}}
    completion = read(chunk({"content": "a"}, finish="stop"), late).completion
    assert (completion.text, completion.usage.total_tokens, completion.cost.usd) == ("a", 7, 0.5)


def test_an_error_in_a_new_choice_behind_the_finish_reason_begins_no_choice(read, chunk):
    late = {"choices": [{"index": 1, "error": GONE}]}
    assert len(read(chunk({"content": "a"}, finish="stop"), late).completion.choices) == 1


def test_an_error_counts_if_text_came_behind_the_finish_reason(read, chunk):
    chunks = [chunk({"content": word}, finish="stop") for word in "abc"]
    reading = read(*chunks, {"error": {"message": "slow", "code": 429}}, b"[DONE]")
    assert type(reading.error) is RateLimitError
    assert reading.error.partial.text == "abc"


OTHER_FORMS = [
    {"detail": "went wrong"},
    {"detail": [{"loc": ["body"], "msg": "went wrong"}]},
    {"code": 503, "msg": "went wrong"},
    {"code": "503", "message": "went wrong", "error": None},
    {"message": "went wrong"},
    {"message": "went wrong", "connectionId": "x", "requestId": "y"},
    {"errors": [{"message": "went wrong"}]},
    {"status": "error", "message": "went wrong"},
    {"success": False, "message": "went wrong"},
    {"error_code": 336003, "error_msg": "went wrong"},
    {"type": "exception", "message": "went wrong"},
    {"object": "error", "message": "went wrong", "code": 500},
    {"code": "InvalidParameter", "message": "went wrong", "request_id": "r"},
    {"code": 10013, "message": "went wrong", "sid": "s"},
    {"errcode": -1, "errmsg": "went wrong"},
    {"type": "invalid_request_error", "message": "went wrong", "param": None},
    {"__type": "ValidationException", "message": "went wrong"},
    {"modelStreamErrorException": {"message": "went wrong"}},
    {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "went wrong"}},
]


@pytest.mark.parametrize("form", OTHER_FORMS, ids=json.dumps)
class TestOtherForms:
    def test_an_object_without_choices_may_be_an_error(self, read, chunk, form):
        error = read(chunk({"content": "Hel"}), form, b"[DONE]").error
        assert isinstance(error, APIError)
        assert "went wrong" in error.message
        assert error.partial.text == "Hel"

    def test_it_may_have_keys_that_good_chunks_have_too(self, read, chunk, form):
        good = dict.fromkeys(form) | {"base_resp": {"status_code": 0, "status_msg": ""}}
        good.pop("choices", None)
        good.pop("error", None)
        chunks = [chunk({"content": "Hel"}, **good) for _ in range(2)]
        assert isinstance(read(*chunks, form, b"[DONE]").error, APIError)

    def test_a_whole_body_may_be_such_an_error(self, form):
        with pytest.raises(APIError, match="went wrong"):
            parse_completion(json.dumps(form).encode())


@pytest.mark.parametrize(
    "good",
    [
        {"message": "success", "code": 200},
        {"message": "ok", "code": 0, "success": True, "status": "running"},
        {"type": "ping"},
        {"detail": None, "errors": [], "error_code": 0, "base_resp": {"status_code": 0}},
        {"type": "message_start", "message": {"id": "m"}},
        {"id": "c", "message": "queued", "object": "chat.completion.chunk"},
    ],
    ids=json.dumps,
)
def test_other_objects_without_choices_are_no_errors(read, chunk, good):
    assert read(chunk({"content": "a"}), good, b"[DONE]").completion.text == "a"


class TestWholeBodies:
    @pytest.mark.parametrize(
        "keys",
        [
            {"finish_reason": "error", "error": GONE},
            {"finish_reason": "stop", "error": GONE},
            {"message": {"content": "Hel", "error": GONE}},
        ],
        ids=json.dumps,
    )
    def test_an_error_in_a_choice_is_raised_with_the_text(self, read_bytes, keys):
        body = json.dumps({"choices": [{"message": {"content": "Hel"}} | keys], "usage": USAGE})
        with pytest.raises(ServerError, match="upstream went away") as caught:
            parse_completion(body.encode())
        for partial in (caught.value.partial, read_bytes([body.encode()]).error.partial):
            assert (partial.text, partial.is_complete) == ("Hel", False)
            assert partial.usage.total_tokens == 7

    def test_a_finish_reason_that_means_a_failure_is_an_error(self):
        body = b'{"choices":[{"message":{"content":"Hel"},"finish_reason":"error"}]}'
        with pytest.raises(ServerError) as caught:
            parse_completion(body)
        assert caught.value.partial.text == "Hel"


@pytest.mark.parametrize(
    "notice",
    [
        {"code": 0, "message": "Success", "sid": "s"},
        {"code": "200", "message": "queued"},
        {"code": 20000, "message": "Ok", "status": True},
        {"code": "OK", "msg": "fine"},
        {"errcode": 0, "errmsg": "ok"},
        {"type": "status", "status": "searching", "message": "Searching the web"},
        {"code": 10013, "choices": []},
        {"error": {"message": "", "code": 0}},
    ],
    ids=json.dumps,
)
def test_an_object_that_reports_no_failure_is_no_error(read, chunk, notice):
    reading = read(chunk({"content": "a"}), notice, chunk({"content": "b"}, finish="stop"))
    assert reading.completion.text == "ab"


class TestVendorsKeys:
    FAILED = choice() | {"x_groq": {"id": "r", "error": "over capacity"}}

    @pytest.mark.parametrize("text", ["", "Hel"])
    @pytest.mark.parametrize("first", [{}, {"x_groq": {"id": "r"}}], ids=["new key", "known key"])
    def test_an_error_in_one_is_an_error(self, read, chunk, text, first):
        error = read(chunk({"content": text}, **first), self.FAILED, b"[DONE]").error
        assert (type(error), error.message) == (ServerError, "over capacity")
        assert error.partial.text == text

    def test_one_beside_text_or_behind_the_end_is_not(self, read, chunk):
        search = {"search": {"error": "timed out"}}
        chunks = [chunk({"content": "a"}, **search), chunk(finish="stop", **search), self.FAILED]
        assert read(*chunks).completion.text == "a"

    def test_a_whole_answer_beside_one_is_kept(self):
        message = {"message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
        body = {"choices": [message], "search": {"error": "timed out"}}
        assert parse_completion(json.dumps(body).encode()).text == "a"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"status_code": 429}, RateLimitError),
        ({"http_status": "429"}, RateLimitError),
        ({"status": "RESOURCE_EXHAUSTED"}, RateLimitError),
        ({"code": "ThrottlingException"}, RateLimitError),
        ({"type": "TooManyRequestsException"}, RateLimitError),
        ({"__type": "AccessDeniedException"}, PermissionDeniedError),
        ({"status": "UNAUTHENTICATED"}, AuthenticationError),
        ({"status": "FAILED_PRECONDITION"}, BadRequestError),
        ({"code": "ValidationException"}, BadRequestError),
        ({"code": "ResourceNotFoundException"}, NotFoundError),
        ({"status": "UNAVAILABLE"}, ServerError),
    ],
    ids=str,
)
def test_the_status_is_read_from_the_words_of_other_vendors(read, chunk, error, kind):
    reading = read(chunk({"content": "a"}), {"error": {"message": "no"} | error})
    assert type(reading.error) is kind
