"""``aimlchat batch``: a file of requests into a file of results."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from typing import IO, TYPE_CHECKING, Literal

import attrs
import click

from aimlchat.batch import (
    BusyError,
    InputError,
    OutputFileError,
    Summary,
    run,
    run_on_server,
    spooled,
)
from aimlchat.policies import Timeouts

from .board import Board, account
from .connection import Destination, destination_options
from .failures import Failure, InputFailure
from .running import run as run_coroutine
from .terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aimlchat.session import ChatSession

__all__ = ["command"]

_STANDARD = "-"
_USUAL_CONCURRENCY = 32
# A gateway that only pings must not keep a batch from its end; with retries a call may take long.
_LONGEST_CALL_SECONDS = 3600.0


def _concurrency(value: str) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if not (value.isascii() and value.isdecimal() and int(value)):
        msg = f"{value!r} is neither a whole number of at least 1 nor auto."
        raise click.BadParameter(msg)
    return int(value)


@attrs.frozen
class _Order:
    """What the command line asks for."""

    source: str | IO[bytes]
    target: str | IO[bytes]
    concurrency: int | Literal["auto"] | None
    model: str | None
    budget_usd: float | None
    retry_failed: bool
    server_side: bool
    cancel: bool

    def __attrs_post_init__(self) -> None:
        if self.server_side:
            for option, value in (
                ("--concurrency", self.concurrency),
                ("--budget-usd", self.budget_usd),
            ):
                if value is not None:
                    msg = f"{option} has no meaning for a batch on the server."
                    raise click.UsageError(msg)
            if not isinstance(self.target, str):
                msg = "--server-side needs a file for its output: it resumes from that."
                raise click.UsageError(msg)
        elif self.cancel:
            msg = "--cancel ends a batch on the server: give --server-side, too."
            raise click.UsageError(msg)

    def carry_out(self, session: ChatSession, board: Board) -> Awaitable[Summary]:
        if self.server_side:
            return run_on_server(
                session,
                self.source,
                str(self.target),
                retry_failed=self.retry_failed,
                model=self.model,
                cancel=self.cancel,
                on_progress=board.note,
            )
        return run(
            session,
            self.source,
            self.target,
            concurrency=self.concurrency or _USUAL_CONCURRENCY,
            budget_usd=self.budget_usd,
            retry_failed=self.retry_failed,
            model=self.model,
            timeouts=Timeouts(deadline=_LONGEST_CALL_SECONDS),
            on_progress=board.note,
        )


@click.command("batch")
@click.argument("source", metavar="REQUESTS|-")
@click.option(
    "-o", "--output", "target", metavar="RESULTS|-", required=True, help="Where the results go."
)
@click.option(
    "--concurrency",
    type=_concurrency,
    metavar="N|auto",
    help=f"How many are in flight at once; auto finds out. [default: {_USUAL_CONCURRENCY}]",
)
@click.option("--model", metavar="ID", help="Who answers the requests that name no model.")
@click.option(
    "--budget-usd",
    type=click.FloatRange(min=0, min_open=True),
    metavar="USD",
    help="Begin no further request once this run was charged so much.",
)
@click.option("--retry-failed", is_flag=True, help="Do what failed in earlier runs again.")
@click.option(
    "--server-side", is_flag=True, help="Hand them to the vendor's batch endpoint (Claude only)."
)
@click.option("--cancel", is_flag=True, help="With --server-side: end what runs there.")
@click.option("--quiet", is_flag=True, help="Tell nothing but errors.")
@destination_options
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
    quiet: bool,
    base_url: str | None,
    emulator: bool,
) -> None:
    """Answer a file of requests, and write a file of results.

    REQUESTS has one JSON object a line: those of OpenAI's Batch API, whose body is sent as it
    stands, or {"id": ..., "prompt": ...}, with more options of a request if you like. All of it is
    checked before the first request is sent. RESULTS gets one line for each, as they come.

    The results are the journal: run the same command again, after a crash or kill -9 too, and only
    what is missing is done. Failures stay, until --retry-failed. Exit status: 0 if every request
    has an answer, 1 if not, 2 if nothing was sent, 130 after Ctrl-C.
    """
    destination = Destination(base_url, emulator)
    order = _Order(
        source=_input(source) if source == _STANDARD else source,
        target=_output() if target == _STANDARD else target,
        concurrency=concurrency,
        model=model,
        budget_usd=budget_usd,
        retry_failed=retry_failed,
        server_side=server_side,
        cancel=cancel,
    )
    destination.require_key()
    try:
        summary = run_coroutine(_run(destination, order, quiet=quiet))
    except BusyError as error:
        raise InputFailure(str(error)) from error
    except InputError as error:
        raise (Failure if error.begun else InputFailure)(str(error)) from error
    except OutputFileError as error:
        raise _unwritten(error, order) from error
    if not summary.is_success:
        raise click.exceptions.Exit(1)


async def _run(destination: Destination, order: _Order, *, quiet: bool) -> Summary:
    board = Board(quiet=quiet)
    async with destination.session() as session:
        try:
            summary = await order.carry_out(session, board)
        except asyncio.CancelledError:
            _tell_end(board, order, destination, quiet=quiet)
            if not quiet:
                click.echo(_how_to_resume(order), err=True)
            raise
        except BaseException:
            _tell_end(board, order, destination, quiet=quiet)
            raise
        board.latest = summary
        _tell_end(board, order, destination, quiet=quiet)
    return summary


def _tell_end(board: Board, order: _Order, destination: Destination, *, quiet: bool) -> None:
    board.end()
    if quiet or board.latest is None:
        return
    for line in account(board.latest, emulator=destination.emulator):
        click.echo(one_line(line), err=True)
    if board.latest.is_out_of_budget:
        line = f"The budget of ${order.budget_usd:g} is used up. Run the same command to go on."
        click.echo(line, err=True)


def _how_to_resume(order: _Order) -> str:
    if order.server_side:
        return (
            "The batches go on at the server. To fetch their results, run the same command again;"
            " to end them, add --cancel."
        )
    if isinstance(order.target, str):
        return "What came is written. To go on, run the same command again."
    return "What came is written. Standard output cannot be resumed from: give a file with -o."


def _input(source: str) -> IO[bytes]:
    if sys.stdin is None or sys.stdin.isatty():
        msg = f"{source} reads the requests from standard input, and nothing is piped into it."
        raise click.UsageError(msg)
    return spooled(sys.stdin.buffer)


def _output() -> IO[bytes]:
    sys.stdout.flush()
    buffered = sys.stdout.buffer
    # A line that the system did not take must not wait in a buffer to come a second time.
    raw: IO[bytes] = getattr(buffered, "raw", buffered)
    return raw


def _unwritten(error: OutputFileError, order: _Order) -> Failure:
    if not error.begun:
        return InputFailure(str(error))
    if not error.unwritten:
        return Failure(str(error), "Make room, and run the same command again.")
    try:
        with tempfile.NamedTemporaryFile(
            prefix="aimlchat-results-", suffix=".jsonl", delete=False
        ) as kept:
            kept.writelines(line for _, line in error.unwritten)
    except OSError:
        return Failure(str(error), "Make room, and run the same command again: they are lost.")
    where = order.target if isinstance(order.target, str) else "the output"
    advice = (
        f"These results are kept in {kept.name}. Make room, append them to {where},"
        " and run the same command again."
    )
    return Failure(str(error), advice)
