"""How the key and the headers are found, checked and masked."""

import pytest

from aimlchat import ConfigurationError
from aimlchat._client.credentials import (
    API_KEY_VARIABLES,
    check_headers,
    find_api_key,
    mask_headers,
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
