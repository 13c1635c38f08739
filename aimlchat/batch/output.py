"""The output: a file, which is the journal, or a stream."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .errors import OutputFileError
from .journal import Journal, describe_os_error
from .streams import get_descriptor, open_stream, write_block

if TYPE_CHECKING:
    from .known_ids import KnownIds
    from .shard import Shard

__all__ = ["Output", "OutputStream", "open_output"]


class OutputStream:
    """An output that cannot be read again: standard output, a pipe, a device."""

    path: Path | None = None
    has_checksums = True

    def __init__(self, file: IO[bytes], name: str, *, owned: bool) -> None:
        self.name = name
        self._file = file
        self._is_owned = owned
        self._written = 0

    def get_descriptor(self) -> int | None:
        """Return the descriptor of the stream; None for one in memory."""
        return get_descriptor(self._file)

    async def read(self, known_ids: KnownIds, shard: Shard | None = None) -> None:
        """Do nothing: no earlier results can be read from a stream."""

    async def prepare(self, known_ids: KnownIds, *, retry_failed: bool) -> None:  # noqa: ARG002 - as a `Journal` has it
        """Raise `OutputFileError` if ``retry_failed``; otherwise there is nothing to do."""
        if retry_failed:
            msg = (
                f"{self.name} is not a file, so the failures of an earlier run cannot be read from"
                " it; give the file with its results as the output. Nothing was sent"
            )
            raise OutputFileError(msg)

    def append(self, line: bytes) -> None:
        """Write a line to the end.

        Raises `OSError`. Part of the line may be written by then, and the next call has to pass the
        same line again: it writes the rest.
        """
        while self._written < len(line):
            self._written += write_block(self._file, memoryview(line)[self._written :])
        self._file.flush()
        self._written = 0

    def sync(self) -> None:
        """Do nothing: no later run reads a stream."""

    def keep(self) -> None:
        """Do nothing: no stream is ever deleted."""

    def close(self) -> None:
        """Close the file, unless it is the caller's own stream."""
        if self._is_owned:
            self._file.close()


Output = Journal | OutputStream


def open_output(target: str | Path | IO[bytes]) -> Output:
    """Open the output: a regular file as a locked `Journal`, anything else as a stream.

    Opening a FIFO blocks until somebody reads from it.

    Raises `OutputFileError`, and `BusyError` if another run is writing to the file.
    """
    if not isinstance(target, str | Path):
        return OutputStream(target, "the output", owned=False)
    path = Path(target)
    try:
        resolved = _resolve(path)
        if _is_stream(path, resolved):
            return OutputStream(open_stream(path, "wb"), str(target), owned=True)
        return Journal(resolved)
    except OutputFileError:  # an OSError as well, whose message is complete
        raise
    except OSError as error:
        raise describe_os_error(target, error) from error


def is_stream(target: str | Path) -> bool:
    """Return whether a path is that of a pipe, a device or anything else that is not a journal."""
    path = Path(target)
    return _is_stream(path, _resolve(path))


def _resolve(path: Path) -> Path:
    """Follow the links of a path; a link in a loop stays, and opening it reports the loop."""
    return Path(os.path.realpath(path))  # `Path.resolve` raises RuntimeError before Python 3.13


def _is_stream(path: Path, resolved: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False  # the path does not exist, or a journal cannot be opened there either
    if stat.S_ISDIR(status.st_mode):
        return False
    # A descriptor may refer to a file without a name, which can be written to but not resumed.
    return not (stat.S_ISREG(status.st_mode) and resolved.exists() and resolved.samefile(path))
