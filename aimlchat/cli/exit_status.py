"""The exit statuses of the command line; 0 means done."""

from __future__ import annotations

__all__ = ["FAILED", "INTERRUPTED", "USAGE_ERROR"]

# The command failed, in whole or in part.
FAILED = 1
# The command line or its input is wrong; no request was sent. click uses the same number.
USAGE_ERROR = 2
# Ctrl-C: 128 plus the number of SIGINT, as shells report it.
INTERRUPTED = 130
