"""The record of the batches on the server: a small file beside the output."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from .disk import create_beside, describe_reason, sync_file, sync_folder
from .errors import InputError, OutputFileError
from .known_ids import parse_digest

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ServerBatch", "ServerBatches", "build_server_id", "parse_server_id"]


class ServerBatch(msgspec.Struct, frozen=True, omit_defaults=True):
    """A batch that was submitted to the server.

    - ``id``: None if the batch is unconfirmed: no response to its creation has arrived, so the
      server may or may not have it.
    - ``members``: its requests: pairs of a custom id and the digest of the request.
    - ``submitted``: the time in UTC, to be shown to people.
    - ``is_id_given``: whether the user has given the id, which may be that of another batch.
    """

    id: str | None
    members: list[tuple[str | int, str]]
    submitted: str = ""
    is_id_given: bool = False


_decode_batch = msgspec.json.Decoder(ServerBatch).decode


class ServerBatches:
    """The batches of an output that are on the server, each in a line of ``OUTPUT.batches``.

    The file exists only while there are any. Each change replaces it atomically, and is on the disk
    when the method returns, so that it survives a crash of the machine.
    """

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(f"{output.name}.batches")

    def read(self) -> list[ServerBatch]:
        """Return the batches. Raises `InputError` for a line that does not describe one."""
        try:
            if self.path.is_fifo():
                msg = "it is a FIFO"  # opening it would wait for a writer, and block the event loop
                raise OSError(msg)  # noqa: TRY301 - reported like all that cannot be read
            with self.path.open("rb") as file:
                return [self._parse(number, line) for number, line in enumerate(file, 1)]
        except FileNotFoundError:
            return []
        except OSError as error:
            msg = (
                f"{self.path} cannot be read: {describe_reason(error)}; it names the batches of the"
                " output"
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

    def submit(self, members: list[tuple[str | int, str]], *, begun: bool = False) -> ServerBatch:
        """Record a batch that is about to be created, and return it.

        Raises `OutputFileError`, with ``begun``; the batch must not be created then.
        """
        batch = ServerBatch(None, members, datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"))
        try:
            self._rewrite([*self.read(), batch])
        except OSError as error:
            msg = (
                f"{self.path}, which records the batches on the server, cannot be written:"
                f" {describe_reason(error)}; the batch was not submitted"
            )
            raise OutputFileError(msg, begun=begun) from error
        return batch

    def confirm(self, batch: ServerBatch, batch_id: str) -> None:
        """Record the id of a batch that was created. Raises `OutputFileError`."""
        try:
            self._replace(batch, msgspec.structs.replace(batch, id=batch_id))
        except OSError as error:
            msg = (
                f"the batch {batch_id} was created, but its id cannot be written to {self.path}:"
                f" {describe_reason(error)}"
            )
            failure = OutputFileError(msg, begun=True)
            failure.add_note(
                f"Free some space, then run the same command with --batch-id {batch_id}"
                f" (batch_id={batch_id!r} in Python) to fetch its results."
            )
            raise failure from error

    def replace(self, old: ServerBatch, new: ServerBatch | None) -> None:
        """Replace the record of a batch, or delete it. Raises `OutputFileError`."""
        try:
            self._replace(old, new)
        except OSError as error:
            msg = (
                f"the record of the batch {old.id or 'without an id'} in {self.path} cannot be"
                f" changed: {describe_reason(error)}; the next run tries again"
            )
            raise OutputFileError(msg, begun=True) from error

    def _replace(self, old: ServerBatch, new: ServerBatch | None) -> None:
        others = [batch for batch in self.read() if batch != old]
        self._rewrite([*others, new] if new else others)

    def _rewrite(self, batches: list[ServerBatch]) -> None:
        """Replace the file with a new one. Raises `OSError`."""
        if not batches:
            self.path.unlink(missing_ok=True)
            return
        file, temporary = create_beside(self.path)
        try:
            with file:  # closed before it is renamed, which Windows requires
                file.writelines(msgspec.json.encode(batch) + b"\n" for batch in batches)
                file.flush()
                sync_file(file.fileno())
            temporary.replace(self.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(self.path.parent)


def build_server_id(key: int, digest: bytes) -> str:
    """Return the id of a request in its batch; the vendor's rule for ids is narrower than ours.

    It contains the digest, so that results show whether they belong to the requests.
    """
    return f"{key:016x}-{digest.hex()}"


def parse_server_id(server_id: Any) -> tuple[int, bytes]:
    """Return the key and the digest of a request from its id in the batch.

    The key is 0, which is no key, if the id is of another form.
    """
    key, _, digest = server_id.partition("-") if isinstance(server_id, str) else ("", "", "")
    try:
        return int(key, 16), parse_digest(digest)
    except ValueError:
        return 0, b""
