"""The end of what a terminal shows, part of which may still change."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TextIO

    from .word_wrap import Run

    # Each character with its style. A change of style is a difference, and text that only grows
    # is not.
    Characters = list[tuple[str, str]]

__all__ = ["LiveRegion"]

# A line without an end is no longer kept beyond this many characters. What may change is then not
# shown until the line ends, since the way back to its start is not known.
_MAX_LINE = 2_000


class LiveRegion:
    """Writes text that stays, and behind it text that the next write may replace.

    Only the lines from the one on which the text that stays has ended are ever written again, so
    what has scrolled off the screen is never touched, and text that only grows is only appended.

    Args:
        stream: The terminal.
        columns: Returns its present width.
    """

    def __init__(self, stream: TextIO, columns: Callable[[], int]) -> None:
        self._stream = stream
        self._columns = columns
        self._line: Characters | None = []  # what stays of the last line; None if it is too long
        self._live: Characters = []

    def write(self, settled: Iterable[Run], live: Iterable[Run] = ()) -> None:
        """Write text that stays, and replace the text behind it that may change."""
        fixed = _to_characters(settled)
        if self._line is None:
            self._line = [] if any(character == "\n" for character, _ in fixed) else None
            if self._line is None:
                self._send(_encode(fixed))
                return
        # Nothing is shown behind a line that will not be kept.
        new_live = _to_characters(live) if len(self._line) + len(fixed) <= _MAX_LINE else []
        shown, new = self._live, fixed + new_live
        same = 0
        while same < min(len(shown), len(new)) and shown[same] == new[same]:
            same += 1
        if same == len(shown):
            self._send(_encode(new[same:]))
        else:
            self._send(self._go_to_start() + _encode(self._line + new))
        line = self._line + fixed
        end = max((i for i, (character, _) in enumerate(line) if character == "\n"), default=-1)
        self._line, self._live = line[end + 1 :], new_live
        if len(self._line) > _MAX_LINE:
            self._line = None

    def _go_to_start(self) -> str:
        """Return the sequence that moves the cursor to the start of the region and erases it.

        The rows are counted for the present width: a terminal that was made narrower has broken
        the lines, which are as long as they were written.
        """
        columns = self._columns()
        text = "".join(character for character, _ in (self._line or []) + self._live)
        rows = sum(_count_rows(line, columns) for line in text.split("\n"))
        return "\r" + (f"\x1b[{rows - 1}A" if rows > 1 else "") + "\x1b[J"

    def _send(self, text: str) -> None:
        if text:
            self._stream.write(text)
        self._stream.flush()


def _to_characters(runs: Iterable[Run]) -> Characters:
    return [(character, style) for text, style in runs for character in text]


def _encode(characters: Characters) -> str:
    """Return the text with its escape codes; each of them is reset before the text ends."""
    parts: list[str] = []
    for style, group in groupby(characters, lambda item: item[1]):
        text = "".join(character for character, _ in group)
        parts.append(f"\x1b[{style}m{text}\x1b[0m" if style else text)
    return "".join(parts)


def _count_rows(line: str, columns: int) -> int:
    """Return how many rows a line takes on a terminal that breaks it at its last column."""
    rows, column = 1, 0
    for character in line:
        cells = cell_len(character)
        if column + cells > columns:
            rows, column = rows + 1, 0
        column += cells
    return rows
