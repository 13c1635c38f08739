"""The command line, ``aimlchat``.

It needs the packages of the ``cli`` extra. Importing this package loads none of them.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import NoReturn

from .exit_status import INTERRUPTED, USAGE_ERROR

__all__ = ["main"]

_PACKAGES = ("click", "markdown_it", "prompt_toolkit", "rich")


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
    # Most are used late, if at all, so look for them now: a missing package must not be discovered
    # in the middle of an answer. They are not imported yet, since that is slow.
    missing = [name for name in _PACKAGES if not _is_installed(name)]
    if missing:
        sys.stderr.write(
            f"aimlchat: the command line needs the extra cli, and {', '.join(missing)} cannot be"
            ' imported; in a checkout run: pip install ".[cli]"\n'
        )
        sys.exit(USAGE_ERROR)


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:  # from an import hook
        return False
