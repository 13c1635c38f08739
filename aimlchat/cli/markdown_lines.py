"""Markdown as styled lines, rendered while it grows.

Every line of the source becomes final as early as it can: the words of a paragraph one by one, the
characters of code at once, a table when it ends. So the cost is linear, and little of what is on
the screen ever changes. Line breaks are kept, which CommonMark would join to paragraphs, because
models write them where they mean them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from .markdown_inline import BOLD, CODE, DIM, UNDERLINED, render_inline, split_atoms
from .markdown_table import Table, is_delimiter_row
from .word_wrap import WordWrapper, count_cells

if TYPE_CHECKING:
    from .word_wrap import Run

__all__ = ["MarkdownLines"]

_CONTAINER = re.compile(
    r"(?P<indent>[ \t]*)(?:(?P<quote>>)[ \t]?|(?P<item>[-*+]|\d{1,9}[.)])(?P<gap>[ \t]+)(?=[^ \t]))"
)
# The beginning of a line that may still become one of the blocks that it decides.
_UNDECIDED = re.compile(
    r"[ \t]*(?:#{1,6}|(?P<mark>[-*_])(?:[ \t]*(?P=mark))*[ \t]*|[-+*][ \t]*|\d{1,9}(?:[.)][ \t]*)?"
    r"|>|`{1,2}|~{1,2})?"
)
_RULE = re.compile(r"[ \t]*(?P<mark>[-*_])(?:[ \t]*(?P=mark)){2,}[ \t]*")
_EMPTY_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]*")
_HEADING = re.compile(r"[ \t]{0,3}(#{1,6})[ \t]+")
_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})[ \t]*(?P<info>.*)")
_MAX_HELD_LINE = 4_000  # characters after which a line is text, whatever it began like
_FENCE_RULE = 3  # columns
_INDENTED_CODE = 4  # columns, from the CommonMark specification


@attrs.frozen
class _Fence:
    mark: str
    quotes: int

    def is_closed_by(self, line: str) -> bool:
        text = line.strip()
        return len(text) >= len(self.mark) and set(text) == {self.mark[0]}


class MarkdownLines:
    """Renders Markdown for a terminal.

    ``feed`` and ``close`` return the final text, ``live`` the text after it that may change.
    """

    def __init__(self) -> None:
        self._preview_rows = 4
        self._wrapper = WordWrapper()
        self._line = ""  # of the current line, what is not laid out yet
        self._kind = ""  # of the current line: "text", "code", or "" if it is not known yet
        self._style = ""  # of the text of the current line
        self._newlines = 0  # before the next text
        self._quotes = 0  # of the current line
        self._list_indent = 0  # columns from which on the text belongs to the last list item
        self._may_be_code = True  # whether an indented line here would be code
        self._fence: _Fence | None = None
        self._table: Table | None = None
        self._header: str | None = None  # a line that may be the header of a table
        self._table_prefix: list[Run] = []
        self._table_preview: list[Run] = []
        self._set_prefix([], [])

    def resize(self, width: int, preview_rows: int) -> None:
        """Lay out for another width from now on, and for that many rows of an unfinished table."""
        is_same = (self._wrapper.width, self._preview_rows) == (width, preview_rows)
        self._wrapper.width = width
        self._preview_rows = preview_rows
        if self._table is not None and not is_same:
            self._table.width = self._table_width()
            self._table_preview = self._preview_table()

    def feed(self, text: str) -> list[Run]:
        """Render the next part of the source; return what is final."""
        *lines, rest = text.split("\n")
        runs: list[Run] = []
        for line in lines:
            self._line += line
            runs += self._end_line()
        self._line += rest
        return runs + self._continue_line()

    def close(self) -> list[Run]:
        """Return the rest, as far as the source goes."""
        runs = self._end_line() if self._line or self._kind or self._prefix else []
        return runs + self._end_table()

    def live(self) -> list[Run]:
        """Return the text that is shown after the final text, and may change."""
        if self._kind == "text":
            _, rest, closers = split_atoms(self._line)
            # The emphasis that is not closed yet is shown at once. White space cannot precede
            # what closes it.
            rest = rest.rstrip(" \t") + closers if closers else rest
            return self._wrapper.copy().add(render_inline(rest, self._style))
        return self._table_preview

    # --- a line ----------------------------------------------------------------------------------

    def _continue_line(self) -> list[Run]:
        """Lay out what is final of the current line, which has not ended."""
        runs: list[Run] = []
        if not self._kind:
            if self._fence:
                runs += self._begin_fenced_line(self._fence, is_whole=False)
            else:
                self._take_containers(is_whole=False)
                if not self._is_undecided():
                    runs += self._begin_line()
        if self._kind == "code":
            runs += self._take_code()
        elif self._kind == "text":
            atoms, self._line, _ = split_atoms(self._line)
            for atom in atoms:
                runs += self._wrapper.add(render_inline(atom, self._style))
        return runs

    def _end_line(self) -> list[Run]:
        runs = [] if self._kind else self._begin_whole_line()
        if self._kind == "code":
            runs += self._take_code()
        elif self._kind == "text":
            atoms, rest, _ = split_atoms(self._line)
            for atom in [*atoms, rest]:
                runs += self._wrapper.add(render_inline(atom, self._style))
        if self._kind:
            self._newlines = 1
        self._line = self._kind = ""
        self._set_prefix([], [])
        return runs

    def _begin_whole_line(self) -> list[Run]:
        """Begin a line that has ended before its kind was known."""
        if self._fence:
            return self._begin_fenced_line(self._fence, is_whole=True)
        self._take_containers(is_whole=True)
        if not self._line.strip() and not self._prefix:
            self._may_be_code = True
            return self._end_table() + self._end_block()
        fence = _FENCE.fullmatch(self._line)
        if fence and not (fence["mark"][0] == "`" and "`" in fence["info"]):
            return self._end_table() + self._open_fence(fence)
        if self._line.lstrip().startswith("|"):
            return self._take_row()
        runs = self._end_table()
        if _RULE.fullmatch(self._line):
            width = max(1, self._wrapper.width - count_cells(self._prefix))
            runs += [*self._start_output(), ("─" * width, DIM)]
            self._newlines = 1
            return runs
        if _EMPTY_ITEM.fullmatch(self._line) and self._take_item(
            self._line.strip(), self._line, " "
        ):
            self._line = ""
        return runs + self._begin_line()

    def _begin_line(self) -> list[Run]:
        """Decide the kind of a line of text or of indented code, and begin it."""
        runs = self._end_table()
        indent = len(self._line) - len(self._line.lstrip(" \t"))
        columns = count_cells([(self._line[:indent].replace("\t", "    "), "")])
        if not self._prefix:
            if self._may_be_code and columns >= self._list_indent + _INDENTED_CODE:
                self._kind = "code"
                return runs + self._start_output()
            if not columns:
                self._list_indent = 0
        self._may_be_code = False
        self._style = ""
        if heading := _HEADING.match(self._line):
            self._line = self._line[heading.end() :]
            self._style = f"{BOLD};{UNDERLINED}" if len(heading[1]) == 1 else BOLD
        else:
            self._line = self._line[indent:]
            self._extend_prefix([(" " * columns, "")], [(" " * columns, "")])
        self._kind = "text"
        runs += self._start_output()
        self._wrapper.begin_line(self._prefix, self._hanging)
        return runs

    def _is_undecided(self) -> bool:
        """Return whether the kind of the current line depends on what follows."""
        if len(self._line) > _MAX_HELD_LINE:
            return False
        text = self._line.lstrip(" \t")
        is_held = text.startswith(("|", "```", "~~~"))
        return is_held or _UNDECIDED.fullmatch(self._line) is not None

    # --- quotes and lists ------------------------------------------------------------------------

    def _take_containers(self, *, is_whole: bool) -> None:
        """Move the marks of quotes and list items from the line to its prefix."""
        start = 0
        while (match := _CONTAINER.match(self._line, start)) is not None:
            if match["quote"]:
                if match.end() == len(self._line) and self._line[-1] == ">" and not is_whole:
                    break  # a space that belongs to the mark may follow
                self._quotes += 1
                indent = _spaces(match["indent"])
                self._extend_prefix([*indent, ("│ ", DIM)], [*indent, ("│ ", DIM)])
            elif _UNDECIDED.fullmatch(self._line, start) or (
                not self._prefix
                and self._may_be_code
                and len(match["indent"].expandtabs(4)) >= self._list_indent + _INDENTED_CODE
            ):
                break
            elif not self._take_item(match["item"], match["indent"], match["gap"]):
                break  # nested too deeply for the width: it is text
            start = match.end()
        self._line = self._line[start:]

    def _take_item(self, marker: str, indent: str, gap: str) -> bool:
        """Add a list item to the prefix; return whether it fits there."""
        bullet = marker if marker[0].isdigit() else "•"
        indent = indent[: len(indent) - len(indent.lstrip(" \t"))].replace("\t", "    ")
        columns = len(indent) + len(bullet) + 1
        if not self._quotes:
            self._list_indent = count_cells(self._prefix) + columns + len(gap.expandtabs(4)) - 1
        first: list[Run] = [(indent, ""), (f"{bullet} ", BOLD if bullet != "•" else "")]
        return self._extend_prefix(first, [(" " * columns, "")])

    def _set_prefix(self, prefix: list[Run], hanging: list[Run]) -> None:
        self._prefix, self._hanging = prefix, hanging
        self._quotes = 0

    def _extend_prefix(self, prefix: list[Run], hanging: list[Run]) -> bool:
        """Add to the prefix of the line, if half of the width is left to its text."""
        if count_cells(self._prefix) + count_cells(prefix) > self._wrapper.width // 2:
            return False
        self._prefix = self._prefix + [run for run in prefix if run[0]]
        self._hanging = self._hanging + [run for run in hanging if run[0]]
        return True

    # --- code ------------------------------------------------------------------------------------

    def _open_fence(self, fence: re.Match[str]) -> list[Run]:
        self._fence = _Fence(fence["mark"], self._quotes)
        runs = [*self._start_output(), *_spaces(fence["indent"])]
        label = f" {fence['info'].strip()}" if fence["info"].strip() else ""
        runs += [("─" * _FENCE_RULE, DIM), *render_inline(label.replace("\\", "\\\\"), DIM)]
        self._newlines = 1
        return runs

    def _begin_fenced_line(self, fence: _Fence, *, is_whole: bool) -> list[Run]:
        """Begin a line of code, or end the code."""
        while self._quotes < fence.quotes:
            match = _CONTAINER.match(self._line)
            if not is_whole and self._line.strip() in ("", ">") and self._line[-1:] != " ":
                return []
            if match is None or not match["quote"]:
                self._fence = None  # the quote has ended, and its code with it
                return self._begin_whole_line() if is_whole else self._continue_line()
            self._line = self._line[match.end() :]
            self._quotes += 1
            self._extend_prefix([("│ ", DIM)], [("│ ", DIM)])
        if set(self._line.strip()) <= {fence.mark[0]}:  # blank, or it may end the code
            if not is_whole:
                return []
            if fence.is_closed_by(self._line):
                return self._close_fence()
            if not self._line and not self._prefix:
                self._newlines += 1
                return []
        self._kind = "code"
        return self._start_output()

    def _close_fence(self) -> list[Run]:
        self._fence = None
        self._may_be_code = False
        indent = _spaces(self._line[: len(self._line) - len(self._line.lstrip())])
        runs = [*self._start_output(), *indent, ("─" * _FENCE_RULE, DIM)]
        self._newlines = 1
        return runs

    def _take_code(self) -> list[Run]:
        code, self._line = self._line, ""
        return [(code, CODE)] if code else []

    # --- tables ----------------------------------------------------------------------------------

    def _take_row(self) -> list[Run]:
        """Take a line that begins like the row of a table."""
        self._may_be_code = False
        runs: list[Run] = []
        if self._table is not None:
            runs = self._emit(self._table.add(self._line))
        elif self._header is not None and is_delimiter_row(self._line):
            self._table = Table(self._header, self._line, self._table_width())
            self._header = None
        else:
            line, prefix = self._line, self._prefix
            runs = self._end_table()
            self._header, self._table_prefix = line, prefix
        self._table_preview = self._preview_table()
        return runs

    def _table_width(self) -> int:
        return max(1, self._wrapper.width - count_cells(self._table_prefix))

    def _preview_table(self) -> list[Run]:
        if self._table is not None:
            lines = self._table.preview(self._preview_rows)
        else:
            lines = [[((self._header or "").strip()[: self._wrapper.width // 2], DIM)]]
        preview: list[Run] = []
        for number, line in enumerate(lines):
            preview += [("\n" * (1 if number else self._newlines), ""), *self._table_prefix, *line]
        return preview

    def _end_table(self) -> list[Run]:
        """Return the rest of the table, or the line that was not the header of one."""
        self._table_preview = []
        if self._table is not None:
            table, self._table = self._table, None
            return self._emit(table.close())
        if self._header is None:
            return []
        header, self._header = self._header, None
        wrapper = self._wrapper.copy()
        runs = self._start_output(self._table_prefix)
        wrapper.begin_line(self._table_prefix, self._table_prefix)
        atoms, rest, _ = split_atoms(header.strip())
        for atom in [*atoms, rest]:
            runs += wrapper.add(render_inline(atom))
        self._newlines = 1
        return runs

    def _emit(self, lines: list[list[Run]]) -> list[Run]:
        runs: list[Run] = []
        for line in lines:
            runs += [*self._start_output(self._table_prefix), *line]
            self._newlines = 1
        return runs

    # --- output ----------------------------------------------------------------------------------

    def _start_output(self, prefix: list[Run] | None = None) -> list[Run]:
        """Return the newlines before a line, and its prefix."""
        newlines, self._newlines = self._newlines, 0
        return [("\n" * newlines, ""), *(self._prefix if prefix is None else prefix)]

    def _end_block(self) -> list[Run]:
        """Remember a blank line; several are one, and none comes first."""
        self._newlines = 2 if self._newlines else 0
        return []


def _spaces(indent: str) -> list[Run]:
    return [(indent.replace("\t", "    "), "")] if indent else []
