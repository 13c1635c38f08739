"""Text of a server in messages, logs and terminals."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimlchat._printable import (
    escape_controls,
    excerpt,
    join_lines,
    json_escape_controls,
    shorten,
)

ANY_TEXT = st.text(st.characters())  # lone surrogates included
CONTROLS = {
    "ESC": ("\x1b", r"\x1b"),
    "BEL": ("\x07", r"\x07"),
    "NUL": ("\0", r"\x00"),
    "DEL": ("\x7f", r"\x7f"),
    "C1": ("\x9b", r"\x9b"),
    "a line separator": ("\u2028", r"\u2028"),
    "a paragraph separator": ("\u2029", r"\u2029"),
    "an embedding": ("\u202a", r"\u202a"),
    "an override": ("\u202e", r"\u202e"),
    "an isolate": ("\u2066", r"\u2066"),
    "the end of an isolate": ("\u2069", r"\u2069"),
    "an interlinear annotation": ("\ufff9", r"\ufff9"),
    "a tag": ("\U000e0041", r"\U000e0041"),
    "a lone surrogate": ("\ud83d", r"\ud83d"),
    "a byte that is no UTF-8": ("\udcff", r"\udcff"),
}


@pytest.mark.parametrize(("control", "escaped"), CONTROLS.values(), ids=CONTROLS)
def test_a_control_character_is_escaped(control, escaped):
    assert escape_controls(f"a{control}b\n\tc") == f"a{escaped}b\n\tc"


@pytest.mark.parametrize(
    "text", ["", "plain", "é 青 🙂", "👩\u200d💻", "שלום\u200f", "a\u00a0b", "क्\u200dष"]
)
def test_text_of_any_script_stays(text):
    assert escape_controls(text) == text


def test_the_lines_of_a_text_are_joined():
    lines = "a\r\n2026-01-01 ERROR forged\u2028b\x85c\v\x1cd"

    assert join_lines(lines) == "a 2026-01-01 ERROR forged b c d"
    assert join_lines("as  it is") == "as  it is"


@given(ANY_TEXT)
def test_any_text_can_be_printed_and_is_one_line(text):
    assert len(join_lines(text).encode().splitlines()) <= 1
    assert len(join_lines(text).splitlines()) <= 1
    assert escape_controls(escape_controls(text)) == escape_controls(text)
    escape_controls(text).encode()


@given(ANY_TEXT)
def test_json_text_keeps_its_meaning(text):
    escaped = json_escape_controls(json.dumps(text, ensure_ascii=False))

    assert json.loads(escaped) == json.loads(json.dumps(text))
    assert escape_controls(escaped) == escaped


def test_a_cut_is_marked_and_a_whole_text_is_not():
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abc..."
    assert excerpt(b"a" * 120) == repr(b"a" * 120)
    assert excerpt("a" * 121) == f"{'a' * 120!r}..."
