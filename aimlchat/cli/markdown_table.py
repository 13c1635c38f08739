"""A table of Markdown, fitted to the terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .markdown_inline import BOLD, DIM, render_inline
from .word_wrap import WordWrapper, count_cells

if TYPE_CHECKING:
    from .word_wrap import Run

__all__ = ["Table", "is_delimiter_row"]

_DELIMITER_ROW = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_CELL_END = re.compile(r"(?<!\\)\|")
# A table in which the columns would be narrower is shown as a list of its cells.
_MIN_COLUMN = 8
# From this many rows on, the columns stay as wide as they are, and each row is final at once.
_MAX_FLEXIBLE_ROWS = 60


def is_delimiter_row(line: str) -> bool:
    """Return whether a line is the one between the header of a table and its rows."""
    return _DELIMITER_ROW.fullmatch(line.strip()) is not None


class Table:
    """The rows of a table; they become lines once the table ends, or has many of them.

    ``width`` may be changed until then.
    """

    def __init__(self, header: str, delimiter_row: str, width: int) -> None:
        self.width = width
        self._header = _split_row(header, BOLD)
        self._is_right = [
            cell.strip().endswith(":") and not cell.strip().startswith(":")
            for cell in _split_cells(delimiter_row)
        ]
        self._rows: list[list[list[Run]]] = []
        self._widths: list[int] | None = None  # None while they may still change

    def add(self, row: str) -> list[list[Run]]:
        """Add a row; return the lines that are final now."""
        cells = _split_row(row)[: len(self._header)]
        self._rows.append(cells + [[]] * (len(self._header) - len(cells)))
        if self._widths is None and len(self._rows) < _MAX_FLEXIBLE_ROWS:
            return []
        return self.close()

    def close(self) -> list[list[Run]]:
        """Return the lines that were not returned yet."""
        is_first, self._widths = self._widths is None, self._widths or self._fit_columns()
        lines = [line for row in self._rows for line in self._lay_out(row)]
        self._rows.clear()
        return [*self._lay_out_header(), *lines] if is_first else lines

    def preview(self, count: int) -> list[list[Run]]:
        """Return the last lines of the table as it is now."""
        if self._widths is not None:
            return []
        self._widths = self._fit_columns()
        lines = [line for row in self._rows[-count:] for line in self._lay_out(row)]
        lines = lines if self._rows else self._lay_out_header()
        self._widths = None
        return lines[-count:]

    def _fit_columns(self) -> list[int]:
        """Return the widths of the columns; none if the table is shown as a list."""
        rows = [self._header, *self._rows]
        natural = [
            max(1, *(count_cells(row[i]) for row in rows), 0) for i in range(len(self._header))
        ]
        available = self.width - 3 * (len(natural) - 1)
        if available < sum(min(cells, _MIN_COLUMN) for cells in natural):
            return []
        widths = [0] * len(natural)
        # The narrowest columns get what they need, and the others share the rest.
        for shared, index in enumerate(sorted(range(len(natural)), key=natural.__getitem__)):
            widths[index] = min(natural[index], available // (len(natural) - shared))
            available -= widths[index]
        return widths

    def _lay_out_header(self) -> list[list[Run]]:
        if not self._widths:
            return []
        rule = "─┼─".join("─" * width for width in self._widths)
        return [*self._lay_out(self._header), [(rule, DIM)]]

    def _lay_out(self, row: list[list[Run]]) -> list[list[Run]]:
        if not self._widths:
            return self._lay_out_as_list(row)
        columns = [_wrap(cell, width) for cell, width in zip(row, self._widths, strict=True)]
        height = max(map(len, columns))
        lines: list[list[Run]] = []
        for index in range(height):
            line: list[Run] = []
            for number, (column, width) in enumerate(zip(columns, self._widths, strict=True)):
                cell = column[index] if index < len(column) else []
                padding = [(" " * (width - count_cells(cell)), "")]
                is_right = number < len(self._is_right) and self._is_right[number]
                separator = [(" │ ", DIM)] if number else []
                line += separator + (padding + cell if is_right else cell + padding)
            while line and not line[-1][0].strip():
                line.pop()
            lines.append(line)
        return lines

    def _lay_out_as_list(self, row: list[list[Run]]) -> list[list[Run]]:
        lines: list[list[Run]] = [[("─" * 3, DIM)]]
        for name, cell in zip(self._header, row, strict=True):
            label: list[Run] = [*name, (": " if name else "", BOLD)]
            lines += _wrap([*label, *cell], self.width)
        return lines


def _split_cells(row: str) -> list[str]:
    return _CELL_END.split(row.strip().removeprefix("|").removesuffix("|"))


def _split_row(row: str, style: str = "") -> list[list[Run]]:
    return [
        [run for run in render_inline(cell.strip().replace("\\|", "|"), style) if run[0]]
        for cell in _split_cells(row)
    ]


def _wrap(runs: list[Run], width: int) -> list[list[Run]]:
    wrapper = WordWrapper(width, break_words=True)
    lines: list[list[Run]] = [[]]
    for run in wrapper.add(runs):
        if run[0] == "\n":
            lines.append([])
        else:
            lines[-1].append(run)
    return lines
