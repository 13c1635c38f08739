"""What is said when it does not work, and with which exit status."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any

import click

from aimlchat.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    InsufficientCreditsError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StreamInterruptedError,
)

from .terminal import one_line

if TYPE_CHECKING:
    from aimlchat.errors import AIMLChatError

__all__ = ["INTERRUPTED", "Failure", "InputFailure", "failure_of", "reason_of"]

INTERRUPTED = 130

_KEYS = "https://aimlapi.com/app/keys"
# The first class that fits counts.
_ADVICE: tuple[tuple[type[AIMLChatError], str], ...] = (
    (AuthenticationError, f"Check the key in AIMLAPI_API_KEY; your keys are at {_KEYS}"),
    (InsufficientCreditsError, "Add credits to the account of your key, or use another key."),
    (NotFoundError, "See `aimlchat models` for the models, and --base-url for the address."),
    (RateLimitError, "Wait a little, and ask again."),
    (RequestTimeoutError, "Ask again, or try a model that is less busy."),
    (ConnectionFailedError, "Check the network, and the address if you gave one (--base-url)."),
    (StreamInterruptedError, "The answer is not complete; ask again."),
    (ServerError, "The fault is on the server's side; ask again later."),
)


class Failure(click.ClickException):
    """The end of a command that did not work: one line, and perhaps another of advice."""

    exit_code = 1

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice

    def show(self, file: IO[Any] | None = None) -> None:
        """Say it on standard error, where it does not get mixed with an answer."""
        click.echo(f"aimlchat: {one_line(self.message)}", file=file, err=True)
        if self.advice:
            click.echo(self.advice, file=file, err=True)


class InputFailure(Failure):
    """What the user gave cannot be used; nothing was sent."""

    exit_code = 2


def failure_of(error: AIMLChatError) -> Failure:
    """Return how an error of the library is told."""
    if isinstance(error, InvalidRequestError | ConfigurationError):
        return InputFailure(str(error))
    advice = next((advice for kind, advice in _ADVICE if isinstance(error, kind)), "")
    tries = f" (after {len(error.attempts)} tries)" if len(error.attempts) > 1 else ""
    return Failure(f"{error}{tries}", advice)


def reason_of(error: OSError) -> str:
    """Return the system's own words for an error, without the decoration of whoever raised it."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
