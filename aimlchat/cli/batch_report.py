"""The summary of a batch in words: one line while it runs, a few lines at its end."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from .money import format_dollars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aimlchat.batch import Summary

__all__ = [
    "count_nouns",
    "describe_outcome",
    "format_counts",
    "format_progress",
    "join_parts",
    "wrap_lines",
]

_MINUTE = 60
_HOUR = 3600


def format_progress(summary: Summary) -> list[str]:
    """Return the counts so far, the rate, the cost and the time left, each as a part of a line."""
    parts = [
        f"{summary.before + summary.done:,} of {summary.total:,}",
        f"{summary.failed + summary.failed_before:,} failed",
        f"{summary.rate:,.1f}/s",
        f"{summary.tokens:,} tokens",
        format_dollars(summary.usd),
    ]
    if summary.seconds_left is not None and summary.left:
        parts.append(f"{_format_duration(summary.seconds_left)} left")
    return parts


def join_parts(parts: list[str], width: int) -> list[str]:
    """Return lines of at most this many characters, broken between parts where that is possible."""
    lines = parts[:1]
    for part in parts[1:]:
        joined = f"{lines[-1]} · {part}"
        if len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(part)
    return lines


def wrap_lines(lines: list[str], width: int) -> list[str]:
    """Return the lines, those longer than the width broken between words."""
    if width >= max(map(len, lines), default=0):
        return lines
    return [part for line in lines for part in textwrap.wrap(line, max(width, 1)) or [""]]


def describe_outcome(summary: Summary, *, emulator: bool, width: int) -> list[str]:
    """Return a few lines that say how a batch ended, and how to run its failures again.

    ``width`` is how many characters a line of figures may have.
    """
    answered = summary.done - summary.failed
    parts = [
        f"{answered:,} answered",
        f"{summary.failed:,} failed",
        _format_duration(summary.seconds),
        f"{summary.rate:,.1f}/s",
        f"{summary.tokens:,} tokens",
        "made up by the emulator, nothing was charged" if emulator else format_dollars(summary.usd),
    ]
    lines = join_parts(parts, width)
    if summary.errors:
        lines.append(f"Failed: {format_counts(summary.errors)}")
    if summary.before:
        failed = f", {summary.failed_before:,} of them failures" if summary.failed_before else ""
        lines.append(f"The output already had {count_nouns(summary.before, 'result')}{failed}.")
    if summary.failed or summary.failed_before:
        lines.append("To retry the failures, run the same command with --retry-failed.")
    if summary.left:
        lines.append(f"{summary.left:,} of {summary.total:,} requests have no result yet.")
    return lines


def count_nouns(count: int, noun: str) -> str:
    """Return a number of things that a noun names."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_counts(counts: Mapping[str, int]) -> str:
    """Return the numbers by name, the most frequent first."""
    most_frequent_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in most_frequent_first)


def _format_duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    if seconds < _HOUR:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours:,} h {minutes} min"
