"""Lenient JSON: what strict decoders reject is read as far as it is readable."""

import math

import pytest

from aimlchat import ProtocolError
from aimlchat._json import decode_json


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, 2.5, true, null, "b"]}', {"a": [1, 2.5, True, None, "b"]}),
        (b' \r\n"text"\t', "text"),
        (b"0", 0),
        ('"grüße 🦉"'.encode(), "grüße 🦉"),
    ],
)
def test_json_is_decoded(data, value):
    assert decode_json(data) == value


def test_a_byte_order_mark_is_dropped():
    assert decode_json(b"\xef\xbb\xbf[1]") == [1]


def test_broken_utf8_becomes_a_replacement_character():
    assert decode_json(b'"a\xffb"') == "a\ufffdb"


def test_control_characters_may_stand_in_strings():
    assert decode_json(b'"a\nb\tc\0"') == "a\nb\tc\0"


@pytest.mark.parametrize("sign", [1, -1])
def test_an_integer_of_thousands_of_digits_is_infinite(sign):
    digits = b"9" * 5000 if sign > 0 else b"-" + b"9" * 5000

    assert decode_json(b"[" + digits + b"]") == [sign * math.inf]


def test_numbers_outside_the_standard_are_read():
    assert decode_json(b"[Infinity, -Infinity, 1e999]") == [math.inf, -math.inf, math.inf]


@pytest.mark.parametrize(("begin", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_what_is_nested_too_deeply_becomes_null_and_the_rest_is_read(begin, end):
    deep = begin * 100_000 + b"1" + end * 100_000
    value = decode_json(b'{"deep": ' + deep + b', "text": "here"}')

    assert value["text"] == "here"


def test_brackets_in_strings_are_no_nesting():
    text = b"[{" * 100
    deep = b"[" * 100_000 + b"]" * 100_000
    value = decode_json(b'{"deep": ' + deep + b', "text": "' + text + b'\\"[", "end": 1}')

    assert (value["text"], value["end"]) == ("[{" * 100 + '"[', 1)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"nope", b"[1", b"{} {}", b"\xff", b"<html>", b"[" * 100_000]
)
def test_what_is_not_json_is_a_protocol_error(data):
    with pytest.raises(ProtocolError, match="not JSON"):
        decode_json(data)


def test_the_error_shows_only_the_start_of_the_data():
    with pytest.raises(ProtocolError) as caught:
        decode_json(b"<html>" + b"x" * 100_000)

    assert "<html>" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_error_does_not_keep_the_data_alive():
    with pytest.raises(ProtocolError) as caught:
        decode_json(b"nope")

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
