"""A terminal that shows what a program writes, with its scrollback, and breaks lines anew.

It knows only the sequences that the command line uses, and fails for every other one.
"""

import io
import os
import re

from rich.cells import cell_len

_SEQUENCE = re.compile(r"\x1b\[(\d*(?:;\d+)*)([A-Za-z])")


class Screen(io.StringIO):
    """A stream that is a terminal; ``text`` is all that it shows."""

    def __init__(self, columns=80, rows=24):
        super().__init__()
        self.columns, self.rows = columns, rows
        self.lines = [[]]  # of characters, as long as they were written
        self.line = self.cell = 0  # where the cursor is
        self.is_full = False  # whether the cursor waits behind the last column

    def isatty(self):
        return True

    def size(self):
        return os.terminal_size((self.columns, self.rows))

    def resize(self, columns, rows):
        self.is_full = self.is_full and columns == self.columns
        self.columns, self.rows = columns, rows

    @property
    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.lines)

    def write(self, text):
        while text:
            if match := _SEQUENCE.match(text):
                self._obey(*match.groups())
                text = text[match.end() :]
                continue
            assert text[0] in "\r\n\t" or text[0].isprintable(), repr(text[:20])
            self._put(text[0])
            text = text[1:]

    def _obey(self, arguments, command):
        match command:
            case "A":
                self._go_up(int(arguments or 1))
            case "K":
                self.lines[self.line] = self._before(self.cell)
                self.lines[self.line + 1 :] = [[] for _ in self.lines[self.line + 1 :]]
            case _:
                assert command == "m", command

    def _put(self, character):
        if character == "\r":
            self.cell = self._row_starts(self.line)[self._row()]
        elif character == "\n":
            self.line, self.cell = self.line + 1, 0
            if self.line == len(self.lines):
                self.lines.append([])
        else:
            assert self.cell >= cell_len("".join(self.lines[self.line]))
            self.lines[self.line].append(character)
            self.cell += cell_len(character)
        self.is_full = True
        cells = self.cell - self._row_starts(self.line)[-1]
        self.is_full = character not in "\r\n" and cells == self.columns

    def _go_up(self, count):
        rows = [(n, start) for n in range(len(self.lines)) for start in self._row_starts(n)]
        here = rows.index((self.line, self._row_starts(self.line)[self._row()]))
        self.line, self.cell = rows[max(here - count, len(rows) - self.rows, 0)]

    def _row(self):
        starts = self._row_starts(self.line)
        return max(i for i, start in enumerate(starts) if start <= self.cell)

    def _row_starts(self, line):
        """Return the cells at which the rows of a line begin."""
        starts, column, cell = [0], 0, 0
        for character in self.lines[line]:
            cells = cell_len(character)
            if column + cells > self.columns:
                starts.append(cell)
                column = 0
            column, cell = column + cells, cell + cells
        # A cursor behind a last column that was not just filled is on the next row.
        if column == self.columns and line == self.line and self.cell == cell and not self.is_full:
            starts.append(cell)
        return starts

    def _before(self, cell):
        kept, cells = [], 0
        for character in self.lines[self.line]:
            if cells >= cell:
                break
            kept.append(character)
            cells += cell_len(character)
        return kept
