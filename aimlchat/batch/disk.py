"""Writing to the disk, and what the system says when it fails."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["describe_reason", "sync_file", "sync_folder"]

_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def describe_reason(error: OSError) -> str:
    """Return the system's message, without the path that Python adds to it."""
    return os.strerror(error.errno) if error.errno else str(error)


def sync_file(file: int) -> None:
    """Have the system write a file to the disk. Raises `OSError`."""
    try:
        os.fsync(file)
    except OSError as error:
        # Samba and some FUSE file systems cannot do it; what they were given is written as usual.
        if error.errno not in _CANNOT_SYNC:
            raise


def sync_folder(folder: Path) -> None:
    """Have the system write a new name to the disk; Windows cannot open a folder for that."""
    if os.name == "nt":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        sync_file(file)
    finally:
        os.close(file)
