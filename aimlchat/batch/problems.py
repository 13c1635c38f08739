"""The problems of the lines of a file: all are counted, and the first ten are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .file_format import SAMPLE_SIZE
from .journal_lines import DamagedLineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .errors import InputError

__all__ = ["FirstLines", "LineProblems"]

_MAX_TOLD = 10
_MAX_LENGTH = 1_000
# So that any other file is refused soon, however long it is.
_MAX_FIRST_LINES = 1_000


class LineProblems:
    """Collects the problems of lines, each to be reported in a line of its own.

    ``count`` is how many there are, and ``first_line`` the number of the first line at fault.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: list[str] = []
        self.count = self.first_line = 0

    @property
    def is_full(self) -> bool:
        """Whether further problems are only counted."""
        return len(self._told) == _MAX_TOLD

    def add(self, number: int, problem: str) -> None:
        """Add the problem of a line."""
        self.count += 1
        self.first_line = self.first_line or number
        if not self.is_full:
            # A value from the file may contain line breaks, and be of any length.
            text = " ".join(problem[:_MAX_LENGTH].split())
            more = "..." if len(problem) > _MAX_LENGTH else ""
            self._told.append(f"{self._name}, line {number}: {text}{more}")

    def describe(self, rest: str) -> list[str]:
        """Return the report, line by line; ``rest`` says what is wrong with the further lines."""
        more = self.count - len(self._told)
        return [*self._told, f"{self._name}: {more:,} more lines {rest}"] if more else self._told


class FirstLines:
    """Tells a file of results whose first lines are damaged from a file of something else.

    It is a file of results if one of its first thousand lines is a result.
    """

    def __init__(self, describe: Callable[[int, bytes, object], InputError]) -> None:
        """``describe`` returns the error for a file of something else, from its first line."""
        self._describe = describe
        self._first: tuple[int, bytes, object] | None = None
        self._misses = 0
        self._has_result = False

    def found(self) -> None:
        """Note that a line is a result."""
        self._has_result = True

    def missed(self, number: int, line: bytes, error: ValueError) -> None:
        """Note why a line is no result. Raises `InputError` if none of the first ones is."""
        self._has_result |= isinstance(error, DamagedLineError)
        if self._has_result:
            return
        self._first = self._first or (number, line[:SAMPLE_SIZE], error)
        self._misses += 1
        if self._misses == _MAX_FIRST_LINES:
            self.finish()

    def finish(self) -> None:
        """Raise `InputError` if lines were read and none is a result."""
        if self._first is not None and not self._has_result:
            raise self._describe(*self._first)
