"""The command line, ``aimlchat``.

It needs the ``cli`` extra (click and rich). Nothing of it is loaded before `main` runs.
"""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]

_CANNOT_START = 2
_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line on ``sys.argv``, and end the process with its exit status.

    0: done. 1: it failed. 2: the command or its input is wrong, and nothing was sent. 130: Ctrl-C.
    """
    try:
        _require_extra()
        from .program import program  # noqa: PLC0415

        program.main(prog_name="aimlchat")
    except KeyboardInterrupt:  # so early that no command could take care of it
        sys.exit(_INTERRUPTED)


def _require_extra() -> None:
    try:
        # rich is not used before there is something to print, but half an answer is too late to
        # find out that it is missing.
        import click  # noqa: F401, PLC0415
        import rich  # noqa: F401, PLC0415
    except ImportError:
        sys.stderr.write(
            'aimlchat: the command line needs click and rich; run: pip install "aimlchat[cli]"\n'
        )
        sys.exit(_CANNOT_START)
