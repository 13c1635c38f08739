"""Make text safe for a terminal, and print what accompanies an answer."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from aimlchat._printable import escape_controls, join_lines, json_escape_controls

__all__ = ["end_interrupted_line", "print_json", "print_notice", "replace_controls", "to_one_line"]


def replace_controls(text: str) -> str:
    """Escape control characters other than newline and tab.

    The text of a model or a server must not move the cursor, set the window's title, write to the
    clipboard, or reorder or hide the text around it. A carriage return is legitimate only before a
    line feed, is not needed there, and is left out: the two may come in different deltas.
    """
    return escape_controls(text.replace("\r", ""))


def to_one_line(text: str) -> str:
    """Escape control characters, and join the lines of a text with spaces."""
    return " ".join(join_lines(text).split())


def print_notice(text: str) -> None:
    """Print one dimmed line on standard error."""
    line = to_one_line(text)
    # click drops the style where standard error is no terminal, but not on a dumb terminal.
    if os.environ.get("TERM") != "dumb":
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
