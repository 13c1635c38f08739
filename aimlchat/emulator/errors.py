"""How the API says no."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

__all__ = ["Refusal", "error_body", "usual_message"]

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

# What the billing layer refuses carries its status as a string, all else as a number.
_WRITTEN_AS_STRING = frozenset({403, 429})


class Refusal(Exception):  # noqa: N818 - it is an answer of the emulator, not an error in it
    """The request is answered with an error."""

    def __init__(self, status: int, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def usual_message(status: int) -> str:
    """Say what the API says with this status."""
    if status in _MESSAGES:
        return _MESSAGES[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # 520 to 526 belong to the proxy in front, not to the standard
        return f"Error {status}"


def error_body(status: int, message: str, *, path: str, request_id: str) -> dict[str, Any]:
    """Make the body of an error."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {
        "message": message,
        "path": path,
        "requestId": request_id,
        "statusCode": str(status) if status in _WRITTEN_AS_STRING else status,
        "timestamp": now.replace("+00:00", "Z"),
    }
