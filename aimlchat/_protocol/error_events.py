"""The error in a chunk or in a whole body, wherever it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from aimlchat._json import decode_json
from aimlchat.errors import ProtocolError

from .api_errors import error_from_body, is_error_body, says_something
from .chunks import FAILURE_REASON
from .lenient import read_dict, read_fields, read_finish_reason, read_list
from .metadata import normalize_finish_reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aimlchat.errors import APIError

__all__ = ["UNEXPLAINED_ERROR", "find_error", "wrap_error"]

_IS_FAILURE = re.compile(FAILURE_REASON, re.IGNORECASE).fullmatch
# The keys below are in lower case and without "_", as `read_fields` returns them. Only errors have
# these: those of FastAPI and GraphQL, of Baidu, AWS and Apigee.
_ERROR_KEYS = (
    *("detail", "errors", "errorcode", "errormsg", "errormessage", "errortype"),
    *("fault", "exception"),
)
_CODE_KEYS = ("code", "errcode", "errno")
_KIND_KEYS = ("status", "statuscode", "type")  # the last is also AWS's "__type"
_NAMES_FAILURE = re.compile(r".*(?:error|exception|failed|failure)", re.IGNORECASE).fullmatch
_GOOD_CODES = frozenset(
    {
        *("", "ok", "success", "succeeded", "done", "null", "none"),
        *("ping", "queued", "pending", "processing", "running"),
    }
)
# 0, an HTTP status that is not an error, and 20000, as SiliconFlow and others send it.
_IS_GOOD_NUMBER = re.compile(r"0+|[123][0-9][0-9]|20000").fullmatch
_IS_ERROR_STATUS = re.compile(r"[45][0-9][0-9]").fullmatch
# AWS's gateway sends a message alone.
_KEYS_BESIDE_MESSAGE = frozenset(("message", "requestid", "connectionid", "path", "timestamp"))

UNEXPLAINED_ERROR = b'{"error":"the server sent an error without a message"}'
"""The data of an error event for an event with the name "error" that says nothing."""


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
        choices = [read_dict(choice) for choice in read_list(part.get("choices"))]
        found = map(_find_choice_error, choices)
        error = next(filter(None, found), None) or _find_error_inside(part, choices)
        if error is not None:
            error.body = body
            return error
    return None


def wrap_error(value: bytes) -> bytes:
    """Return the data of an error event for a value that a server sent as an error.

    That is the value of a line ``error: ...``, or the data of an event whose name is "error".
    Such a value may be the whole body of an error, what ``error`` has in one, or plain text.
    Returns ``b""`` for one that says nothing.
    """
    try:
        body = decode_json(value)
    except ProtocolError:
        text = value.decode("utf-8", "replace").strip()
        value, body = msgspec.json.encode(text), text
    if isinstance(body, dict) and is_error_body(body):
        return value
    return b'{"error":%s}' % value if says_something(body) else b""


def _reports_error(part: Mapping[str, Any]) -> bool:
    """Return whether an object without choices is an error in one of the less usual forms."""
    fields = read_fields(part)
    if any(says_something(fields.get(key)) for key in _ERROR_KEYS):
        return True
    base = fields.get("baseresp")  # MiniMax also has it in chunks without an error, with the code 0
    if isinstance(base, dict) and base.get("status_code"):
        return True
    if not any(isinstance(fields.get(key), str) for key in ("message", "msg", "errmsg")):
        return False
    kinds = [str(fields.get(key)).strip() for key in (*_CODE_KEYS, *_KIND_KEYS)]
    return (
        fields.get("success") is False
        or any(map(_is_error_code, map(fields.get, _CODE_KEYS)))
        or any(_IS_ERROR_STATUS(kind) or _NAMES_FAILURE(kind) for kind in kinds)
        or _KEYS_BESIDE_MESSAGE.issuperset(fields)
    )


def _is_error_code(code: Any) -> bool:
    """Return whether a code beside a message is that of an error: a word, or a number above 0."""
    if isinstance(code, bool) or not isinstance(code, int | str):
        return False
    text = str(code).strip().lower()
    return text not in _GOOD_CODES and not _IS_GOOD_NUMBER(text)


def _find_error_inside(part: Mapping[str, Any], choices: list[dict[str, Any]]) -> APIError | None:
    """Return the error under a key of the vendor's own, None if there is none.

    Groq's is ``x_groq.error``, the reason why a stream was stopped; the events of Bedrock have one
    key, such as ``throttlingException``. Next to text or a finish reason such an error is not that
    of the answer, but perhaps that of a search.
    """
    for choice in choices:
        message = choice.get("delta") or choice.get("message")
        if normalize_finish_reason(read_finish_reason(choice)) or any(
            value for key, value in read_dict(message).items() if key != "role"
        ):
            return None
    for key, value in part.items():
        if not isinstance(value, dict):
            continue
        if says_something(value.get("error")):
            return error_from_body({"error": value["error"]})
        if key.lower().endswith("exception") and not choices:
            return error_from_body({"error": {"type": key, **value}})
    return None


def _find_choice_error(choice: dict[str, Any]) -> APIError | None:
    for holder in (choice, choice.get("delta"), choice.get("message")):
        if isinstance(holder, dict) and says_something(holder.get("error")):
            return error_from_body({"error": holder["error"]})
    reason = read_finish_reason(choice)
    if reason and _IS_FAILURE(reason):
        message = f"the server did not finish the answer; its finish reason is {reason.strip()!r}"
        return error_from_body({"error": {"message": message}})
    return None
