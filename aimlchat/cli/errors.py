"""How a command fails: the message, the advice below it, and the exit status."""

from __future__ import annotations

import errno
import os
import socket
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

from .exit_status import FAILED, USAGE_ERROR
from .terminal import to_one_line

if TYPE_CHECKING:
    from aimlchat.errors import AIMLChatError

__all__ = [
    "CommandError",
    "CommandInputError",
    "describe_listen_error",
    "describe_os_error",
    "join_notes",
    "to_command_error",
]

_HOST_ERRNOS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_KEYS_URL = "https://aimlapi.com/app/keys"
# The first class of which the error is an instance decides.
_ADVICE: tuple[tuple[type[AIMLChatError], str], ...] = (
    (AuthenticationError, f"Check the key in AIMLAPI_API_KEY; your keys are at {_KEYS_URL}"),
    (InsufficientCreditsError, "Add credits to the account of this key, or use another key."),
    (NotFoundError, "Check the model with `aimlchat models`, and the base URL (--base-url)."),
    (RateLimitError, "Wait a little, then try again."),
    (RequestTimeoutError, "Try again, or use a model that is less busy."),
    (ConnectionFailedError, "Check the network, and the base URL if you gave one (--base-url)."),
    (StreamInterruptedError, "The answer is not complete; try again."),
    (ServerError, "The fault is on the server's side; try again later."),
)


class CommandError(click.ClickException):
    """A command failed: one line that says why, and one line of advice or ``""``."""

    exit_code = FAILED

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice

    def show(self, file: IO[Any] | None = None) -> None:
        """Print message and advice on standard error, apart from the answer."""
        click.echo(f"aimlchat: {to_one_line(self.message)}", file=file, err=True)
        if self.advice:
            click.echo(self.advice, file=file, err=True)


class CommandInputError(CommandError):
    """The options, the input or the environment cannot be used; no request was sent."""

    exit_code = USAGE_ERROR


def join_notes(error: BaseException) -> str:
    """Return the notes of an error, which say what to do about it; ``""`` if it has none."""
    notes: list[str] = getattr(error, "__notes__", [])
    return "\n".join(to_one_line(line) for note in notes for line in note.splitlines())


def to_command_error(error: AIMLChatError) -> CommandError:
    """Convert an error of the library to the one that the command line shows."""
    if isinstance(error, InvalidRequestError | ConfigurationError):
        return CommandInputError(str(error))
    general = next((advice for kind, advice in _ADVICE if isinstance(error, kind)), "")
    advice = join_notes(error) or general
    attempts = f" (after {len(error.attempts)} attempts)" if len(error.attempts) > 1 else ""
    return CommandError(f"{error}{attempts}", advice)


def describe_listen_error(error: OSError, host: str, port: int, *, host_option: str = "") -> str:
    """Say why an address cannot be listened on, and which option to change.

    ``host_option`` is the name of the option for the host, ``""`` if there is none.
    """
    where = f"{host}:{port}"
    if host_option and (isinstance(error, socket.gaierror) or error.errno in _HOST_ERRNOS):
        return (
            f"cannot listen on {where}: {host!r} is no address of this machine"
            f" ({describe_os_error(error)}); choose another with {host_option}"
        )
    reason = describe_os_error(error)
    if error.errno == errno.EACCES:
        reason = f"{reason}, since ports below 1024 need a privilege"
    return f"cannot listen on {where}: {reason}; choose another with --port"


def describe_os_error(error: OSError) -> str:
    """Return the operating system's own message, without what the raising library added to it."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
