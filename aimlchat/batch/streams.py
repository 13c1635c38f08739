"""Inputs and outputs that are not regular files: pipes, terminals, devices, open descriptors."""

from __future__ import annotations

import errno
import os
import re
import select
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["get_descriptor", "is_pipe", "open_stream", "read_block", "write_block"]

_DESCRIPTOR = re.compile(r"/dev/(?:fd/(\d+)|(stdin|stdout|stderr))|/proc/self/fd/(\d+)")
_STANDARD = {"stdin": 0, "stdout": 1, "stderr": 2}
# A socket cannot be opened by its name. Neither can the pipe of another user: in a container that
# was started as root, an unprivileged process gets "Permission denied" for /dev/stdout.
_NOT_OPENED_BY_NAME = (errno.ENXIO, errno.EACCES)


def open_stream(path: Path, mode: Literal["rb", "wb"]) -> IO[bytes]:
    """Open a pipe, a device or a descriptor by the name as given, without a buffer.

    The name is not resolved: /dev/fd/63 is a link to ``pipe:[4711]``, which is not a path. Opening
    a FIFO blocks until its other end is open. Raises `OSError`.
    """
    try:
        return path.open(mode, buffering=0)
    except OSError as error:
        match = _DESCRIPTOR.fullmatch(str(path))
        if match is None or error.errno not in _NOT_OPENED_BY_NAME:
            raise
        number = _STANDARD[match[2]] if match[2] else int(match[1] or match[3])
        return os.fdopen(os.dup(number), mode, buffering=0)


def is_pipe(file: str | Path | IO[bytes]) -> bool:
    """Return whether opening or copying a file may block: a pipe, a terminal or a device."""
    if isinstance(file, str | Path):
        try:
            mode = Path(file).stat().st_mode
        except OSError:
            return False  # opening the file reports the error
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    return not file.seekable()


def get_descriptor(stream: IO[bytes]) -> int | None:
    """Return the descriptor of a stream; None for one in memory."""
    try:
        return stream.fileno()
    except (OSError, AttributeError):
        return None


def read_block(stream: IO[bytes], size: int) -> bytes:
    """Read up to ``size`` bytes; ``b""`` is the end. Blocks. Raises `OSError`."""
    read: Callable[[int], bytes | None] = stream.read
    # None is not the end: another process that shares the pipe, such as Node, has set O_NONBLOCK.
    while (data := read(size)) is None:
        select.select([stream], [], [])
    return data


def write_block(stream: IO[bytes], data: memoryview) -> int:
    """Write some of the data, and return how many bytes were written. Blocks. Raises `OSError`."""
    write: Callable[[memoryview], int | None] = stream.write
    while (count := write(data)) is None:  # O_NONBLOCK is set, as above
        select.select([], [stream], [])
    return count
