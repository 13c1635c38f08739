"""``aimlchat chat``: holds a conversation, one question after another."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Unpack

import attrs
import click

from aimlchat._version import __version__
from aimlchat.errors import AIMLChatError

from .chat_commands import Conversation, Quit, run_command, split_command
from .chat_input import QuestionReader
from .completion_report import format_summary, list_notices
from .delta_printer import DeltaPrinter
from .errors import CommandInputError, to_command_error
from .request_options import RequestArguments, request_options, start_request
from .terminal import end_interrupted_line, print_notice
from .upstream import Upstream, upstream_options

if TYPE_CHECKING:
    from aimlchat.session import ChatSession
    from aimlchat.stream import DeltaStream

__all__ = ["command"]

# A pipe may hold anything, such as questions of strangers, so it cannot write files.
_COMMANDS_OF_A_PIPE = {"/new": "new", "/clear": "clear", "/quit": "quit"}


@click.command("chat")
@request_options
@click.option("--no-reasoning", is_flag=True, help="Hide the reasoning; this does not disable it.")
@click.option("--raw", is_flag=True, help="Neither render nor wrap the answers on a terminal.")
@click.option(
    "--no-history",
    is_flag=True,
    envvar="AIMLCHAT_NO_HISTORY",
    help="Do not save questions for the next time. [env: AIMLCHAT_NO_HISTORY]",
)
@upstream_options
def command(
    *,
    no_reasoning: bool,
    raw: bool,
    no_history: bool,
    base_url: str | None,
    emulator: bool,
    **arguments: Unpack[RequestArguments],
) -> None:
    r"""Hold a conversation with a model.

    Each question is sent together with the earlier turns. Enter sends it; Alt-Enter, or Enter after
    a \, begins a new line in it, and pasted text may have several lines. /help lists the commands,
    such as /model, /system and /save.

    Ctrl-C stops an answer and keeps the text that has arrived. At the prompt, Ctrl-C discards what
    is typed; at an empty prompt, Ctrl-C, Ctrl-D and /quit end the command.

    If the questions come from a pipe, each line is one, and the first failure ends the command.
    """
    upstream = Upstream(base_url, emulator)
    upstream.require_key()
    conversation = Conversation(start_request(arguments), arguments["system"])
    questions = QuestionReader(has_history=not no_history)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        session = runner.run(stack.enter_async_context(upstream.open_session()))
        chat = _Chat(
            runner,
            session,
            questions,
            conversation,
            reasoning=not no_reasoning,
            raw=raw,
            emulator=emulator,
        )
        try:
            chat.run()
        finally:
            runner.run(stack.aclose())


@attrs.define
class _Chat:
    """A conversation in progress."""

    _runner: asyncio.Runner
    _session: ChatSession
    _questions: QuestionReader
    _conversation: Conversation
    _reasoning: bool = attrs.field(kw_only=True)
    _raw: bool = attrs.field(kw_only=True)
    _emulator: bool = attrs.field(kw_only=True)
    _has_sent: bool = attrs.field(default=False, init=False)

    def run(self) -> None:
        """Answer questions until the input ends."""
        if self._questions.is_terminal:
            source = " · emulator" if self._emulator else ""
            model = self._conversation.request.model
            print_notice(f"aimlchat {__version__} · {model}{source}")
            print_notice("/help lists the commands and keys; Ctrl-D ends.")
        while (question := self._questions.read(self._runner, has_sent=self._has_sent)) is not None:
            try:
                if not self._run_command(question):
                    is_escaped = self._questions.is_terminal and question.startswith("//")
                    self._ask(question[1:] if is_escaped else question)
            except Quit:
                return

    def _run_command(self, line: str) -> bool:
        """Run a line as a command; return False if it is a question."""
        if not self._questions.is_terminal:
            if line in _COMMANDS_OF_A_PIPE:
                run_command(_COMMANDS_OF_A_PIPE[line], "", self._conversation)
            return line in _COMMANDS_OF_A_PIPE
        if (parts := split_command(line)) is None:
            return False
        try:
            run_command(*parts, self._conversation)
        except CommandInputError as error:
            error.show()
        return True

    def _ask(self, question: str) -> None:
        request = self._conversation.request.user(question)
        stream = self._session.stream(request)
        printer = DeltaPrinter(sys.stdout, reasoning=self._reasoning, raw=self._raw)
        self._has_sent = True
        try:
            self._runner.run(_print_stream(stream, printer))
        except KeyboardInterrupt:
            if not printer.has_printed:
                end_interrupted_line()
            print_notice("Stopped.")
        except AIMLChatError as error:
            if not self._questions.is_terminal:
                raise
            to_command_error(error).show()
        else:
            for notice in list_notices(stream.completion):
                print_notice(notice)
            print_notice(format_summary(stream.completion, None, emulator=self._emulator))
        # A question that got no answer is left out of the conversation.
        if (partial := stream.partial).text.strip():
            answer = partial if partial.is_complete else partial.text
            self._conversation.request = request.assistant(answer)


async def _print_stream(stream: DeltaStream[Any], printer: DeltaPrinter) -> None:
    try:
        async with stream:
            async for delta in stream:
                printer.print_delta(delta)
    finally:
        printer.close()
