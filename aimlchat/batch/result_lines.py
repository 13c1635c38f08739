"""The lines of the output: the format of OpenAI's Batch API, plus what billing needs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import msgspec

from aimlchat._json import decode_json
from aimlchat._protocol.error_messages import find_message
from aimlchat._protocol.metadata import parse_cost, parse_usage
from aimlchat._protocol.surrogates import mend_surrogates
from aimlchat.completions import Cost, Usage, raw_body
from aimlchat.errors import APIError, OutputError

from .input_lines import TypedBatchRequest
from .line_content import is_nested_deeply

if TYPE_CHECKING:
    from aimlchat.completions import Completion
    from aimlchat.errors import AIMLChatError

    from .input_lines import BatchRequest

__all__ = [
    "ServerResult",
    "encode_completion",
    "encode_failure",
    "encode_server_result",
    "encode_value",
]

_OK = 200
_NO_FACTS: dict[str, Any] = {}
_encode = msgspec.json.Encoder().encode
_MISSING_ANSWER = "MissingAnswer"
"""The code of a result on the server that has neither a message nor an error."""
_MAX_DEPTH = 64
# 640 digits, the lowest limit that Python's conversion of integers to text can be set to.
_MAX_INTEGER_BITS = 2126


class ServerResult(msgspec.Struct, frozen=True):
    """A result of a batch on the server: its line, and the figures for the summary.

    ``error`` is the code of its error, None for a success.
    """

    line: bytes
    error: str | None = None
    usage: Usage | None = None
    cost: Cost | None = None


def encode_completion(request: BatchRequest, completion: Completion[Any]) -> bytes:
    """Return the line of a call that has succeeded."""
    if isinstance(request, TypedBatchRequest):
        return _encode_billed(request, completion, {"output": completion.output})
    return _encode_billed(request, completion, _NO_FACTS)


def encode_failure(request: BatchRequest, error: AIMLChatError) -> bytes:
    """Return the line of a call that has failed; its code is the name of the error's class."""
    facts: dict[str, Any] = {"code": type(error).__name__, "message": str(error)}
    if isinstance(error, OutputError):  # the answer was paid for, so it is kept
        facts |= {"reason": error.reason, "path": error.path}
        return _encode_billed(request, error.completion, {}, facts)
    if isinstance(error, APIError):
        facts |= {"status_code": error.status, "request_id": error.request_id}
    return _encode_line(
        request.custom_id,
        request.digest,
        error=facts,
        attempts=len(error.attempts),
        inference_id=error.inference_id if isinstance(error, APIError) else None,
        client_request_id=request.client_request_id,
    )


def _encode_billed(
    request: BatchRequest,
    completion: Completion[Any],
    facts: dict[str, Any],
    error: dict[str, Any] | None = None,
) -> bytes:
    """Return the line of a call with a completion, whether or not it is of the requested type."""
    usage, cost, inference_id = completion.usage, completion.cost, completion.inference_id
    # Written out instead of calling `_encode_line`, since it runs for each answer.
    return _encode_result(
        {
            "custom_id": request.custom_id,
            "response": {
                "status_code": _OK,
                "request_id": inference_id,
                "body": _get_body(completion),
            },
            "error": error,
            "usage": None if usage is None else usage.as_dict(),
            "cost": cost and {"usd": cost.usd, "credits": cost.credits},
            "attempts": len(completion.attempts),
            "inference_id": inference_id,
            "client_request_id": completion.client_request_id,
            **facts,
            "digest": request.digest,
        }
    )


