"""The output file: results in whole lines, from which the next run resumes."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import IO, TYPE_CHECKING

from .cooperative import iterate_cooperatively
from .disk import copy_permissions, create_beside, describe_reason, sync_file, sync_folder
from .errors import BusyError, InputError, OutputFileError
from .file_format import strip_line
from .file_lock import NO_LOCKS, lock_file
from .journal_check import JournalCheck, describe_other_file
from .journal_lines import is_torn, parse_result
from .known_ids import FAILED, IN_INPUT, IN_OUTPUT
from .server_batches import ServerBatches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .known_ids import KnownIds
    from .shard import Shard

__all__ = ["Journal", "describe_os_error"]

# Without O_BINARY, Windows would write CR LF, and stop reading at a Ctrl-Z.
_OPEN_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)
_MODE = 0o666  # less the umask
_PROBE = bytes(4096)
# A response may have 64 MiB, and escaping may make it six times as long. A file without line feeds
# must not be read into memory as one line.
_MAX_LINE_BYTES = 512 * 1024 * 1024


class Journal:
    """A file of results, locked for this run.

    Each line is written by one system call. A process that is killed leaves whole lines, except
    perhaps for the last one, which the next run completes or removes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self._file, self._is_new = _open_and_lock(path)
        self._is_name_synced = not self._is_new
        self._size = os.fstat(self._file).st_size
        self._is_torn = self._is_changed = False
        self._tail = b""
        """The last line as it was read, if it has no line feed."""
        self._is_tail_whole = False
        self.has_checksums = True
        """Whether lines get a checksum: not in a file whose lines have none."""

    async def read(self, known_ids: KnownIds, shard: Shard | None = None) -> None:
        """Add the ids of all results to the known ones; the file is not changed.

        Lines that are blank are skipped. Raises `InputError` for lines that are not results, differ
        from what was written, lack the checksum that others have, are of another shard, or repeat
        an id. Cancelling is safe.
        """
        try:
            await self._read(known_ids, shard)
        except OSError as error:
            msg = f"{self.path} cannot be read: {describe_reason(error)}; nothing was sent"
            raise InputError(msg) from error

    async def _read(self, known_ids: KnownIds, shard: Shard | None) -> None:
        check = JournalCheck(self.name, known_ids, shard)
        async for number, line in iterate_cooperatively(self._read_lines()):
            if line.endswith(b"\n"):
                check.add(number, line)
                continue
            self._tail = line
            self._is_tail_whole = not is_torn(line)
            if self._is_tail_whole:
                check.add(number, line.rstrip(b"\0"))
        self.has_checksums = check.finish()

    async def prepare(self, known_ids: KnownIds, *, retry_failed: bool) -> None:
        """Make the file ready for the first result.

        Repairs the last line, removes the failures that are to be sent again if ``retry_failed``,
        and checks that the disk has room. Raises `OutputFileError`. Cancelling is safe: the file is
        either as it was or ready.
        """
        try:
            self._repair()
            if retry_failed:
                await self._remove_failures(known_ids)
            self._check_room()
        except OutputFileError:  # an OSError as well, whose message is complete
            raise
        except OSError as error:
            raise describe_os_error(self.path, error) from error

    def append(self, line: bytes) -> None:
        """Write a line to the end, whole or not at all. Raises `OSError`."""
        self._trim()
        self._is_changed = True
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            self._is_torn = len(rest) < len(line)
            raise
        self._size += len(line)

    def get_descriptor(self) -> int:
        """Return the descriptor of the file."""
        return self._file

    def sync(self) -> None:
        """Have the system write the file to the disk. Raises `OutputFileError`."""
        try:
            self._sync()
        except OSError as error:
            raise self._describe_failed_sync(error) from error

    def _sync(self) -> None:
        sync_file(self._file)
        if not self._is_name_synced:
            sync_folder(self.path.parent)
            self._is_name_synced = True

    def keep(self) -> None:
        """Keep a new file even if it has no line: there was nothing to answer."""
        self._is_new = False

    def close(self) -> None:
        """Remove a torn line, sync the file and unlock it.

        A new file without a line is deleted, unless it is to be kept.

        Raises `OutputFileError`.
        """
        try:
            self._trim()
            if self._is_changed:
                self._sync()
            # The lock is held until the end, so that the file is not another run's.
            is_unused = self._is_new and not self._size and not self._has_server_batches()
            if is_unused and os.name != "nt" and _is_at(self._file, self.path):
                self.path.unlink()
        except OSError as error:
            raise self._describe_failed_sync(error) from error
        finally:
            os.close(self._file)
        if is_unused and os.name == "nt":  # Windows cannot delete a file that is open
            with suppress(OSError):  # another run may have opened it
                self.path.unlink()

    def _has_server_batches(self) -> bool:
        return ServerBatches(self.path).path.exists()

    def _describe_failed_sync(self, error: OSError) -> OutputFileError:
        msg = (
            f"{self.path} cannot be written to the disk: {describe_reason(error)}; its last results"
            " may be missing. Run the same command again to see which have arrived"
        )
        return OutputFileError(msg, begun=True)

    def _trim(self) -> None:
        """Remove the partial line that a failed write has left."""
        if self._is_torn:
            os.ftruncate(self._file, self._size)
            self._is_torn = False

    def _read_lines(self) -> Iterator[tuple[int, bytes]]:
        os.lseek(self._file, 0, os.SEEK_SET)
        with open(self._file, "rb", closefd=False) as file:
            read_line = partial(file.readline, _MAX_LINE_BYTES + 1)
            for number, line in enumerate(iter(read_line, b""), 1):
                if len(line) > _MAX_LINE_BYTES:
                    reason = f"it has more than {_MAX_LINE_BYTES:,} bytes"
                    raise describe_other_file(self.name, number, line, reason)
                yield number, line

    def _repair(self) -> None:
        """Complete the last line if only its line feed is missing, else remove it."""
        kept = len(self._tail.rstrip(b"\0")) if self._is_tail_whole else 0
        if removed := len(self._tail) - kept:
            self._size -= removed
            os.ftruncate(self._file, self._size)
        if kept:
            self.append(b"\n")
        self._tail = b""

    async def _remove_failures(self, known_ids: KnownIds) -> None:
        """Replace the file with a copy without the failures whose ids the input still has."""
        copy, temporary = create_beside(self.path)
        replaced = self._file
        try:
            with copy:
                removed = await self._copy_without_failures(copy, known_ids)
                if removed:
                    copy_permissions(self._file, copy.fileno())
                    sync_file(copy.fileno())
            if removed:
                if os.name == "nt":  # Windows cannot replace a file that is open
                    os.close(replaced)
                temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
        if not removed:
            return
        sync_folder(self.path.parent)
        # If another run locks the new file first, it finds all results in it, and this run ends
        # here.
        self._file, _ = _open_and_lock(self.path)
        if os.name != "nt":
            os.close(replaced)
        self._size = os.fstat(self._file).st_size

    async def _copy_without_failures(self, copy: IO[bytes], known_ids: KnownIds) -> int:
        """Copy the results that are kept to a new file, and return how many are left out."""
        retried = FAILED | IN_INPUT
        removed = 0
        async for number, line in iterate_cooperatively(self._read_lines()):
            if not strip_line(line):
                continue
            try:
                key = parse_result(line).key
            except ValueError as error:
                raise describe_other_file(self.name, number, line, error) from error
            if known_ids.get_flags(key) & retried == retried:
                known_ids.clear_flags(key, FAILED | IN_OUTPUT)
                removed += 1
            else:
                copy.write(line)
        copy.flush()
        return removed

    def _check_room(self) -> None:
        """Detect a full disk now, and not when the first completion has been paid for."""
        size = self._size
        try:
            self.append(_PROBE)
        finally:
            self._size, self._is_torn = size, True
            self._trim()


