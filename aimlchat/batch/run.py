"""Send the requests of a file from this machine."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Literal

from aimlchat._client.many import take_ready
from aimlchat._payload.limits import check_model
from aimlchat.errors import AIMLChatError

from .disk_sync import DiskSync, check_fsync
from .files import BatchFiles, open_files
from .input_lines import BatchRequest
from .result_lines import encode_completion, encode_failure
from .shard import parse_shard
from .summary import ProgressReporter, Summary
from .writer import ResultWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from aimlchat.iterators import CompletionIterator
    from aimlchat.policies import Timeouts
    from aimlchat.records import Outcome
    from aimlchat.session import ChatSession

__all__ = ["run"]


async def run(
    session: ChatSession,
    source: str | Path | IO[bytes],
    target: str | Path | IO[bytes],
    *,
    concurrency: int | Literal["auto"] = 32,
    budget_usd: float | None = None,
    retry_failed: bool = False,
    model: str | None = None,
    timeouts: Timeouts | None = None,
    shard: str | None = None,
    fsync: Literal["second", "each"] = "second",
    on_progress: Callable[[Summary], object] | None = None,
) -> Summary:
    """Send the requests of a file, write each result as it arrives, and return a summary.

    The whole input is checked before the first request is sent. A request that has a result in the
    output is not sent again. Neither is a request that failed, unless ``retry_failed`` is set: then
    the failures are first removed from the output. Retries and limits are the session's.

    Args:
        session: sends the requests.
        source: the input: a path, or a stream of bytes. What cannot be read twice, such as a pipe,
            is first copied to a temporary file, in a thread.
        target: the output: a path, or a stream of bytes. A later run can resume from a file only,
            not from a stream, a pipe or a device.
        concurrency: how many requests are in flight at once; ``"auto"`` adapts to the server.
        budget_usd: send no further request once the server has charged this many dollars for this
            run.
        retry_failed: send again the requests that failed in earlier runs. With another ``model``,
            the answers of the earlier one are kept.
        model: the model of requests that name none; by default the session's.
        timeouts: the timeouts of each call; by default the session's.
        shard: answer only this shard of the requests, such as ``"3/16"``, the third of sixteen. The
            id of a request decides to which shard it belongs. Each shard has an output of its own.
        fsync: when the system has to write results to the disk, so that they outlast a crash of the
            machine: ``"second"``, within a second of their arrival, or ``"each"``, before they
            count as done. A crash or a kill of the process loses none in either case.
        on_progress: called with a `Summary` at the start and after each result.

    Raises:
        ConfigurationError: there is no such shard, or ``fsync`` is another word.
        InputError: the input, or the output of an earlier run, cannot be read.
        BusyError: another run is writing to this output.
        OutputFileError: the output cannot be written.
        BrokenPipeError: the output is a pipe, and its reader has closed it.
        AIMLChatError: what concerns every request: a rejected key, no credits left, a server that
            cannot be reached, or nothing that has gone through for
            ``RetryPolicy.max_retry_after``. All results that had arrived are written first.

    Cancelling is safe: it writes what has arrived, and abandons the requests in flight.
    """
    own_shard = None if shard is None else parse_shard(shard)
    check_fsync(fsync)
    async with (
        open_files(
            source,
            target,
            session.model if model is None else check_model(model),
            shard=own_shard,
            retry_failed=retry_failed,
        ) as files,
        DiskSync(files.output, fsync) as disk_sync,
    ):
        writer = ResultWriter(files.output, own_shard)
        progress = ProgressReporter(files.checked, on_progress)
        # The type of `complete_many` does not include the raw bodies that it accepts.
        requests: Any = _PendingRequests(files, writer, disk_sync)
        outcomes = session.complete_many(
            requests,
            concurrency=concurrency,
            ordered=False,
            budget_usd=budget_usd,
            timeouts=timeouts,
        )
        try:
            async with outcomes:
                await _write_results(outcomes, writer, disk_sync, progress)
        finally:
            # Calls that have finished in the meantime were paid for as well. The error that ends
            # the iteration is being raised already.
            with suppress(AIMLChatError):
                await _write_results(outcomes, writer, disk_sync, progress)
            writer.finish()
        if disk_sync.failure is not None:
            raise disk_sync.failure
        return progress.summarize(is_out_of_budget=outcomes.is_out_of_budget)


class _PendingRequests:
    """An async iterator over the pending requests; it ends early if the output has failed."""

    def __init__(self, files: BatchFiles, writer: ResultWriter, disk_sync: DiskSync) -> None:
        self._pending = files.input.read_pending(files.checked, files.known_ids)
        self._writer = writer
        self._disk_sync = disk_sync
        # Request ids are made here and not by the session, so that a failure is written with its
        # own id. They are random, so that they are unique among all runs.
        self._run_id = os.urandom(8).hex()

    def __aiter__(self) -> AsyncIterator[BatchRequest]:
        return self

    async def __anext__(self) -> BatchRequest:
        while True:
            if self._writer.has_failed or self._disk_sync.failure is not None:
                raise StopAsyncIteration
            try:
                found = next(self._pending)
            except StopIteration:
                raise StopAsyncIteration from None
            if found is not None:
                break
            # Many lines had nothing to send, so no call has yielded to the event loop.
            await asyncio.sleep(0)
        number, request, digest = found
        return BatchRequest(
            request.build_body(),
            f"{self._run_id}-{number}",
            custom_id=request.custom_id,
            digest=digest.hex(),
        )


async def _write_results(
    outcomes: CompletionIterator,
    writer: ResultWriter,
    disk_sync: DiskSync,
    progress: ProgressReporter,
) -> None:
    """Write the results as they arrive, those that have arrived together by one system call."""
    async for first in outcomes:
        ready = [first, *take_ready(outcomes)]
        writer.write_all(map(_encode_outcome, ready))
        await disk_sync.results_written()
        for outcome in ready:
            completion, error = outcome.completion, outcome.error
            progress.add(
                None if error is None else type(error).__name__,
                None if completion is None else completion.usage,
                None if completion is None else completion.cost,
            )


def _encode_outcome(outcome: Outcome) -> tuple[str | int, bytes]:
    """Return the id and the line of a result."""
    request: Any = outcome.request
    error: Any = outcome.error
    if outcome.completion is not None:
        return request.custom_id, encode_completion(request, outcome.completion)
    return request.custom_id, encode_failure(request, error)
