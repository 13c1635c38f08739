"""The progress of a batch on standard error while it runs."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING

import attrs
import click

from .batch_report import format_progress, join_parts
from .terminal import allows_escape_codes, terminal_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.batch import Summary

__all__ = ["ProgressDisplay"]

_SECONDS_BETWEEN_REDRAWS = 0.1
# The first line shows that the run has begun; the log of a long run must remain readable.
_SECONDS_TO_FIRST_LINE = 5.0
_SECONDS_BETWEEN_LINES = 60.0
_BAR_WIDTH = 30
# A terminal echoes Ctrl-C, perhaps twice, after the last line. That must not break the line, or
# the bar could not be removed. The last column stays free for terminals that break there.
_FREE_COLUMNS = len("^C^C") + 1


class ProgressDisplay:
    """A bar with figures on a terminal with escape codes, a plain line each minute elsewhere.

    ``quiet`` turns both off; ``latest`` is always the last summary, as it was reported.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.latest: Summary | None = None
        self._latest_at = 0.0
        self._quiet = quiet
        self._refresher: asyncio.Task[None] | None = None
        self._erase: Callable[[], None] | None = None

    def update(self, summary: Summary) -> None:
        """Show a new summary at the next refresh. The first call starts the display."""
        self.latest, self._latest_at = summary, time.monotonic()
        if self._refresher is None and not self._quiet:
            self._refresher = asyncio.ensure_future(self._refresh())

    def summarize_now(self) -> Summary | None:
        """Return the last summary with the seconds until now: time passes without results."""
        if self.latest is None:
            return None
        since = time.monotonic() - self._latest_at
        return attrs.evolve(self.latest, seconds=self.latest.seconds + since)

    def close(self) -> None:
        """Stop the display and remove the bar. Safe to repeat."""
        if self._refresher is not None:
            self._refresher.cancel()
        if self._erase is not None:
            self._erase()
            self._erase = None

    async def _refresh(self) -> None:
        # Some build servers give their jobs a terminal, and log all that is written to it.
        if allows_escape_codes(sys.stderr) and not os.environ.get("CI"):
            show, first, seconds = self._start_bar(), 0.0, _SECONDS_BETWEEN_REDRAWS
        else:
            show, first, seconds = _print_line, _SECONDS_TO_FIRST_LINE, _SECONDS_BETWEEN_LINES
        await asyncio.sleep(first)
        while True:
            if (summary := self.summarize_now()) is not None:
                show(summary)
            await asyncio.sleep(seconds)

    def _start_bar(self) -> Callable[[Summary], None]:
        # Imported here because only a terminal needs it.
        from .live_region import LiveRegion  # noqa: PLC0415

        stream = sys.stderr
        region = LiveRegion(stream, lambda: terminal_size(stream))
        full, empty = _choose_bar(stream.encoding)

        def draw(summary: Summary) -> None:
            width = max(terminal_size(stream).columns - _FREE_COLUMNS, 1)
            filled = _BAR_WIDTH * (summary.before + summary.done) // max(summary.total, 1)
            bar = full * filled + empty * (_BAR_WIDTH - filled)
            lines = join_parts(format_progress(summary), width)
            if len(lines) == 1 and len(bar) + 1 + len(lines[0]) <= width:
                text = f"{bar} {lines[0]}"
            else:
                text = "\n".join([bar[:width], *lines])
            region.write([], [(text, "")])

        self._erase = lambda: region.write([], [])
        return draw


def _print_line(summary: Summary) -> None:
    click.echo(" · ".join(format_progress(summary)), err=True)


def _choose_bar(encoding: str | None) -> tuple[str, str]:
    """Return the characters of the done and of the open part of a bar."""
    try:
        "━╌".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#", "-"
    return "━", "╌"
