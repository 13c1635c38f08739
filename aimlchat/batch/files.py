"""The files of a run: opened, checked, and closed at its end."""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, TypeVar

import attrs

from aimlchat.errors import AIMLChatError

from .errors import InputError, OutputFileError
from .file_arguments import check_source, check_target
from .input_file import InputFile
from .input_lines import InputRequest
from .known_ids import ON_SERVER, KnownIds, hash_id, parse_digest
from .output import Output, open_output
from .server_batches import ServerBatches
from .streams import is_pipe
from .unconfirmed import build_unconfirmed_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .input_check import CheckedInput
    from .shard import Shard

__all__ = ["BatchFiles", "open_files"]

_File = TypeVar("_File", InputFile, Output)


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
    shard: Shard | None = None,
    retry_failed: bool,
    server_side: bool = False,
    build: Callable[[InputRequest], object] = InputRequest.build_body,
    unconfirmed: Literal["refuse", "keep", "resend"] = "refuse",
) -> AsyncIterator[BatchFiles]:
    """Open and check both files; the output is not changed before the whole input is checked.

    ``build`` raises `ValueError` for a request that cannot be sent from here.
    ``unconfirmed`` is what to do with unconfirmed batches: "resend" makes their requests pending.
    Raises `InputError`, `BusyError` or `OutputFileError`; `TypeError` for files of another type.
    """
    check_source(source)
    check_target(target)
    may_wait_for_reader = isinstance(target, str | Path) and is_pipe(target)
    async with (
        _open(partial(InputFile, source, model), may_block=is_pipe(source)) as input_file,
        _open(partial(open_output, target), may_block=may_wait_for_reader) as output,
    ):
        if _are_same_file(input_file.get_descriptor(), output.get_descriptor()):
            msg = f"{output.name} is the input; write the results to another file"
            raise InputError(msg)
        known_ids = KnownIds()
        await output.read(known_ids, shard)
        has_batches = output.path is not None and _add_server_batches(
            ServerBatches(output.path),
            known_ids,
            shard,
            server_side=server_side,
            unconfirmed=unconfirmed,
        )
        checked = await input_file.check(
            known_ids,
            shard,
            build=InputRequest.build_params if server_side else build,
            retry_failed=retry_failed,
        )
        if not checked.total + checked.others and not has_batches:
            msg = f"{input_file.name} is empty: it has no request, so nothing was sent"
            raise InputError(msg)
        await output.prepare(known_ids, retry_failed=retry_failed)
        yield BatchFiles(input_file, output, known_ids, checked)
        output.keep()


@asynccontextmanager
async def _open(open_file: Callable[[], _File], *, may_block: bool) -> AsyncIterator[_File]:
    """Open a file, in a thread if that may block, and close it at the end."""
    if not may_block:
        file = open_file()
    else:
        opening = asyncio.get_running_loop().run_in_executor(None, open_file)
        try:
            file = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_result)  # the thread cannot be stopped
            raise
    try:
        yield file
    except AIMLChatError as error:
        # This error may carry results that could not be written: an error of closing must not
        # replace it.
        try:
            file.close()
        except OutputFileError as close_error:
            error.add_note(str(close_error))
        raise
    except BaseException:
        file.close()
        raise
    file.close()


def _close_result(opening: asyncio.Future[_File]) -> None:
    if opening.exception() is None:
        opening.result().close()


def _are_same_file(source: int | None, target: int | None) -> bool:
    """Return whether two descriptors refer to one regular file, by whatever names."""
    if source is None or target is None:
        return False
    status = os.fstat(source)
    # A terminal or a socket may be both.
    return stat.S_ISREG(status.st_mode) and os.path.samestat(status, os.fstat(target))


def _add_server_batches(
    batches: ServerBatches,
    known_ids: KnownIds,
    shard: Shard | None,
    *,
    server_side: bool,
    unconfirmed: Literal["refuse", "keep", "resend"],
) -> bool:
    """Add the requests of the batches on the server; return whether there are any batches."""
    has_batches = False
    for batch in batches.read():
        if batch.id is None and unconfirmed == "refuse":
            raise build_unconfirmed_error(batch)
        if not server_side:
            msg = (
                f"the batch {batch.id} of this output is still on the server: fetch or cancel it"
                f" server-side first, or delete {batches.path} to give up its results"
            )
            raise InputError(msg)
        has_batches = True
        if batch.id is None and unconfirmed == "resend":
            continue
        for custom_id, digest in batch.members:
            key = hash_id(custom_id)
            if shard is not None and not shard.has(key):
                msg = (
                    f"the batch {batch.id} of this output has requests of other shards than"
                    f" {shard}; run the shard that the output was begun with"
                )
                raise InputError(msg)
            known_ids.add(key, ON_SERVER, parse_digest(digest))
    return has_batches
