"""The error in a chunk or in a whole body, wherever it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from aimlchat._json import decode_json
from aimlchat.errors import ProtocolError

from .api_errors import error_from_body, is_error_body
from .chunks import FAILURE_REASON
from .lenient import read_finish_reason, read_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aimlchat.errors import APIError

__all__ = ["find_error", "wrap_error"]

_IS_FAILURE = re.compile(FAILURE_REASON, re.IGNORECASE).fullmatch
# Keys that only errors have: those of FastAPI and GraphQL, of Baidu, AWS and Apigee.
_ERROR_KEYS = (
    *("detail", "errors", "error_code", "error_msg", "error_message"),
    *("errorCode", "errorMessage", "errorType", "fault", "exception"),
)
_FAILURE_WORDS = ("error", "failed", "failure", "exception")
# AWS's gateway sends a message alone.
_KEYS_BESIDE_MESSAGE = frozenset(("message", "requestId", "connectionId", "path", "timestamp"))
_IS_ERROR_CODE = re.compile(r"[45][0-9][0-9]").fullmatch
_NO_MESSAGE = b'"the server sent an error without a message"'


def find_error(body: Mapping[str, Any]) -> APIError | None:
    """Return the error that a chunk or a whole body stands for, or None.

    The error is the whole body, or is in the envelope, in a choice, in its ``delta`` or in its
    ``message``; one without choices has many forms. A finish reason that means a failure is an
    error too, even without an ``error``.
    """
    for part in (body, body.get("event")):
        if not isinstance(part, dict):
            continue
        if is_error_body(part) or (not part.get("choices") and _reports_error(part)):
            return error_from_body(part)
        for choice in read_list(part.get("choices")):
            if isinstance(choice, dict) and (error := _find_choice_error(choice)):
                error.body = body
                return error
    return None


def wrap_error(value: bytes) -> bytes:
    """Return the data of an error event for a value that a server sent as an error.

    That is the value of a line ``error: ...``, or the data of an event whose name is "error".
    Such a value may be the whole body of an error, what ``error`` has in one, or plain text.
    """
    try:
        body = decode_json(value)
    except ProtocolError:
        text = value.decode("utf-8", "replace").strip()
        value, body = msgspec.json.encode(text), text
    if isinstance(body, dict) and is_error_body(body):
        return value
    return b'{"error":%s}' % (value if body else _NO_MESSAGE)


def _reports_error(part: Mapping[str, Any]) -> bool:
    """Return whether an object without choices is an error in one of the less usual forms."""
    if any(part.get(key) not in (None, "", 0, "0", [], {}) for key in _ERROR_KEYS):
        return True
    base = part.get("base_resp")  # MiniMax has it in good chunks too, with the code 0
    if isinstance(base, dict) and base.get("status_code"):
        return True
    if not any(isinstance(part.get(key), str) for key in ("message", "msg")):
        return False
    codes = [str(part.get(key)) for key in ("code", "status", "statusCode", "status_code", "type")]
    return (
        part.get("success") is False
        or any(_IS_ERROR_CODE(code) or code.lower() in _FAILURE_WORDS for code in codes)
        or _KEYS_BESIDE_MESSAGE.issuperset(part)
    )


def _find_choice_error(choice: dict[str, Any]) -> APIError | None:
    for holder in (choice, choice.get("delta"), choice.get("message")):
        if isinstance(holder, dict) and holder.get("error"):
            return error_from_body({"error": holder["error"]})
    reason = read_finish_reason(choice)
    if reason and _IS_FAILURE(reason):
        message = f"the server did not finish the answer; its finish reason is {reason.strip()!r}"
        return error_from_body({"error": {"message": message}})
    return None
