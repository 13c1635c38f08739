"""Keys that are typed while an answer is printed."""

from __future__ import annotations

import os
import sys
from typing import Any

try:
    import termios
except ImportError:  # Windows, whose console shows no keys that nobody reads
    termios = None  # type: ignore[assignment]

__all__ = ["HiddenKeys"]

_LOCAL_FLAGS = 3  # in what tcgetattr returns


class HiddenKeys:
    """Keeps the terminal from showing typed keys in the middle of an answer.

    They would move the cursor, whose position has to be known for redrawing. They are kept, and the
    next read of standard input gets them. Ctrl-C works as usual.
    """

    def __init__(self) -> None:
        self._saved: list[Any] | None = None

    def hide(self) -> None:
        """Stop the echo, if standard input is a terminal and this process is in its foreground."""
        if termios is None or self._saved is not None or not _owns_terminal():
            return
        attributes = termios.tcgetattr(sys.stdin)
        self._saved = list(attributes)
        attributes[_LOCAL_FLAGS] &= ~termios.ECHO
        termios.tcsetattr(sys.stdin, termios.TCSANOW, attributes)

    def show(self) -> None:
        """Restore the echo. Safe to repeat."""
        if self._saved is None:
            return
        saved, self._saved = self._saved, None
        if _owns_terminal():
            termios.tcsetattr(sys.stdin, termios.TCSANOW, saved)


def _owns_terminal() -> bool:
    # A process in the background would be stopped for changing the terminal.
    try:
        return sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (AttributeError, OSError, ValueError):  # standard input is closed or no file
        return False
