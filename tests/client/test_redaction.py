"""How secrets are taken out of an error, of what it carries, and of its causes."""

import pickle

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aimlchat import (
    AIMLChatError,
    APIError,
    Choice,
    Completion,
    ConfigurationError,
    ConnectionFailedError,
    InvalidRequestError,
    ProtocolError,
    RequestTimeoutError,
    Usage,
)
from aimlchat._client.masking import MaskedStr
from aimlchat._client.redaction import RedactedError, redact
from aimlchat._printable import excerpt, shorten
from aimlchat._protocol.api_errors import error_from_response
from aimlchat.completions import raw_body
from aimlchat.errors import Attempt

KEY = "sk-very-secret"


# --- the texts of an error ------------------------------------------------------------------------


def test_the_key_is_replaced_in_each_text_of_an_api_error():
    texts = {
        "request_id": f"r {KEY}",
        "inference_id": f"i {KEY}",
        "path": f"/{KEY}",
        "body": f"{KEY} is unknown",
    }
    error = APIError(f"bad key {KEY}", status=401, **texts)
    redact(error, [KEY])

    assert (error.message, error.args) == ("bad key ***", ("bad key ***",))
    assert {name: getattr(error, name) for name in texts} == {
        "request_id": "r ***",
        "inference_id": "i ***",
        "path": "/***",
        "body": "*** is unknown",
    }
    assert KEY not in str(error)


def test_the_key_is_replaced_in_names_and_values_at_any_level_of_a_body():
    body = {"errors": [{KEY: {"hint": f"use {KEY}"}}, (KEY, 1)], "status": 401, "more": None}
    error = APIError("No.", body=body)
    redact(error, [KEY])

    assert error.body == {
        "errors": [{"***": {"hint": "use ***"}}, ("***", 1)],
        "status": 401,
        "more": None,
    }


def test_what_is_nested_without_end_is_left_out_of_a_body():
    body = KEY
    for _ in range(100_000):
        body = [body]
    error = APIError("No.", body=body)
    redact(error, [KEY])

    depth, rest = 0, error.body
    while isinstance(rest, list):
        depth, rest = depth + 1, rest[0]
    assert rest is None
    assert depth < 100


@pytest.mark.parametrize("key", ["k", "an", "key"])
def test_a_key_that_is_too_short_to_be_recognized_is_not_replaced(key):
    error = APIError("an unknown key", body={"key": "an unknown key"})
    redact(error, [key])

    assert (error.message, error.body) == ("an unknown key", {"key": "an unknown key"})


@pytest.mark.parametrize("kind", [ConnectionFailedError, RequestTimeoutError, ConfigurationError])
def test_the_key_is_replaced_in_an_error_of_any_kind(kind):
    error = kind(f"no response: {KEY}", attempts=(Attempt(1, cause=f"first {KEY}"),))
    error.add_note(f"see {KEY}")
    redact(error, [KEY])

    assert str(error) == "no response: ***"
    assert error.attempts == (Attempt(1, cause="first ***"),)
    assert error.__notes__ == ["see ***"]
    assert KEY.encode() not in pickle.dumps(error)


def test_an_attribute_that_only_one_kind_has_is_redacted():
    error = InvalidRequestError("No.", field=f"metadata.{KEY}")
    redact(error, [KEY])

    assert error.field == "metadata.***"


@pytest.mark.parametrize(
    ("password", "echo"),
    [
        ("p/ss wörd", "p%2Fss%20w%C3%B6rd"),  # percent-encoded
        ('p"ss\\wörd', 'p\\"ss\\\\w\\u00f6rd'),  # in JSON
        ("p'ss\\wörd", repr(b"p'ss\\word")[2:-1].replace("wo", "wö")),  # in Python's notation
    ],
)
def test_a_secret_is_replaced_in_the_forms_in_which_it_is_echoed(password, echo):
    error = ProtocolError(f"said {password} and {echo}")
    redact(error, [password])

    assert str(error) == "said *** and ***"


def test_the_longest_secret_is_replaced_first():
    error = ProtocolError("Basic bWU6cHc= and bWU6cHc=")
    redact(error, ["bWU6", "bWU6cHc=", "Basic bWU6cHc="])

    assert str(error) == "*** and ***"


