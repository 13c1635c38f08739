"""Make text safe for a terminal, and print what accompanies an answer."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

__all__ = ["end_interrupted_line", "print_json", "print_notice", "replace_controls", "to_one_line"]


def _visible_replacements() -> dict[int, str]:
    """Map each character that could drive a terminal, or cannot be encoded, to a visible one."""
    visible = {code: chr(0x2400 + code) for code in range(0x20)}  # Unicode's control pictures: ␛
    visible |= dict.fromkeys(range(0x80, 0xA0), "\ufffd")  # the C1 controls have no pictures
    visible |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # lone surrogates
    # A carriage return is legitimate only before a line feed, and is not needed there.
    visible |= {0x7F: "\u2421", ord("\r"): ""}
    del visible[ord("\n")], visible[ord("\t")]
    return visible


_VISIBLE = _visible_replacements()
_JSON_ESCAPES = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


def replace_controls(text: str) -> str:
    """Replace control characters other than newline and tab by visible ones.

    The text of a model or a server must not move the cursor, set the window's title or write to
    the clipboard.
    """
    return text if text.isascii() and text.isprintable() else text.translate(_VISIBLE)


def to_one_line(text: str) -> str:
    """Replace control characters, and join the lines of a text with spaces."""
    return " ".join(replace_controls(text).split())


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
    text = json.dumps(value, ensure_ascii=False, indent=2).translate(_JSON_ESCAPES)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a lone surrogate, or an output encoding other than Unicode
        text = json.dumps(value, indent=2).translate(_JSON_ESCAPES)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
