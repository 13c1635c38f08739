"""API errors: from responses with an error status and bodies of every shape."""

import copy
import json
import pickle
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from soak import examples

from aimlchat import (
    APIError,
    AuthenticationError,
    BadRequestError,
    InsufficientCreditsError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from aimlchat._protocol.api_errors import error_from_response
from aimlchat._protocol.retry_after import parse_retry_after

NOW = 1_750_000_000.0


def error_of(status, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    response_headers = CIMultiDict(
        {name.replace("_", "-"): value for name, value in headers.items()}
    )
    return error_from_response(status, data, response_headers, NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, InsufficientCreditsError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (405, APIError),
        (409, APIError),
        (413, APIError),
        (422, BadRequestError),
        (429, RateLimitError),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (504, ServerError),
        (520, ServerError),
        (524, ServerError),
        (529, ServerError),
        (599, ServerError),
        (301, APIError),
        (600, APIError),
    ],
)
def test_the_status_decides_the_class(status, kind):
    error = error_of(status, {"message": "No."})
    assert type(error) is kind
    assert error.status == status
    assert error.message == "No."


def test_the_fields_of_the_vendors_own_body_are_kept():
    body = {
        "message": "Pick another model.",
        "path": "/v1/chat/completions",
        "requestId": "req-7",
        "statusCode": "404",
        "timestamp": "2026-01-01T00:00:00.000Z",
    }
    error = error_of(404, body, X_Inference_Id="inf-9")
    assert type(error) is NotFoundError
    assert error.message == "Pick another model."
    assert error.path == "/v1/chat/completions"
    assert error.request_id == "req-7"
    assert error.inference_id == "inf-9"
    assert error.body == body
    assert error.retry_after is None


@pytest.mark.parametrize("status_code", [418, "418", None, [], "teapot"], ids=repr)
def test_the_status_of_the_response_wins_over_that_in_the_body(status_code):
    error = error_of(400, {"message": "No.", "statusCode": status_code})
    assert (type(error), error.status) == (BadRequestError, 400)


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Too long."},
        {"error": "Too long."},
        {"error": {"message": "Too long.", "type": "x", "param": None, "code": None}},
        {"error": {"error": {"message": "Too long."}}},
        {"detail": "Too long."},
        {"detail": [{"message": "Too long."}]},
        {"error_description": "Too long."},
        {"message": ["Too long."]},
        {"message": {"message": "Too long."}},
        {"message": '400 {"type":"error","error":{"type":"x","message":"Too long."},"id":7}'},
        {"message": '{"error":{"message":"{\\"message\\":\\"Too long.\\"}"}}'},
        {"message": "", "error": "Too long."},
        {"message": None, "error": {"message": "Too long."}},
        {"type": "error", "error": {"type": "x", "message": "Too long."}},
        "Too long.",
        [{"message": "Too long."}],
        b"Too long.",
        b"\n Too long. \n",
        b'\xef\xbb\xbf{"message": "Too long."}',
    ],
    ids=str,
)
def test_the_innermost_message_is_found(body):
    assert error_of(400, body).message == "Too long."


def test_a_list_of_messages_is_joined():
    error = error_of(400, {"message": ["n must be positive", "n must be an integer"]})
    assert error.message == "n must be positive; n must be an integer"


@pytest.mark.parametrize(
    "text", ['400 {"type":"error"', "Set {name} first.", "{", '{"a": 1} is odd', "{}"]
)
def test_a_message_with_a_brace_in_it_is_kept_whole(text):
    assert error_of(400, {"message": text}).message == text


@pytest.mark.parametrize(
    "body", [b"", b"null", b"{}", b"[]", b"7", b"true", b" ", b'{"message": 7}', b'{"error": {}}']
)
def test_a_body_without_a_message_gets_one_with_the_status(body):
    error = error_of(503, body)
    assert type(error) is ServerError
    assert error.message == "the server returned status 503 without a message"


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (
            b"<html><head><title> 502 Bad\n  Gateway </title></head></html>",
            "a page of HTML: 502 Bad Gateway",
        ),
        (
            b"<!DOCTYPE html>\n<html><TITLE lang=en>524: timeout</TITLE>",
            "a page of HTML: 524: timeout",
        ),
        (b"\r\n<html><body>Sorry</body></html>", "a page of HTML"),
        (b"<title> </title>", "a page of HTML"),
        (b"<title>" + b" " * 100_000, "a page of HTML"),
        (b"<title" * 10_000, "a page of HTML"),
    ],
    ids=lambda value: str(value[:20]),
)
def test_the_message_of_a_page_of_html_is_its_title(page, message):
    error = error_of(502, page)
    assert type(error) is ServerError
    assert error.message == message
    assert error.body == page.decode()


