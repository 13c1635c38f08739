"""A file of requests, handed to the vendor's own batch endpoint."""

from __future__ import annotations

import asyncio
from typing import IO, TYPE_CHECKING, Any

import msgspec

from aimlchat.errors import BadRequestError, ConfigurationError

from . import batches_api
from .known_ids import IN_INPUT, IN_OUTPUT, key_of
from .result_lines import line_of_message
from .run import Job, opened
from .server_batches import Batch, Register
from .summary import Summary, Tally
from .writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aimlchat.session import ChatSession

__all__ = ["run_on_server"]

_MOST_BYTES = 32 * 1024 * 1024
_FIRST_POLL = 0.5
_SLOWEST_POLL = 30.0
_PATIENCE = 1.5


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
    """Have the requests of a file done by the vendor's batch endpoint, which only has Claude.

    The files are those of `run`, and the results' bodies are Anthropic's messages. The batches are
    made first, each noted beside the output in ``TARGET.batches``, and then polled, every half a
    minute in the end; the next run finds them there. What a batch did not answer stays to be done.

    Args:
        session: what asks.
        source: as for `run`.
        target: a path.
        retry_failed: as for `run`.
        model: as for `run`.
        batch_size: how many requests go into one batch at most; no more than 32 MiB do.
        cancel: begin nothing, but cancel what is on the server, and write what it had finished.
        on_progress: called with a `Summary` after each result, and each look at the server.

    Raises what `run` raises. Cancelling is safe: the batches go on at the server.
    """
    async with opened(
        session, source, target, model, retry_failed=retry_failed, server_side=True
    ) as job:
        if job.sink.path is None:
            msg = f"a batch on the server needs a file for its output, and {target} is none"
            raise ConfigurationError(msg)
        tally = Tally(job.plan, on_progress)
        desk = _Desk(session, job, Register(job.sink.path), tally)
        if cancel:
            await desk.cancel()
        else:
            await desk.hand_in(batch_size)
        await desk.collect()
        return tally.summary()


class _Desk:
    """Where batches are handed in and collected."""

    def __init__(self, session: ChatSession, job: Job, register: Register, tally: Tally) -> None:
        self._session = session
        self._job = job
        self._register = register
        self._tally = tally
        self._writer = Writer(job.sink)

    async def hand_in(self, batch_size: int) -> None:
        """Make batches of all that is to do."""
        requests: list[bytes] = []
        members: list[tuple[str | int, str]] = []
        size = 0
        for found in self._job.source.missing(self._job.plan, self._job.ledger):
            if found is None:
                await asyncio.sleep(0)
                continue
            _, entry, digest = found
            # The vendor's own rule for ids is narrow; these fit every id.
            name = f"{key_of(entry.custom_id):016x}"
            request = msgspec.json.encode({"custom_id": name, "params": entry.params()})
            if requests and (len(requests) >= batch_size or size + len(request) > _MOST_BYTES):
                await self._create(requests, members)
                requests, members, size = [], [], 0
            requests.append(request)
            members.append((entry.custom_id, digest.hex()))
            size += len(request)
        if requests:
            await self._create(requests, members)

    async def cancel(self) -> None:
        """Ask the server to end all batches."""
        for batch in self._register.batches():
            try:
                await batches_api.cancel(self._session, batch.id)
            except BadRequestError:
                # It is over already, and its results wait: who looks will see.
                continue

    async def collect(self) -> None:
        """Look at the batches until all are over, and write their results."""
        delay = _FIRST_POLL
        while True:
            for batch in tuple(self._register.batches()):
                results = await batches_api.look(self._session, batch.id)
                if results is not None:
                    self._write(batch, results)
                    self._writer.finish()
                    self._job.sink.sync()
                    self._register.remove(batch.id)
            if not self._register.path.exists():
                return
            self._tally.tell()
            await asyncio.sleep(delay)
            delay = min(delay * _PATIENCE, _SLOWEST_POLL)

    async def _create(self, requests: list[bytes], members: list[tuple[str | int, str]]) -> None:
        async def create() -> None:
            batch_id = await batches_api.create(self._session, requests)
            self._register.add(Batch(batch_id, members))

        # Not to be cancelled halfway: a batch whose id nobody has noted would be paid for in vain.
        task = asyncio.ensure_future(create())
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await task
            raise

    def _write(self, batch: Batch, results: list[dict[str, Any]]) -> None:
        members = {
            f"{key_of(custom_id):016x}": (custom_id, digest) for custom_id, digest in batch.members
        }
        for answer in results:
            member, result = members.pop(str(answer["custom_id"]), None), answer.get("result")
            if member is None or not isinstance(result, dict) or result.get("type") == "canceled":
                continue  # nobody here asked for it, or nobody has answered it: it stays to be done
            custom_id, digest = member
            key = key_of(custom_id)
            known = self._job.ledger.flags(key)
            if known & IN_OUTPUT:
                continue  # written by a run that was killed before it could forget the batch
            line, error, usage, cost = line_of_message(custom_id, digest, batch.id, result)
            self._writer.write(custom_id, line)
            self._job.ledger.note(key, IN_OUTPUT)
            if known & IN_INPUT:
                self._tally.add(error, usage, cost)
