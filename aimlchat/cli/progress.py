"""The progress of a batch on standard error while it runs."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from .batch_report import format_progress
from .terminal import allows_escape_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.batch import Summary

__all__ = ["ProgressDisplay"]

_SECONDS_BETWEEN_REDRAWS = 0.1
_SECONDS_BETWEEN_LINES = 5.0


class ProgressDisplay:
    """A progress bar on a terminal with escape codes, a plain line every few seconds elsewhere.

    ``quiet`` switches both off; ``latest`` is the last summary in any case.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.latest: Summary | None = None
        self._quiet = quiet
        self._refresher: asyncio.Task[None] | None = None
        self._stop_bar: Callable[[], None] | None = None

    def update(self, summary: Summary) -> None:
        """Show a new summary at the next refresh. The first call starts the display."""
        self.latest = summary
        if self._refresher is None and not self._quiet:
            self._refresher = asyncio.ensure_future(self._refresh())

    def close(self) -> None:
        """Stop the display and remove the bar. Safe to repeat."""
        if self._refresher is not None:
            self._refresher.cancel()
        if self._stop_bar is not None:
            self._stop_bar()
            self._stop_bar = None

    async def _refresh(self) -> None:
        if allows_escape_codes(sys.stderr):
            show, seconds = self._start_bar(), _SECONDS_BETWEEN_REDRAWS
        else:
            show, seconds = _print_line, _SECONDS_BETWEEN_LINES
        while True:
            await asyncio.sleep(seconds)
            if self.latest is not None:
                show(self.latest)

    def _start_bar(self) -> Callable[[Summary], None]:
        # Imported here because only a terminal needs it.
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

        console = Console(file=sys.stderr, force_terminal=True)
        columns = (BarColumn(bar_width=None), TextColumn("{task.description}", markup=False))
        # No auto-refresh: the event loop of the batch draws, so that no thread of rich can draw
        # after the bar was removed.
        progress = Progress(
            *columns, console=console, auto_refresh=False, transient=True, expand=True
        )
        task = progress.add_task("")
        progress.start()
        self._stop_bar = progress.stop

        def draw(summary: Summary) -> None:
            progress.update(
                task,
                completed=summary.before + summary.done,
                total=summary.total,
                description=format_progress(summary),
            )
            progress.refresh()

        return draw


def _print_line(summary: Summary) -> None:
    click.echo(format_progress(summary), err=True)
