"""The output: a file, which is the journal, or a stream."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .journal import Journal, describe_os_error

if TYPE_CHECKING:
    from .known_ids import KnownIds

__all__ = ["Output", "OutputStream", "open_output"]


class OutputStream:
    """An output that cannot be read again: standard output, a pipe, a device."""

    path: Path | None = None

    def __init__(self, file: IO[bytes], *, owned: bool) -> None:
        self._file = file
        self._is_owned = owned
        self._written = 0

    async def read(self, known_ids: KnownIds) -> None:
        """Do nothing: no earlier results can be read from a stream."""

    async def prepare(self, known_ids: KnownIds, *, retry_failed: bool) -> None:
        """Do nothing."""

    def append(self, line: bytes) -> None:
        """Write a line to the end.

        Raises `OSError`. Part of the line may be written by then, and the next call has to pass the
        same line again: it writes the rest.
        """
        while self._written < len(line):
            count: int | None = self._file.write(memoryview(line)[self._written :])
            if count is None:
                raise BlockingIOError(errno.EAGAIN, "its reader is too slow")
            self._written += count
        self._file.flush()
        self._written = 0

    def sync(self) -> None:
        """Do nothing: no later run reads a stream."""

    def close(self) -> None:
        """Close the file, unless it is the caller's own stream."""
        if self._is_owned:
            self._file.close()


Output = Journal | OutputStream


def open_output(target: str | Path | IO[bytes]) -> Output:
    """Open the output: a regular file as a locked `Journal`, anything else as a stream.

    Raises `OutputFileError`, and `BusyError` if another run is writing to the file.
    """
    if not isinstance(target, str | Path):
        return OutputStream(target, owned=False)
    path = Path(target).resolve()
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            return OutputStream(path.open("wb", buffering=0), owned=True)
        return Journal(path)
    except OSError as error:
        raise describe_os_error(path, error) from error
