"""The problems of the lines of a file: all are counted, and the first ten are told."""

from __future__ import annotations

__all__ = ["LineProblems"]

_MAX_TOLD = 10
_MAX_LENGTH = 1_000


class LineProblems:
    """Collects the problems of lines, each to be told in a line of its own.

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
            # A value of the user's may contain line breaks, and be of any length.
            text = " ".join(problem[:_MAX_LENGTH].split())
            more = "..." if len(problem) > _MAX_LENGTH else ""
            self._told.append(f"{self._name}, line {number}: {text}{more}")

    def describe(self, rest: str) -> list[str]:
        """Return what to tell, line by line; ``rest`` says what else is wrong with the others."""
        more = self.count - len(self._told)
        return [*self._told, f"{self._name}: {more:,} more lines {rest}"] if more else self._told
