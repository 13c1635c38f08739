"""Writing to the disk, and the system's messages about failures."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

__all__ = ["copy_permissions", "create_beside", "describe_reason", "sync_file", "sync_folder"]

_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def describe_reason(error: OSError) -> str:
    """Return the system's message, without the path that Python adds to it."""
    return os.strerror(error.errno) if error.errno else str(error)


def sync_file(file: int) -> None:
    """Have the system write a file to the disk. Raises `OSError`."""
    try:
        os.fsync(file)
    except OSError as error:
        # Samba and some FUSE file systems cannot do this; they write the data at their own pace.
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


def create_beside(path: Path) -> tuple[IO[bytes], Path]:
    """Create a file in the folder of another one, which it may replace; return it and its path.

    Its name is new, so that it cannot be somebody else's file or link, and only the user can read
    it. Raises `OSError`.
    """
    file, name = tempfile.mkstemp(prefix=".aimlchat-", suffix=".new", dir=path.parent)
    return os.fdopen(file, "wb"), Path(name)


def copy_permissions(source: int, target: int) -> None:
    """Give a new file the owner, the group and the mode of another. Raises `OSError`.

    If the user may not give it the group, the group gets no rights.
    """
    if os.name == "nt":
        return
    status = os.fstat(source)
    for owner in (status.st_uid, -1):  # only root may give a file away
        with suppress(PermissionError):
            os.fchown(target, owner, status.st_gid)
            break
    mode = stat.S_IMODE(status.st_mode)
    if os.fstat(target).st_gid != status.st_gid:
        mode &= ~stat.S_IRWXG
    os.fchmod(target, mode)
