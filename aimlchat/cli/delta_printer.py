"""Prints reasoning and answer on standard output while they stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aimlchat.completions import AnswerDelta, ReasoningDelta

from .terminal import allows_escape_codes, escape_for_terminal, replace_controls, terminal_size
from .typed_keys import HiddenKeys

if TYPE_CHECKING:
    from typing import Literal, TextIO

    from aimlchat.completions import Delta

    from .markdown_lines import MarkdownLines
    from .plain_lines import PlainLines

    Kind = Literal["reasoning", "answer"]

__all__ = ["DeltaPrinter"]

_DIM, _RESET = "\x1b[2m", "\x1b[0m"


class _Section(Protocol):
    """Prints the reasoning, or the answer, between two changes from one to the other."""

    def write(self, text: str) -> None: ...

    def close(self) -> None: ...


class DeltaPrinter:
    """Prints the text of deltas on standard output.

    A terminal gets the reasoning dimmed, a blank line, and the answer with its Markdown rendered,
    both wrapped at words. Where escape codes are not allowed, the Markdown is wrapped and otherwise
    shown as it is. Anything else than a terminal gets the answer alone, as plain text.

    The text of a delta is printed at once. Only trailing newlines wait for the text that follows
    them, so that there is one blank line between reasoning and answer and one newline at the end,
    however many the model writes.

    Args:
        stream: Standard output.
        reasoning: Whether a terminal gets the reasoning.
        raw: Whether a terminal gets the text as it is, neither rendered nor wrapped.
    """

    def __init__(self, stream: TextIO, *, reasoning: bool, raw: bool = False) -> None:
        self.is_terminal = stream.isatty()
        self._stream = stream
        self._shows_reasoning = self.is_terminal and reasoning
        self._is_rendered = self.is_terminal and not raw
        self._has_escape_codes = allows_escape_codes(stream)
        self._keys = HiddenKeys()
        self._kind: Kind | None = None  # of the text printed last
        self._section: _Section | None = None
        self._pending_newlines = 0

    @property
    def has_printed(self) -> bool:
        """Whether any text was printed."""
        return self._kind is not None

    def print_delta(self, delta: Delta) -> None:
        """Print the text of a delta of choice 0, if it is reasoning or answer and shown here."""
        match delta:
            case ReasoningDelta(text, 0) if self._shows_reasoning:
                self._print("reasoning", text)
            case AnswerDelta(text, 0):
                self._print("answer", text)

    def close(self) -> None:
        """End the last line, if any text was printed."""
        try:
            if self._section is not None:
                self._section.close()
                self._section = None
                self._write("\n")
        finally:
            self._keys.show()

    def _print(self, kind: Kind, text: str) -> None:
        text = escape_for_terminal(text) if self.is_terminal else replace_controls(text)
        body = text.strip("\n")
        if not body:
            self._pending_newlines += len(text)
            return
        if kind != self._kind or self._section is None:
            if self._section is not None:
                self._section.close()
                self._write("\n\n")
            self._section = self._begin_section(kind)
            self._kind = kind
        else:
            leading = self._pending_newlines + len(text) - len(text.lstrip("\n"))
            body = "\n" * leading + body
        self._section.write(body)
        self._pending_newlines = len(text) - len(text.rstrip("\n"))

    def _begin_section(self, kind: Kind) -> _Section:
        if not self._is_rendered:
            is_dimmed = kind == "reasoning" and self._has_escape_codes
            return _RawSection(self._stream, is_dimmed=is_dimmed)
        if self._has_escape_codes:
            self._keys.hide()
        return _RenderedSection(self._stream, kind, has_escape_codes=self._has_escape_codes)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class _RawSection:
    """Prints text as it is, dimmed or not."""

    def __init__(self, stream: TextIO, *, is_dimmed: bool) -> None:
        self._stream = stream
        self._is_dimmed = is_dimmed

    def write(self, text: str) -> None:
        # Each text resets the style, so that an interrupt cannot leave it on.
        body = text.lstrip("\n")
        newlines = "\n" * (len(text) - len(body))
        self._stream.write(f"{newlines}{_DIM}{body}{_RESET}" if self._is_dimmed else text)
        self._stream.flush()

    def close(self) -> None:
        """Do nothing: all text is printed."""


class _RenderedSection:
    """Prints Markdown or reasoning, fitted to the terminal."""

    def __init__(self, stream: TextIO, kind: Kind, *, has_escape_codes: bool) -> None:
        # Imported here because they need rich, and only a terminal needs them.
        from .live_region import LiveRegion  # noqa: PLC0415
        from .markdown_lines import MarkdownLines  # noqa: PLC0415
        from .plain_lines import PlainLines  # noqa: PLC0415

        self._stream = stream
        self._region = LiveRegion(stream, lambda: terminal_size(stream))
        self._lines: MarkdownLines | PlainLines
        if kind == "answer" and has_escape_codes:
            self._lines = MarkdownLines()
        else:
            self._lines = PlainLines("2" if has_escape_codes else "")

    def write(self, text: str) -> None:
        columns, rows = terminal_size(self._stream)
        # Terminals differ in what they do after a line that fills the last column. A table that is
        # not final yet gets so few rows that they stay on a screen that is made much smaller.
        self._lines.resize(max(1, columns - 1), max(2, rows // 5))
        self._region.write(self._lines.feed(text), self._lines.live())

    def close(self) -> None:
        self._region.write(self._lines.close())
