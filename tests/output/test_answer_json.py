"""`read_json`: the one JSON value in a text, read leniently where nothing is lost."""

import contextlib
import json
import math
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimlchat._output.answer_json import NotJsonError, read_json

VALUE = {"a": [1, {"b": "x, ] }"}]}
TEXT = json.dumps(VALUE)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([None, 2]), st.sampled_from(["", "```", "```json"]))
def test_any_value_is_read_with_and_without_a_fence(value, indent, fence):
    text = json.dumps(value, indent=indent)

    read = read_json(f"{fence}\n{text}\n```" if fence else f" \ufeff{text}\n")

    assert json.dumps(read) == json.dumps(value)


@given(st.dictionaries(st.text(), VALUES), st.text(alphabet="ab .,:;!?()'\n"), st.text("xy .\n"))
def test_an_object_is_found_in_prose(value, before, after):
    assert json.dumps(read_json(before + json.dumps(value) + after)) == json.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        f"Here it is:\n\n```json\n{TEXT}\n```\n\nAnything else?",
        f"```JSON\r\n{TEXT}\r\n```",
        f"```json\n{TEXT}",
        f"As in [1] and [12, p. 3], with {{name}} and [a](link): {TEXT} [2]",
        f'On a 5" disk: {TEXT}',
        f"{TEXT}\n{TEXT}",
        '{"a": [1, {"b": "x, ] }",},],}',
        'Note: {"a": [1, {"b": "x, ] }",}, ] , }, as you said',
        '{\n  "a": [1, {"b": "x, ] }"}],\n}',
    ],
)
def test_the_value_is_read_in_spite_of(text):
    assert read_json(text) == VALUE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, 2,]", [1, 2]),
        ("Here: [1, 2].", [1, 2]),
        ('{"a": "b\nc\t\x00"}', {"a": "b\nc\t\x00"}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('"{\\"a\\": 1}"', '{"a": 1}'),
        ('{"a": "\\ud83d"}', {"a": "\ud83d"}),
        ('{"a": ",]", "b": [1,]}', {"a": ",]", "b": [1]}),
        ("-0.5e3", -500.0),
        ("```\n7\n```", 7),
    ],
)
def test_values_that_need_a_decision(text, value):
    assert read_json(text) == value


def test_numbers_that_are_not_finite_are_left_to_the_type():
    assert math.isnan(read_json("[NaN]")[0])
    assert read_json("[-Infinity, 1e999]") == [-math.inf, math.inf]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("I cannot do that.", "it has no JSON value"),
        ("The answer is 42", "it has no JSON value"),
        ("42 apples", "it has no JSON value"),
        ('{"a": 1} or {"a": 2}', "more than one JSON value"),
        ('{"a": 1} or {"a": true}', "more than one JSON value"),
        ("[1] or [2]", "more than one JSON value"),
        ('{"a": [1, 2', "broken at character"),
        ('{"a": "b', "broken at character 6"),
        ('[{"a": 1}, {"b"', "broken at character"),
        ('["x", {"a": 1}, "cut', "broken at character"),
        ('{"items": [{"x": 1}], oops: {"y": 1}}', "broken at character"),
        ('[{"x": 1}, oops]', "broken at character"),
        ('[1, oops, {"x": 1}]', "broken at character"),
        ('{"a": 1, // one\n"b": 2}', "broken at character"),
        ("{'a': 1}", "it has no JSON value"),
        ('{"a": 1 "b": 2}', "broken at character"),
        ("[,]", "it has no JSON value"),
        ('{"a": [1,,]}', "broken at character"),
        ('{"a": [,]}', "broken at character"),
        ('{"a": 1}}{"a": 2}', "more than one JSON value"),
        (f'{{"a": {"[" * 64}{"]" * 64}}}', "nested deeper than 64"),
        ("[" * 100_000, "nested deeper than 64"),
    ],
)
def test_nothing_is_completed_by_guessing(text, reason):
    with pytest.raises(NotJsonError, match=reason) as caught:
        read_json(text)

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


DIGITS = "1" * (sys.get_int_max_str_digits() + 1)


@pytest.mark.parametrize(
    "text",
    [
        *(DIGITS, f"-{DIGITS}", f"[1, {DIGITS}]", f'{{"a": {DIGITS}}}', f'[{{"a": {DIGITS}}}]'),
        *(f"```json\n{DIGITS}\n```", f"It is [{DIGITS}].", f'It is {{"a": {DIGITS},}}.'),
    ],
    ids=range(8),
)
def test_an_integer_that_python_does_not_read_is_named(text):
    limit = sys.get_int_max_str_digits()
    with pytest.raises(NotJsonError) as caught:
        read_json(text)
    reason = f"it has an integer of more than {limit} digits, which Python does not read"
    assert str(caught.value) == reason


@pytest.mark.parametrize("text", [f'{DIGITS} {{"a": 1}}', f'As in [{DIGITS}]: {{"a": 1}}'])
def test_an_integer_in_the_text_around_a_value_is_not_read(text):
    assert read_json(text) == {"a": 1}


@pytest.mark.parametrize(
    "unit",
    [
        "{",
        "[",
        "{x} ",
        "[x] ",
        "[1,] ",
        "[0,1) ",
        "[1,}",
        '{"',
        '"',
        "\\",
        "[[",
        "```",
        '{"a":1,} ',
    ],
)
def test_the_time_is_linear_whatever_the_text(unit):
    def seconds(size):
        text = unit * (size // len(unit))
        start = time.process_time()
        with contextlib.suppress(NotJsonError):
            read_json(text)
        return time.process_time() - start

    assert seconds(200_000) < 0.5
