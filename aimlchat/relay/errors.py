"""What a page is told of an error: a sentence for people and a code for programs.

Never the error's own words, which may quote a conversation, a key or the body of an answer.
"""

from __future__ import annotations

import attrs

from aimlchat.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
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

from .buffer import PageTooSlowError

__all__ = ["Problem", "problem_of"]


@attrs.frozen
class Problem:
    """What a page is told. ``retry_after`` is in seconds, None where the server named no wait."""

    code: str
    sentence: str
    retry_after: float | None = None


# The first class that fits counts, so a class stands before those that it inherits from.
_PROBLEMS: tuple[tuple[type[Exception], str, str], ...] = (
    (AuthenticationError, "authentication", "This service cannot sign in to the model's provider."),
    (InsufficientCreditsError, "credits", "This service has no credits left with the provider."),
    (PermissionDeniedError, "permission", "This service may not use this model."),
    (NotFoundError, "not_found", "This model does not exist, or no longer does."),
    (RateLimitError, "rate_limit", "There are too many requests just now. Try again in a while."),
    (BadRequestError, "bad_request", "The model cannot take this request."),
    (InvalidRequestError, "bad_request", "The model cannot take this request."),
    (ServerError, "provider", "The model's provider is in trouble. Try again in a while."),
    (APIError, "provider", "The model's provider refused this request."),
    (RequestTimeoutError, "timeout", "The model did not answer in time. Try again."),
    (ConnectionFailedError, "connection", "The model's provider cannot be reached. Try again."),
    (StreamInterruptedError, "interrupted", "The answer broke off before its end. Try again."),
    (ProtocolError, "protocol", "The model's provider answered with something unreadable."),
    (ConfigurationError, "configuration", "This service is not set up correctly."),
    (PageTooSlowError, "too_slow", "This page fell too far behind the answer."),
)
_UNKNOWN = ("internal", "Something went wrong in this service.")


def problem_of(error: Exception) -> Problem:
    """Return what a page may know of an error."""
    told = (told for kind, *told in _PROBLEMS if isinstance(error, kind))
    code, sentence = next(told, _UNKNOWN)
    return Problem(code, sentence, error.retry_after if isinstance(error, APIError) else None)
