"""Have the vendor's batch endpoint answer the requests of a file."""

from __future__ import annotations

import asyncio
from typing import IO, TYPE_CHECKING, Any

import msgspec

from aimlchat._payload.json_values import describe
from aimlchat._payload.limits import check_model
from aimlchat._protocol.surrogates import mend_surrogates
from aimlchat.errors import (
    AIMLChatError,
    APIError,
    BadRequestError,
    BudgetExceededError,
    ConfigurationError,
    NotFoundError,
    ProtocolError,
    detach,
)
from aimlchat.session import endpoints_of

from .batches_api import cancel_batch, create_batch, fetch_results
from .errors import InputError, OutputFileError, UnconfirmedBatchError
from .files import BatchFiles, open_files
from .known_ids import IN_INPUT, IN_OUTPUT, hash_id, parse_digest
from .result_lines import encode_server_result
from .server_batches import ServerBatch, ServerBatches, build_server_id, parse_server_id
from .shard import parse_shard
from .summary import ProgressReporter, Summary
from .unconfirmed import build_unconfirmed_error, describe_lost_response, is_surely_not_created
from .writer import ResultWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aimlchat.session import ChatSession

__all__ = ["run_on_server"]

_MAX_BATCH_BYTES = 32 * 1024 * 1024
_FIRST_DELAY = 0.5
_MAX_DELAY = 30.0
_DELAY_GROWTH = 1.5
# How long a cancelled run waits for the response that confirms the batch it has submitted.
_CANCEL_GRACE = 5.0


async def run_on_server(
    session: ChatSession,
    source: str | Path | IO[bytes],
    target: str | Path,
    *,
    retry_failed: bool = False,
    model: str | None = None,
    batch_size: int = 10_000,
    cancel: bool = False,
    batch_id: str | None = None,
    again: bool = False,
    shard: str | None = None,
    on_progress: Callable[[Summary], object] | None = None,
) -> Summary:
    """Have the vendor's batch endpoint answer the requests of a file, and return a summary.

    The endpoint only has Claude. The files are those of `run`; the body of a result is an Anthropic
    message. First the batches are created, and each is recorded beside the output in
    ``TARGET.batches``, where the next run finds it. Then they are polled, at first often and later
    every 30 seconds. A request that a batch leaves without a result is sent again by the next run.

    A batch is recorded before the request that creates it is sent, and there is one attempt only.
    If no response confirms it (a broken connection, a timeout, a 5xx, a killed process), the server
    may have created it: the error of the call has a note that says so, and later runs raise
    `UnconfirmedBatchError` and send nothing until they are given ``batch_id`` or ``again``.

    Args:
        session: sends the requests to the batch endpoint.
        source: as for `run`.
        target: a path.
        retry_failed: as for `run`.
        model: as for `run`.
        batch_size: the maximum number of requests in a batch; its maximum size is 32 MiB.
        cancel: create no batch, but cancel those on the server, and write the results that they had
            finished.
        batch_id: the id of the unconfirmed batch. An id that the server does not know, or whose
            batch turns out to hold other requests, raises `UnconfirmedBatchError`; no batch is
            forgotten then.
        again: submit the requests of the unconfirmed batch again. They are charged twice if the
            server had created it. Without such a batch it changes nothing.
        shard: as for `run`.
        on_progress: called with a `Summary` at the start, after each result and after each poll.

    Raises:
        InputError: as for `run`, as are `BusyError`, `OutputFileError` and errors of every request.
        UnconfirmedBatchError: the server may have created a batch that it has not confirmed.
        APIError: a batch has no results; raised once the results of all others are written.
        ProtocolError: the results of a batch cannot be read; raised likewise.
        ConfigurationError: arguments exclude each other.

    Cancelling is safe: the batches continue on the server. A run that is cancelled while it creates
    a batch waits up to 5 seconds for the response.
    """
    if again and (cancel or batch_id is not None):
        msg = "again submits new requests: it cannot be combined with cancel or batch_id"
        raise ConfigurationError(msg)
    batch_id = None if batch_id is None else _check_batch_id(batch_id)
    own_shard = None if shard is None else parse_shard(shard)
    async with open_files(
        source,
        target,
        session.model if model is None else check_model(model),
        shard=own_shard,
        retry_failed=retry_failed,
        server_side=True,
        unconfirmed="resend" if again else "keep" if cancel or batch_id is not None else "refuse",
    ) as files:
        if files.output.path is None:
            msg = f"server-side batches need a file as their output, and {target} is not a file"
            raise ConfigurationError(msg)
        writer = ResultWriter(files.output, own_shard)
        progress = ProgressReporter(files.checked, writer, on_progress)
        server_run = _ServerRun(
            session,
            files,
            ServerBatches(files.output.path),
            progress,
            writer,
            is_cancelling=cancel,
        )
        if again:
            server_run.forget_unconfirmed()
        if batch_id is not None:
            await server_run.adopt(batch_id)
        if cancel:
            await server_run.cancel_batches()
        else:
            server_run.require_confirmed()
            await server_run.create_batches(batch_size)
        await server_run.collect_results()
        server_run.require_confirmed()
        if server_run.late_failure is not None:
            raise server_run.late_failure
        return progress.summarize()


