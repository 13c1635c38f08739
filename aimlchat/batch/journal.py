"""The output: results in whole lines, and what they tell the next run."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from .errors import BusyError, InputError, OutputFileError
from .file_lock import lock
from .input_file import considerate
from .input_lines import DIGEST_SIZE
from .known_ids import FAILED, IN_INPUT, IN_OUTPUT, Ledger, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Journal", "Pipe", "Sink", "open_sink"]

# Windows would write CR LF, and read no further than a Ctrl-Z.
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
_PERMISSIONS = 0o666  # less the umask
_OPENING = b'{"custom_id":'
_ROOM = bytes(4096)


class _Result(msgspec.Struct):
    """As much of a result as the next run has to know."""

    custom_id: str | int
    error: msgspec.Raw = msgspec.Raw(b"null")
    digest: str = ""

    @property
    def has_failed(self) -> bool:
        return bytes(self.error) != b"null"


_result_of = msgspec.json.Decoder(_Result).decode


class Pipe:
    """An output that cannot be read again: standard output, a pipe, a device."""

    path: Path | None = None

    def __init__(self, file: IO[bytes], *, owned: bool) -> None:
        self._file = file
        self._is_owned = owned
        self._written = 0

    async def read(self, ledger: Ledger) -> None:
        """Read nothing: there is nothing to resume from."""

    async def prepare(self, ledger: Ledger, *, retry_failed: bool) -> None:
        """Do nothing."""

    def append(self, line: bytes) -> None:
        """Write a line at once. Raises `OSError`; then only the same line can follow."""
        while self._written < len(line):
            count: int | None = self._file.write(memoryview(line)[self._written :])
            if count is None:
                raise BlockingIOError(errno.EAGAIN, "nobody reads it fast enough")
            self._written += count
        self._file.flush()
        self._written = 0

    def sync(self) -> None:
        """Do nothing: no later run reads it."""

    def close(self) -> None:
        """Close it if it was opened here."""
        if self._is_owned:
            self._file.close()


class Journal:
    """A file of results, locked for this run alone.

    Each line is written by one call of the system: whoever kills this process leaves whole lines,
    save perhaps the last, which the next run completes or takes away.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _locked(path)
        self._size = os.fstat(self._file).st_size
        self._is_torn = False
        self._tail = b""

    async def read(self, ledger: Ledger) -> None:
        """Note the results in the ledger; nothing is written.

        Raises `InputError` for a line that is no result, or an id that stands twice. Cancelling is
        safe.
        """
        async for number, line in considerate(self._lines()):
            if not line.endswith(b"\n"):
                self._tail = line
                if not _is_whole(line):
                    self._check_torn(number)
                    return
            result = self._result(number, line)
            key = key_of(result.custom_id)
            if ledger.flags(key):
                msg = f"{self.path}, line {number}: the id {result.custom_id!r} stands there twice"
                raise InputError(msg, line=number)
            known = IN_OUTPUT | FAILED if result.has_failed else IN_OUTPUT
            ledger.note(key, known, _digest_of(result))

    async def prepare(self, ledger: Ledger, *, retry_failed: bool) -> None:
        """Repair the last line, take out failures that are done again, and see if there is room.

        Raises `OutputFileError`. Cancelling leaves the file as it was, or as it was to be.
        """
        try:
            self._repair()
            if retry_failed:
                await self._rewrite(ledger)
            self._probe()
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def append(self, line: bytes) -> None:
        """Write a line at once, whole or not at all. Raises `OSError`."""
        self._trim()
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            self._is_torn = len(rest) < len(line)
            raise
        self._size += len(line)

    def sync(self) -> None:
        """Have the system put all of it on the disk. Raises `OSError`."""
        os.fsync(self._file)

    def close(self) -> None:
        """Leave whole lines, sync and unlock it."""
        try:
            self._trim()
            self.sync()
        finally:
            os.close(self._file)

    def _trim(self) -> None:
        if self._is_torn:
            os.ftruncate(self._file, self._size)
            self._is_torn = False

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        os.lseek(self._file, 0, os.SEEK_SET)
        with open(self._file, "rb", closefd=False) as file:
            yield from enumerate(file, 1)

    def _result(self, number: int, line: bytes) -> _Result:
        try:
            return _result_of(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            msg = (
                f"{self.path}, line {number}: it is no result of a batch ({error}); nothing was"
                " changed, so give the output of the earlier run, or a new file"
            )
            raise InputError(msg, line=number) from error

    def _check_torn(self, number: int) -> None:
        """Make sure that the last line is one of ours before it is taken away."""
        # A file system that lost its power may leave zeros, and a killed probe does.
        beginning = self._tail.rstrip(b"\0")[: len(_OPENING)]
        if not _OPENING.startswith(beginning):
            self._result(number, self._tail)

    def _repair(self) -> None:
        if not self._tail:
            return
        if _is_whole(self._tail):
            self.append(b"\n")
        else:
            self._size -= len(self._tail)
            os.ftruncate(self._file, self._size)
        self._tail = b""

    async def _rewrite(self, ledger: Ledger) -> None:
        """Put a copy without the failures that the input has again in the place of the file."""
        again = FAILED | IN_INPUT
        temporary = self.path.with_name(f"{self.path.name}.new")
        dropped = 0
        with temporary.open("wb") as copy:
            async for number, line in considerate(self._lines()):
                key = key_of(self._result(number, line).custom_id)
                if ledger.flags(key) & again == again:
                    ledger.clear(key, FAILED | IN_OUTPUT)
                    dropped += 1
                else:
                    copy.write(line)
            copy.flush()
            os.fsync(copy.fileno())
        if not dropped:
            temporary.unlink()
            return
        shutil.copymode(self.path, temporary)
        before = self._file
        if os.name == "nt":  # where no file can be replaced that somebody has open
            os.close(before)
        temporary.replace(self.path)
        _sync_folder(self.path.parent)
        # Who came in between has it now, with all results in it, and this run ends here.
        self._file = _locked(self.path)
        if os.name != "nt":
            os.close(before)
        self._size = os.fstat(self._file).st_size

    def _probe(self) -> None:
        """Find out now whether the disk is full, and not when the first answer was paid for."""
        size = self._size
        try:
            self.append(_ROOM)
        finally:
            self._size, self._is_torn = size, True
            self._trim()


Sink = Journal | Pipe


def open_sink(target: str | Path | IO[bytes]) -> Sink:
    """Open the output: a journal if it is a file, which is locked; else whatever it is.

    Raises `OutputFileError`, and `BusyError` if another run has it.
    """
    if not isinstance(target, str | Path):
        return Pipe(target, owned=False)
    path = Path(target).resolve()
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            return Pipe(path.open("wb", buffering=0), owned=True)
        return Journal(path)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _locked(path: Path) -> int:
    """Open a file that may be there already, and lock it."""
    while True:
        file = os.open(path, _FLAGS, _PERMISSIONS)
        has_lock = lock(file)
        # Another run may have put a new file in its place before it was locked.
        if has_lock and _is_at(file, path):
            return file
        os.close(file)
        if not has_lock:
            msg = f"another run is writing to {path}; wait for its end, or stop it"
            raise BusyError(msg)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _is_whole(line: bytes) -> bool:
    try:
        _result_of(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _digest_of(result: _Result) -> bytes:
    """Return the digest that stands in a result; of one that another tool wrote there is none."""
    try:
        digest = bytes.fromhex(result.digest)
    except ValueError:
        return b""
    return digest if len(digest) == DIGEST_SIZE else b""


def _sync_folder(folder: Path) -> None:
    """Have the new name put on the disk as well, where a folder can be opened."""
    if os.name == "nt":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _cannot_write(path: Path, error: OSError) -> OutputFileError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return OutputFileError(f"{path} cannot be written: {reason}; nothing was sent")
