"""``aimlchat ask``: one question, and its answer as it comes."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import attrs
import click

from aimlchat._payload.models import DEFAULT_MODEL
from aimlchat.completions import AnswerDelta, ReasoningDelta
from aimlchat.content import Text
from aimlchat.request import ChatRequest

from .account import document, oddities, summary
from .connection import Destination, destination_options
from .question import image_from, prompt_from
from .running import run
from .terminal import Page, remark, write_json

if TYPE_CHECKING:
    from aimlchat.completions import Completion

__all__ = ["command"]


@attrs.frozen
class Answered:
    """A whole answer, and the seconds until the first of it came (None if nothing came)."""

    completion: Completion
    first_token: float | None


@click.command("ask")
@click.argument("prompt", nargs=-1, metavar="[PROMPT] [-]")
@click.option(
    "--model",
    metavar="ID",
    default=DEFAULT_MODEL,
    show_default=True,
    help="Who answers; `aimlchat models` lists them.",
)
@click.option("--system", metavar="TEXT", help="Instructions that stand above the prompt.")
@click.option(
    "--image", "images", metavar="PATH|URL", multiple=True, help="A picture; may be repeated."
)
@click.option(
    "--thinking",
    type=int,
    metavar="N",
    help="Let the model think for up to N tokens, 1024 or more.",
)
@click.option("--max-tokens", type=int, metavar="N", help="End the answer after N tokens.")
@click.option("--no-reasoning", is_flag=True, help="Hide the reasoning; it is not switched off.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end.")
@destination_options
def command(
    *,
    prompt: tuple[str, ...],
    model: str,
    system: str | None,
    images: tuple[str, ...],
    thinking: int | None,
    max_tokens: int | None,
    no_reasoning: bool,
    as_json: bool,
    base_url: str | None,
    emulator: bool,
) -> None:
    """Ask one question and stream the answer.

    PROMPT is one argument, in quotes. Without it, or with - in its place, the prompt is read from
    standard input. With a prompt, standard input is only read if a - follows; its text then stands
    below the prompt:

        git diff | aimlchat ask "What is wrong with this?" -

    On a terminal the reasoning is dimmed and the answer plain. Anything else, such as a pipe or a
    file, gets the answer only, as plain text. Control characters in it are replaced by pictures of
    them; --json has the exact text. Tokens, cost and anything odd are told on standard error.

    With --json there is a document on standard output if, and only if, the answer is complete.
    """
    destination = Destination(base_url, emulator)
    destination.require_key()
    request = ChatRequest(model, system=system, thinking=thinking, max_tokens=max_tokens).user(
        *map(image_from, images), Text(prompt_from(prompt))
    )
    page = None if as_json else Page(sys.stdout, reasoning=not no_reasoning)
    answered = run(_ask(destination, request, page), page)
    if as_json:
        write_json(document(answered.completion, reasoning=not no_reasoning))
    _tell(answered, page, emulator=emulator)


async def _ask(destination: Destination, request: ChatRequest, page: Page | None) -> Answered:
    first_token: float | None = None
    async with destination.session() as session:
        began = time.perf_counter()
        try:
            async with session.stream(request) as stream:
                async for delta in stream:
                    if first_token is None:
                        first_token = time.perf_counter() - began
                    match delta:
                        case ReasoningDelta(text, 0) if page:
                            page.reasoning(text)
                        case AnswerDelta(text, 0) if page:
                            page.answer(text)
        finally:
            # Also after an error or Ctrl-C: what came stays, and the shell's prompt stands apart.
            if page:
                page.end()
    return Answered(stream.completion, first_token)


def _tell(answered: Answered, page: Page | None, *, emulator: bool) -> None:
    if page and page.begun and page.on_terminal and sys.stderr.isatty():
        click.echo(err=True)
    for oddity in oddities(answered.completion):
        remark(oddity)
    remark(summary(answered.completion, answered.first_token, emulator=emulator))
