"""API errors: the `APIError` for a status, response headers and a body of any shape."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from aimlchat._json import decode_json
from aimlchat.errors import APIError, ProtocolError, error_for_status

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["error_from_body", "error_from_response", "is_error_body", "parse_retry_after"]

# The status that an error in a stream implies, by a word in its code or type. The first match is
# used, so that "insufficient_quota" is about money and "model_not_found" about the model.
_STATUS_BY_WORD = (
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
_DEFAULT_STATUS = 500
_ERROR_STATUS = re.compile(r"[45][0-9][0-9]")
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]*)?")
# A 403 can mean an empty account or a missing permission; only the message differs.
_ABOUT_MONEY = r"credit|exhausted|payment|billing|balance|quota|top up"
_TITLE = r"<title[^>]*>(.*?)</title>"
_MAX_MESSAGE = 300  # characters
_MAX_DEPTH = 8  # of nested bodies; limits the recursion for hostile ones


def is_error_body(body: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is an error, and not a chunk or a completion.

    Gateways were seen to send errors with status 200, and as events in the middle of a stream. The
    form is OpenAI's (``error``), Anthropic's (``"type": "error"``) or the vendor's own
    (``statusCode`` and ``message``).
    """
    if body.get("error"):
        return True
    if "choices" in body or "message" not in body:
        return False
    return "statusCode" in body or body.get("object") == "error" or body.get("type") == "error"


def error_from_body(body: Mapping[str, Any]) -> APIError:
    """Return the error for an error event of a stream, or for an error body with status 200.

    Its status is the one in the body, or else the one that its code or type implies.
    """
    return _build_error(_imply_status(body), body)


def error_from_response(
    status: int, data: bytes, headers: Mapping[str, str], now: float
) -> APIError:
    """Return the error for a response with an error status.

    Args:
        status: the status of the response, which overrides one in the body.
        data: the body, of any format.
        headers: the response headers; names are looked up in lower case.
        now: the current time in seconds since the epoch, for a ``Retry-After`` that is a date.
    """
    try:
        body = decode_json(data)
    except ProtocolError:
        body = data.decode("utf-8", "replace")
    error = _build_error(status, body)
    error.inference_id = headers.get("x-inference-id")
    error.request_id = error.request_id or headers.get("x-request-id")
    error.retry_after = parse_retry_after(headers, now)
    return error


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the wait that the server requests, in seconds, or None if it requests none.

    Reads ``retry-after-ms``, which is not standard but which OpenAI's own client reads first, then
    ``Retry-After`` (RFC 9110, section 10.2.3) as a number of seconds or as a date. A date is
    compared with ``now``, the current time in seconds since the epoch.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if _SECONDS.fullmatch(value := headers.get(name, "").strip()):
            return float(value) * unit
    return _seconds_until(headers.get("retry-after", ""), now)


def _seconds_until(date: str, now: float) -> float | None:
    from calendar import timegm  # noqa: PLC0415 - slow to import, and rarely used
    from email.utils import parsedate_tz  # noqa: PLC0415

    try:
        parts = parsedate_tz(date)
        # A date without a zone, as asctime() writes it, is in GMT (RFC 9110, section 5.6.7).
        return max(timegm(parts[:9]) - (parts[9] or 0) - now, 0.0) if parts else None
    except (TypeError, ValueError, OverflowError):
        return None


def _build_error(status: int, body: Any) -> APIError:
    message = _find_message(body) or f"the server returned status {status} without a message"
    kind = error_for_status(
        status, out_of_credits=bool(re.search(_ABOUT_MONEY, message, re.IGNORECASE))
    )
    fields = body if isinstance(body, dict) else {}
    request_id = fields.get("requestId") or fields.get("request_id")
    path = fields.get("path")
    return kind(
        message,
        status=status,
        request_id=str(request_id) if request_id else None,
        path=path if isinstance(path, str) else None,
        body=body,
    )


def _find_message(body: Any, depth: int = 0) -> str:
    """Return the innermost message: bodies contain upstream bodies, as objects and as JSON text."""
    if depth > _MAX_DEPTH:
        return ""
    if isinstance(body, dict):
        for key in ("error", "message", "detail", "error_description"):
            if message := _find_message(body.get(key), depth + 1):
                return message
        return ""
    if isinstance(body, list):
        return "; ".join(filter(None, (_find_message(item, depth + 1) for item in body[:5])))
    if not isinstance(body, str):
        return ""
    return _find_message_in_text(body.strip(), depth)


def _find_message_in_text(text: str, depth: int) -> str:
    """Return the message of a text: the title of an HTML page, or from JSON in it, or itself."""
    if text.startswith("<"):
        # The proxy in front of the API returns HTML with 502, 520 and 524.
        title = re.search(_TITLE, text[:10_000], re.IGNORECASE | re.DOTALL)
        words = " ".join(title[1].split()) if title else ""
        return f"a page of HTML: {words[:_MAX_MESSAGE]}" if words else "a page of HTML"
    start = text.find("{")
    if start >= 0:
        try:
            inner, _ = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            return text[:_MAX_MESSAGE]
        if message := _find_message(inner, depth + 1):
            return message
    return text[:_MAX_MESSAGE]


def _imply_status(body: Mapping[str, Any]) -> int:
    inner = body.get("error")
    error: Mapping[str, Any] = inner if isinstance(inner, dict) else body
    codes = [
        body.get("statusCode"),
        error.get("statusCode"),
        error.get("status"),
        error.get("code"),
    ]
    for code in codes:
        if isinstance(code, int | str) and _ERROR_STATUS.fullmatch(str(code)):
            return int(code)
    # An error that is a plain string has no code or type, so its text is searched instead.
    for kind in (error.get("code"), error.get("type"), inner):
        text = kind.lower() if isinstance(kind, str) else ""
        for word, status in _STATUS_BY_WORD:
            if word in text:
                return status
    return _DEFAULT_STATUS
