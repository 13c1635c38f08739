"""Prints reasoning and answer on standard output while they stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimlchat.completions import AnswerDelta, ReasoningDelta

from .terminal import replace_controls

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, TextIO

    from aimlchat.completions import Delta

    Kind = Literal["reasoning", "answer"]

__all__ = ["DeltaPrinter"]


class DeltaPrinter:
    """Prints the text of deltas on standard output.

    A terminal gets the reasoning dimmed, a blank line, and the answer. Anything else gets the
    answer alone, as plain text. The text of a delta is printed at once. Only trailing newlines wait
    for the text that follows them, so that there is one blank line between reasoning and answer and
    one newline at the end, however many the model writes.
    """

    def __init__(self, stream: TextIO, *, reasoning: bool) -> None:
        self.is_terminal = stream.isatty()
        self._stream = stream
        shows_reasoning = self.is_terminal and reasoning
        self._write_dimmed = _dimmed_writer(stream) if shows_reasoning else None
        self._kind: Kind | None = None  # of the text printed last
        self._pending_newlines = 0

    @property
    def has_printed(self) -> bool:
        """Whether any text was printed."""
        return self._kind is not None

    def print_delta(self, delta: Delta) -> None:
        """Print the text of a delta of choice 0, if it is reasoning or answer and shown here."""
        match delta:
            case ReasoningDelta(text, 0) if self._write_dimmed is not None:
                self._print("reasoning", text, self._write_dimmed)
            case AnswerDelta(text, 0):
                self._print("answer", text, self._write)

    def close(self) -> None:
        """End the last line, if any text was printed."""
        if self.has_printed:
            self._write("\n")

    def _print(self, kind: Kind, text: str, write: Callable[[str], None]) -> None:
        text = replace_controls(text)
        body = text.strip("\n")
        if not body:
            self._pending_newlines += len(text)
            return
        if kind == self._kind:
            leading = self._pending_newlines + len(text) - len(text.lstrip("\n"))
        else:
            leading = 2 if self.has_printed else 0
        if leading:
            self._write("\n" * leading)
        write(body)
        self._kind = kind
        self._pending_newlines = len(text) - len(text.rstrip("\n"))

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _dimmed_writer(stream: TextIO) -> Callable[[str], None]:
    # rich knows the terminal's code for dim text, and that a dumb terminal has none. rich is
    # imported here because only a terminal needs it.
    from rich.console import Console  # noqa: PLC0415
    from rich.segment import Segment, Segments  # noqa: PLC0415
    from rich.style import Style  # noqa: PLC0415

    console = Console(file=stream, force_terminal=True, soft_wrap=True)
    dim = Style(dim=True)

    def write(text: str) -> None:
        # rich prints a segment as it is; it would wrap and highlight a string, and interpret
        # markup in it. Each segment resets the style, so that an interrupt cannot leave it on.
        console.print(Segments([Segment(text, dim)]), end="")

    return write
