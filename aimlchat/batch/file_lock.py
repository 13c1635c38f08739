"""An exclusive lock on an open file; the system releases it when the process ends."""

from __future__ import annotations

import errno
import os
import sys

__all__ = ["NO_LOCKS", "lock_file"]

NO_LOCKS = (
    errno.ENOLCK,
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
    errno.ENOSYS,
    errno.EINVAL,
    errno.EBADF,
)
"""What file systems without locks report; some network and FUSE file systems have none."""

# Windows locks bytes instead of files, and others cannot read a locked byte: lock one far beyond
# the end of the file.
_LOCKED_BYTE = 1 << 40

if sys.platform == "win32":
    import msvcrt

    def lock_file(descriptor: int) -> bool:
        """Lock an open file until it is closed; return False if another process holds the lock.

        Raises `OSError` with an errno of `NO_LOCKS` if the file system has no locks.
        """
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True
else:
    import fcntl

    def lock_file(descriptor: int) -> bool:
        """Lock an open file until it is closed; return False if another process holds the lock.

        Raises `OSError` with an errno of `NO_LOCKS` if the file system has no locks.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # EACCES on network file systems
            return False
        return True
