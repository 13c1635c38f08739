"""What stands on standard output while an answer is written on it."""

import io
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimlchat.cli import terminal
from aimlchat.cli.terminal import Page, cleaned, one_line

DIM, RESET = "\x1b[2m", "\x1b[0m"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def written(*pieces, on=io.StringIO, reasoning=True):
    """Write pieces, pairs of a kind and a text, on a page; return what stands there."""
    stream = on()
    page = Page(stream, reasoning=reasoning)
    for kind, text in pieces:
        getattr(page, kind)(text)
    page.end()
    return stream.getvalue()


@pytest.fixture(autouse=True)
def _a_terminal_that_can_dim(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_pipe_gets_the_answer_only():
    assert written(("reasoning", "hm"), ("answer", "Yes.")) == "Yes.\n"


def test_a_terminal_gets_reasoning_dimmed_then_a_blank_line_then_the_answer_plain():
    text = written(("reasoning", "hm"), ("answer", "Yes."), on=Terminal)
    assert text == f"{DIM}hm{RESET}\n\nYes.\n"


def test_reasoning_can_be_hidden_on_a_terminal():
    text = written(("reasoning", "hm"), ("answer", "Yes."), on=Terminal, reasoning=False)
    assert text == "Yes.\n"


def test_a_dumb_terminal_gets_no_escape_codes(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    text = written(("reasoning", "hm"), ("answer", "Yes."), on=Terminal)
    assert text == "hm\n\nYes.\n"


def test_reasoning_between_two_parts_of_an_answer_stands_apart():
    pieces = [("answer", "a"), ("reasoning", "b"), ("answer", "c")]
    assert written(*pieces, on=Terminal) == f"a\n\n{DIM}b{RESET}\n\nc\n"


@pytest.mark.parametrize("ending", ["", "\n", "\n\n\n"])
def test_it_ends_with_exactly_one_newline(ending):
    assert written(("answer", f"Yes.{ending}")) == "Yes.\n"


def test_nothing_at_all_leaves_no_empty_line():
    assert written() == ""
    assert written(("answer", "\n")) == ""


def test_newlines_around_the_border_become_one_blank_line():
    pieces = [("reasoning", "hm\n\n\n"), ("answer", "\n\n"), ("answer", "\nYes.")]
    assert written(*pieces, on=Terminal) == f"{DIM}hm{RESET}\n\nYes.\n"


def test_inner_blank_lines_and_indentation_stay():
    pieces = [("answer", "  a\n"), ("answer", "\n"), ("answer", "\n    b  "), ("answer", " c")]
    assert written(*pieces) == "  a\n\n\n    b   c\n"


@given(st.text(alphabet="ab \n\t[]", max_size=30), st.lists(st.integers(0, 30), max_size=6))
def test_however_it_is_cut_the_page_is_the_same(text, places):
    borders = sorted({0, len(text), *(min(place, len(text)) for place in places)})
    cut = [("answer", text[a:b]) for a, b in pairwise(borders)]
    inner = text.strip("\n")
    assert written(*cut) == (f"{inner}\n" if inner else "")


@pytest.mark.parametrize(
    "text", ["[bold]x[/bold] [red]", ":smile:", "3.14 'x' http://a.b", "x\t y "]
)
def test_rich_interprets_nothing(text):
    assert written(("reasoning", text), on=Terminal) == f"{DIM}{text}{RESET}\n"
    assert written(("answer", text), on=Terminal) == f"{text}\n"


def test_long_lines_are_neither_wrapped_nor_trimmed(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    text = "word " * 30
    assert written(("reasoning", text), on=Terminal) == f"{DIM}{text}{RESET}\n"
    assert written(("answer", text), on=Terminal) == f"{text}\n"


def test_every_piece_is_flushed_at_once():
    flushed = []

    class Stream(Terminal):
        def flush(self):
            flushed.append(self.getvalue())

    page = Page(Stream(), reasoning=True)
    page.reasoning("a")
    assert flushed[-1] == f"{DIM}a{RESET}"
    page.answer("b")
    assert flushed[-1].endswith("b")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("a\x08b\x00c\x7f", "a␈b␀c␡"),
        ("\x9b31m\x90", "\ufffd31m\ufffd"),
        ("a\r\nb\rc", "a\nbc"),
        ("half \ud83d", "half \ufffd"),
        ("tab\tand\nnewline, é, 青, 🙂", "tab\tand\nnewline, é, 青, 🙂"),
    ],
)
@pytest.mark.parametrize("on", [io.StringIO, Terminal])
def test_what_could_drive_a_terminal_is_shown_and_not_done(text, shown, on):
    assert cleaned(text) == shown
    assert written(("answer", text), on=on) == f"{shown}\n"
    assert shown in written(("reasoning", text), on=Terminal)


def test_one_line_is_one_line():
    assert one_line(" a\n b\r\n\tc\x1b ") == "a b c␛"


@pytest.mark.parametrize("value", ["\x1b\x7f\x9b\n", "\ud83d", "é 🙂 \u2028"])
def test_json_is_exact_and_drives_no_terminal(value, capsys):
    terminal.write_json({"text": value})
    out = capsys.readouterr().out
    assert json.loads(out) == {"text": value}
    assert not {"\x1b", "\x7f", "\x9b"} & set(out)
    assert out.endswith("}\n")


def test_json_leaves_letters_readable(capsys):
    terminal.write_json("é 🙂")
    assert capsys.readouterr().out == '"é 🙂"\n'
