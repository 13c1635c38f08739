"""The code of an actor: one session, and one run of many calls, which answers all batches."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import ray

from aimlchat.errors import AIMLChatError

from .result_columns import BatchResults, describe_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pyarrow as pa

    from .answering_job import AnsweringJob

__all__ = ["AnsweringActor"]

_MAX_DEATHS = 3
"""How many actors may die in a batch before the batch is considered the cause."""


class AnsweringActor:
    """Answers one batch after the other.

    The calls of all batches belong to one run, which keeps what it has learned about the server:
    its pace, and how many calls it sustains. Ray Data makes the instance, calls it in a thread, and
    deletes it when the actor ends.
    """

    def __init__(self, job: AnsweringJob) -> None:
        self._job = job
        self._runner = asyncio.Runner()
        self._rows: asyncio.Queue[tuple[BatchResults, int]] = asyncio.Queue()
        self._open: dict[int, int] = {}  # the rows of the batch, by the index of the request
        self._outcomes = job.complete_many(_make_requests(job, self._rows, self._open))
        self._failure: str | None = None  # the failure of all further rows
        self._id = ray.get_runtime_context().get_actor_id()

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return the table with the columns of the answers."""
        batch = BatchResults(table, self._job)
        # Ray gives the batch of an actor that died to that actor again.
        key = f"{self._id} {batch.digest()}"
        deaths = self._job.ledger.start(key)
        if deaths < _MAX_DEATHS and self._failure is None:
            self._failure = self._runner.run(self._answer(batch))
        failure = self._failure
        if deaths >= _MAX_DEATHS:
            # Ray would send it forever, and each time it would be paid for.
            failure = f"ActorDiedError: not sent again: {deaths} times its actor has died"
        self._job.ledger.finish(key)
        return batch.to_table(failure)

    def __del__(self) -> None:
        """Close the session, when Ray Data lets go of this object before the actor ends."""
        self._runner.run(self._close())
        self._runner.close()

    async def _close(self) -> None:
        await self._outcomes.aclose()
        await self._job.session.close()

    async def _answer(self, batch: BatchResults) -> str | None:
        """Answer a batch; return the failure that all further rows would share, if any."""
        for row in range(batch.unfinished):
            self._rows.put_nowait((batch, row))
        while batch.unfinished:
            try:
                outcome = await anext(self._outcomes)
            except AIMLChatError as error:
                return describe_error(error)
            batch.finish(self._open.pop(outcome.index), outcome)
            received: Any = outcome.completion or getattr(outcome.error, "partial", None)
            self._job.ledger.add(received.cost)  # an answer that is not of its type was billed
        await self._job.ledger.report()  # this actor may now wait for another batch
        return None


# Not methods: objects of an actor must not refer to the actor, or `__del__` would have to wait for
# the garbage collector.
async def _make_requests(
    job: AnsweringJob, rows: asyncio.Queue[tuple[BatchResults, int]], open_rows: dict[int, int]
) -> AsyncIterator[Any]:
    """Yield the requests of all batches, without an end."""
    index = 0
    while True:
        batch, row = await rows.get()
        open_rows[index] = row
        index += 1
        yield await _make_request(job, batch, row)


async def _make_request(job: AnsweringJob, batch: BatchResults, row: int) -> Any:
    """Return the request of a row; None, which is never sent, if the row has failed already."""
    try:
        await job.ledger.check_budget()
        return batch.make_request(row)
    except Exception as error:  # noqa: BLE001 - whatever the caller's function raises
        batch.fail(row, describe_error(error))
        return None
