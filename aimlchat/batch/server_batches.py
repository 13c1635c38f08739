"""The record of the batches on the server: a small file beside the output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from .errors import InputError

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
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        except OSError as error:
            msg = (
                f"{self.path} cannot be read: {error.strerror}; it names the batches of the output"
            )
            raise InputError(msg) from error
        with file:
            for number, line in enumerate(file, 1):
                try:
                    yield _decode_batch(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    msg = (
                        f"{self.path}, line {number}: the line does not name a batch on the server"
                        f" ({error}); restore it, or delete it to have its requests sent, and"
                        " charged, again"
                    )
                    raise InputError(msg, line=number) from error

    def add(self, batch: ServerBatch) -> None:
        """Record a batch, and sync the file so that the record survives a crash of the machine.

        Raises `OSError`.
        """
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(batch) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def remove(self, batch_id: str) -> None:
        """Delete the record of a batch. Raises `OSError`."""
        kept = [msgspec.json.encode(batch) for batch in self.read() if batch.id != batch_id]
        if not kept:
            self.path.unlink(missing_ok=True)
            return
        temporary = self.path.with_name(f"{self.path.name}.new")
        with temporary.open("wb") as file:
            file.writelines(line + b"\n" for line in kept)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)
