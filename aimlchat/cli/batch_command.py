"""``aimlchat batch``: answers a file of requests and writes a file of results."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from typing import IO, TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from aimlchat._payload.models import DEFAULT_MODEL
from aimlchat.batch import BusyError, InputError, OutputFileError, summarize
from aimlchat.batch.output import is_stream
from aimlchat.batch.shard import parse_shard
from aimlchat.errors import ConfigurationError
from aimlchat.policies import Limits

from .batch_job import DEFAULT_CONCURRENCY, BatchJob
from .batch_report import describe_outcome, wrap_lines
from .completion import complete_file
from .errors import CommandError, CommandInputError, join_notes
from .exit_status import FAILED
from .interrupts import run_interruptible
from .output_type import load_output_type
from .progress import ProgressDisplay
from .results_report import describe_results
from .terminal import terminal_size, to_one_line
from .upstream import Upstream, upstream_options

if TYPE_CHECKING:
    from aimlchat.batch import Summary

__all__ = ["command"]

_STANDARD_STREAM = "-"
# All other options concern the requests that are sent; those of the upstream do no harm.
_SUMMARY_PARAMETERS = {"source", "results", "is_summary", "model", "quiet", "base_url", "emulator"}
# All results of a batch are one response: 10,000 of them, which were paid for.
_SERVER_SIDE_LIMITS = Limits(max_answer_bytes=512 * 2**20)


def _parse_concurrency(value: str) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if not (value.isascii() and value.isdecimal() and int(value)):
        msg = f"{value!r} is neither a whole number of at least 1 nor auto."
        raise click.BadParameter(msg)
    return int(value)


def _check_shard(value: str) -> str:
    try:
        parse_shard(value)
    except ConfigurationError as error:
        msg = f"{error}."
        raise click.BadParameter(msg) from error
    return value


@click.command("batch")
@click.argument("source", metavar="REQUESTS|-", shell_complete=complete_file)
@click.argument("results", metavar="", nargs=-1, shell_complete=complete_file)
@click.option(
    "-o",
    "--output",
    "target",
    metavar="RESULTS|-",
    shell_complete=complete_file,
    help="The file of results.",
)
@click.option(
    "--shard",
    type=_check_shard,
    metavar="K/N",
    help="Answer only shard K of N, counted from 1: 1/16 to 16/16. Each has its own RESULTS.",
)
@click.option(
    "--summary",
    "is_summary",
    is_flag=True,
    help="Send nothing; report which of REQUESTS have results in the files that follow.",
)
@click.option(
    "--concurrency",
    type=_parse_concurrency,
    metavar="N|auto",
    help=f"Requests in flight at once; auto adapts to the API. [default: {DEFAULT_CONCURRENCY}]",
)
@click.option(
    "--model",
    metavar="ID",
    help=f"The model of requests without one. [default: AIMLAPI_MODEL, else {DEFAULT_MODEL}]",
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
@click.option(
    "--output-format",
    type=click.Choice(["jsonl", "parquet"]),
    help="parquet: made of the journal RESULTS.jsonl at the end. [default: by the name]",
)
@click.option(
    "--fsync",
    type=click.Choice(["second", "each"]),
    help="Write results to the disk within a second, or before each counts. [default: second]",
)
@click.option(
    "--output-type",
    "type_name",
    metavar="MODULE:TYPE",
    help="The Python type of the answers; each result then has an `output`.",
)
@click.option(
    "--schema",
    "schema_path",
    metavar="FILE",
    shell_complete=complete_file,
    help="A JSON schema of the answers, instead of --output-type.",
)
@click.option("--quiet", is_flag=True, help="Print only errors.")
@upstream_options
def command(
    *,
    source: str,
    results: tuple[str, ...],
    target: str | None,
    shard: str | None,
    is_summary: bool,
    concurrency: int | Literal["auto"] | None,
    model: str | None,
    budget_usd: float | None,
    retry_failed: bool,
    server_side: bool,
    cancel: bool,
    batch_id: str | None,
    again: bool,
    output_format: Literal["jsonl", "parquet"] | None,
    fsync: Literal["second", "each"] | None,
    type_name: str | None,
    schema_path: str | None,
    quiet: bool,
    base_url: str | None,
    emulator: bool,
) -> None:
    r"""Answer a file of requests and write a file of results.

    \b
    aimlchat batch requests.jsonl -o results.jsonl
    aimlchat batch requests.jsonl -o results-3.jsonl --shard 3/16
    aimlchat batch requests.jsonl --summary results-*.jsonl

    REQUESTS has one JSON object per line: a request in the format of OpenAI's Batch API, whose body
    is sent unchanged, or {"id": ..., "prompt": ...} or {"id": ..., "messages": [...]} with further
    options of a request. The whole file is checked before the first request is sent. RESULTS gets
    one line per request, in the order in which they finish. Both may be pipes, such as <(zcat x.gz)
    and >(gzip > y.gz).

    RESULTS, if it is a file, is also the journal. Run the same command again, even after a crash or
    kill -9, and only requests without a result are sent. Failures are not retried without
    --retry-failed; with --model they may be retried with another model. Exit
    status: 0 if every request has an answer, 1 if not, 2 if nothing was sent, 130 after Ctrl-C.

    With --shard, several machines answer one file: the id of a request decides to which shard it
    belongs. --summary reads their results together.
    """
    requests = _read_stdin(source) if source == _STANDARD_STREAM else source
    if is_summary:
        _summarize(requests, results, model, quiet=quiet)
        return
    if results:
        msg = f"{results[0]} is a second argument: give RESULTS with -o, or add --summary."
        raise click.UsageError(msg)
    if target is None:
        msg = "Missing option '-o' / '--output': the file of results."
        raise click.UsageError(msg)
    upstream = Upstream(base_url, emulator)
    parquet = _find_parquet(target, output_format)
    journal = target if parquet is None else f"{parquet}.jsonl"
    job = BatchJob(
        source=requests,
        target=_unbuffered_stdout() if journal == _STANDARD_STREAM else journal,
        concurrency=concurrency,
        model=model,
        budget_usd=budget_usd,
        retry_failed=retry_failed,
        server_side=server_side,
        cancel=cancel,
        batch_id=batch_id,
        again=again,
        shard=shard,
        fsync=fsync,
        output_type=load_output_type(type_name, schema_path),
        parquet=parquet,
    )
    upstream.require_key()
    try:
        summary = run_interruptible(_run(upstream, job, quiet=quiet))
    except BusyError as error:
        raise CommandInputError(str(error)) from error
    except InputError as error:
        raise _to_command_error(error) from error
    except OutputFileError as error:
        raise _save_unwritten(error, job) from error
    if not summary.is_success:
        raise click.exceptions.Exit(FAILED)


def _summarize(
    requests: str | IO[bytes], results: tuple[str, ...], model: str | None, *, quiet: bool
) -> None:
    """Print which requests have results in the files."""
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "")
        if given is ParameterSource.COMMANDLINE and parameter.name not in _SUMMARY_PARAMETERS:
            msg = f"{parameter.opts[0]} cannot be combined with --summary, which only reads files."
            raise click.UsageError(msg)
    if not results:
        msg = "--summary needs the files of results, as in: REQUESTS --summary results-*.jsonl"
        raise click.UsageError(msg)
    try:
        summary = run_interruptible(summarize(requests, results, model=model))
    except InputError as error:
        raise _to_command_error(error) from error
    if not quiet:
        width = _line_width(sys.stdout)
        lines = [to_one_line(line) for line in describe_results(summary, width)]
        click.echo("\n".join(wrap_lines(lines, width)))
    if not summary.is_success:
        raise click.exceptions.Exit(FAILED)


def _to_command_error(error: InputError) -> CommandError:
    first, *others = str(error).splitlines()
    advice = "\n".join(map(to_one_line, others))
    return (CommandError if error.begun else CommandInputError)(first, advice)


def _find_parquet(target: str, output_format: Literal["jsonl", "parquet"] | None) -> str | None:
    """Return the requested Parquet file, None if there is none."""
    if output_format == "jsonl" or not (output_format or target.lower().endswith(".parquet")):
        return None
    if target == _STANDARD_STREAM or is_stream(target):
        msg = "Parquet needs a file as its output, which is replaced at the end: give one with -o."
        raise click.UsageError(msg)
    return target


def _line_width(stream: IO[str]) -> int:
    """Return how many characters a line of figures may have: no limit in a file or a log."""
    return terminal_size(stream).columns - 1 if stream.isatty() else sys.maxsize


async def _run(upstream: Upstream, job: BatchJob, *, quiet: bool) -> Summary:
    progress = ProgressDisplay(quiet=quiet)
    limits = _SERVER_SIDE_LIMITS if job.server_side else None
    async with upstream.open_session(limits=limits) as session:
        try:
            summary = await job.run(session, progress)
        except asyncio.CancelledError as cancellation:
            _print_outcome(progress, progress.summarize_now(), job, upstream, quiet=quiet)
            advice = join_notes(cancellation)
            if advice or not quiet:
                _print_lines((advice or _describe_how_to_resume(job)).splitlines())
            raise
        except BaseException:
            _print_outcome(progress, progress.summarize_now(), job, upstream, quiet=quiet)
            raise
        _print_outcome(progress, summary, job, upstream, quiet=quiet)
    return summary


def _print_outcome(
    progress: ProgressDisplay,
    summary: Summary | None,
    job: BatchJob,
    upstream: Upstream,
    *,
    quiet: bool,
) -> None:
    progress.close()
    if quiet or summary is None:
        return
    width = _line_width(sys.stderr)
    lines = describe_outcome(summary, emulator=upstream.emulator, width=width)
    if summary.is_out_of_budget:
        lines.append(
            f"The budget of ${job.budget_usd:g} is used up. To continue, run the same command."
        )
    _print_lines([to_one_line(line) for line in lines])


def _print_lines(lines: list[str]) -> None:
    for line in wrap_lines(lines, _line_width(sys.stderr)):
        click.echo(line, err=True)


def _describe_how_to_resume(job: BatchJob) -> str:
    if job.server_side:
        return (
            "The batches continue on the server. To fetch their results, run the same command"
            " again; to end them, add --cancel."
        )
    if job.is_resumable:
        return "All results so far are written. To continue, run the same command again."
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
