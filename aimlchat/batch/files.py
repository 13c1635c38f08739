"""The files of a run: opened, checked, and closed at its end."""

from __future__ import annotations

from contextlib import asynccontextmanager, closing
from typing import IO, TYPE_CHECKING

import attrs

from .errors import InputError
from .input_file import CheckedInput, InputFile
from .known_ids import ON_SERVER, KnownIds, hash_id, parse_digest
from .output import Output, open_output
from .server_batches import ServerBatches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["BatchFiles", "open_files"]


@attrs.frozen
class BatchFiles:
    """The open input and output of a run, and the result of checking both."""

    input: InputFile
    output: Output
    known_ids: KnownIds
    checked: CheckedInput


@asynccontextmanager
async def open_files(
    source: str | Path | IO[bytes],
    target: str | Path | IO[bytes],
    model: str,
    *,
    retry_failed: bool,
    server_side: bool = False,
) -> AsyncIterator[BatchFiles]:
    """Open and check both files; the output is not changed before the whole input is checked.

    Raises `InputError`, `BusyError` or `OutputFileError`.
    """
    with closing(InputFile(source, model)) as input_file, closing(open_output(target)) as output:
        if output.path is not None and output.path == input_file.path:
            msg = f"{output.path} is the input; give the output another name"
            raise InputError(msg)
        known_ids = KnownIds()
        await output.read(known_ids)
        if output.path is not None:
            _add_server_batches(ServerBatches(output.path), known_ids, server_side=server_side)
        checked = await input_file.check(
            known_ids, server_side=server_side, retry_failed=retry_failed
        )
        await output.prepare(known_ids, retry_failed=retry_failed)
        yield BatchFiles(input_file, output, known_ids, checked)


def _add_server_batches(batches: ServerBatches, known_ids: KnownIds, *, server_side: bool) -> None:
    for batch in batches.read():
        if not server_side:
            msg = (
                f"the batch {batch.id} of this output is still on the server: fetch or cancel it"
                f" server-side first, or delete {batches.path} to give up its results"
            )
            raise InputError(msg)
        for custom_id, digest in batch.members:
            known_ids.add(hash_id(custom_id), ON_SERVER, parse_digest(digest))
