"""How the key and the headers are found, checked, masked, and taken out of errors."""

import traceback

import aiohttp
import pytest

from aimlchat import (
    APIError,
    ChatRequest,
    ChatSession,
    ConfigurationError,
    ConnectionFailedError,
    ProtocolError,
    RetryPolicy,
    Text,
)
from aimlchat._client.credentials import (
    API_KEY_VARIABLES,
    MaskedStr,
    check_headers,
    find_api_key,
    mask_headers,
    redact,
    require_api_key,
)

KEY = "sk-very-secret"
HEADERS = {"X-Token": "hush-hush"}


# --- finding the key ------------------------------------------------------------------------------


def test_the_argument_wins_over_both_variables(monkeypatch):
    monkeypatch.setenv("AIMLAPI_API_KEY", "first")
    monkeypatch.setenv("AIML_API_KEY", "second")

    assert find_api_key("given") == "given"


def test_the_first_variable_wins_over_the_second(monkeypatch):
    monkeypatch.setenv("AIMLAPI_API_KEY", "first")
    monkeypatch.setenv("AIML_API_KEY", "second")

    assert find_api_key(None) == "first"


def test_the_second_variable_counts_where_the_first_is_not_set(monkeypatch):
    monkeypatch.setenv("AIML_API_KEY", "second")

    assert find_api_key(None) == "second"


def test_a_blank_first_variable_hides_the_second(monkeypatch):
    monkeypatch.setenv("AIMLAPI_API_KEY", "")
    monkeypatch.setenv("AIML_API_KEY", "second")

    assert find_api_key(None) == ""


def test_without_argument_and_variables_there_is_no_key():
    assert find_api_key(None) is None


@pytest.mark.parametrize("given", [KEY, None])
def test_the_key_that_is_found_is_masked(monkeypatch, given):
    monkeypatch.setenv("AIMLAPI_API_KEY", KEY)

    assert repr(find_api_key(given)) == "'***'"


# --- requiring a key ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", " \t", f"{KEY}\n", f"{KEY}ü", f"{KEY}\0", f"a\t{KEY}"])
def test_the_refusal_of_a_key_names_both_variables_and_does_not_show_the_key(key):
    with pytest.raises(ConfigurationError) as caught:
        require_api_key(key)

    message = str(caught.value)
    assert all(variable in message for variable in API_KEY_VARIABLES)
    assert KEY not in message


def test_a_blank_first_variable_is_refused_though_the_second_has_a_key(monkeypatch):
    monkeypatch.setenv("AIMLAPI_API_KEY", " ")
    monkeypatch.setenv("AIML_API_KEY", KEY)

    with pytest.raises(ConfigurationError, match="no API key"):
        require_api_key(None)


def test_a_printable_ascii_key_is_returned_unchanged():
    assert require_api_key(KEY) == KEY


# --- masking --------------------------------------------------------------------------------------


def test_a_masked_text_is_the_text_itself():
    assert MaskedStr(KEY) == KEY
    assert f"Bearer {MaskedStr(KEY)}" == f"Bearer {KEY}"


def test_the_repr_of_a_masked_text_is_a_mask_also_inside_a_container():
    assert repr({"key": [MaskedStr(KEY)]}) == "{'key': ['***']}"


def test_the_values_of_headers_are_masked_and_their_names_are_not():
    masked = mask_headers(HEADERS)

    assert masked == HEADERS
    assert repr(masked) == "{'X-Token': '***'}"


@pytest.mark.parametrize("headers", [None, {}])
def test_no_headers_stay_no_headers(headers):
    assert mask_headers(headers) is None


def test_of_a_value_that_is_not_text_only_the_type_is_left_for_the_check_to_refuse():
    assert mask_headers({"X-A": b"hush-hush"}) == {"X-A": bytes}


def test_masking_does_not_change_the_headers_of_the_caller():
    headers = dict(HEADERS)
    mask_headers(headers)

    assert repr(headers) == "{'X-Token': 'hush-hush'}"


# --- checking headers -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["X-Team", "x", "!#$%&'*+.^_`|~", "X_1"])
def test_a_token_of_http_may_name_a_header(name):
    assert check_headers({name: "a"}) == {name: "a"}


@pytest.mark.parametrize("name", ["", "X A", "X:", "X\n", "Schlüssel", "X(1)", b"X", 1, None])
def test_anything_else_is_refused_as_a_name(name):
    with pytest.raises(ConfigurationError, match="cannot be the name of a header"):
        check_headers({name: "a"})


@pytest.mark.parametrize("value", ["", "plain", "with\ttab", "grüße", "a: b; c=d"])
def test_text_without_control_characters_may_be_a_value(value):
    assert check_headers({"X-A": value}) == {"X-A": value}


@pytest.mark.parametrize("value", ["a\r\nX-B: c", "a\n", "a\0", "\x7f", "a\udc80", b"a", 1, None])
def test_anything_else_is_refused_as_a_value_by_the_name_of_its_header(value):
    with pytest.raises(ConfigurationError, match="'X-A'"):
        check_headers({"X-A": value})


def test_the_refusal_of_a_value_does_not_show_it():
    with pytest.raises(ConfigurationError) as caught:
        check_headers({"X-Token": "hush-hush\n"})

    assert "hush" not in str(caught.value)


def test_without_headers_the_result_is_empty():
    assert check_headers(None) == {}


# --- taking the key out of errors -----------------------------------------------------------------


