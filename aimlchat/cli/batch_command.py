"""``aimlchat batch``: answers a file of requests and writes a file of results."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from typing import IO, TYPE_CHECKING, Literal

import attrs
import click

from aimlchat._payload.models import DEFAULT_MODEL
from aimlchat.batch import (
    BusyError,
    InputError,
    OutputFileError,
    Summary,
    run,
    run_on_server,
)
from aimlchat.batch.output import is_stream
from aimlchat.policies import Limits, Timeouts

from .batch_report import describe_outcome
from .completion import complete_file
from .errors import CommandError, CommandInputError, join_notes
from .exit_status import FAILED
from .interrupts import run_interruptible
from .progress import ProgressDisplay
from .terminal import to_one_line
from .upstream import Upstream, upstream_options

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aimlchat.session import ChatSession

__all__ = ["command"]

_STANDARD_STREAM = "-"
_DEFAULT_CONCURRENCY = 32
# For one call with all its attempts: a gateway that only sends pings must not stall a batch.
_CALL_DEADLINE_SECONDS = 3600.0
# All results of a batch are one response: 10,000 of them, which were paid for.
_SERVER_SIDE_LIMITS = Limits(max_answer_bytes=512 * 2**20)


def _parse_concurrency(value: str) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if not (value.isascii() and value.isdecimal() and int(value)):
        msg = f"{value!r} is neither a whole number of at least 1 nor auto."
        raise click.BadParameter(msg)
    return int(value)


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

    def __attrs_post_init__(self) -> None:
        if self.server_side:
            for option, value in (
                ("--concurrency", self.concurrency),
                ("--budget-usd", self.budget_usd),
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

    def run(self, session: ChatSession, progress: ProgressDisplay) -> Awaitable[Summary]:
        """Run the batch from here or on the server, as the options say."""
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
                on_progress=progress.update,
            )
        return run(
            session,
            self.source,
            self.target,
            concurrency=self.concurrency or _DEFAULT_CONCURRENCY,
            budget_usd=self.budget_usd,
            retry_failed=self.retry_failed,
            model=self.model,
            timeouts=Timeouts(deadline=_CALL_DEADLINE_SECONDS),
            on_progress=progress.update,
        )


@click.command("batch")
@click.argument("source", metavar="REQUESTS|-", shell_complete=complete_file)
@click.option(
    "-o",
    "--output",
    "target",
    metavar="RESULTS|-",
    required=True,
    shell_complete=complete_file,
    help="The file of results.",
)
@click.option(
    "--concurrency",
    type=_parse_concurrency,
    metavar="N|auto",
    help=f"Requests in flight at once; auto adapts to the API. [default: {_DEFAULT_CONCURRENCY}]",
)
@click.option(
    "--model",
    metavar="ID",
    help=f"The model of requests that name none. [default: AIMLAPI_MODEL, else {DEFAULT_MODEL}]",
)
@click.option(
    "--budget-usd",
    type=click.FloatRange(min=0, min_open=True),
    metavar="USD",
    help="Start no further request once this run has cost this much.",
)
@click.option("--retry-failed", is_flag=True, help="Retry the failures of earlier runs.")
@click.option(
    "--server-side", is_flag=True, help="Use the batch endpoint of the API (Claude models only)."
)
@click.option("--cancel", is_flag=True, help="With --server-side: end the batches that run there.")
@click.option(
    "--batch-id",
    metavar="ID",
    help="With --server-side: the batch of an earlier run that did not receive its id.",
)
@click.option(
    "--again",
    is_flag=True,
    help="With --server-side: submit the requests of such a batch again, which may charge twice.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@upstream_options
def command(
    *,
    source: str,
    target: str,
    concurrency: int | Literal["auto"] | None,
    model: str | None,
    budget_usd: float | None,
    retry_failed: bool,
    server_side: bool,
    cancel: bool,
    batch_id: str | None,
    again: bool,
    quiet: bool,
    base_url: str | None,
    emulator: bool,
) -> None:
    """Answer a file of requests and write a file of results.

    REQUESTS has one JSON object per line: a request in the format of OpenAI's Batch API, whose body
    is sent unchanged, or {"id": ..., "prompt": ...} or {"id": ..., "messages": [...]} with further
    options of a request. The whole file is checked before the first request is sent. RESULTS gets
    one line per request, in the order in which they finish. Both may be pipes, such as <(zcat x.gz)
    and >(gzip > y.gz).

    RESULTS, if it is a file, is also the journal. Run the same command again, even after a crash or
    kill -9, and only requests without a result are sent. Failures are not retried without
    --retry-failed; with --model they may be retried with another model. Exit
    status: 0 if every request has an answer, 1 if not, 2 if nothing was sent, 130 after Ctrl-C.
    """
    upstream = Upstream(base_url, emulator)
    job = BatchJob(
        source=_read_stdin(source) if source == _STANDARD_STREAM else source,
        target=_unbuffered_stdout() if target == _STANDARD_STREAM else target,
        concurrency=concurrency,
        model=model,
        budget_usd=budget_usd,
        retry_failed=retry_failed,
        server_side=server_side,
        cancel=cancel,
        batch_id=batch_id,
        again=again,
    )
    upstream.require_key()
    try:
        summary = run_interruptible(_run(upstream, job, quiet=quiet))
    except BusyError as error:
        raise CommandInputError(str(error)) from error
    except InputError as error:
        first, *others = str(error).splitlines()
        advice = "\n".join(map(to_one_line, others))
        raise (CommandError if error.begun else CommandInputError)(first, advice) from error
    except OutputFileError as error:
        raise _save_unwritten(error, job) from error
    if not summary.is_success:
        raise click.exceptions.Exit(FAILED)


async def _run(upstream: Upstream, job: BatchJob, *, quiet: bool) -> Summary:
    progress = ProgressDisplay(quiet=quiet)
    limits = _SERVER_SIDE_LIMITS if job.server_side else None
    async with upstream.open_session(limits=limits) as session:
        try:
            progress.latest = summary = await job.run(session, progress)
        except asyncio.CancelledError as cancellation:
            _print_outcome(progress, job, upstream, quiet=quiet)
            advice = join_notes(cancellation)
            if advice or not quiet:
                click.echo(advice or _describe_how_to_resume(job), err=True)
            raise
        except BaseException:
            _print_outcome(progress, job, upstream, quiet=quiet)
            raise
        _print_outcome(progress, job, upstream, quiet=quiet)
    return summary


def _print_outcome(
    progress: ProgressDisplay, job: BatchJob, upstream: Upstream, *, quiet: bool
) -> None:
    progress.close()
    if quiet or progress.latest is None:
        return
    for line in describe_outcome(progress.latest, emulator=upstream.emulator):
        click.echo(to_one_line(line), err=True)
    if progress.latest.is_out_of_budget:
        line = f"The budget of ${job.budget_usd:g} is used up. To go on, run the same command."
        click.echo(line, err=True)


def _describe_how_to_resume(job: BatchJob) -> str:
    if job.server_side:
        return (
            "The batches continue on the server. To fetch their results, run the same command"
            " again; to end them, add --cancel."
        )
    if job.is_resumable:
        return "All results so far are written. To go on, run the same command again."
    return (
        "All results so far are written. A run that writes to a pipe or to standard output cannot"
        " be resumed: give a file with -o."
    )


def _read_stdin(source: str) -> IO[bytes]:
    if sys.stdin is None or sys.stdin.isatty():
        msg = f"{source} reads the requests from standard input, but nothing is piped into it."
        raise click.UsageError(msg)
    return sys.stdin.buffer


def _unbuffered_stdout() -> IO[bytes]:
    sys.stdout.flush()
    buffered = sys.stdout.buffer
    # Unbuffered, because a buffer keeps a line that could not be written and writes it again later.
    raw: IO[bytes] = getattr(buffered, "raw", buffered)
    return raw


def _save_unwritten(error: OutputFileError, job: BatchJob) -> CommandError:
    """Save the results that did not fit into the output; return the error to show."""
    if not error.begun:
        return CommandInputError(str(error))
    if not error.unwritten:
        advice = join_notes(error) or "Free some space, then run the same command again."
        return CommandError(str(error), advice)
    try:
        with tempfile.NamedTemporaryFile(
            prefix="aimlchat-results-", suffix=".jsonl", delete=False
        ) as saved:
            saved.writelines(line for _, line in error.unwritten)
    except OSError:
        advice = (
            "These results are lost. Free some space, then run the same command again:"
            " their requests are sent again."
        )
        return CommandError(str(error), advice)
    advice = f"These results are saved in {saved.name}."
    if job.is_resumable:
        advice += f" Free some space, append them to {job.target}, then run the same command again."
    return CommandError(str(error), advice)
