"""What is told of a batch while it runs, and at its end; on standard error."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.batch import Summary

__all__ = ["Board", "account"]

_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 5.0
_MINUTE = 60
_HOUR = 3600


class Board:
    """A progress bar on a terminal, a plain line every few seconds elsewhere, or nothing."""

    def __init__(self, *, quiet: bool) -> None:
        self.latest: Summary | None = None
        self._quiet = quiet
        self._ticker: asyncio.Task[None] | None = None
        self._close: Callable[[], None] | None = None

    def note(self, summary: Summary) -> None:
        """Take in how far it has come; the first one begins the show."""
        self.latest = summary
        if self._ticker is None and not self._quiet:
            self._ticker = asyncio.ensure_future(self._tick())

    def end(self) -> None:
        """Take the bar away; safe to repeat."""
        if self._ticker is not None:
            self._ticker.cancel()
        if self._close is not None:
            self._close()
            self._close = None

    async def _tick(self) -> None:
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            show, seconds = self._bar(), _REDRAW_SECONDS
        else:
            show, seconds = _print_line, _LINE_SECONDS
        while True:
            await asyncio.sleep(seconds)
            if self.latest is not None:
                show(self.latest)

    def _bar(self) -> Callable[[Summary], None]:
        # Loaded here since only a terminal needs it.
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

        console = Console(file=sys.stderr, force_terminal=True)
        columns = (BarColumn(bar_width=None), TextColumn("{task.description}", markup=False))
        # Drawn by the loop that also does the work, so that no thread draws while it ends.
        progress = Progress(
            *columns, console=console, auto_refresh=False, transient=True, expand=True
        )
        task = progress.add_task("")
        progress.start()
        self._close = progress.stop

        def show(summary: Summary) -> None:
            come = summary.before + summary.done
            progress.update(task, completed=come, total=summary.total, description=_line(summary))
            progress.refresh()

        return show


def _print_line(summary: Summary) -> None:
    click.echo(_line(summary), err=True)


def _line(summary: Summary) -> str:
    parts = [
        f"{summary.before + summary.done:,} of {summary.total:,}",
        f"{summary.rate:,.1f}/s",
        f"{summary.failed:,} failed",
        f"{summary.tokens:,} tokens",
        f"${summary.usd:,.4f}",
    ]
    if summary.seconds_left is not None and summary.left:
        parts.append(f"{_duration(summary.seconds_left)} left")
    return " · ".join(parts)


def account(summary: Summary, *, emulator: bool) -> list[str]:
    """Say what became of a batch, in a few lines."""
    answered = summary.done - summary.failed
    parts = [
        f"{answered:,} answered",
        f"{summary.failed:,} failed",
        f"{_duration(summary.seconds)}",
        f"{summary.tokens:,} tokens",
        "made up by the emulator, nothing was charged" if emulator else f"${summary.usd:,.6f}",
    ]
    told = [" · ".join(parts)]
    if summary.errors:
        by_class = sorted(summary.errors.items(), key=lambda item: (-item[1], item[0]))
        told.append("Failed: " + ", ".join(f"{count:,} {name}" for name, count in by_class))
    if summary.before:
        failed = f", {summary.failed_before:,} of them failures" if summary.failed_before else ""
        told.append(f"{summary.before:,} results stood in the output before{failed}.")
    if summary.failed or summary.failed_before:
        told.append("To do the failures again, run the same command with --retry-failed.")
    if summary.left:
        told.append(f"{summary.left:,} of {summary.total:,} requests have no result yet.")
    return told


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    if seconds < _HOUR:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours:,} h {minutes} min"
