"""Where escape codes may be printed."""

from __future__ import annotations

import os
import sys
from typing import IO

import click

__all__ = ["allows_escape_codes", "style"]


def allows_escape_codes(stream: IO[str]) -> bool:
    """Return whether a stream is a terminal that may get escape codes: colors, cursor movements.

    NO_COLOR, set and not empty, forbids them, and a dumb terminal has none.
    """
    forbidden = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not forbidden


def style(line: str, *, bold: bool | None = None, dim: bool | None = None) -> str:
    """Return a line for standard output in a style, or as it is where there are no styles."""
    return click.style(line, bold=bold, dim=dim) if allows_escape_codes(sys.stdout) else line
