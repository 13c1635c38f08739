"""What the server says when it says no, from a status, headers and a body of any shape."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from aimlchat._json import decode_json
from aimlchat.errors import APIError, ProtocolError, error_for_status

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["error_from_body", "error_from_response", "is_error_body", "retry_after_of"]

# What an error inside a stream stands for, by the words of its code or type; the first match
# counts, so that "insufficient_quota" is about money and "model_not_found" about the model.
_STATUS_OF_WORDS = (
    ("overloaded", 529),
    ("rate_limit", 429),
    ("rate limit", 429),
    ("too_many_requests", 429),
    ("quota", 402),
    ("billing", 402),
    ("credit", 402),
    ("api_key", 401),
    ("authentication", 401),
    ("unauthorized", 401),
    ("permission", 403),
    ("forbidden", 403),
    ("not_found", 404),
    ("invalid", 400),
    ("bad_request", 400),
)
_ANY_SERVER_FAULT = 500
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]*)?")
_STATUS = re.compile(r"[45][0-9][0-9]")
# The vendor's 403 for an empty account speaks of credits, limits, payment or billing.
_ABOUT_MONEY = re.compile(r"credit|exhausted|payment|billing|balance|quota|top up", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_MAX_TEXT = 300


def is_error_body(body: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is an error and not (a part of) a completion.

    Some gateways answer 200, or send an event in the middle of a stream, with an error in it.
    """
    if body.get("error"):
        return True
    if "choices" in body or "message" not in body:
        return False
    return "statusCode" in body or body.get("object") == "error" or body.get("type") == "error"


def error_from_body(body: Mapping[str, Any]) -> APIError:
    """Return the error that an error event in a stream, or in a 200, stands for."""
    return _error(_implied_status(body), body)


def error_from_response(
    status: int, data: bytes, headers: Mapping[str, str], now: float
) -> APIError:
    """Return the error for an answer with an error status.

    ``now`` is the time in seconds since the epoch, for a Retry-After that is a date.
    """
    try:
        body = decode_json(data)
    except ProtocolError:
        body = data.decode("utf-8", "replace")
    error = _error(status, body)
    error.inference_id = headers.get("x-inference-id")
    error.request_id = error.request_id or headers.get("x-request-id")
    error.retry_after = retry_after_of(headers, now)
    return error


def retry_after_of(headers: Mapping[str, str], now: float) -> float | None:
    """Return how many seconds the server asks to wait (RFC 9110, section 10.2.3), or None."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if _SECONDS.fullmatch(said := headers.get(name, "").strip()):
            return float(said) * unit
    return _seconds_until(headers.get("retry-after", ""), now)


def _seconds_until(date: str, now: float) -> float | None:
    from calendar import timegm  # noqa: PLC0415 - slow to import, seldom used
    from email.utils import parsedate_tz  # noqa: PLC0415

    try:
        parts = parsedate_tz(date)
        # A date without a zone, as asctime() writes it, is in GMT (RFC 9110, section 5.6.7).
        return max(timegm(parts[:9]) - (parts[9] or 0) - now, 0.0) if parts else None
    except (TypeError, ValueError, OverflowError):
        return None


def _error(status: int, body: Any) -> APIError:
    message = _message_in(body) or f"the server answered {status} without saying why"
    kind = error_for_status(status, out_of_credits=bool(_ABOUT_MONEY.search(message)))
    facts = body if isinstance(body, dict) else {}
    request_id = facts.get("requestId") or facts.get("request_id")
    path = facts.get("path")
    return kind(
        message,
        status=status,
        request_id=str(request_id) if request_id else None,
        path=path if isinstance(path, str) else None,
        body=body,
    )


def _message_in(body: Any, depth: int = 0) -> str:
    """Return the innermost sentence: bodies nest upstream bodies, as objects and as JSON text."""
    if depth > 8:  # noqa: PLR2004 - nobody nests like that in earnest
        return ""
    if isinstance(body, dict):
        for key in ("error", "message", "detail", "error_description"):
            if message := _message_in(body.get(key), depth + 1):
                return message
        return ""
    if isinstance(body, list):
        return "; ".join(filter(None, (_message_in(item, depth + 1) for item in body[:5])))
    if not isinstance(body, str):
        return ""
    return _message_in_text(body.strip(), depth)


def _message_in_text(text: str, depth: int) -> str:
    if text.startswith("<"):
        title = _TITLE.search(text[:10_000])
        words = " ".join(title[1].split()) if title else ""
        return f"a page of HTML: {words[:_MAX_TEXT]}" if words else "a page of HTML"
    start = text.find("{")
    if start >= 0:
        try:
            inner, _ = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            return text[:_MAX_TEXT]
        if message := _message_in(inner, depth + 1):
            return message
    return text[:_MAX_TEXT]


def _implied_status(body: Mapping[str, Any]) -> int:
    said = body.get("error")
    error: Mapping[str, Any] = said if isinstance(said, dict) else body
    codes = [
        body.get("statusCode"),
        error.get("statusCode"),
        error.get("status"),
        error.get("code"),
    ]
    for code in codes:
        if isinstance(code, int | str) and _STATUS.fullmatch(str(code)):
            return int(code)
    # A plain string as error has no type or code, so its own words have to do.
    for said_kind in (error.get("code"), error.get("type"), said if isinstance(said, str) else ""):
        kind = said_kind.lower() if isinstance(said_kind, str) else ""
        for words, status in _STATUS_OF_WORDS:
            if words in kind:
                return status
    return _ANY_SERVER_FAULT