def describe_os_error(name: object, error: OSError) -> OutputFileError:
    """Return the error for an output that could not be opened or prepared."""
    reason = describe_reason(error)
    return OutputFileError(f"{name} cannot be written: {reason}; nothing was sent")


def _open_and_lock(path: Path) -> tuple[int, bool]:
    """Open a file, creating it if it does not exist, and lock it; return whether it is new.

    Raises `BusyError` if another run has locked it, and `OutputFileError` if it cannot be locked.
    """
    while True:
        file, is_new = _open(path)
        try:
            has_lock = lock_file(file)
        except OSError as error:
            os.close(file)
            if is_new:
                path.unlink()
            if error.errno not in NO_LOCKS:
                raise
            msg = (
                f"{path} is on a file system without locks ({describe_reason(error)}), so two runs"
                " could write to it at once; write to a local disk, and copy the file afterwards."
                " Nothing was sent"
            )
            raise OutputFileError(msg) from error
        # Another run may have replaced the file after it was opened and before it was locked.
        if has_lock and _is_at(file, path):
            return file, is_new
        os.close(file)
        if not has_lock:
            msg = f"another run is writing to {path}; wait until it ends, or stop it"
            raise BusyError(msg)


def _open(path: Path) -> tuple[int, bool]:
    """Open a file, and return whether it was created."""
    while True:
        try:
            return os.open(path, _OPEN_FLAGS), False
        except FileNotFoundError:
            pass
        try:
            return os.open(path, _OPEN_FLAGS | os.O_CREAT | os.O_EXCL, _MODE), True
        except FileExistsError:  # another run was faster
            continue


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
