"""A batch that the server may or may not have created: what is known about it, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimlchat._payload.json_values import describe
from aimlchat.errors import (
    APIError,
    ConfigurationError,
    ConnectionFailedError,
    InvalidRequestError,
    RequestTimeoutError,
)

from .errors import UnconfirmedBatchError

if TYPE_CHECKING:
    from aimlchat.errors import AIMLChatError

    from .server_batches import ServerBatch

__all__ = ["build_unconfirmed_error", "describe_lost_response", "is_surely_not_created"]

_REFUSALS = range(400, 500)
# Gateways send these when they stop waiting for the server behind them, which may continue: 408 by
# several, 499 by nginx and its derivatives.
_GATEWAY_TIMEOUTS = (408, 499)
_ADVICE = """\
The API cannot list its batches. Look in your account at https://aimlapi.com/app for usage or \
charges since then, or ask the vendor's support.
If the batch exists, run the command with --server-side --batch-id ID (batch_id= in Python) to \
fetch its results; add --cancel (cancel=True) to end it.
If it does not exist, or if you accept that its requests may be charged twice, run the command \
with --server-side --again (again=True) to submit them again."""


def is_surely_not_created(error: AIMLChatError) -> bool:
    """Return whether the error of a request to create a batch means that there is no batch.

    Every response except a clear refusal leaves that open: a gateway's 502 says nothing about the
    server behind it, and a 200 without an id may still stand for a batch.
    """
    match error:
        case APIError():
            return error.status in _REFUSALS and error.status not in _GATEWAY_TIMEOUTS
        case ConnectionFailedError():
            return not error.sent
        case RequestTimeoutError():
            return not any(attempt.sent for attempt in error.attempts)
    return isinstance(error, ConfigurationError | InvalidRequestError)


def describe_lost_response(batch: ServerBatch) -> str:
    """Return the note for an error after which it is not known whether a batch was created."""
    return (
        f"It is not known whether the server has created the batch of {_describe(batch)}; it may be"
        " charged. The next run does not submit its requests again by itself.\n"
        f"{_ADVICE}"
    )


def build_unconfirmed_error(
    batch: ServerBatch, *, reason: str = "", begun: bool = False
) -> UnconfirmedBatchError:
    """Return the error of a run that finds an unconfirmed batch.

    Args:
        batch: the batch.
        reason: why an id that the user gave does not settle it.
        begun: whether the run had sent requests.
    """
    message = (
        f"it is not known whether the server has created the batch of {_describe(batch)}: no"
        " response with its id has arrived. It may be charged, so its requests are not submitted"
        " again by themselves"
    )
    lines = [f"{reason}; {message}" if reason else message, _ADVICE]
    return UnconfirmedBatchError(
        "\n".join(lines), requests=len(batch.members), submitted=batch.submitted, begun=begun
    )


def _describe(batch: ServerBatch) -> str:
    """Return the size, first id and time of a batch, by which the user may recognize it."""
    count = len(batch.members)
    text = f"{count:,} requests" if count != 1 else "1 request"
    if batch.members:
        text += f" (the first is {describe(batch.members[0][0])})"
    # The line may have been edited.
    return f"{text} that was submitted at {batch.submitted or 'an unknown time'} UTC"
