"""Which batches are on the server: a small file beside the output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Batch", "Register"]


class Batch(msgspec.Struct, frozen=True):
    """A batch on the server, and what is in it: pairs of an id and the digest of its request."""

    id: str
    members: list[tuple[str | int, str]]


_batch_of = msgspec.json.Decoder(Batch).decode


class Register:
    """The batches of an output that are on the server, each in a line of ``OUTPUT.batches``.

    The file is there only as long as there are any.
    """

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(f"{output.name}.batches")

    def batches(self) -> Iterator[Batch]:
        """Yield the batches one by one. Raises `InputError` for a line that is none."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield _batch_of(line)
                except msgspec.DecodeError as error:
                    msg = (
                        f"{self.path}, line {number}: it does not name a batch on the server"
                        f" ({error}); delete the line to have its requests sent again"
                    )
                    raise InputError(msg, line=number) from error

    def add(self, batch: Batch) -> None:
        """Note a batch so that it outlives a crash of the machine. Raises `OSError`."""
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(batch) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def remove(self, batch_id: str) -> None:
        """Forget a batch. Raises `OSError`."""
        kept = [msgspec.json.encode(batch) for batch in self.batches() if batch.id != batch_id]
        if not kept:
            self.path.unlink(missing_ok=True)
            return
        temporary = self.path.with_name(f"{self.path.name}.new")
        with temporary.open("wb") as file:
            file.writelines(line + b"\n" for line in kept)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)
