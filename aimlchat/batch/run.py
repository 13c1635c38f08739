"""Send the requests of a file from this machine."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Literal

from aimlchat._client.output_options import check_output
from aimlchat._client.prepare import ask_for_type
from aimlchat._client.tally import count_tokens
from aimlchat._payload.limits import check_model
from aimlchat._schema.plain_outputs import PlainOutput
from aimlchat.errors import AIMLChatError

from .disk_sync import DiskSync, check_fsync
from .files import BatchFiles, open_files
from .input_lines import BatchRequest, InputRequest, TypedBatchRequest
from .result_lines import encode_completion, encode_failure
from .shard import parse_shard
from .summary import ProgressReporter, Summary
from .writer import ResultWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from aimlchat._schema.output_types import OutputType
    from aimlchat.completions import Completion
    from aimlchat.iterators import CompletionIterator
    from aimlchat.policies import Timeouts
    from aimlchat.session import ChatSession

__all__ = ["run"]

_END: Any = object()


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
    output_type: Any = None,
    output_retries: int = 0,
    on_progress: Callable[[Summary], object] | None = None,
) -> Summary:
    """Send the requests of a file, write each result as it arrives, and return a summary.

    The whole input is checked before the first request is sent. A request that has a result in the
    output is not sent again. Neither is a request that failed, unless ``retry_failed`` is set: then
    the failures are first removed from the output. Retries and limits are the session's.

    Args:
        session: sends the requests.
        source: the input: a path, or a stream of bytes. An input that cannot be read twice, such as
            a pipe, is first copied to a temporary file, in a thread.
        target: the output: a path, or a stream of bytes. A later run can resume from a file only,
            not from a stream, a pipe or a device.
        concurrency: how many requests are in flight at once; ``"auto"`` adapts to the server.
        budget_usd: send no further request once the server has charged this many dollars for this
            run.
        retry_failed: send again the requests that failed in earlier runs. With another ``model``,
            the answers of the earlier one are kept.
        model: the model of requests that do not name one; by default the session's.
        timeouts: the timeouts of each call; by default the session's.
        shard: answer only this shard of the requests, such as ``"3/16"``, the third of sixteen. The
            id of a request decides to which shard it belongs. Each shard has an output of its own.
        fsync: when the system has to write results to the disk, so that they survive a crash of the
            machine: ``"second"``, within a second of their arrival, or ``"each"``, before they
            count as done. A crash or a kill of the process loses none in either case.
        output_type: the type of the answers, as for `ChatSession.complete`: each result then has an
            ``output``, the JSON value. An answer that is not of the type is a failure, and keeps
            its response. The fields that request the type are added to each body.
        output_retries: as for `ChatSession.complete`.
        on_progress: called with a `Summary` at the start and after each result.

    Raises:
        ConfigurationError: there is no such shard, or ``fsync`` has another value.
        InvalidRequestError: JSON schema cannot describe ``output_type``.
        InputError: the input, or the output of an earlier run, cannot be read.
        BusyError: another run is writing to this output.
        OutputFileError: the output cannot be written.
        BrokenPipeError: the output is a pipe, and its reader has closed it.
        AIMLChatError: a failure that affects every request: a rejected key, no credits left, a
            server that cannot be reached, or no success for ``RetryPolicy.max_retry_after``. All
            results that had arrived are written first.

    Cancelling is safe: it writes what has arrived, and abandons the requests in flight.
    """
    own_shard = None if shard is None else parse_shard(shard)
    check_fsync(fsync)
    output = check_output(output_type, output_retries)
    if output is not None:
        output = PlainOutput.of(output)
    async with (
        open_files(
            source,
            target,
            session.model if model is None else check_model(model),
            shard=own_shard,
            retry_failed=retry_failed,
            build=InputRequest.build_body if output is None else partial(_check_typed, output),
        ) as files,
        DiskSync(files.output, fsync) as disk_sync,
    ):
        writer = ResultWriter(files.output, own_shard)
        progress = ProgressReporter(files.checked, writer, on_progress)
        # The type of `complete_many` does not include the raw bodies that it accepts.
        requests: Any = _PendingRequests(files, writer, disk_sync, is_typed=output is not None)
        outcomes = session.complete_many(
            requests,
            concurrency=concurrency,
            ordered=False,
            budget_usd=budget_usd,
            output_type=output,
            output_retries=output_retries,
            timeouts=timeouts,
        )
        outcomes._convert(_keep)  # noqa: SLF001 - of this package
        try:
            async with outcomes:
                await _write_results(outcomes, writer, disk_sync, progress)
        finally:
            # Calls that have finished in the meantime were paid for as well. The error that ends
            # the iteration is being raised already.
            with suppress(AIMLChatError):
                await _write_results(outcomes, writer, disk_sync, progress)
            try:
                writer.finish()
            finally:
                if writer.has_failed:  # the last results may have been written only now
                    progress.report()
        if disk_sync.failure is not None:
            raise disk_sync.failure
        return progress.summarize(is_out_of_budget=outcomes.is_out_of_budget)


class _PendingRequests:
    """An async iterator over the pending requests; it ends early if the output has failed."""

    def __init__(
        self, files: BatchFiles, writer: ResultWriter, disk_sync: DiskSync, *, is_typed: bool
    ) -> None:
        self._is_typed = is_typed
        self._pending = files.input.read_pending(files.checked)
        self._writer = writer
        self._disk_sync = disk_sync
        self._is_over = False
        # Request ids are made here and not by the session, so that a failure is written with its
        # own id. They are random, so that they are unique among all runs.
        self._run_id = os.urandom(8).hex()

    def __aiter__(self) -> AsyncIterator[BatchRequest]:
        return self

    async def __anext__(self) -> BatchRequest:
        while (request := self.take_ready()) is None:
            if self._is_over:
                raise StopAsyncIteration
            # Many lines had nothing to send, so no call has yielded to the event loop.
            await asyncio.sleep(0)
        return request

    def take_ready(self) -> BatchRequest | None:
        """Return the next request; None at the end, or after many lines with nothing to send."""
        has_failed = self._writer.has_failed or self._disk_sync.failure is not None
        found = _END if has_failed else next(self._pending, _END)
        if found is None:
            return None
        if found is _END:
            self._is_over = True
            return None
        number, request, digest = found
        client_request_id = f"{self._run_id}-{number}"
        if self._is_typed:
            return TypedBatchRequest(
                {},
                client_request_id,
                custom_id=request.custom_id,
                digest=digest.hex(),
                request=request.build_request(),
            )
        return BatchRequest(
            request.build_body(),
            client_request_id,
            custom_id=request.custom_id,
            digest=digest.hex(),
        )


def _check_typed(output_type: OutputType, request: InputRequest) -> None:
    """Raise `ValueError` for a request that cannot request a typed answer."""
    typed, _ = ask_for_type(request.build_request(), output_type)
    typed.payload()


async def _write_results(
    outcomes: CompletionIterator,
    writer: ResultWriter,
    disk_sync: DiskSync,
    progress: ProgressReporter,
) -> None:
    """Write the results as they arrive; results that arrive together are written together."""
    results: Any = outcomes  # pairs, see `_keep`
    async for first in results:
        ready: list[_Ended] = [first, *outcomes._take_ready()]  # noqa: SLF001 - of this package
        writer.write_all(map(_encode, ready))
        try:
            await disk_sync.results_written()
        finally:  # also when cancelled: they are in the file, and closing it syncs them
            for request, completion, error in ready:
                failure: Any = error
                received = failure.partial if completion is None else completion  # both were billed
                usage, cost = received.usage, received.cost
                progress.count(
                    request.custom_id,
                    None if error is None else type(error).__name__,
                    (usage and usage.total_tokens) or count_tokens(usage) or 0,
                    0.0 if cost is None else cost.usd,
                )


_Ended = tuple["BatchRequest", "Completion | None", "AIMLChatError | None"]


def _keep(
    request: BatchRequest, completion: Completion | None, error: AIMLChatError | None
) -> _Ended:
    """Return what is queued for a call that has ended; it costs less than an outcome."""
    return request, completion, error


def _encode(ended: _Ended) -> tuple[str | int, bytes]:
    """Return the id and the line of a result."""
    request, completion, error = ended
    if completion is not None:
        return request.custom_id, encode_completion(request, completion)
    failure: Any = error
    return request.custom_id, encode_failure(request, failure)
