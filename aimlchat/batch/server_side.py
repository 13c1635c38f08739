"""Have the vendor's batch endpoint answer the requests of a file."""

from __future__ import annotations

import asyncio
from typing import IO, TYPE_CHECKING, Any

import msgspec

from aimlchat._payload.limits import check_model
from aimlchat.errors import (
    AIMLChatError,
    BadRequestError,
    ConfigurationError,
    NotFoundError,
    ProtocolError,
)

from .batches_api import cancel_batch, create_batch, fetch_results
from .files import BatchFiles, open_files
from .known_ids import IN_INPUT, IN_OUTPUT, hash_id
from .result_lines import encode_server_result
from .server_batches import ServerBatch, ServerBatches
from .summary import ProgressReporter, Summary
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


async def run_on_server(
    session: ChatSession,
    source: str | Path | IO[bytes],
    target: str | Path,
    *,
    retry_failed: bool = False,
    model: str | None = None,
    batch_size: int = 10_000,
    cancel: bool = False,
    on_progress: Callable[[Summary], object] | None = None,
) -> Summary:
    """Have the vendor's batch endpoint, which only has Claude, answer the requests of a file.

    The files are those of `run`; the body of a result is an Anthropic message. First the batches
    are created, and each is recorded beside the output in ``TARGET.batches``, where the next run
    finds it. Then they are polled, at first often and in the end every 30 seconds. A request that a
    batch leaves without a result is sent again by the next run.

    Args:
        session: sends the requests to the batch endpoint.
        source: as for `run`.
        target: a path.
        retry_failed: as for `run`.
        model: as for `run`.
        batch_size: the maximum number of requests in a batch; its maximum size is 32 MiB.
        cancel: create no batch, but cancel those on the server, and write what they had finished.
        on_progress: called with a `Summary` at the start, after each result and after each poll.

    Raises what `run` raises; also `ProtocolError` or `NotFoundError`, once all other batches are
    written, if the server does not return the results of a batch. Cancelling is safe: the batches
    continue on the server.
    """
    async with open_files(
        source,
        target,
        session.model if model is None else check_model(model),
        retry_failed=retry_failed,
        server_side=True,
    ) as files:
        if files.output.path is None:
            msg = f"server-side batches need a file as their output, and {target} is not a file"
            raise ConfigurationError(msg)
        progress = ProgressReporter(files.checked, on_progress)
        server_run = _ServerRun(session, files, ServerBatches(files.output.path), progress)
        if cancel:
            await server_run.cancel_batches()
        else:
            await server_run.create_batches(batch_size)
        await server_run.collect_results()
        return progress.summarize()


class _ServerRun:
    """One run over the batches on the server."""

    def __init__(
        self,
        session: ChatSession,
        files: BatchFiles,
        batches: ServerBatches,
        progress: ProgressReporter,
    ) -> None:
        self._session = session
        self._files = files
        self._batches = batches
        self._progress = progress
        self._writer = ResultWriter(files.output)
        self._unreadable: dict[str, AIMLChatError] = {}
        """By the id of a batch, the error that kept its results from being read."""

    async def create_batches(self, batch_size: int) -> None:
        """Create batches of all pending requests."""
        requests: list[bytes] = []
        members: list[tuple[str | int, str]] = []
        size = 0
        for found in self._files.input.read_pending(self._files.checked, self._files.known_ids):
            if found is None:
                await asyncio.sleep(0)
                continue
            _, request, digest = found
            server_id = _build_server_id(hash_id(request.custom_id))
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
            try:
                await cancel_batch(self._session, batch.id)
            except BadRequestError:
                continue  # it has ended, and its results are fetched next

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
        for batch in tuple(self._batches.read()):
            if batch.id in self._unreadable:
                continue
            try:
                is_any_running |= not await self._collect(batch)
            except (ProtocolError, NotFoundError) as error:
                # The results of the other batches have been paid for: fetch them first.
                self._unreadable[batch.id] = error
        return is_any_running

    async def _create_batch(
        self, requests: list[bytes], members: list[tuple[str | int, str]]
    ) -> None:
        async def create_and_record() -> None:
            batch_id = await create_batch(self._session, requests)
            self._batches.add(ServerBatch(batch_id, members))

        # A cancellation must not come between the two steps: the results of a batch whose id is not
        # recorded would be paid for and never fetched.
        task = asyncio.ensure_future(create_and_record())
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await task
            raise

    async def _collect(self, batch: ServerBatch) -> bool:
        """Write the results of a batch, and delete its record; return False if it is running."""
        fetched = await fetch_results(self._session, batch.id)
        if fetched is None:
            return False
        missing = self._write(batch, fetched.results)
        self._writer.finish()
        self._files.output.sync()
        if missing and fetched.unreadable:
            msg = (
                f"the results of the batch {batch.id} are damaged (unreadable lines:"
                f" {fetched.unreadable}, requests without a result: {missing}); all others are"
                " written. Run the same command again to fetch the rest; if that does not help,"
                f" delete the line of the batch from {self._batches.path} to have these requests"
                " sent, and charged, again"
            )
            raise ProtocolError(msg)
        self._batches.remove(batch.id)
        return True

    def _write(self, batch: ServerBatch, results: list[dict[str, Any]]) -> int:
        """Write the results of a batch; return how many of its requests are still without one."""
        members = {hash_id(custom_id): (custom_id, digest) for custom_id, digest in batch.members}
        get_flags = self._files.known_ids.get_flags
        for fetched in results:
            key, result = _parse_server_id(fetched["custom_id"]), fetched.get("result")
            member = members.pop(key, None)
            if member is None or _is_unanswered(result):
                continue
            custom_id, digest = member
            flags = get_flags(key)
            if flags & IN_OUTPUT:
                continue  # written by a run that was killed before it deleted the batch's record
            written = encode_server_result(custom_id, digest, batch.id, result)
            self._writer.write(custom_id, written.line)
            self._files.known_ids.add(key, IN_OUTPUT)
            if flags & IN_INPUT:
                self._progress.add(written.error, written.usage, written.cost)
        return sum(not get_flags(key) & IN_OUTPUT for key in members)


def _is_unanswered(result: Any) -> bool:
    """Return whether a result says that its request was not answered; it is then sent again."""
    return result is None or (isinstance(result, dict) and result.get("type") == "canceled")


def _build_server_id(key: int) -> str:
    """Return the id of a request in its batch; the vendor's rule for ids is narrower than ours."""
    return f"{key:016x}"


def _parse_server_id(server_id: Any) -> int:
    """Return the key of a request from its id in the batch; 0, which is no key, if it has none."""
    try:
        # An id of decimal digits may come back as a number.
        return int(str(server_id), 16) if isinstance(server_id, str | int) else 0
    except ValueError:
        return 0
