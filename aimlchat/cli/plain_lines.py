"""Text wrapped at words while it grows, and otherwise shown as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .word_wrap import WordWrapper

if TYPE_CHECKING:
    from .word_wrap import Run

__all__ = ["PlainLines"]

# Indentation, and the marker of a list or a quote, to which the parts of a broken line are aligned.
_PREFIX = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+|(?:>[ \t]?){1,8})?")
# The beginning of a line that is such a prefix, or a part of one.
_UNDECIDED = re.compile(r"[ \t>]*(?:[-*+][ \t]*|\d{1,9}(?:[.)][ \t]*)?|`{1,2}|~{1,2})?")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_MAX_PREFIX = 24  # characters
_MAX_WORD = 240  # characters after which a word is not waited for


class PlainLines:
    """Wraps lines at words, apart from code and tables. It needs no escape codes.

    A word is returned when it is complete, so the output is only ever appended to.
    """

    def __init__(self, style: str = "") -> None:
        self._style = style
        self._wrapper = WordWrapper()
        self._pending = ""  # text that is not laid out yet
        self._is_wrapped: bool | None = None  # None at the start of a line
        self._is_in_fence = False

    def resize(self, width: int, preview_rows: int) -> None:
        """Lay out for another width from now on."""
        del preview_rows  # there are none
        self._wrapper.width = width

    def feed(self, text: str) -> list[Run]:
        """Lay out the next part of the text; return what is final."""
        *lines, rest = text.split("\n")
        runs: list[Run] = []
        for line in lines:
            self._pending += line
            runs += [*self._lay_out(is_whole=True), ("\n", "")]
            self._is_wrapped = None
        self._pending += rest
        return runs + self._lay_out(is_whole=False)

    def live(self) -> list[Run]:
        """Return the text that is not final: the beginning of a word."""
        if self._is_wrapped is None or not self._style:
            return []
        preview = self._wrapper.copy()
        return preview.add([(self._pending, self._style)])

    def close(self) -> list[Run]:
        """Return the rest of the text."""
        return self._lay_out(is_whole=True)

    def _lay_out(self, *, is_whole: bool) -> list[Run]:
        runs: list[Run] = []
        if self._is_wrapped is None:
            if not is_whole and _UNDECIDED.fullmatch(self._pending):
                return []
            runs = self._begin_line()
        if not self._is_wrapped or is_whole:
            end = len(self._pending)
        else:
            end = self._pending.rfind(" ")
            end = len(self._pending) if end < 0 and len(self._pending) > _MAX_WORD else max(end, 0)
        text, self._pending = self._pending[:end], self._pending[end:]
        if not text:
            return runs
        if not self._is_wrapped:
            return [*runs, (text, self._style)]
        return runs + self._wrapper.add([(text.replace("\t", "    "), self._style)])

    def _begin_line(self) -> list[Run]:
        is_fence = _FENCE.match(self._pending) is not None
        is_table = self._pending.lstrip().startswith("|")
        self._is_wrapped = not (is_fence or self._is_in_fence or is_table)
        self._is_in_fence ^= is_fence
        if not self._is_wrapped:
            return []
        match = _PREFIX.match(self._pending)
        prefix = match[0][:_MAX_PREFIX] if match else ""
        self._pending = self._pending[len(prefix) :]
        prefix = prefix.replace("\t", "    ")
        hanging = prefix if ">" in prefix else " " * len(prefix)
        return self._wrapper.begin_line([(prefix, self._style)], [(hanging, self._style)])
