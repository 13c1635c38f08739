"""Text made safe for a terminal, and JSON."""

import json

import pytest

from aimlchat.cli.terminal import print_json, replace_controls, to_one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\x08b\x00c\x7f", r"a\x08b\x00c\x7f"),
        ("\x9b31m\x90", r"\x9b31m\x90"),
        ("a\r\nb\rc", "a\nbc"),
        ("half \ud83d", r"half \ud83d"),
        ("\u202eright to left\u202c", r"\u202eright to left\u202c"),
        ("tab\tand\nnewline, é, 青, 🙂", "tab\tand\nnewline, é, 青, 🙂"),
    ],
)
def test_control_characters_become_visible(text, shown):
    assert replace_controls(text) == shown


def test_lines_are_joined_and_cleaned():
    assert to_one_line(" a\n b\r\n\tc\x1b ") == r"a b c\x1b"


@pytest.mark.parametrize("value", ["\x1b\x7f\x9b\n", "\ud83d", "é 🙂 \u2028\u202e\U000e0041"])
def test_json_is_exact_but_has_no_control_characters(value, capsys):
    print_json({"text": value})
    out = capsys.readouterr().out
    assert json.loads(out) == {"text": value}
    assert not set("\x1b\x7f\x9b\u2028\u202e\U000e0041") & set(out)
    assert out.endswith("}\n")


def test_json_leaves_letters_readable(capsys):
    print_json("é 🙂")
    assert capsys.readouterr().out == '"é 🙂"\n'
