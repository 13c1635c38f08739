"""The record of the batches on the server: a small file beside the output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .disk import describe_reason, sync_file
from .errors import InputError, OutputFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ServerBatch", "ServerBatches"]


class ServerBatch(msgspec.Struct, frozen=True):
    """A batch on the server.

    ``members`` are its requests: pairs of a custom id and the digest of the request.
    """

    id: str
    members: list[tuple[str | int, str]]


_decode_batch = msgspec.json.Decoder(ServerBatch).decode


class ServerBatches:
    """The batches of an output that are on the server, each in a line of ``OUTPUT.batches``.

    The file exists only while there are any.
    """

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(f"{output.name}.batches")

    def read(self) -> Iterator[ServerBatch]:
        """Yield the batches. Raises `InputError` for a line that does not describe one."""
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    yield self._parse(number, line)
        except FileNotFoundError:
            return
        except OSError as error:
            msg = (
                f"{self.path} cannot be read: {error.strerror}; it names the batches of the output"
            )
            raise InputError(msg) from error

    def _parse(self, number: int, line: bytes) -> ServerBatch:
        try:
            return _decode_batch(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            msg = (
                f"{self.path}, line {number}: the line does not name a batch on the server"
                f" ({error}); restore it, or delete it to have its requests sent, and charged,"
                " again"
            )
            raise InputError(msg, line=number) from error

    def add(self, batch: ServerBatch) -> None:
        """Record a batch, and sync the file so that the record survives a crash of the machine.

        Raises `OutputFileError`; its ``unwritten`` has the record, to be appended to the file.
        """
        line = msgspec.json.encode(batch) + b"\n"
        try:
            with self.path.open("ab", buffering=0) as file:
                size = file.tell()
                try:
                    rest = memoryview(line)
                    while rest:
                        rest = rest[file.write(rest) :]
                    sync_file(file.fileno())
                except OSError:
                    file.truncate(size)
                    raise
        except OSError as error:
            msg = (
                f"the batch {batch.id} was created, but {self.path}, which names the batches whose"
                f" results are to be fetched, cannot be written: {describe_reason(error)}"
            )
            unwritten = ((batch.id, line),)
            raise OutputFileError(msg, unwritten=unwritten, begun=True, path=self.path) from error

    def remove(self, batch_id: str) -> None:
        """Delete the record of a batch. Raises `OutputFileError`."""
        kept = [msgspec.json.encode(batch) for batch in self.read() if batch.id != batch_id]
        temporary = self.path.with_name(f"{self.path.name}.new")
        try:
            if not kept:
                self.path.unlink(missing_ok=True)
                return
            with temporary.open("wb") as file:
                file.writelines(line + b"\n" for line in kept)
                file.flush()
                sync_file(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            msg = (
                f"the results of the batch {batch_id} are written, but its record in {self.path}"
                f" cannot be deleted: {describe_reason(error)}; the next run deletes it"
            )
            raise OutputFileError(msg, begun=True) from error
