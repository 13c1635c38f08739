"""The output file: results in whole lines, from which the next run resumes."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from aimlchat._json import decode_json
from aimlchat._payload.json_values import describe
from aimlchat.errors import ProtocolError

from .cooperative import iterate_cooperatively
from .disk import describe_reason, sync_file, sync_folder
from .errors import BusyError, InputError, OutputFileError
from .file_format import SAMPLE_SIZE, describe_format, strip_line
from .file_lock import NO_LOCKS, lock_file
from .known_ids import FAILED, IN_INPUT, IN_OUTPUT, KnownIds, hash_id, normalize_id, parse_digest
from .server_batches import ServerBatches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Journal", "describe_os_error"]

# Without O_BINARY, Windows would write CR LF, and stop reading at a Ctrl-Z.
_OPEN_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)
_MODE = 0o666  # less the umask
_LINE_START = b'{"custom_id":'
_PROBE = bytes(4096)
_MIN_ERROR_STATUS = 400


class _Response(msgspec.Struct):
    """The status of a response; other tools write a refusal as a response, not as an error."""

    status_code: Any = None

    @property
    def is_error(self) -> bool:
        try:
            return int(self.status_code) >= _MIN_ERROR_STATUS
        except (TypeError, ValueError, OverflowError):
            return False


class _Result(msgspec.Struct):
    """The part of a result that the next run needs."""

    custom_id: str | int
    error: msgspec.Raw = msgspec.Raw(b"null")
    digest: Any = ""
    response: _Response | None = None

    @property
    def has_failed(self) -> bool:
        # Neither a response nor an error is no answer.
        return bytes(self.error) != b"null" or self.response is None or self.response.is_error


class _ResultOfOtherForm(_Result):
    """A result whose response is not an object, or whose id is a float."""

    custom_id: Any
    response: Any = None

    @property
    def has_failed(self) -> bool:
        return bytes(self.error) != b"null" or self.response is None


_decode_result = msgspec.json.Decoder(_Result).decode
_decode_other_form = msgspec.json.Decoder(_ResultOfOtherForm).decode


class Journal:
    """A file of results, locked for this run.

    Each line is written by one system call. A process that is killed leaves whole lines, except
    perhaps for the last one, which the next run completes or removes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self._file, self._is_new = _open_and_lock(path)
        self._size = os.fstat(self._file).st_size
        self._is_torn = self._is_changed = False
        self._tail = b""
        """The last line as it was read, if it has no line feed."""

    async def read(self, known_ids: KnownIds) -> None:
        """Add the ids of all results to the known ones; the file is not changed.

        Lines that are blank are skipped. Raises `InputError` for a line that is not a result, or
        repeats an id. Cancelling is safe.
        """
        try:
            await self._read(known_ids)
        except OSError as error:
            msg = f"{self.path} cannot be read: {describe_reason(error)}; nothing was sent"
            raise InputError(msg) from error

    async def _read(self, known_ids: KnownIds) -> None:
        async for number, line in iterate_cooperatively(self._read_lines()):
            if not line.endswith(b"\n"):
                self._tail = line
                if not self._is_result(line):
                    self._check_torn(number)
                    return
            if not strip_line(line):
                continue
            result = self._parse(number, line)
            key = hash_id(result.custom_id)
            if known_ids.get_flags(key):
                msg = (
                    f"{self.path}, line {number}: an earlier line already has the id"
                    f" {describe(result.custom_id)}; delete one of the two"
                )
                raise InputError(msg, line=number)
            flags = IN_OUTPUT | FAILED if result.has_failed else IN_OUTPUT
            known_ids.add(key, flags, parse_digest(result.digest))

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
            sync_file(self._file)
        except OSError as error:
            raise self._describe_failed_sync(error) from error

    def close(self) -> None:
        """Remove a torn line, sync the file and unlock it; a new file without a line is deleted.

        Raises `OutputFileError`.
        """
        try:
            self._trim()
            if self._is_changed:
                sync_file(self._file)
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
            yield from enumerate(file, 1)

    def _parse(self, number: int, line: bytes) -> _Result:
        text = strip_line(line)
        try:
            return _decode_result(text)
        except RecursionError:
            return self._parse_nested(number, text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        try:
            result = _decode_other_form(text)
        except RecursionError:
            return self._parse_nested(number, text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._error(number, line, error) from error
        custom_id = normalize_id(result.custom_id)
        if custom_id is None:
            raise self._error(number, line, f"its custom_id is {describe(result.custom_id)}")
        result.custom_id = custom_id
        return result

    def _parse_nested(self, number: int, line: bytes) -> _Result:
        """Parse a result whose body is nested too deeply for the fast decoder."""
        try:
            document = decode_json(line)
        except ProtocolError as error:
            raise self._error(number, line, error) from error
        fields = document if isinstance(document, dict) else {}
        custom_id = normalize_id(fields.get("custom_id"))
        if custom_id is None:
            raise self._error(number, line, "it has no custom_id")
        failure = b"null" if fields.get("error") is None else b"{}"
        response = fields.get("response")
        status = response.get("status_code") if isinstance(response, dict) else None
        return _Result(custom_id, msgspec.Raw(failure), fields.get("digest"), _Response(status))

    def _error(self, number: int, line: bytes, reason: object) -> InputError:
        if number == 1:
            reason = describe_format(line[:SAMPLE_SIZE], self.name) or reason
        msg = (
            f"{self.path}, line {number}: the line is not a result of a batch ({reason}); the file"
            " was not changed. Give the output of the earlier run, or a new file"
        )
        return InputError(msg, line=number)

    def _is_result(self, line: bytes) -> bool:
        try:
            self._parse(0, line)
        except InputError:
            return False
        return True

    def _check_torn(self, number: int) -> None:
        """Raise `InputError` unless the last line is the beginning of a result."""
        # A file system may leave zeros after a power failure, and so may a run killed in its probe.
        beginning = strip_line(self._tail.rstrip(b"\0"))[: len(_LINE_START)]
        if not _LINE_START.startswith(beginning):
            self._parse(number, self._tail)

    def _repair(self) -> None:
        """Complete the last line if only its line feed is missing, else remove it."""
        if not self._tail:
            return
        if self._is_result(self._tail):
            self.append(b"\n")
        else:
            self._size -= len(self._tail)
            os.ftruncate(self._file, self._size)
        self._tail = b""

    async def _remove_failures(self, known_ids: KnownIds) -> None:
        """Replace the file with a copy without the failures whose ids the input still has."""
        temporary = self.path.with_name(f"{self.path.name}.new")
        try:
            removed = await self._copy_without_failures(temporary, known_ids)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if not removed:
            temporary.unlink()
            return
        shutil.copymode(self.path, temporary)
        replaced = self._file
        if os.name == "nt":  # Windows cannot replace a file that is open
            os.close(replaced)
        temporary.replace(self.path)
        sync_folder(self.path.parent)
        # If another run locks the new file first, it finds all results in it, and this run ends
        # here.
        self._file, _ = _open_and_lock(self.path)
        if os.name != "nt":
            os.close(replaced)
        self._size = os.fstat(self._file).st_size

    async def _copy_without_failures(self, path: Path, known_ids: KnownIds) -> int:
        """Copy the results that are kept to a new file, and return how many are left out."""
        retried = FAILED | IN_INPUT
        removed = 0
        with path.open("wb") as copy:
            async for number, line in iterate_cooperatively(self._read_lines()):
                if not strip_line(line):
                    continue
                key = hash_id(self._parse(number, line).custom_id)
                if known_ids.get_flags(key) & retried == retried:
                    known_ids.clear_flags(key, FAILED | IN_OUTPUT)
                    removed += 1
                else:
                    copy.write(line)
            copy.flush()
            sync_file(copy.fileno())
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
