"""API errors: the `APIError` for a status, response headers and a body of any shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aimlchat._json import decode_json
from aimlchat._printable import CUT_MARK, shorten
from aimlchat.errors import APIError, ProtocolError, error_for_status

from .lenient import read_dict, read_fields
from .surrogates import mend_surrogates

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "error_from_body",
    "error_from_response",
    "is_error_body",
    "is_out_of_credits",
    "says_something",
]

# The status that an error in a stream implies, by a word in its code or type, which are compared
# without case and punctuation: OpenAI's and Anthropic's codes, Google's and AWS's. The first match
# is used, so that "insufficient_quota" is about money and "model_not_found" about the model.
_STATUS_BY_WORD = (
    ("overloaded", 529),
    ("ratelimit", 429),
    ("toomanyrequests", 429),
    ("throttl", 429),
    ("resourceexhausted", 429),
    ("quota", 402),
    ("billing", 402),
    ("credit", 402),
    ("apikey", 401),
    ("authentication", 401),
    ("unauthenticated", 401),
    ("unauthorized", 401),
    ("permission", 403),
    ("accessdenied", 403),
    ("forbidden", 403),
    ("notfound", 404),
    ("invalid", 400),
    ("badrequest", 400),
    ("validatione", 400),  # "validation_error", "ValidationException"
    ("failedprecondition", 400),
    ("unavailable", 503),
    ("deadlineexceeded", 504),
)
_DEFAULT_STATUS = 500
_PAYMENT_REQUIRED, _FORBIDDEN, _TOO_MANY_REQUESTS = 402, 403, 429
_ERROR_STATUS = re.compile(r"[45][0-9][0-9]")
# For a 403, a code takes precedence over the message. Codes are compared without punctuation.
_RATE_LIMIT_CODES = r"ratelimit|toomany|throttl|overload|capacity"
_MONEY_CODES = r"quota|billing|credit|balance|payment|funds|spend"
# A 403 can mean an empty account or a missing permission; only its message tells them apart.
_ABOUT_MONEY = r"credit|exhausted|payment|billing|balance|quota|top up"
_NO_CREDITS = (
    r"insufficient[ _](?:credit|quota|balance|fund)|spending limit"
    r"|(?:out of|no|more|add(?: [0-9]+)?) credits?"
    r"|credits? (?:are|is|have been|has been) (?:exhausted|used)"
)
# An exhausted free tier is a 429 too.
_OUT_OF_CREDITS = rf"free[ -]?tier|billing|top up|{_NO_CREDITS}"
_EMPTY_TEXTS = ("", "0", "null", "none")
_MAX_MESSAGE = 300  # characters
_MAX_ID = 128  # characters of an id in a body


def is_error_body(body: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is an error, and not a chunk or a completion.

    Gateways were seen to send errors with status 200, and as events in the middle of a stream. The
    form is OpenAI's (``error``), Anthropic's (``"type": "error"``) or the vendor's own
    (``statusCode`` and ``message``). An ``error`` that says nothing does not count.
    """
    if says_something(body.get("error")):
        return True
    if "choices" in body or "message" not in body:
        return False
    return "statusCode" in body or body.get("object") == "error" or body.get("type") == "error"


def says_something(error: Any) -> bool:
    """Return whether the value of ``error`` says anything.

    Gateways have ``null``, ``{}`` or an object of empty fields in chunks without an error.
    """
    values = error.values() if isinstance(error, dict) else (error,)
    return any(
        value.strip().lower() not in _EMPTY_TEXTS if isinstance(value, str) else bool(value)
        for value in values
    )


def error_from_body(body: Mapping[str, Any]) -> APIError:
    """Return the error for an error event of a stream, or for an error body with status 200.

    Its status is the one in the body, or else the one that its code or type implies. If an error
    about a quota names a wait, it is 429, a rate limit, since waiting helps.
    """
    given = _read_status(body)
    status = given or _imply_status(body)
    error = _build_error(status, body, {}, None)
    if status == _PAYMENT_REQUIRED and error.retry_after is not None and given is None:
        return _build_error(_TOO_MANY_REQUESTS, body, {}, None)
    return error


