"""The options of `ask` and `chat` that become fields of the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

from aimlchat._payload.models import DEFAULT_MODEL, default_model
from aimlchat.request import ChatRequest

from .completion import complete_model

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RequestArguments", "request_options", "start_request"]

C = TypeVar("C", bound="Callable[..., Any]")


class RequestArguments(TypedDict):
    """The arguments that `request_options` adds to a command."""

    model: str
    system: str | None
    temperature: float | None
    thinking: int | None
    max_tokens: int | None


def request_options(command: C) -> C:
    """Add the options for the model and its parameters to a command."""
    options = (
        click.option(
            "--model",
            metavar="ID",
            default=default_model,
            shell_complete=complete_model,
            help=(
                "The model to ask; `aimlchat models` lists them."
                f" [default: AIMLAPI_MODEL, else {DEFAULT_MODEL}]"
            ),
        ),
        click.option("--system", metavar="TEXT", help="The system prompt."),
        click.option(
            "--temperature",
            type=float,
            metavar="T",
            help="How much the answer may vary: 0 to 2, for some models to 1.",
        ),
        click.option(
            "--thinking",
            type=int,
            metavar="N",
            help="Let the model think for up to N tokens, at least 1024.",
        ),
        click.option(
            "--max-tokens", type=int, metavar="N", help="Cut the answer off after N tokens."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def start_request(arguments: RequestArguments) -> ChatRequest:
    """Return a request without messages."""
    return ChatRequest(**arguments)
