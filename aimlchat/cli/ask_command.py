"""``aimlchat ask``: asks one question and prints the answer while it streams."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Unpack

import attrs
import click

from aimlchat.content import Text

from .attachments import load_attachment
from .completion import complete_file
from .completion_report import build_document, format_summary, list_notices
from .delta_printer import DeltaPrinter
from .interrupts import run_interruptible
from .prompt import read_prompt
from .request_options import RequestArguments, request_options, start_request
from .schema_file import load_response_format
from .terminal import print_json, print_notice
from .upstream import Upstream, upstream_options

if TYPE_CHECKING:
    from aimlchat.completions import Completion
    from aimlchat.request import ChatRequest

__all__ = ["command"]


@attrs.frozen
class TimedCompletion:
    """A completion and the seconds until its first delta; None if it had no delta."""

    completion: Completion
    first_token: float | None


@click.command("ask")
@click.argument("prompt", nargs=-1, metavar="[PROMPT] [-]")
@request_options
@click.option(
    "--attach",
    "attachments",
    metavar="FILE|URL",
    multiple=True,
    shell_complete=complete_file,
    help="An image, a PDF, audio or text to send with the prompt; can be repeated.",
)
@click.option(
    "--schema",
    metavar="FILE",
    shell_complete=complete_file,
    help="Request an answer in JSON that fits the JSON schema in this file.",
)
@click.option("--no-reasoning", is_flag=True, help="Hide the reasoning; this does not disable it.")
@click.option("--raw", is_flag=True, help="Neither render nor wrap the answer on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end.")
@upstream_options
def command(
    *,
    prompt: tuple[str, ...],
    attachments: tuple[str, ...],
    schema: str | None,
    no_reasoning: bool,
    raw: bool,
    as_json: bool,
    base_url: str | None,
    emulator: bool,
    **arguments: Unpack[RequestArguments],
) -> None:
    r"""Ask one question and stream the answer.

    PROMPT is one argument, in quotes. Without PROMPT, or with - instead of it, the prompt is read
    from standard input. With PROMPT, standard input is read only if - follows; its text is then
    appended to the prompt:

        git diff | aimlchat ask "What is wrong with this?" -

    A terminal shows the reasoning dimmed, and the answer with its Markdown rendered and wrapped;
    --raw does neither. A pipe or a file gets only the answer, as plain text. Control characters
    are shown as escapes such as \x1b; --json keeps the exact text. Tokens, cost and notices are
    printed on standard error.

    With --json a document is printed if, and only if, the answer is complete.
    """
    upstream = Upstream(base_url, emulator)
    upstream.require_key()
    request = start_request(arguments)
    if schema is not None:
        request = request.options(response_format=load_response_format(schema))
    request = request.user(*map(load_attachment, attachments), Text(read_prompt(prompt)))
    printer = None
    if not as_json:
        printer = DeltaPrinter(sys.stdout, reasoning=not no_reasoning, raw=raw)
    timed = run_interruptible(_ask(upstream, request, printer), printer)
    if as_json:
        print_json(build_document(timed.completion, reasoning=not no_reasoning))
    elif printer and printer.has_printed and printer.is_terminal and sys.stderr.isatty():
        click.echo(err=True)  # a blank line between the answer and the summary
    for notice in list_notices(timed.completion):
        print_notice(notice)
    print_notice(format_summary(timed.completion, timed.first_token, emulator=emulator))


async def _ask(
    upstream: Upstream, request: ChatRequest, printer: DeltaPrinter | None
) -> TimedCompletion:
    first_token: float | None = None
    async with upstream.open_session() as session:
        start = time.perf_counter()
        try:
            async with session.stream(request) as stream:
                async for delta in stream:
                    if first_token is None:
                        first_token = time.perf_counter() - start
                    if printer:
                        printer.print_delta(delta)
        finally:
            # Also after an error or Ctrl-C, so that the shell's prompt starts on a line of its own.
            if printer:
                printer.close()
    return TimedCompletion(stream.completion, first_token)