def encode_server_result(
    custom_id: str | int, digest: str, batch_id: str, result: Any
) -> ServerResult:
    """Return the line of a request in a batch on the server, whatever its result contains.

    The body of a success is Anthropic's message as received. Anything else in place of the message
    may have been paid for as well: the line of that failure keeps it as its body.
    """
    if not isinstance(result, dict):
        result = {"message": result}
    kind, message = result.get("type"), result.get("message")
    is_success = kind == "succeeded" or not isinstance(kind, str)
    if not is_success or not isinstance(message, dict):
        code = _MISSING_ANSWER if is_success or not kind else mend_surrogates(kind)
        line = _encode_line(
            custom_id,
            digest,
            response=None if message is None else {"status_code": _OK, "body": message},
            error={"code": code, "message": _find_error_message(result, code)},
            attempts=1,
            batch_id=batch_id,
        )
        return ServerResult(line, code)
    meta = message.get("meta")
    usage = parse_usage(message.get("usage")) or Usage()
    cost = parse_cost(meta) if isinstance(meta, dict) else None
    line = _encode_line(
        custom_id,
        digest,
        response={"status_code": _OK, "request_id": message.get("id"), "body": message},
        usage=_count_with_total(usage),
        cost=cost,
        attempts=1,
        batch_id=batch_id,
    )
    return ServerResult(line, None, usage, cost)


def _encode_line(
    custom_id: str | int,
    digest: str,
    *,
    response: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
    usage: dict[str, int | None] | None = None,
    cost: Cost | None = None,
    **facts: Any,
) -> bytes:
    return _encode_result(
        {
            "custom_id": custom_id,
            "response": response,
            "error": error,
            "usage": usage,
            "cost": cost and {"usd": cost.usd, "credits": cost.credits},
            **facts,
            "digest": digest,
        }
    )


def _encode_result(result: dict[str, Any]) -> bytes:
    """Return the line of a result.

    The journal recognizes a torn line by its beginning, so the id has to come first.
    """
    try:
        line = _encode(result)
    except (ValueError, OverflowError, RecursionError):
        # A lone surrogate, an integer with too many digits, or a body that is nested too deeply.
        # The result has been paid for, so write as much of it as JSON can hold.
        line = _encode_leniently(result)
    return (_encode_leniently(result) if is_nested_deeply(line) else line) + b"\n"


def encode_value(value: Any) -> bytes:
    """Return a value of a line as JSON, in which null replaces what JSON cannot hold."""
    try:
        return _encode(value)
    except (ValueError, OverflowError, RecursionError):
        return _encode_leniently(value)


def _encode_leniently(result: Any) -> bytes:
    value = _make_encodable(result)
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _get_body(completion: Completion[Any]) -> msgspec.Raw | dict[str, Any]:
    """Return the body, as received if its bytes can be part of a line, since parsing costs more."""
    raw = raw_body(completion)  # bytes only for a whole completion; they are known to be JSON
    if isinstance(raw, bytes) and raw.isascii() and b"\n" not in raw and b"\r" not in raw:
        return msgspec.Raw(raw)
    return completion.raw


def _make_encodable(value: Any, depth: int = 0) -> Any:
    """Return a copy of a value in which null replaces what JSON cannot hold."""
    if isinstance(value, str):
        return mend_surrogates(value)
    if depth > _MAX_DEPTH or _is_unwritable_number(value):
        return None
    if isinstance(value, msgspec.Raw):
        return _make_encodable(decode_json(bytes(value)), depth)
    if isinstance(value, dict):
        return {
            mend_surrogates(name): _make_encodable(item, depth + 1) for name, item in value.items()
        }
    if isinstance(value, list):
        return [_make_encodable(item, depth + 1) for item in value]
    return value


def _is_unwritable_number(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, int) and value.bit_length() > _MAX_INTEGER_BITS


def _count_with_total(usage: Usage) -> dict[str, int | None]:
    """Return the counts of an Anthropic message, which has no total, with their total."""
    counts = usage.as_dict()
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if usage.total_tokens is None and prompt is not None and completion is not None:
        counts["total_tokens"] = prompt + completion
    return counts


def _find_error_message(result: dict[str, Any], code: str) -> str:
    error = result.get("error")
    if isinstance(error, dict) and (message := find_message(error)):
        return message
    if code == _MISSING_ANSWER:
        return "the result on the server holds no message; send the request again"
    return f"the server gives no reason beyond {code!r}"
