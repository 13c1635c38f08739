"""Wrap text with styles at words, while it grows."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Run = tuple[str, str]
    """A text and its style: the parameters of an SGR sequence such as "1;4", or ``""``."""

__all__ = ["CJK", "CLOSING", "WordWrapper", "count_cells"]

# Ideographs, kana and their punctuation: a line may break between any two of them.
CJK = "\u2e80-\u9fff\uf900-\ufaff\uff01-\uff60\U00020000-\U0003ffff"
# Punctuation that does not begin a line.
CLOSING = "、。〉》」』】〕〗！），．：；？］｝ゝゞ々ー…’”"  # noqa: RUF001 - these are meant
_PIECE = re.compile(f"(?P<space> +)|(?P<cjk>[{CJK}][{CLOSING}]*)|(?P<word>[^ {CJK}]+)")


def count_cells(runs: Iterable[Run]) -> int:
    """Return how many columns a terminal needs for a text."""
    return sum(cell_len(text) for text, _ in runs)


class WordWrapper:
    """Breaks the lines of a text that arrives in parts.

    A part is laid out for good: a line that has been returned never changes. A copy of the object
    lays out what may still change.

    Args:
        width: The columns of a line.
        break_words: Whether a word that is longer than a line is broken. If not, the terminal
            breaks it, and a URL can be copied as a whole.
    """

    def __init__(self, width: int = 79, *, break_words: bool = False) -> None:
        self.width = width
        self._break_words = break_words
        self.begin_line([], [])

    def copy(self) -> WordWrapper:
        """Return an object that continues from here and leaves this one as it is."""
        wrapper = copy.copy(self)
        wrapper._spaces = list(self._spaces)  # noqa: SLF001 - it is of the same class
        return wrapper

    def begin_line(self, prefix: list[Run], hanging: list[Run]) -> list[Run]:
        """Begin a line and return its prefix; ``hanging`` is that of the lines it is broken into.

        The two need equally many columns.
        """
        self._hanging = hanging
        self._start = self._column = count_cells(prefix)
        self._spaces: list[Run] = []
        self._after_cjk = False
        return prefix

    def add(self, runs: Iterable[Run]) -> list[Run]:
        """Lay out the next part of the line: at once, except for spaces at its end."""
        laid_out: list[Run] = []
        for word, is_cjk in self._split(runs):
            cells = count_cells(word)
            gap = count_cells(self._spaces)
            can_break = bool(self._spaces) or is_cjk or self._after_cjk
            if self._column + gap + cells > self.width and can_break and self._column > self._start:
                laid_out += self._break_line()
            else:
                laid_out += self._spaces
                self._column += gap
            self._spaces = []
            if self._break_words and self._column + cells > self.width:
                laid_out += self._break_word(word)
            else:
                laid_out += word
                self._column += cells
            self._after_cjk = is_cjk
        return laid_out

    def _split(self, runs: Iterable[Run]) -> Iterator[tuple[list[Run], bool]]:
        """Yield the words, each with whether it is one CJK character; keep the spaces."""
        word: list[Run] = []
        for text, style in runs:
            for piece in _PIECE.finditer(text):
                if piece.lastgroup == "word":
                    word.append((piece[0], style))
                    continue
                if word:
                    yield word, False
                    word = []
                if piece.lastgroup == "cjk":
                    yield [(piece[0], style)], True
                else:
                    self._spaces.append((piece[0], style))
        if word:
            yield word, False

    def _break_line(self) -> list[Run]:
        self._column = self._start
        return [("\n", ""), *self._hanging]

    def _break_word(self, word: list[Run]) -> list[Run]:
        laid_out: list[Run] = []
        for text, style in word:
            for character in text:
                cells = cell_len(character)
                if self._column + cells > self.width and self._column > self._start:
                    laid_out += self._break_line()
                laid_out.append((character, style))
                self._column += cells
        return laid_out
