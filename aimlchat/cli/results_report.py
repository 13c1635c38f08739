"""``aimlchat batch --summary``: which requests have results in files of results, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .batch_report import count_nouns, format_counts, join_parts
from .money import format_dollars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aimlchat.batch import ResultsSummary

__all__ = ["describe_results"]

_MAX_SHARDS_TOLD = 20


def describe_results(summary: ResultsSummary, width: int) -> list[str]:
    """Return the figures, what is missing, and what to do about it, line by line."""
    parts = [
        count_nouns(summary.requests, "request"),
        f"{summary.answered:,} answered",
        f"{summary.failed:,} failed",
        f"{summary.missing:,} missing",
        f"{summary.tokens:,} tokens",
        format_dollars(summary.usd),
    ]
    lines = join_parts(parts, width)
    if summary.errors:
        lines.append(f"Failed results: {format_counts(summary.errors)}")
    if summary.failed:
        lines.append("To retry the failures, run their commands again with --retry-failed.")
    if summary.missing_by_shard:
        lines.append(f"Missing: {_format_shards(summary.missing_by_shard)}")
        lines.append("To do them, run the commands of these shards again.")
    elif summary.missing:
        lines.append("To do what is missing, run the command of these results again.")
    for count, text in (
        (summary.duplicates, "are of requests that have another result; keep the answer"),
        (summary.unknown, "are of no request; the requests may be another file"),
        (summary.changed, "are of requests that were changed since"),
    ):
        if count:
            lines.append(f"{count:,} of {summary.results:,} results {text}.")
    lines += summary.problems
    if summary.damaged:
        lines.append(
            f"{count_nouns(summary.damaged, 'damaged line')} left out. Restore each from a copy, or"
            " delete it and run the command of its file again."
        )
    lines += [
        f"{name}: the last line is incomplete. A run is writing it, or was killed: run its command"
        " again."
        for name in summary.torn
    ]
    return lines


def _format_shards(missing: Mapping[str, int]) -> str:
    told = [f"{count:,} of shard {shard}" for shard, count in missing.items()]
    more = len(told) - _MAX_SHARDS_TOLD
    return ", ".join(told[:_MAX_SHARDS_TOLD]) + (f" and {more:,} more shards" if more > 0 else "")
