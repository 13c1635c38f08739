"""One writer a file, on every system."""

from __future__ import annotations

import os
import sys

__all__ = ["lock"]

# Windows locks bytes and not files, and nobody may read them meanwhile: so one that is never there.
_FAR_BEHIND = 1 << 40

if sys.platform == "win32":
    import msvcrt

    def lock(file: int) -> bool:
        """Lock an open file until it is closed; return False if somebody else has."""
        os.lseek(file, _FAR_BEHIND, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def lock(file: int) -> bool:
        """Lock an open file until it is closed; return False if somebody else has."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