# --- the headers of a request ---------------------------------------------------------------------


def redact_with_headers(text, headers):
    error = ProtocolError(text)
    redact(error, [], {name: MaskedStr(value) for name, value in headers.items()})
    return str(error)


def test_the_value_of_a_header_of_the_caller_is_replaced():
    assert redact_with_headers("not hush-hush", {"X-Token": "hush-hush"}) == "not ***"


def test_the_credentials_in_a_header_are_replaced_without_their_scheme():
    headers = {"Authorization": "Bearer hush-hush"}

    assert redact_with_headers("hush-hush, Bearer hush-hush", headers) == "***, ***"


@pytest.mark.parametrize("name", ["User-Agent", "X-Client-Request-Id", "accept", "HTTP-Referer"])
def test_the_value_of_a_header_that_is_no_secret_stays(name):
    assert redact_with_headers("hush-hush", {name: "hush-hush"}) == "hush-hush"


def test_a_short_value_of_a_header_stays():
    assert redact_with_headers("the blue team", {"X-Team": "blue"}) == "the blue team"


def test_a_value_that_is_not_the_callers_stays():
    error = ProtocolError("not application/json")
    redact(error, [], {"Content-Type": "application/json"})

    assert str(error) == "not application/json"


# --- texts that were cut --------------------------------------------------------------------------


@pytest.mark.parametrize("length", range(10, 40))
def test_no_part_of_a_secret_is_left_where_a_text_was_cut(length):
    text = f"bad key {KEY} is unknown" + "." * 30
    for cut in (shorten(text, length), excerpt("x" * (90 + length) + KEY), f"{text[:length]}..."):
        error = ProtocolError(cut)
        redact(error, [KEY])
        assert "sk-v" not in str(error)


@pytest.mark.parametrize("padding", range(270, 300))
def test_no_part_of_a_secret_is_left_where_the_message_of_a_body_was_cut(padding):
    body = b'{"message": "%s%s", "requestId": "%s"}' % (b"x" * padding, KEY.encode(), b"sk" * 200)
    error = error_from_response(400, body, {}, 0.0)
    assert len(error.message) <= 300
    redact(error, [KEY])

    assert "sk-v" not in str(error)


@pytest.mark.parametrize("body", [b"bad sk-very-sec", b'{"a": {"message": "bad sk-very-sec'])
def test_no_part_of_a_secret_is_left_where_a_body_was_cut(body):
    error = error_from_response(400, body, {}, 0.0, unreadable="it is longer than 1 MiB")
    redact(error, [KEY])

    assert str(error) == "bad ***... (it is longer than 1 MiB) (status 400)"
    assert "sk-v" not in error.body


def test_the_beginning_of_a_secret_stays_where_nothing_was_cut():
    error = ProtocolError("sk-v is no key; keys begin with sk-v")
    redact(error, [KEY])

    assert str(error) == "sk-v is no key; keys begin with sk-v"


def test_a_text_of_nothing_but_cuts_takes_linear_time():
    error = ProtocolError("sk-v..." * 100_000)
    redact(error, [KEY])

    assert str(error) == "***..." * 100_000


# --- what had been received -----------------------------------------------------------------------


def partial(key, text="Hi"):
    return Completion(
        choices=(Choice(text=text),),
        usage=Usage(1, raw={"note": key}),
        id=key,
        model=key,
        inference_id=key,
        client_request_id=key,
        headers=CIMultiDict({"X-Echo": key, key: "1"}),
        raw=b'{"id": "\\u0073%s", "odd": {"%s": ["%s"]}}' % ((key[1:].encode(),) * 3),
    )


