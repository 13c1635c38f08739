"""The command line, ``aimlchat``.

It needs the ``cli`` extra (click and rich). Importing this package loads neither.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from .exit_status import INTERRUPTED, USAGE_ERROR

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line on ``sys.argv`` and exit the process with its status.

    The statuses are 0 for success, and those of `aimlchat.cli.exit_status`.
    """
    try:
        _require_extra()
        from .program import program  # noqa: PLC0415

        program.main(prog_name="aimlchat")
    except KeyboardInterrupt:  # Ctrl-C while the modules above were loading
        sys.exit(INTERRUPTED)


def _require_extra() -> None:
    try:
        # rich is used only once there is something to print. Look for it now, so that a missing
        # package is not discovered in the middle of an answer.
        import click  # noqa: F401, PLC0415
        import rich  # noqa: F401, PLC0415
    except ImportError:
        sys.stderr.write(
            'aimlchat: the command line needs click and rich; run: pip install "aimlchat[cli]"\n'
        )
        sys.exit(USAGE_ERROR)
