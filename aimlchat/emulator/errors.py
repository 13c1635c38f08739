"""How the API reports errors: the exception that carries one, and the JSON body of each status."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NoReturn

from .encoding import dump_json

__all__ = [
    "RejectedRequestError",
    "build_error_body",
    "build_message_error",
    "default_message",
    "error_type_of",
    "reject_as_upstream",
]

_MESSAGES = {
    400: "Body validation error!",
    401: (
        "This request requires a valid API key. You can create a new API key on the Billing page:"
        " https://aimlapi.com/app/keys"
    ),
    403: (
        "You've run out of credits. Please top up your balance or update your payment method to"
        " continue: https://aimlapi.com/app/billing/"
    ),
    429: "Too Many Requests",
    500: "Internal server error",
    502: "Bad Gateway",
    503: "Service unavailable",
    504: "Generation timeout",
}

# Errors of the vendor's billing layer carry their status as a string, all others as a number.
_STATUSES_SENT_AS_STRINGS = frozenset({403, 429})


_MESSAGE_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class RejectedRequestError(Exception):
    """A request that the emulated API refuses; the service sends it as an error response.

    Attributes:
        status: the HTTP status.
        message: the `message` of the error body.
        headers: response headers beyond those that every response has.
        upstream_message: the message of the model's maker alone, where `message` quotes it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        upstream_message: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.upstream_message = upstream_message


def reject_as_upstream(error: dict[str, Any]) -> NoReturn:
    """Refuse a request with the error of the model's maker, which the API puts into its message.

    Raises:
        RejectedRequestError: 400, always.
    """
    message = error["error"]["message"]
    raise RejectedRequestError(400, f"400 {dump_json(error)}", upstream_message=message)


def default_message(status: int) -> str:
    """Return the message that the API sends with a status."""
    if status in _MESSAGES:
        return _MESSAGES[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # 520 to 526 come from the proxy in front and are not in the standard
        return f"Error {status}"


def build_error_body(status: int, message: str, *, path: str, request_id: str) -> dict[str, Any]:
    """Build the JSON body of an error response."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {
        "message": message,
        "path": path,
        "requestId": request_id,
        "statusCode": str(status) if status in _STATUSES_SENT_AS_STRINGS else status,
        "timestamp": now.replace("+00:00", "Z"),
    }


def error_type_of(status: int) -> str:
    """Return the error type of Claude's own message format for a status."""
    return _MESSAGE_ERROR_TYPES.get(status, "api_error")


def build_message_error(status: int, message: str, *, request_id: str) -> dict[str, Any]:
    """Build the JSON body of an error response in Claude's own message format."""
    error = {"type": error_type_of(status), "message": message}
    return {"type": "error", "error": error, "request_id": request_id}
