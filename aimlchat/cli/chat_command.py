"""``aimlchat chat``: holds a conversation, one question per line."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Unpack

import click

from aimlchat.errors import AIMLChatError

from .completion_report import format_summary, list_notices
from .delta_printer import DeltaPrinter
from .errors import CommandError, CommandInputError, to_command_error
from .exit_status import INTERRUPTED
from .prompt import read_line
from .request_options import RequestArguments, request_options, start_request
from .terminal import end_interrupted_line, print_notice
from .upstream import Upstream, upstream_options

if TYPE_CHECKING:
    from aimlchat.request import ChatRequest
    from aimlchat.session import ChatSession
    from aimlchat.stream import DeltaStream

__all__ = ["command"]

_NEW_CONVERSATION = "/new"
_QUIT = "/quit"


@click.command("chat")
@request_options
@click.option("--no-reasoning", is_flag=True, help="Hide the reasoning; this does not disable it.")
@upstream_options
def command(
    *,
    no_reasoning: bool,
    base_url: str | None,
    emulator: bool,
    **arguments: Unpack[RequestArguments],
) -> None:
    """Hold a conversation with a model.

    Each line is a question, sent together with the earlier turns. Ctrl-C stops an answer and keeps
    the text that has arrived. At the prompt, Ctrl-C, Ctrl-D and /quit end the command, and /new
    starts a new conversation. If the questions come from a pipe, the first failure ends the
    command.
    """
    upstream = Upstream(base_url, emulator)
    upstream.require_key()
    start = start_request(arguments)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        session = runner.run(stack.enter_async_context(upstream.open_session()))
        try:
            _converse(runner, session, start, reasoning=not no_reasoning, emulator=emulator)
        finally:
            runner.run(stack.aclose())


def _converse(
    runner: asyncio.Runner,
    session: ChatSession,
    start: ChatRequest,
    *,
    reasoning: bool,
    emulator: bool,
) -> None:
    conversation = start
    has_sent = False
    while (question := _read_question(has_sent=has_sent)) is not None:
        if question == _NEW_CONVERSATION:
            conversation = start
            print_notice("A new conversation starts.")
            continue
        request = conversation.user(question)
        stream = session.stream(request)
        printer = DeltaPrinter(sys.stdout, reasoning=reasoning)
        has_sent = True
        try:
            runner.run(_print_stream(stream, printer))
        except KeyboardInterrupt:
            if not printer.has_printed:
                end_interrupted_line()
            print_notice("Stopped.")
        except AIMLChatError as error:
            if not sys.stdin.isatty():
                raise
            to_command_error(error).show()
        else:
            for notice in list_notices(stream.completion):
                print_notice(notice)
            print_notice(format_summary(stream.completion, None, emulator=emulator))
        # A question that got no answer is left out of the conversation.
        if stream.partial.text:
            conversation = request.assistant(stream.partial.text)


def _read_question(*, has_sent: bool) -> str | None:
    """Return the next line that is not blank; None at the end of the input, or for ``/quit``.

    Raises `CommandError` for a line from a pipe that cannot be sent. ``has_sent`` is whether
    earlier ones were: the exit status says so.
    """
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    while True:
        if is_terminal:
            click.echo("> ", nl=False, err=True)
        try:
            line = read_line()
        except CommandInputError as error:
            if is_terminal:
                error.show()
                continue
            if has_sent:
                raise CommandError(error.message) from error
            raise
        except KeyboardInterrupt:
            end_interrupted_line()
            raise click.exceptions.Exit(INTERRUPTED) from None
        if not line:
            if is_terminal:
                click.echo(err=True)
            return None
        if question := line.strip():
            return None if question == _QUIT else question


async def _print_stream(stream: DeltaStream, printer: DeltaPrinter) -> None:
    try:
        async with stream:
            async for delta in stream:
                printer.print_delta(delta)
    finally:
        printer.close()
