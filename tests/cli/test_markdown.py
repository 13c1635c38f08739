"""Markdown on a terminal: what is shown, while it grows and at the end."""

import os
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screen import Screen

from aimlchat.cli import delta_printer
from aimlchat.cli.delta_printer import DeltaPrinter
from aimlchat.cli.markdown_lines import MarkdownLines
from aimlchat.completions import AnswerDelta

BOLD, DIM, ITALIC, UNDERLINED, CODE = "1", "2", "3", "4", "36"


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(
        delta_printer, "terminal_size", lambda stream: stream.size()
    )  # a stream in memory is asked for its size


def render(source, width=60):
    """Return the runs of a source that arrives at once, joined where the style is the same."""
    lines = MarkdownLines()
    lines.resize(width, 4)
    runs = []
    for text, style in [*lines.feed(source), *lines.close()]:
        if runs and runs[-1][1] == style:
            runs[-1] = (runs[-1][0] + text, style)
        elif text:
            runs.append((text, style))
    return runs


def plain(source, width=60):
    return "".join(text for text, _ in render(source, width))


def show(source, step=5, sizes=((80, 24),)):
    """Print a source in deltas, resize the screen between them, and return the screen."""
    screen = Screen(*sizes[0])
    printer = DeltaPrinter(screen, reasoning=True)
    deltas = [source[i : i + step] for i in range(0, len(source), step)]
    for number, delta in enumerate(deltas):
        screen.resize(*sizes[number * len(sizes) // len(deltas)])
        printer.print_delta(AnswerDelta(delta))
    printer.close()
    return screen


def letters(text):
    return Counter(character for character in text if not character.isspace())


# --- what is shown -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "runs"),
    [
        ("a **b** c", [("a ", ""), ("b", BOLD), (" c", "")]),
        ("*a* _b_", [("a", ITALIC), (" ", ""), ("b", ITALIC)]),
        ("~~a~~", [("a", "9")]),
        ("***a***", [("a", f"{ITALIC};{BOLD}")]),
        ("`*a*`", [("*a*", CODE)]),
        ("# a **b**", [("a b", f"{BOLD};{UNDERLINED}")]),
        ("### a `b`", [("a ", BOLD), ("b", f"{BOLD};{CODE}")]),
        ("- a\n  - b", [("• a\n  • b", "")]),
        ("7. a", [("7. ", BOLD), ("a", "")]),
        ("> a", [("│ ", DIM), ("a", "")]),
        ("snake_case_name, 2 * 3 * 4", [("snake_case_name, 2 * 3 * 4", "")]),
        ("\\*a\\* &amp; b", [("*a* & b", "")]),
        ("<b>a</b>", [("<b>a</b>", "")]),
        ("中**文**中", [("中", ""), ("文", BOLD), ("中", "")]),
        ("a **b", [("a **b", "")]),
    ],
)
def test_emphasis_code_headings_lists_and_quotes(source, runs):
    assert render(source) == runs


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("[bank](https://evil.example)", "bank (https://evil.example)"),
        ("[https://bank.com](https://evil.example)", "https://bank.com (https://evil.example)"),
        ("[https://a.b](https://a.b)", "https://a.b"),
        ("<https://a.b>", "https://a.b"),
        ("![cat](http://a.b/c.png)", "cat (http://a.b/c.png)"),
        ("[a](javascript:alert(1))", "[a](javascript:alert(1))"),
    ],
)
def test_a_link_shows_its_target(source, shown):
    assert plain(source) == shown
    assert "\x1b]8" not in show(source).getvalue()


def test_lines_are_wrapped_at_words_and_aligned_behind_their_marks():
    assert plain("- one two three\n> four five six", 10) == (
        "• one two\n  three\n│ four\n│ five six"
    )
    assert plain("这是一个很长的句子。", 10) == "这是一个很\n长的句子。"
    assert plain("一二三四五。", 10) == "一二三四\n五。"


def test_line_breaks_are_kept_and_blank_lines_are_one():
    assert plain("\n\nroses\nviolets\n\n\n\nblue\n\n") == "roses\nviolets\n\nblue"


def test_code_is_neither_rendered_nor_wrapped():
    code = (
        "def f(x):\n    return '*' + x[0](y)  # a long comment, longer than the line\n\n\n    *a*"
    )
    assert plain(f"```python\n{code}\n```\nend", 20) == f"─── python\n{code}\n───\nend"
    assert plain("~~~\n```\n~~~") == "───\n```\n───"
    assert plain("> ```\n> a\nb") == "│ ───\n│ a\nb"
    assert render("a\n\n    *b*") == [("a\n\n", ""), ("    *b*", CODE)]


