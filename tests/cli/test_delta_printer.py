"""How reasoning and answer are printed on a terminal and on a pipe."""

import html
import io
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimlchat.cli.delta_printer import DeltaPrinter
from aimlchat.completions import AnswerDelta, ReasoningDelta, RefusalDelta

CLASSES = {"reasoning": ReasoningDelta, "answer": AnswerDelta}
DIM, RESET = "\x1b[2m", "\x1b[0m"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def print_deltas(*deltas, on=io.StringIO, reasoning=True, raw=False):
    """Print deltas, given as pairs of a kind and a text; return the output."""
    stream = on()
    printer = DeltaPrinter(stream, reasoning=reasoning, raw=raw)
    for kind, text in deltas:
        printer.print_delta(CLASSES[kind](text))
    printer.close()
    return stream.getvalue()


@pytest.fixture(autouse=True)
def _terminal_with_styles(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_pipe_gets_only_the_answer():
    assert print_deltas(("reasoning", "hm"), ("answer", "Yes.")) == "Yes.\n"


def test_a_terminal_gets_dimmed_reasoning_a_blank_line_and_the_plain_answer():
    text = print_deltas(("reasoning", "hm"), ("answer", "Yes."), on=Terminal)
    assert text == f"{DIM}hm{RESET}\n\nYes.\n"


def test_reasoning_can_be_hidden_on_a_terminal():
    text = print_deltas(("reasoning", "hm"), ("answer", "Yes."), on=Terminal, reasoning=False)
    assert text == "Yes.\n"


def test_a_dumb_terminal_gets_no_escape_codes(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    text = print_deltas(("reasoning", "hm"), ("answer", "Yes."), on=Terminal)
    assert text == "hm\n\nYes.\n"


def test_blank_lines_surround_reasoning_in_the_middle_of_an_answer():
    deltas = [("answer", "a"), ("reasoning", "b"), ("answer", "c")]
    assert print_deltas(*deltas, on=Terminal) == f"a\n\n{DIM}b{RESET}\n\nc\n"


@pytest.mark.parametrize("ending", ["", "\n", "\n\n\n"])
def test_the_output_ends_with_exactly_one_newline(ending):
    assert print_deltas(("answer", f"Yes.{ending}")) == "Yes.\n"


def test_refusals_and_other_choices_are_not_printed():
    stream = Terminal()
    printer = DeltaPrinter(stream, reasoning=True)
    for delta in (RefusalDelta("No."), AnswerDelta("a", 1), ReasoningDelta("b", 1)):
        printer.print_delta(delta)
    printer.close()
    assert stream.getvalue() == ""


def test_no_text_leaves_no_empty_line():
    assert print_deltas() == ""
    assert print_deltas(("answer", "\n")) == ""


def test_newlines_between_reasoning_and_answer_become_one_blank_line():
    deltas = [("reasoning", "hm\n\n\n"), ("answer", "\n\n"), ("answer", "\nYes.")]
    assert print_deltas(*deltas, on=Terminal) == f"{DIM}hm{RESET}\n\nYes.\n"


def test_blank_lines_and_indentation_within_the_answer_are_kept():
    deltas = [("answer", "  a\n"), ("answer", "\n"), ("answer", "\n    b  "), ("answer", " c")]
    assert print_deltas(*deltas) == "  a\n\n\n    b   c\n"


@given(st.text(alphabet="ab \n\t[]", max_size=30), st.lists(st.integers(0, 30), max_size=6))
def test_the_output_does_not_depend_on_how_the_text_is_cut_into_deltas(text, cuts):
    borders = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    deltas = [("answer", text[start:end]) for start, end in pairwise(borders)]
    inner = text.strip("\n")
    assert print_deltas(*deltas) == (f"{inner}\n" if inner else "")


@pytest.mark.parametrize(
    "text", ["[bold]x[/bold] [red]", ":smile:", "3.14 'x' http://a.b", "x\t y "]
)
def test_raw_text_is_not_interpreted(text):
    raw = {"on": Terminal, "raw": True}
    assert print_deltas(("reasoning", text), **raw) == f"{DIM}{text}{RESET}\n"
    assert print_deltas(("answer", text), **raw) == f"{text}\n"


def test_raw_lines_are_neither_wrapped_nor_trimmed(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    text = "word " * 30
    raw = {"on": Terminal, "raw": True}
    assert print_deltas(("reasoning", text), **raw) == f"{DIM}{text}{RESET}\n"
    assert print_deltas(("answer", text), **raw) == f"{text}\n"


def test_on_a_terminal_lines_are_wrapped_at_words(monkeypatch):
    monkeypatch.setenv("COLUMNS", "11")
    assert print_deltas(("answer", "two words and"), on=Terminal) == "two words\nand\n"
    reasoning = print_deltas(("reasoning", "two words and"), on=Terminal)
    assert reasoning == f"{DIM}two words{RESET}\n{DIM}and{RESET}\n"


@pytest.mark.parametrize(
    ("name", "value"), [("TERM", "dumb"), ("NO_COLOR", "1")], ids=["dumb", "NO_COLOR"]
)
@pytest.mark.parametrize("raw", [False, True])
def test_where_no_escape_codes_are_allowed_there_are_none(monkeypatch, name, value, raw):
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "20")
    table = "| a | b |\n|---|---|\n| **c** | `d` |"
    deltas = [("reasoning", "h"), ("reasoning", "m")] + [("answer", c) for c in f"**x**\n{table}"]
    text = print_deltas(*deltas, on=Terminal, raw=raw)
    assert text == f"hm\n\n**x**\n{table}\n"


def test_an_empty_no_color_allows_escape_codes(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "")
    assert DIM in print_deltas(("reasoning", "hm"), on=Terminal)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("variable", ["", "NO_COLOR"])
@pytest.mark.parametrize(
    "control",
    [*"\x1b\x07\x9b\x08\u202a\u202e\u2066\u2069\u200e\u200f\u061c", "&#x202e;", "&#x200f;"],
)
def test_no_control_character_reaches_a_terminal(monkeypatch, control, variable, raw):
    monkeypatch.setenv(variable or "UNUSED", "1")
    for text in (
        f"a{control}b",
        f"# {control}x",
        f"```{control}\n{control}\n```",
        f"|a{control}|\n|-|\n|{control}|",
        f"[a{control}](http://b{control}.c)",
        f"![{control}](<b{control}>)",
        f"- `{control}`",
    ):
        out = print_deltas(("reasoning", text), ("answer", text), on=Terminal, raw=raw)
        shown = re.sub(r"\x1b\[(\d+(;\d+)*m|[AK])", "", out)
        decoded = html.unescape(control)
        assert (control if decoded == control else decoded) not in shown


def test_each_delta_is_flushed_at_once():
    flushed = []

    class Stream(Terminal):
        def flush(self):
            flushed.append(self.getvalue())

    printer = DeltaPrinter(Stream(), reasoning=True)
    printer.print_delta(ReasoningDelta("a"))
    assert flushed[-1] == f"{DIM}a{RESET}"
    printer.print_delta(AnswerDelta("b"))
    assert flushed[-1].endswith("b")


def test_control_characters_are_replaced_in_reasoning_and_answer():
    deltas = [("reasoning", "\x1b[31mred"), ("answer", "a\r\nb\x07")]
    assert print_deltas(*deltas, on=Terminal) == f"{DIM}\\x1b[31mred{RESET}\n\na\nb\\x07\n"
    assert print_deltas(*deltas) == "a\nb\\x07\n"
