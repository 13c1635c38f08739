"""An exclusive lock on an open file; the system releases it when the process ends."""

from __future__ import annotations

import os
import sys

__all__ = ["lock_file"]

# Windows locks bytes instead of files, and others cannot read a locked byte: lock one far beyond
# the end of the file.
_LOCKED_BYTE = 1 << 40

if sys.platform == "win32":
    import msvcrt

    def lock_file(descriptor: int) -> bool:
        """Lock an open file until it is closed; return False if another process holds the lock."""
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def lock_file(descriptor: int) -> bool:
        """Lock an open file until it is closed; return False if another process holds the lock."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