def test_a_table_is_fitted_to_the_width():
    table = "| a | number |\n|:--|--:|\n| **long words here** | 1 |\n| `x \\| y` | 20 |\n\nend"
    assert plain(table, 20) == (
        "a           │ number\n"
        "────────────┼───────\n"
        "long words  │      1\n"
        "here        │       \n"
        "x | y       │     20\n"
        "\nend"
    ).replace("│       \n", "│ \n")
    assert plain("| a | b | c |\n|-|-|-|\n" + "| wide cell | wider cell | widest cell |\n", 20) == (
        "───\na: wide cell\nb: wider cell\nc: widest cell"
    )
    assert plain("| no table |\ntext") == "| no table |\ntext"


# --- while it grows ------------------------------------------------------------------------------

SAMPLE = (
    "# Title\n\nSome **bold text**, `code`, [a link](http://a.b/c) and words that fill a line.\n\n"
    "- item one is longer than the width of a narrow screen\n  1. nested *item*\n\n"
    "> quoted, and longer than the width of a narrow screen too\n> > twice\n\n"
    "```python\n" + "".join(f"line_{i} = {i}\n" for i in range(30)) + "```\n\n"
    "| n | text |\n|--:|---|\n"
    + "".join(f"| {i} | row {i}, long enough for two lines |\n" for i in range(30))
    + "\n这是一个很长的句子应该在边缘处换行。🙂 ok\n\nThe **end"
)
SIZES = [((80, 24),), ((40, 10),), ((20, 5),)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("step", [1, 7])
def test_at_the_end_the_screen_has_the_whole_answer_once(sizes, step):
    expected = plain(SAMPLE, sizes[0][0] - 1)
    shown = show(SAMPLE, step, sizes).text
    assert [line.rstrip() for line in shown.split("\n")] == [
        line.rstrip() for line in f"{expected}\n".split("\n")
    ]


@pytest.mark.parametrize(
    "sizes",
    [((80, 24), (40, 10)), ((40, 10), (80, 24)), ((80, 24), (40, 10), (120, 40), (60, 12))],
    ids=str,
)
def test_a_resized_screen_loses_and_repeats_nothing(sizes):
    shown = letters(show(SAMPLE, 5, sizes).text)
    expected = letters(plain(SAMPLE, 79))
    for mark in "─┼│":  # their number depends on the width
        del shown[mark], expected[mark]
    assert shown == expected


ANY_MARKDOWN = st.text(alphabet="ab *_`~[]()#>|-1.\\!<&\n\t中。🙂", max_size=80)


@settings(max_examples=100, deadline=None)
@given(ANY_MARKDOWN, st.integers(1, 12))
def test_what_is_shown_does_not_depend_on_the_deltas(source, step):
    whole = show(source, len(source) or 1, ((12, 6),))
    parts = show(source, step, ((12, 6),))
    assert parts.text == whole.text


def test_text_that_only_grows_is_never_written_again():
    source = "Plain words, and a list:\n- one\n- two\n"
    out = io_of(source, 1)
    assert "\x1b[K" not in out
    assert "\x1b[A" not in out


def io_of(source, step):
    written = []

    class Recorder(Screen):
        def write(self, text):
            written.append(text)
            super().write(text)

    printer = DeltaPrinter(Recorder(), reasoning=True)
    for i in range(0, len(source), step):
        printer.print_delta(AnswerDelta(source[i : i + step]))
    printer.close()
    return "".join(written)


@pytest.mark.parametrize(
    "source",
    [
        "word **bold** `x` " * 600,
        "```\n" + "x = 1\n" * 1700,
        "|a|b|\n|-|-|\n" + "|cell|other cell|\n" * 500,
        "> " * 5000 + "end",
        "*a [b `" * 1400,
        "x" * 10_000,
        "`" * 10_000,
    ],
    ids=lambda source: repr(source[:12]),
)
def test_the_cost_is_linear(source):
    class Terminal(Screen):
        written = 0

        def write(self, text):
            self.written += len(text)

    stream = Terminal()
    printer = DeltaPrinter(stream, reasoning=True)
    start = time.process_time()
    for i in range(0, len(source), 20):
        printer.print_delta(AnswerDelta(source[i : i + 20]))
    printer.close()
    assert stream.written < 8 * len(source)
    assert time.process_time() - start < 3  # it takes a tenth of a second


def test_without_a_size_the_width_is_that_of_the_environment(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("COLUMNS", "33")
    read_end, write_end = os.openpty()
    with os.fdopen(write_end, "w") as stream:
        assert delta_printer.terminal_size(stream).columns == 33
    os.close(read_end)
