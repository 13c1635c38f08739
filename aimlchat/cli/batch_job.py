"""The files and options of one run of ``aimlchat batch``."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import attrs
import click

from aimlchat.batch import run, run_on_server, write_parquet
from aimlchat.batch.output import is_stream
from aimlchat.batch.parquet import check_parquet_target, require_pyarrow
from aimlchat.policies import Timeouts

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aimlchat._schema.output_types import OutputType
    from aimlchat.batch import Summary
    from aimlchat.session import ChatSession

    from .progress import ProgressDisplay

__all__ = ["DEFAULT_CONCURRENCY", "BatchJob"]

DEFAULT_CONCURRENCY = 32
# For one call with all its attempts: a gateway that only sends pings must not stall a batch.
_CALL_DEADLINE_SECONDS = 3600.0


@attrs.frozen
class BatchJob:
    """The files and options of one run. Raises `click.UsageError` for options that conflict."""

    source: str | IO[bytes]
    target: str | IO[bytes]
    concurrency: int | Literal["auto"] | None
    model: str | None
    budget_usd: float | None
    retry_failed: bool
    server_side: bool
    cancel: bool
    batch_id: str | None
    again: bool
    shard: str | None
    fsync: Literal["second", "each"] | None
    output_type: OutputType | None
    parquet: str | None = None
    """The Parquet file that is made of the results at the end, if one is."""

    def __attrs_post_init__(self) -> None:
        if self.server_side:
            for option, value in (
                ("--concurrency", self.concurrency),
                ("--budget-usd", self.budget_usd),
                ("--fsync", self.fsync),
                ("an output type", self.output_type),
            ):
                if value is not None:
                    msg = f"{option} cannot be combined with --server-side."
                    raise click.UsageError(msg)
            if not isinstance(self.target, str):
                msg = "--server-side needs an output file: a later run resumes from it."
                raise click.UsageError(msg)
            if self.again and (self.cancel or self.batch_id is not None):
                msg = "--again submits new requests: it excludes --cancel and --batch-id."
                raise click.UsageError(msg)
            return
        for option, value in (
            ("--cancel", self.cancel),
            ("--batch-id", self.batch_id is not None),
            ("--again", self.again),
        ):
            if value:
                msg = f"{option} concerns a batch on the server: add --server-side."
                raise click.UsageError(msg)

    @property
    def is_resumable(self) -> bool:
        """Whether a later run can read the results of this one."""
        return isinstance(self.target, str) and not is_stream(self.target)

    async def run(self, session: ChatSession, progress: ProgressDisplay) -> Summary:
        """Run the batch from this machine or on the server, as the options say."""
        if self.parquet is not None:
            require_pyarrow()
            check_parquet_target(Path(self.parquet))
        summary = await self._answer(session, progress)
        if self.parquet is not None:
            progress.update(summary)
            await write_parquet(str(self.target), self.parquet)
        return summary

    def _answer(self, session: ChatSession, progress: ProgressDisplay) -> Awaitable[Summary]:
        if self.server_side:
            return run_on_server(
                session,
                self.source,
                str(self.target),
                retry_failed=self.retry_failed,
                model=self.model,
                cancel=self.cancel,
                batch_id=self.batch_id,
                again=self.again,
                shard=self.shard,
                on_progress=progress.update,
            )
        return run(
            session,
            self.source,
            self.target,
            concurrency=self.concurrency or DEFAULT_CONCURRENCY,
            budget_usd=self.budget_usd,
            retry_failed=self.retry_failed,
            model=self.model,
            timeouts=Timeouts(deadline=_CALL_DEADLINE_SECONDS),
            shard=self.shard,
            fsync=self.fsync or "second",
            output_type=self.output_type,
            on_progress=progress.update,
        )
