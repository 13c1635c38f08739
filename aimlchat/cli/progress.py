"""The progress of a batch on standard error while it runs."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import click

from .batch_report import format_progress, join_parts
from .terminal import allows_escape_codes, terminal_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.batch import Summary

__all__ = ["ProgressDisplay"]

_SECONDS_BETWEEN_REDRAWS = 0.1
# The first line tells that the run has begun; the log of a long one must remain readable.
_SECONDS_TO_FIRST_LINE = 5.0
_SECONDS_BETWEEN_LINES = 60.0
_BAR_WIDTH = 30


class ProgressDisplay:
    """A bar with figures on a terminal with escape codes, a plain line each minute elsewhere.

    ``quiet`` switches both off; ``latest`` is the last summary in any case.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.latest: Summary | None = None
        self._quiet = quiet
        self._refresher: asyncio.Task[None] | None = None
        self._erase: Callable[[], None] | None = None

    def update(self, summary: Summary) -> None:
        """Show a new summary at the next refresh. The first call starts the display."""
        self.latest = summary
        if self._refresher is None and not self._quiet:
            self._refresher = asyncio.ensure_future(self._refresh())

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
            if self.latest is not None:
                show(self.latest)
            await asyncio.sleep(seconds)

    def _start_bar(self) -> Callable[[Summary], None]:
        # Imported here because only a terminal needs it.
        from .live_region import LiveRegion  # noqa: PLC0415

        stream = sys.stderr
        region = LiveRegion(stream, lambda: terminal_size(stream))
        full, empty = _choose_bar(stream.encoding)

        def draw(summary: Summary) -> None:
            # The last column stays free, so that a terminal that breaks there adds no line.
            width = terminal_size(stream).columns - 1
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
