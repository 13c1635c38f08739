"""Writing on standard output: a terminal, or whatever else it is."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, TextIO

    Kind = Literal["reasoning", "answer"]

__all__ = ["Page", "cleaned", "end_interrupted_line", "one_line", "remark", "write_json"]


def _harmless() -> dict[int, str]:
    """Map what could drive a terminal, or cannot be written at all, to what can be shown."""
    shown = {code: chr(0x2400 + code) for code in range(0x20)}  # "control pictures", such as ␛
    shown |= dict.fromkeys(range(0x80, 0xA0), "\ufffd")
    shown |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # half an emoji
    # Of a carriage return only the one before a line feed is of use, and that can go.
    shown |= {0x7F: "\u2421", ord("\r"): ""}
    del shown[ord("\n")], shown[ord("\t")]
    return shown


_HARMLESS = _harmless()
_JSON_ESCAPES = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


def cleaned(text: str) -> str:
    """Replace control characters other than newline and tab by pictures of them.

    What a model or a server says must not move the cursor, set a title or fill the clipboard.
    """
    return text if text.isascii() and text.isprintable() else text.translate(_HARMLESS)


def one_line(text: str) -> str:
    """Clean a text and put it on one line."""
    return " ".join(cleaned(text).split())


def remark(text: str) -> None:
    """Say something beside the answer: dimmed, on standard error."""
    line = one_line(text)
    # Where it is no terminal click leaves the style out, but not on one that knows no styles.
    if os.environ.get("TERM") != "dumb":
        line = click.style(line, dim=True)
    click.echo(line, err=True)


def end_interrupted_line() -> None:
    """End the line on which a terminal has shown ``^C``."""
    if sys.stderr.isatty():
        click.echo(err=True)


def write_json(value: Any) -> None:
    """Write one JSON document to standard output, with every control character escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2).translate(_JSON_ESCAPES)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # half an emoji, or a terminal that knows no Unicode
        text = json.dumps(value, indent=2).translate(_JSON_ESCAPES)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Page:
    """Standard output while an answer is written on it.

    A terminal gets the reasoning dimmed, a blank line, and the answer. Anything else gets the
    answer alone, as plain text. Every piece is written at once, but newlines wait until more text
    follows them, so that there is one blank line in between and one newline at the end however
    many the model writes.
    """

    def __init__(self, stream: TextIO, *, reasoning: bool) -> None:
        on_terminal = stream.isatty()
        self._stream = stream
        self._dimmed = _dimmed_writer(stream) if on_terminal else None
        self._shows_reasoning = on_terminal and reasoning
        self._kind: Kind | None = None
        self._newlines = 0
        self.on_terminal = on_terminal

    @property
    def begun(self) -> bool:
        """Whether anything stands on the page."""
        return self._kind is not None

    def reasoning(self, text: str) -> None:
        """Write a piece of reasoning, if it is shown at all."""
        if self._shows_reasoning and self._dimmed is not None:
            self._add("reasoning", text, self._dimmed)

    def answer(self, text: str) -> None:
        """Write a piece of the answer."""
        self._add("answer", text, self._plain)

    def end(self) -> None:
        """End the last line, if there is one."""
        if self.begun:
            self._plain("\n")

    def _add(self, kind: Kind, text: str, write: Callable[[str], None]) -> None:
        text = cleaned(text)
        body = text.strip("\n")
        if not body:
            self._newlines += len(text)
            return
        if kind == self._kind:
            leading = self._newlines + len(text) - len(text.lstrip("\n"))
        else:
            leading = 2 if self.begun else 0
        if leading:
            self._plain("\n" * leading)
        write(body)
        self._kind = kind
        self._newlines = len(text) - len(text.rstrip("\n"))

    def _plain(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _dimmed_writer(stream: TextIO) -> Callable[[str], None]:
    # rich knows what dim is on this terminal, and that a dumb one has none. It is loaded here
    # since only a terminal needs it.
    from rich.console import Console  # noqa: PLC0415
    from rich.segment import Segment, Segments  # noqa: PLC0415
    from rich.style import Style  # noqa: PLC0415

    console = Console(file=stream, force_terminal=True, soft_wrap=True)
    dim = Style(dim=True)

    def write(text: str) -> None:
        # A segment is written as it is; as a string it would be wrapped, highlighted and searched
        # for markup. Each piece turns the style off again, so that no end can leave it on.
        console.print(Segments([Segment(text, dim)]), end="")

    return write
