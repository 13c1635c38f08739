"""The end of what a terminal shows, part of which may still change."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    import os
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
    """Writes text that stays, followed by text that the next write may replace.

    Only the lines from the one on which the text that stays has ended are ever written again, so
    what has scrolled off the screen is never touched, and text that only grows is only appended.

    Args:
        stream: The terminal.
        size: Returns its present size.
    """

    def __init__(self, stream: TextIO, size: Callable[[], os.terminal_size]) -> None:
        self._stream = stream
        self._size = size
        self._columns = size().columns  # at the last write
        self._line: Characters | None = []  # what stays of the last line; None if it is too long
        self._live: Characters = []

    def write(self, settled: Iterable[Run], live: Iterable[Run] = ()) -> None:
        """Write text that stays, and replace the text after it that may change."""
        fixed = _to_characters(settled)
        if self._line is None:
            self._line = [] if any(character == "\n" for character, _ in fixed) else None
            if self._line is None:
                self._send(_encode(fixed))
                return
        new_live = _to_characters(live)
        if not self._can_show(fixed + new_live):
            new_live = []
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
        self._columns = self._size().columns
        if len(self._line) > _MAX_LINE:
            self._line = None

    def _can_show(self, characters: Characters) -> bool:
        """Return whether text that may change can be shown after text that stays.

        It has to be erased later, so its line has to be kept, and it has to stay on the screen.
        """
        line = (self._line or []) + characters
        if len(line) > _MAX_LINE:
            return False
        columns, rows = self._size()
        return len(line) < columns or _count_rows(line, columns) < rows

    def _go_to_start(self) -> str:
        """Return the sequence that moves the cursor to the start of the region and erases it.

        The rows are counted for the present width: a terminal that was made narrower has broken
        the lines, which are as long as they were written.
        """
        columns = self._size().columns
        shown = (self._line or []) + self._live
        # After a line that fills the last column, the cursor stays on its row. If the line came to
        # fill it by a change of the width, the cursor is on the next row.
        rows = _count_rows(shown, columns, has_room=columns == self._columns)
        # Row by row, since tmux mistakes erasing everything below the top left corner for erasing
        # the screen, and moves it to the scrollback.
        return "\r\x1b[K" + "\x1b[A\x1b[K" * (rows - 1)

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


def _count_rows(characters: Characters, columns: int, *, has_room: bool = True) -> int:
    """Return how many rows a text takes on a terminal that breaks lines at its last column.

    ``has_room`` is whether a last line that is as long as the row takes no other row.
    """
    rows, column = 1, 0
    for character, _ in characters:
        if character == "\n":
            rows, column = rows + 1, 0
            continue
        cells = cell_len(character)
        if column + cells > columns:
            rows, column = rows + 1, 0
        column += cells
    return rows if has_room or column < columns else rows + 1