def error_from_response(
    status: int, data: bytes, headers: Mapping[str, str], now: float, *, unreadable: str = ""
) -> APIError:
    """Return the error for a response with an error status.

    Args:
        status: the status of the response, which overrides one in the body.
        data: the body, of any format.
        headers: the response headers; names are looked up in lower case.
        now: the current time in seconds since the epoch, for a ``Retry-After`` that is a date.
        unreadable: why the body could not be read to its end, ``""`` if it could.
    """
    try:
        body = decode_json(data)
    except ProtocolError:
        body = data.decode("utf-8", "replace")
        if body and unreadable:
            body += CUT_MARK
    error = _build_error(status, body, headers, now, unreadable=unreadable)
    error.inference_id = headers.get("x-inference-id")
    error.request_id = error.request_id or headers.get("x-request-id")
    return error


def is_out_of_credits(error: APIError) -> bool:
    """Return whether a 429 says that the account, or its free tier, is exhausted.

    Its code or its message says so. A 429 that names a wait is a rate limit, whatever it says.
    """
    if error.retry_after is not None:
        return False
    if re.search(_OUT_OF_CREDITS, error.message, re.IGNORECASE):
        return True
    return _is_about_money(error.body, error.message, _OUT_OF_CREDITS)


def _build_error(
    status: int,
    body: Any,
    headers: Mapping[str, str],
    now: float | None,
    *,
    unreadable: str = "",
) -> APIError:
    # Loaded here, since most processes start more often than they meet an error.
    from .error_messages import find_message  # noqa: PLC0415
    from .retry_after import find_retry_after  # noqa: PLC0415

    message = find_message(body)
    retry_after = find_retry_after(status, body, message, headers, now)
    money_words = _ABOUT_MONEY if retry_after is None else _NO_CREDITS
    kind = error_for_status(
        status, out_of_credits=status == _FORBIDDEN and _is_about_money(body, message, money_words)
    )
    message = shorten(mend_surrogates(message), _MAX_MESSAGE)
    message = message or f"the server returned status {status} without a message"
    if unreadable:
        message = f"{message} ({unreadable})"
    fields = body if isinstance(body, dict) else {}
    request_id = fields.get("requestId") or fields.get("request_id")
    path = fields.get("path")
    return kind(
        message,
        status=status,
        request_id=shorten(mend_surrogates(str(request_id)), _MAX_ID) if request_id else None,
        path=mend_surrogates(path) if isinstance(path, str) else None,
        retry_after=retry_after,
        body=body,
    )


def _is_about_money(body: Any, message: str, words: str) -> bool:
    """Return whether an error is about an empty account: by its inner code, else its message."""
    from .error_messages import iterate_objects  # noqa: PLC0415 - as in `_build_error`

    for fields in reversed(list(iterate_objects(body))):
        for key in ("code", "type", "reason", "errorcode"):
            code = fields.get(key)
            code = re.sub("[^a-z]", "", code.lower()) if isinstance(code, str) else ""
            if re.search(_RATE_LIMIT_CODES, code):
                return False
            if re.search(_MONEY_CODES, code):
                return True
    return re.search(words, message, re.IGNORECASE) is not None


def _read_status(body: Mapping[str, Any]) -> int | None:
    outer, inner = read_fields(body), read_fields(read_dict(body.get("error")))
    for fields in (outer, inner):
        for key in ("statuscode", "httpcode", "httpstatus"):
            if status := _parse_error_status(fields.get(key)):
                return status
    for fields in (inner, outer):
        for key in ("status", "code"):
            if status := _parse_error_status(fields.get(key)):
                return status
    return None


def _parse_error_status(value: Any) -> int | None:
    if isinstance(value, int | str) and _ERROR_STATUS.fullmatch(str(value)):
        return int(value)
    return None


def _imply_status(body: Mapping[str, Any]) -> int:
    inner = body.get("error")
    fields = read_fields(inner if isinstance(inner, dict) else body)
    # An error that is a plain string has no code or type, so its text is searched instead.
    for kind in (*map(fields.get, ("code", "type", "status")), inner):
        text = re.sub("[^a-z]", "", kind.lower()) if isinstance(kind, str) else ""
        for word, status in _STATUS_BY_WORD:
            if word in text:
                return status
    return _DEFAULT_STATUS
