"""Make text safe for a terminal, and print what accompanies an answer."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from typing import IO, Any

import click

from aimlchat._printable import escape_controls, join_lines, json_escape_controls

__all__ = [
    "allows_escape_codes",
    "end_interrupted_line",
    "escape_for_terminal",
    "print_json",
    "print_notice",
    "replace_controls",
    "style",
    "terminal_size",
    "to_one_line",
]

# The marks of bidirectional text. They are legitimate in text that is kept, but on a terminal they
# could make a message read as another one.
_BIDI_MARK = re.compile("[\u061c\u200e\u200f]")


def allows_escape_codes(stream: IO[str]) -> bool:
    """Return whether a stream is a terminal that may get escape codes: colors, cursor movements.

    NO_COLOR, set and not empty, forbids them, and a dumb terminal has none.
    """
    forbidden = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not forbidden


def style(line: str, *, bold: bool | None = None, dim: bool | None = None) -> str:
    """Return a line for standard output in a style, or as it is where there are no styles."""
    return click.style(line, bold=bold, dim=dim) if allows_escape_codes(sys.stdout) else line


def terminal_size(stream: IO[str]) -> os.terminal_size:
    """Return the present size of a terminal, or a usual one if its size is unknown."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # not a file, as in a test, or not a terminal
        return shutil.get_terminal_size()
    return size if size.columns and size.lines else shutil.get_terminal_size()


def replace_controls(text: str) -> str:
    """Escape control characters other than newline and tab.

    The text of a model or a server must not move the cursor, set the window's title, write to the
    clipboard, or reorder or hide the text around it. A carriage return is legitimate only before a
    line feed, is not needed there, and is left out: the two may come in different deltas.
    """
    return escape_controls(text.replace("\r", ""))


def escape_for_terminal(text: str) -> str:
    """Escape control characters, and the marks of bidirectional text too."""
    if text.isprintable():
        return text
    return _BIDI_MARK.sub(lambda mark: f"\\u{ord(mark[0]):04x}", replace_controls(text))


def to_one_line(text: str) -> str:
    """Escape control characters, and join the lines of a text with spaces."""
    return " ".join(escape_for_terminal(join_lines(text)).split())


def print_notice(text: str) -> None:
    """Print one dimmed line on standard error."""
    line = to_one_line(text)
    if allows_escape_codes(sys.stderr):
        line = click.style(line, dim=True)
    click.echo(line, err=True)


def end_interrupted_line() -> None:
    """End the line on which a terminal has shown ``^C``."""
    if sys.stderr.isatty():
        click.echo(err=True)


def print_json(value: Any) -> None:
    """Print one JSON document on standard output, with every control character escaped."""
    text = json_escape_controls(json.dumps(value, ensure_ascii=False, indent=2))
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # an output encoding other than Unicode
        text = json_escape_controls(json.dumps(value, indent=2))
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
