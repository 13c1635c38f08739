"""The errors of the relay, and the description of an error that a page may see.

A description never contains the error's own message, which may quote a conversation, an API key
or the body of a response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from aimlchat.errors import (
    AIMLChatError,
    APIError,
    AuthenticationError,
    BadRequestError,
    BudgetExceededError,
    ConfigurationError,
    ConnectionFailedError,
    InsufficientCreditsError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StreamInterruptedError,
)

if TYPE_CHECKING:
    from aimlchat.runs import ToolRun
    from aimlchat.stream import DeltaStream

__all__ = [
    "BroadcastInterruptedError",
    "BroadcastTooLargeError",
    "ErrorDescription",
    "PageGoneError",
    "PageTooSlowError",
    "attach_partial",
    "describe_error",
]


class PageTooSlowError(AIMLChatError):
    """The page reads too slowly: too much data waits for it, or one frame took too long to send.

    The relay has stopped sending to that page. ``partial`` is the completion as far as it had
    been received.
    """


class BroadcastTooLargeError(AIMLChatError):
    """The answer is larger than the store of its broadcast keeps.

    The stream has been closed. ``partial`` is the completion as far as it had been received.
    """


class BroadcastInterruptedError(AIMLChatError):
    """The answer cannot continue, or can no longer be followed.

    The process that generated it has died, the answer has failed in another process, or Redis
    cannot be reached or has lost the answer. ``partial`` is the completion as far as it is known
    here.
    """


class PageGoneError(Exception):
    """The page has closed its connection. The relay handles this error; callers never see it."""


def attach_partial(error: AIMLChatError, stream: DeltaStream[Any] | ToolRun[Any]) -> None:
    """Add to an error what a stream has received, without secrets that the server has echoed."""
    error.partial = stream.partial
    call = stream._call  # noqa: SLF001 - hidden from users, like all that redaction needs
    if call is not None:
        call.redact(error)


@attrs.frozen
class ErrorDescription:
    """The description of an error for a page: a code for programs and a sentence for people.

    ``retry_after`` is the wait in seconds that the server requested, None if it named none.
    """

    code: str
    sentence: str
    retry_after: float | None = None


# The first matching class wins, so a subclass precedes its base class.
_DESCRIPTIONS: tuple[tuple[type[Exception], str, str], ...] = (
    (AuthenticationError, "authentication", "This service cannot sign in to the model's provider."),
    (InsufficientCreditsError, "credits", "This service has no credits left with the provider."),
    (PermissionDeniedError, "permission", "This service may not use this model."),
    (NotFoundError, "not_found", "This model does not exist or has been retired."),
    (RateLimitError, "rate_limit", "There are too many requests right now. Try again in a while."),
    (BadRequestError, "bad_request", "The model cannot process this request."),
    (InvalidRequestError, "bad_request", "The model cannot process this request."),
    (ServerError, "provider", "The model's provider has a problem. Try again in a while."),
    (APIError, "provider", "The model's provider refused this request."),
    (RequestTimeoutError, "timeout", "The model did not answer in time. Try again."),
    (ConnectionFailedError, "connection", "The model's provider cannot be reached. Try again."),
    (StreamInterruptedError, "interrupted", "The answer was cut off before its end. Try again."),
    (ProtocolError, "protocol", "The model's provider sent a response that cannot be read."),
    (BudgetExceededError, "credits", "This service has spent its budget."),
    (ConfigurationError, "configuration", "This service is not set up correctly."),
    (BroadcastInterruptedError, "interrupted", "The answer was cut off before its end. Try again."),
    (BroadcastTooLargeError, "too_large", "The answer is longer than this service can keep."),
    (PageTooSlowError, "too_slow", "This page fell too far behind the answer."),
)
_UNKNOWN_ERROR = ("internal", "Something went wrong in this service.")


def describe_error(error: Exception) -> ErrorDescription:
    """Return what a page may see of an error."""
    matches = (description for kind, *description in _DESCRIPTIONS if isinstance(error, kind))
    code, sentence = next(matches, _UNKNOWN_ERROR)
    retry_after = error.retry_after if isinstance(error, APIError) else None
    return ErrorDescription(code, sentence, retry_after)