@pytest.mark.parametrize(
    "body", [b"x" * 100_000, b"<title>" + b"x" * 5000 + b"</title>", {"message": "x" * 1000}]
)
def test_a_long_message_is_shortened(body):
    assert len(error_of(500, body).message) <= 400


def test_broken_utf8_in_a_message_is_replaced():
    assert error_of(500, b"a\xffb").message == "a\ufffdb"
    assert error_of(500, b'{"message": "a\xffb"}').message == "a\ufffdb"


@pytest.mark.parametrize("depth", [100, 950, 100_000])
def test_a_body_that_is_nested_deeply_is_an_error_of_its_status(depth):
    for body in (
        b'{"error":' * depth + b'"m"' + b"}" * depth,
        b"[" * depth,
        b'{"message":"' + b"{" * depth + b'"}',
    ):
        assert error_of(400, body).status == 400


@pytest.mark.parametrize(
    "message",
    [
        "You have no credits left.",
        "The plan is exhausted.",
        "Update your payment method.",
        "See your billing page.",
        "Top up your balance.",
        "Insufficient quota",
    ],
)
def test_a_403_about_money_means_out_of_credits(message):
    error = error_of(403, {"message": message})
    assert (type(error), error.status) == (InsufficientCreditsError, 403)


@pytest.mark.parametrize("message", ["This key may not use that model.", "Forbidden", ""])
def test_any_other_403_means_not_allowed(message):
    assert type(error_of(403, {"message": message})) is PermissionDeniedError


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_money_changes_no_other_status(status):
    assert type(error_of(status, {"message": "credits, billing"})) is not InsufficientCreditsError


def test_an_exhausted_free_tier_is_a_rate_limit():
    error = error_of(429, {"message": "Free-tier limit: come back later", "statusCode": "429"})
    assert (type(error), error.status) == (RateLimitError, 429)
    assert error.message.startswith("Free-tier limit")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"Retry-After": " 1.5 "}, 1.5),
        ({"Retry-After-Ms": "250"}, 0.25),
        ({"Retry-After-Ms": "250", "Retry-After": "7"}, 0.25),
        ({"Retry-After-Ms": "soon", "Retry-After": "7"}, 7.0),
        ({"Retry-After": formatdate(NOW + 90, usegmt=True)}, 90.0),
        ({"Retry-After": formatdate(NOW - 90, usegmt=True)}, 0.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "Wed, 99 Foo 2025 99:99:99 GMT"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_retry_after_is_read_in_seconds_milliseconds_and_as_a_date(headers, seconds):
    assert parse_retry_after(CIMultiDict(headers), NOW) == seconds
    assert error_from_response(429, b"", CIMultiDict(headers), NOW).retry_after == seconds


@given(
    st.text(max_size=40)
    | st.from_regex(r"\w{3}, \d\d? \w{3} \d{1,5} \d\d:\d\d:\d\d [A-Z+\-0-9]{0,6}")
)
@examples(500)
def test_any_retry_after_is_a_number_or_none(value):
    seconds = parse_retry_after({"retry-after": value}, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(300, 999), st.binary(max_size=80))
@examples(300)
def test_any_body_becomes_an_error(status, body):
    error = error_from_response(status, body, {}, NOW)
    assert isinstance(error, APIError)
    assert error.status == status
    assert error.message


def test_the_request_id_may_be_in_a_header():
    assert error_of(500, b"", X_Request_Id="r-1").request_id == "r-1"
    assert error_of(500, {"requestId": "r-2"}, X_Request_Id="r-1").request_id == "r-2"
    assert error_of(500, {"request_id": 7}).request_id == "7"


def test_the_text_of_an_error_has_the_status_and_the_ids():
    error = error_of(
        429,
        {"message": "Slow down.", "requestId": "req-7"},
        X_Inference_Id="inf-9",
        Retry_After="2",
    )
    shown = str(error)
    for fact in ("Slow down.", "429", "req-7", "inf-9", "2 s"):
        assert fact in shown


def test_an_error_can_be_pickled_and_copied():
    error = error_of(429, {"message": "Slow down.", "requestId": "r"}, Retry_After="2")
    for again in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error), copy.copy(error)):
        assert type(again) is RateLimitError
        assert vars(again) == vars(error)
        assert str(again) == str(error)
