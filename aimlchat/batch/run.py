"""A file of requests, sent from here."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, closing, suppress
from typing import IO, TYPE_CHECKING, Any, Literal

import attrs

from aimlchat.errors import AIMLChatError

from .errors import InputError
from .input_file import Plan, Source
from .input_lines import Asked
from .journal import Sink, open_sink
from .known_ids import ON_SERVER, Ledger, key_of
from .result_lines import failure_line, success_line
from .server_batches import Register
from .summary import Summary, Tally
from .writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from aimlchat._client.many import CompletionIterator
    from aimlchat.policies import Timeouts
    from aimlchat.session import ChatSession

__all__ = ["Job", "opened", "run"]


@attrs.frozen
class Job:
    """The files of a run, checked and ready, and what there is to do."""

    source: Source
    sink: Sink
    ledger: Ledger
    plan: Plan


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
    on_progress: Callable[[Summary], object] | None = None,
) -> Summary:
    """Send the requests of a file, and write their results to another as they come.

    The whole input is checked before the first call. A request whose result stands in the output
    is not sent again, nor is one that failed, unless ``retry_failed``: then the failures are taken
    out of the output first. Retries and limits are the session's.

    Args:
        session: what sends them.
        source: a path, or a stream; one that cannot be read twice is first copied to a temporary
            file, which blocks until its end.
        target: a path, or a stream, which cannot be resumed from.
        concurrency: how many are in flight at once; ``"auto"`` finds out what the server bears.
        budget_usd: begin no further call once this run was charged so much.
        retry_failed: do the failures of earlier runs again.
        model: the model of requests that name none; default the session's.
        timeouts: those of each call; default the session's.
        on_progress: called with a `Summary` after each result.

    Raises `InputError`, `BusyError` or `OutputFileError`; or what hits every request (a key that is
    refused, no credits left), after all results that had come were written. Cancelling is safe: it
    writes what has come, and gives up what is in flight.
    """
    async with opened(session, source, target, model, retry_failed=retry_failed) as job:
        writer, tally = Writer(job.sink), Tally(job.plan, on_progress)
        # A body as it stands is no request that the session's signature names.
        requests: Any = _Intake(job, writer)
        outcomes = session.complete_many(
            requests,
            concurrency=concurrency,
            ordered=False,
            budget_usd=budget_usd,
            timeouts=timeouts,
        )
        try:
            async with outcomes:
                await _record_all(outcomes, writer, tally)
        finally:
            # What is finished and was not looked at yet has been paid for, too. Why it is the last
            # of them is raised already.
            with suppress(AIMLChatError):
                await _record_all(outcomes, writer, tally)
            writer.finish()
        return tally.summary(is_out_of_budget=outcomes.is_out_of_budget)


@asynccontextmanager
async def opened(
    session: ChatSession,
    source: str | Path | IO[bytes],
    target: str | Path | IO[bytes],
    model: str | None,
    *,
    retry_failed: bool,
    server_side: bool = False,
) -> AsyncIterator[Job]:
    """Open and check both files; nothing is written before all of the input is known to be good."""
    model = model or session.model
    with closing(Source(source, model)) as lines, closing(open_sink(target)) as sink:
        if sink.path is not None and sink.path == lines.path:
            msg = f"{sink.path} is the input; give the output another name"
            raise InputError(msg)
        ledger = Ledger()
        await sink.read(ledger)
        if sink.path is not None:
            _note_batches(Register(sink.path), ledger, server_side=server_side)
        plan = await lines.check(ledger, server_side=server_side, retry_failed=retry_failed)
        await sink.prepare(ledger, retry_failed=retry_failed)
        yield Job(lines, sink, ledger, plan)


def _note_batches(register: Register, ledger: Ledger, *, server_side: bool) -> None:
    for batch in register.batches():
        if not server_side:
            msg = (
                f"the batch {batch.id} of this output is on the server still: fetch or cancel it"
                f" server-side first, or delete {register.path} to give it up"
            )
            raise InputError(msg)
        for custom_id, digest in batch.members:
            ledger.note(key_of(custom_id), ON_SERVER, bytes.fromhex(digest))


class _Intake:
    """The requests that are to do, read as they are wanted; it ends when the output has failed."""

    def __init__(self, job: Job, writer: Writer) -> None:
        self._missing = job.source.missing(job.plan, job.ledger)
        self._writer = writer
        # Known before the call, so that a failure bears it too; random, so that it is unique.
        self._run = os.urandom(8).hex()

    def __aiter__(self) -> AsyncIterator[Asked]:
        return self

    async def __anext__(self) -> Asked:
        # The tasks of the calls give others their turn; where nothing is to do, nobody else does.
        while True:
            if self._writer.has_failed:
                raise StopAsyncIteration
            try:
                found = next(self._missing)
            except StopIteration:
                raise StopAsyncIteration from None
            if found is not None:
                break
            await asyncio.sleep(0)
        number, entry, digest = found
        return Asked(
            entry.body(),
            f"{self._run}-{number}",
            custom_id=entry.custom_id,
            digest=digest.hex(),
        )


async def _record_all(outcomes: CompletionIterator, writer: Writer, tally: Tally) -> None:
    async for outcome in outcomes:
        asked: Any = outcome.request
        completion, error = outcome.completion, outcome.error
        if completion is not None:
            writer.write(asked.custom_id, success_line(asked, completion))
            tally.add(None, completion.usage, completion.cost)
        elif error is not None:
            writer.write(asked.custom_id, failure_line(asked, error))
            tally.add(type(error).__name__)
