"""Errors in a stream: as an event, in an envelope, and as the whole body."""

import json

import pytest

from aimlchat import (
    AIMLChatError,
    APIError,
    AuthenticationError,
    BadRequestError,
    Completion,
    InsufficientCreditsError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

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

    def test_an_error_event_has_the_class_and_status_that_it_implies(
        self, read, chunk, body, kind, status
    ):
        reading = read(chunk({"content": "a"}), body, chunk(finish="stop"))
        self.check(reading.error, kind, status)
        assert reading.error.partial.text == "a"
        assert reading.error.body == body

    def test_an_error_in_an_envelope_has_the_same_class_and_status(self, read, body, kind, status):
        self.check(read({"event": body, "state": {}}).error, kind, status)

    def test_an_error_as_the_whole_body_has_the_same_class_and_status(
        self, read_bytes, body, kind, status
    ):
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
    ("value", "status"),
    [
        ("Rate limit reached", 429),
        ("the model is overloaded", 529),
        ("boom", 500),
        (["boom"], 500),
        (True, 500),
    ],
)
def test_an_error_may_be_a_plain_value(read, value, status):
    error = read({"error": value}).error
    assert isinstance(error, APIError)
    assert error.status == status


@pytest.mark.parametrize("error", [None, {}, "", False, []], ids=repr)
def test_an_empty_error_counts_as_absent(read, chunk, error):
    reading = read(chunk({"content": "a"}, finish="stop", error=error))
    assert reading.completion.text == "a"


@pytest.mark.parametrize("depth", [900, 950, 970, 990, 100_000])
def test_an_error_that_is_nested_deeply_is_an_error(read, depth):
    nested = b"[" * depth + b"]" * depth
    error = read(b'{"error":{"message":"m","code":%s,"type":%s}}' % (nested, nested)).error
    assert (type(error), error.message) == (ServerError, "m")
    nested = b'{"error":' * depth + b'"m"' + b"}" * depth
    assert type(read(nested).error) is ServerError


@pytest.mark.parametrize("model", ["", "qwen3-32b", "gpt-4o"])
@pytest.mark.parametrize("body", [b"data: {\n\n", b"<", b"{", b"", b"data: [DONE]\n\n"])
def test_every_error_has_a_partial(read_bytes, model, body):
    error = read_bytes([body], model).error
    assert isinstance(error, AIMLChatError)
    assert error.partial == Completion()