def _check_batch_id(batch_id: Any) -> str:
    """Return an id without surrounding white space. Raises `TypeError` or `ConfigurationError`."""
    if not isinstance(batch_id, str):
        msg = f"batch_id is {describe(batch_id)}; give the id of the batch as a str"
        raise TypeError(msg)
    if not batch_id.strip():
        msg = "batch_id is blank; give the id of the batch"
        raise ConfigurationError(msg)
    return mend_surrogates(batch_id).strip()


class _ServerRun:
    """One run over the batches on the server."""

    def __init__(
        self,
        session: ChatSession,
        files: BatchFiles,
        batches: ServerBatches,
        progress: ProgressReporter,
        writer: ResultWriter,
        *,
        is_cancelling: bool,
    ) -> None:
        self._session = session
        self._files = files
        self._batches = batches
        self._progress = progress
        self._writer = writer
        self._is_cancelling = is_cancelling
        self._has_begun = False
        """Whether this run has created or cancelled a batch."""
        self.late_failure: BudgetExceededError | None = None
        """The error for a spent budget of the session, if it is spent."""
        self._unreadable: dict[str, AIMLChatError] = {}
        """By the id of a batch, the error that kept its results from being read."""

    def forget_unconfirmed(self) -> None:
        """Delete the records of unconfirmed batches, whose requests are submitted again."""
        for batch in self._batches.read():
            if batch.id is None:
                self._batches.replace(batch, None)

    def require_confirmed(self) -> None:
        """Raise `UnconfirmedBatchError` if there is an unconfirmed batch."""
        for batch in self._batches.read():
            if batch.id is None:
                raise build_unconfirmed_error(batch, begun=self._has_begun)

    async def adopt(self, batch_id: str) -> None:
        """Record the id of the unconfirmed batch, and write its results if it has ended.

        Raises `InputError` if there is no such batch, and `UnconfirmedBatchError` if the id
        certainly belongs to another batch.
        """
        batches = self._batches.read()
        if any(batch.id == batch_id for batch in batches):
            return  # an earlier run with the same arguments has recorded it
        unconfirmed = next((batch for batch in batches if batch.id is None), None)
        if unconfirmed is None:
            msg = (
                f"no batch of this output waits for its id, so {batch_id!r} was not used; run the"
                " same command without it"
            )
            raise InputError(msg)
        batch = msgspec.structs.replace(unconfirmed, id=batch_id, is_id_given=True)
        self._batches.replace(unconfirmed, batch)
        if not self._is_cancelling:
            await self._collect(batch, batch_id)

    async def create_batches(self, batch_size: int) -> None:
        """Create batches of all pending requests, unless the budget of the session is spent."""
        requests: list[bytes] = []
        members: list[tuple[str | int, str]] = []
        size = 0
        for found in self._files.input.read_pending(self._files.checked):
            if found is None:
                await asyncio.sleep(0)
                continue
            try:
                endpoints_of(self._session).check_budget()
            except BudgetExceededError as error:
                self.late_failure = detach(error)  # earlier batches are paid for
                return
            _, request, digest = found
            server_id = build_server_id(hash_id(request.custom_id), digest)
            encoded = msgspec.json.encode(
                {"custom_id": server_id, "params": request.build_params()}
            )
            if requests and (len(requests) >= batch_size or size + len(encoded) > _MAX_BATCH_BYTES):
                await self._create_batch(requests, members)
                requests, members, size = [], [], 0
            requests.append(encoded)
            members.append((request.custom_id, digest.hex()))
            size += len(encoded)
        if requests:
            await self._create_batch(requests, members)

    async def cancel_batches(self) -> None:
        """Ask the server to cancel all batches."""
        for batch in self._batches.read():
            if batch.id is None:
                continue
            self._has_begun = True
            try:
                await cancel_batch(self._session, batch.id)
            except (BadRequestError, NotFoundError):
                continue  # it has ended, or fetching its results reports the error

    async def collect_results(self) -> None:
        """Poll the batches until all have ended, and write their results."""
        delay = _FIRST_DELAY
        while await self._collect_finished():
            self._progress.report()
            await asyncio.sleep(delay)
            delay = min(delay * _DELAY_GROWTH, _MAX_DELAY)
        if self._unreadable:
            raise next(iter(self._unreadable.values()))

    async def _collect_finished(self) -> bool:
        """Write the results of the batches that have ended; return whether any is still running."""
        is_any_running = False
        for batch in self._batches.read():
            if batch.id is None or batch.id in self._unreadable:
                continue
            try:
                is_any_running |= not await self._collect(batch, batch.id)
            except (APIError, ProtocolError, UnconfirmedBatchError) as error:
                # The results of the other batches have been paid for: fetch them first.
                self._unreadable[batch.id] = error
        return is_any_running

    async def _create_batch(
        self, requests: list[bytes], members: list[tuple[str | int, str]]
    ) -> None:
        batch = self._batches.submit(members, begun=self._has_begun)
        # A cancellation must not come between the two steps of this task: then the user would have
        # to look for a batch that is known.
        task = asyncio.ensure_future(self._create_and_confirm(batch, requests))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as cancellation:
            await asyncio.wait([task], timeout=_CANCEL_GRACE)
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
            if task.cancelled():
                cancellation.add_note(describe_lost_response(batch))
            elif (error := task.exception()) is not None:
                for note in getattr(error, "__notes__", ()):
                    cancellation.add_note(note)
            raise

    async def _create_and_confirm(self, batch: ServerBatch, requests: list[bytes]) -> None:
        try:
            batch_id = await create_batch(self._session, requests)
        except AIMLChatError as error:
            if not is_surely_not_created(error):
                error.add_note(describe_lost_response(batch))
                raise
            try:
                self._batches.replace(batch, None)
            except OutputFileError as unchanged:
                error.add_note(str(unchanged))
            raise
        self._has_begun = True
        self._batches.confirm(batch, batch_id)

    async def _collect(self, batch: ServerBatch, batch_id: str) -> bool:
        """Write the results of a batch, and delete its record; return False if it is running."""
        try:
            fetched = await fetch_results(self._session, batch_id)
        except NotFoundError as error:
            if not batch.is_id_given:
                error.add_note(
                    "Check the key and the base URL. If the batch has expired, delete its line from"
                    f" {self._batches.path} to have its requests sent, and charged, again."
                )
                raise
            raise self._reject_id(batch, f"the server knows no batch {batch_id!r}") from error
        if fetched is None:
            return False
        missing, others = self._write(batch, batch_id, fetched.results)
        try:
            self._writer.finish()
        finally:
            if self._writer.has_failed:  # the last results may have been written only now
                self._progress.report()
        self._files.output.sync()
        if missing and others and batch.is_id_given:
            reason = (
                f"the batch {batch_id} has results of {others:,} other requests, and none of"
                f" {missing:,} that were submitted"
            )
            raise self._reject_id(batch, reason)
        if batch.is_id_given and not fetched.results and not self._is_cancelling:
            reason = f"the batch {batch_id} has ended without results that tell its requests"
            raise self._reject_id(batch, reason)
        if missing and (damaged := fetched.unreadable + others):
            msg = (
                f"the results of the batch {batch_id} are damaged (unreadable lines:"
                f" {damaged}, requests without a result: {missing}); all others are"
                " written. Run the same command again to fetch the rest; if that does not help,"
                f" delete the line of the batch from {self._batches.path} to have these requests"
                " sent, and charged, again"
            )
            raise ProtocolError(msg)
        self._batches.replace(batch, None)
        return True

    def _reject_id(self, batch: ServerBatch, reason: str) -> UnconfirmedBatchError:
        """Make a batch unconfirmed again, because its id belongs to another batch."""
        unconfirmed = msgspec.structs.replace(batch, id=None, is_id_given=False)
        self._batches.replace(batch, unconfirmed)
        return build_unconfirmed_error(unconfirmed, reason=reason, begun=self._has_begun)

    def _write(
        self, batch: ServerBatch, batch_id: str, results: list[dict[str, Any]]
    ) -> tuple[int, int]:
        """Write the results of a batch.

        Returns how many of its requests have neither a line in the results nor one in the output,
        and how many results are those of requests that are not in the batch.
        """
        members = {hash_id(custom_id): (custom_id, digest) for custom_id, digest in batch.members}
        get_flags = self._files.known_ids.get_flags
        missing, others = set(members), 0
        for fetched in results:
            key, submitted = parse_server_id(fetched["custom_id"])
            custom_id, digest = members.get(key, ("", ""))
            if key not in members or parse_digest(digest) not in (b"", submitted):
                others += 1
                continue
            missing.discard(key)
            result, flags = fetched.get("result"), get_flags(key)
            # It is in the output if a run was killed before it deleted the batch's record.
            if flags & IN_OUTPUT or _is_unanswered(result):
                continue
            written = encode_server_result(custom_id, digest, batch_id, result)
            self._writer.write(custom_id, written.line)
            self._files.known_ids.add(key, IN_OUTPUT)
            if flags & IN_INPUT:
                self._progress.add(custom_id, written.error, written.usage, written.cost)
        return sum(not get_flags(key) & IN_OUTPUT for key in missing), others


def _is_unanswered(result: Any) -> bool:
    """Return whether a result says that its request was not answered; it is then sent again."""
    return result is None or (isinstance(result, dict) and result.get("type") == "canceled")
