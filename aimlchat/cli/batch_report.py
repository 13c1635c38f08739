"""The summary of a batch in words: one line while it runs, a few lines at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .money import format_dollars

if TYPE_CHECKING:
    from aimlchat.batch import Summary

__all__ = ["describe_outcome", "format_progress"]

_MINUTE = 60
_HOUR = 3600


def format_progress(summary: Summary) -> str:
    """Return one line with the counts so far, the rate, the cost and the time left."""
    parts = [
        f"{summary.before + summary.done:,} of {summary.total:,}",
        f"{summary.rate:,.1f}/s",
        f"{summary.failed:,} failed",
        f"{summary.tokens:,} tokens",
        format_dollars(summary.usd),
    ]
    if summary.seconds_left is not None and summary.left:
        parts.append(f"{_format_duration(summary.seconds_left)} left")
    return " · ".join(parts)


def describe_outcome(summary: Summary, *, emulator: bool) -> list[str]:
    """Return a few lines that say how a batch ended, and how to run its failures again."""
    answered = summary.done - summary.failed
    parts = [
        f"{answered:,} answered",
        f"{summary.failed:,} failed",
        _format_duration(summary.seconds),
        f"{summary.tokens:,} tokens",
        "made up by the emulator, nothing was charged" if emulator else format_dollars(summary.usd),
    ]
    lines = [" · ".join(parts)]
    if summary.errors:
        most_frequent_first = sorted(summary.errors.items(), key=lambda item: (-item[1], item[0]))
        counts = ", ".join(f"{count:,} {name}" for name, count in most_frequent_first)
        lines.append(f"Failed: {counts}")
    if summary.before:
        failed = f", {summary.failed_before:,} of them failures" if summary.failed_before else ""
        lines.append(f"The output already had {summary.before:,} results{failed}.")
    if summary.failed or summary.failed_before:
        lines.append("To retry the failures, run the same command with --retry-failed.")
    if summary.left:
        lines.append(f"{summary.left:,} of {summary.total:,} requests have no result yet.")
    return lines


def _format_duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    if seconds < _HOUR:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours:,} h {minutes} min"