def test_the_key_is_replaced_in_what_surrounds_the_answer():
    error = ProtocolError("cut", partial=partial(KEY))
    redact(error, [KEY])

    assert KEY not in repr(vars(error.partial))
    assert error.partial.headers["x-echo"] == "***"
    assert error.partial.raw["id"] == "***"
    assert error.partial.text == "Hi"


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        ('{"id": "c1", "odd": {}}', True),
        (f'{{"id": "{KEY}"}}', False),
        (f'{{"id": "{KEY[:5]}..."}}', False),
        (f'{{"id": "\\u{ord(KEY[0]):04x}{KEY[1:]}"}}', False),
    ],
)
def test_a_body_is_decoded_only_if_it_may_hold_a_secret(text, is_kept):
    error = ProtocolError("cut", partial=Completion(raw=text.encode()))
    redact(error, [KEY])

    assert (raw_body(error.partial) == text.encode()) is is_kept
    assert KEY[:5] not in str(error.partial.raw)


def test_the_answer_stays_as_it_was_shown_unless_it_contains_a_long_key():
    long = "sk-0123456789abcdef"
    for key, text in (("ollama", "ollama"), (long, "***")):
        error = ProtocolError("cut", partial=partial(key, text=key))
        redact(error, [key])
        assert error.partial.text == text


# --- causes ---------------------------------------------------------------------------------------


def test_a_cause_that_holds_a_secret_is_replaced_with_its_type_and_text():
    error, cause = ProtocolError("outer"), ValueError(f"inner {KEY}")
    error.__cause__, cause.__cause__ = cause, KeyError(KEY)
    redact(error, [KEY])

    assert type(error.__cause__) is RedactedError
    assert str(error.__cause__) == "ValueError: inner ***"
    assert str(error.__cause__.__cause__) == "KeyError: '***'"
    assert cause.args == (f"inner {KEY}",)  # it may be somebody else's


def test_a_cause_of_ours_is_redacted_itself():
    error, cause = RequestTimeoutError("deadline"), APIError(f"bad {KEY}", status=429)
    error.__cause__ = cause
    redact(error, [KEY])

    assert error.__cause__ is cause
    assert cause.message == "bad ***"


def test_a_cause_that_refers_to_a_secret_is_replaced():
    info = aiohttp.RequestInfo("http://x", "POST", CIMultiDict({"A": MaskedStr(KEY)}))
    error = ConnectionFailedError("No.")
    error.__cause__ = aiohttp.ClientHttpProxyError(info, (), status=407, message="Auth")
    redact(error, [KEY])

    assert str(error.__cause__) == "ClientHttpProxyError: 407, message='Auth', url='http://x'"


def test_a_cause_without_a_secret_stays():
    error, cause = ConnectionFailedError("No."), OSError(111, "Connection refused")
    error.__cause__ = cause
    redact(error, [KEY])

    assert error.__cause__ is cause


def test_a_context_that_no_traceback_shows_is_dropped_and_one_that_it_shows_is_redacted():
    error, cause = ProtocolError("outer"), ValueError("inner")
    error.__cause__, cause.__context__ = cause, KeyError(KEY)
    cause.__context__.__cause__, cause.__context__.__context__ = OSError(), ValueError(KEY)
    redact(error, [KEY])

    context = error.__cause__.__context__
    assert str(context) == "KeyError: '***'"
    assert context.__context__ is None


def test_errors_that_are_causes_of_each_other_are_redacted_once():
    error, cause = ProtocolError(KEY), ValueError(KEY)
    error.__cause__, cause.__context__ = cause, error
    redact(error, [KEY])

    assert (str(error), str(error.__cause__)) == ("***", "ValueError: ***")


def test_the_bytes_that_aiohttp_could_not_parse_are_left_out():
    error = ProtocolError("No.")
    error.__cause__ = aiohttp.http_exceptions.BadHttpMessage("Invalid:\n\n  b'very-secret'\n  ^")
    redact(error, [KEY])

    assert str(error.__cause__) == "BadHttpMessage: 400, message:\n  Invalid:"


@given(st.text(st.characters()), st.text(st.characters()))
def test_an_error_of_any_text_is_redacted(text, other):
    error = AIMLChatError(text + KEY + other, partial=Completion(headers={text: other + KEY}))
    error.__cause__ = ValueError(text + other)
    redact(error, [KEY])

    for shown in (error, error.__cause__, error.partial):
        f"{shown} {shown!r}".encode()
        assert KEY not in f"{shown} {shown!r}"
