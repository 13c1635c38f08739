"""``aimlchat chat``: a conversation, one question after the other."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from aimlchat._payload.models import DEFAULT_MODEL
from aimlchat.completions import AnswerDelta, ReasoningDelta
from aimlchat.errors import AIMLChatError
from aimlchat.request import ChatRequest

from .account import oddities, summary
from .connection import Destination, destination_options
from .failures import INTERRUPTED, failure_of
from .terminal import Page, end_interrupted_line, remark

if TYPE_CHECKING:
    from aimlchat.iterators import DeltaStream
    from aimlchat.session import ChatSession

__all__ = ["command"]

_FORGET = "/new"
_LEAVE = "/quit"


@click.command("chat")
@click.option(
    "--model",
    metavar="ID",
    default=DEFAULT_MODEL,
    show_default=True,
    help="Who answers; `aimlchat models` lists them.",
)
@click.option("--system", metavar="TEXT", help="Instructions that stand above the conversation.")
@click.option(
    "--thinking",
    type=int,
    metavar="N",
    help="Let the model think for up to N tokens, 1024 or more.",
)
@click.option("--no-reasoning", is_flag=True, help="Hide the reasoning; it is not switched off.")
@destination_options
def command(
    *,
    model: str,
    system: str | None,
    thinking: int | None,
    no_reasoning: bool,
    base_url: str | None,
    emulator: bool,
) -> None:
    """Talk with a model.

    Each line is a question, and the model knows what was said before. Ctrl-C stops an answer and
    keeps what has come of it; at the prompt it leaves, as Ctrl-D and /quit do. /new forgets the
    conversation. From a pipe each line is asked in turn, and the first failure ends it.
    """
    destination = Destination(base_url, emulator)
    destination.require_key()
    start = ChatRequest(model, system=system, thinking=thinking)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        session = runner.run(stack.enter_async_context(destination.session()))
        try:
            _talk(runner, session, start, reasoning=not no_reasoning, emulator=emulator)
        finally:
            runner.run(stack.aclose())


def _talk(
    runner: asyncio.Runner,
    session: ChatSession,
    start: ChatRequest,
    *,
    reasoning: bool,
    emulator: bool,
) -> None:
    said = start
    while (question := _question()) is not None:
        if question == _FORGET:
            said = start
            remark("The conversation is forgotten.")
            continue
        asked = said.user(question)
        stream = session.stream(asked)
        page = Page(sys.stdout, reasoning=reasoning)
        try:
            runner.run(_show(stream, page))
        except KeyboardInterrupt:
            if not page.begun:
                end_interrupted_line()
            remark("Stopped.")
        except AIMLChatError as error:
            if not sys.stdin.isatty():
                raise
            failure_of(error).show()
        else:
            for oddity in oddities(stream.completion):
                remark(oddity)
            remark(summary(stream.completion, None, emulator=emulator))
        # A question without an answer is none that the model has to know of.
        said = asked.assistant(stream.partial.text) if stream.partial.text else said


def _question() -> str | None:
    """Return the next line that says something; None at the end."""
    while True:
        if sys.stdin.isatty():
            click.echo("> ", nl=False, err=True)
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            end_interrupted_line()
            raise click.exceptions.Exit(INTERRUPTED) from None
        if not line:
            if sys.stdin.isatty():
                click.echo(err=True)
            return None
        if question := line.strip():
            return None if question == _LEAVE else question


async def _show(stream: DeltaStream, page: Page) -> None:
    try:
        async with stream:
            async for delta in stream:
                match delta:
                    case ReasoningDelta(text, 0):
                        page.reasoning(text)
                    case AnswerDelta(text, 0):
                        page.answer(text)
    finally:
        page.end()