def test_the_key_is_replaced_in_each_text_of_an_api_error():
    texts = {
        "request_id": f"r {KEY}",
        "inference_id": f"i {KEY}",
        "path": f"/{KEY}",
        "body": f"{KEY} is unknown",
    }
    error = APIError(f"bad key {KEY}", status=401, **texts)
    redact(error, KEY)

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
    redact(error, KEY)

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
    redact(error, KEY)

    depth, rest = 0, error.body
    while isinstance(rest, list):
        depth, rest = depth + 1, rest[0]
    assert rest is None
    assert depth < 100


def test_the_key_is_replaced_in_every_cause_of_an_error():
    error, cause = ProtocolError(f"outer {KEY}"), ValueError(f"inner {KEY}")
    error.__cause__, cause.__cause__ = cause, KeyError(KEY)
    redact(error, KEY)

    assert (error.args, cause.args) == (("outer ***",), ("inner ***",))
    assert cause.__cause__.args == ("***",)


def test_the_key_is_replaced_in_the_response_that_an_error_of_aiohttp_quotes():
    error, cause = ProtocolError("not HTTP"), aiohttp.http_exceptions.BadStatusLine(f"HTTP {KEY}")
    error.__cause__ = cause
    redact(error, KEY)

    assert KEY not in f"{cause} {cause!r} {cause.message} {cause.args}"


@pytest.mark.parametrize("key", ["k", "an", "key"])
def test_a_key_that_is_too_short_to_be_recognized_is_not_replaced(key):
    error = APIError("an unknown key", body={"key": "an unknown key"})
    redact(error, key)

    assert (error.message, error.body) == ("an unknown key", {"key": "an unknown key"})


def test_the_text_of_a_transport_error_stays_as_it_is():
    error = ConnectionFailedError("no connection (localhost:80)")
    redact(error, "localhost")

    assert str(error) == "no connection (localhost:80)"


# --- the frames of an error -----------------------------------------------------------------------


def frames_of(error):
    """Return what a traceback with locals shows of the frames below the caller's own."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown.stack[:] = [frame for frame in shown.stack if frame.filename != __file__]
    assert shown.stack
    return "".join(shown.format())


def is_hidden_in(error):
    text = frames_of(error)
    return KEY not in text and "hush-hush" not in text


async def ask(session, streamed, request="Hi", **settings):
    if streamed:
        return await session.stream(request, **settings).collect()
    return await session.complete(request, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"headers": HEADERS | {"X A": "b"}},
        {"headers": {"X-Token": "hush-hush\n"}},
        {"headers": HEADERS, "base_url": "ftp://x"},
        {"headers": HEADERS, "base_url": "http://127.0.0.1", "proxy": "socks5://x"},
        {"headers": HEADERS, "api_key": f"{KEY}\n"},
    ],
    ids="+".join,
)
def test_the_frames_of_a_refused_session_hide_key_and_headers(settings):
    with pytest.raises(ConfigurationError) as caught:
        ChatSession(**{"api_key": KEY} | settings)

    assert is_hidden_in(caught.value)


def test_the_frames_of_a_refused_session_hide_the_key_of_a_variable(monkeypatch):
    monkeypatch.setenv("AIML_API_KEY", f"{KEY}\n")
    with pytest.raises(ConfigurationError) as caught:
        ChatSession()

    assert is_hidden_in(caught.value)


@pytest.mark.parametrize("headers", [HEADERS | {"X A": "b"}, {"X-Token": "hush-hush\n"}])
@pytest.mark.parametrize("streamed", [True, False])
async def test_the_frames_of_a_call_with_refused_headers_hide_key_and_headers(headers, streamed):
    async with ChatSession(KEY, headers={"X-Other": "hush-hush"}) as session:
        with pytest.raises(ConfigurationError) as caught:
            await ask(session, streamed, headers=headers)

    assert is_hidden_in(caught.value)


@pytest.mark.parametrize("method", ["complete", "stream", "complete_many", "stream_many"])
async def test_the_frames_of_an_unknown_option_hide_key_and_headers(method):
    async with ChatSession(KEY, headers=HEADERS) as session:
        with pytest.raises(TypeError) as caught:
            await getattr(session, method)("Hi", headers=HEADERS, temprature=1)

    assert is_hidden_in(caught.value)


async def test_the_frames_of_a_refused_request_hide_key_and_headers():
    async with ChatSession(KEY, headers=HEADERS) as session:
        with pytest.raises(ValueError, match="temperature") as caught:
            await session.complete("Hi", headers=HEADERS, temperature=9)

    assert is_hidden_in(caught.value)


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_frames_of_an_error_response_hide_key_and_headers(emulator, streamed):
    emulator.fail(status=400, message=f"bad key {KEY}")
    async with ChatSession(KEY, base_url=emulator.base_url, headers=HEADERS) as session:
        with pytest.raises(APIError) as caught:
            await ask(session, streamed, ChatRequest().user(Text("Hi")), headers=HEADERS)

    assert is_hidden_in(caught.value)


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_frames_of_a_failed_connection_hide_key_and_headers(streamed):
    async with ChatSession(KEY, base_url="http://127.0.0.1:9", headers=HEADERS) as session:
        with pytest.raises(ConnectionFailedError) as caught:
            await ask(session, streamed, headers=HEADERS, retry=RetryPolicy(attempts=1))

    assert is_hidden_in(caught.value)
