"""The lines of the output, in the form of OpenAI's Batch API and with what a bill needs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import msgspec

from aimlchat._protocol.surrogates import mend_surrogates
from aimlchat.completions import Cost, Usage, raw_body
from aimlchat.errors import APIError

if TYPE_CHECKING:
    from aimlchat.completions import Completion
    from aimlchat.errors import AIMLChatError

    from .input_lines import Asked

__all__ = ["MISSING_ANSWER", "failure_line", "line_of_message", "success_line"]

MISSING_ANSWER = "MissingAnswer"
_OK = 200
_MAX_DEPTH = 64


def success_line(asked: Asked, completion: Completion) -> bytes:
    """Return the result of a call that went well."""
    response = {
        "status_code": _OK,
        "request_id": completion.inference_id,
        "body": _body(completion),
    }
    return _line(
        asked.custom_id,
        asked.digest,
        response=response,
        usage=completion.usage,
        cost=completion.cost,
        attempts=len(completion.attempts),
        inference_id=completion.inference_id,
        client_request_id=completion.client_request_id,
    )


def failure_line(asked: Asked, error: AIMLChatError) -> bytes:
    """Return the result of a call that failed; the code is the name of the error's class."""
    said: dict[str, Any] = {"code": type(error).__name__, "message": str(error)}
    if isinstance(error, APIError):
        said |= {"status_code": error.status, "request_id": error.request_id}
    return _line(
        asked.custom_id,
        asked.digest,
        error=said,
        attempts=len(error.attempts),
        inference_id=error.inference_id if isinstance(error, APIError) else None,
        client_request_id=asked.client_request_id,
    )


def line_of_message(
    custom_id: str | int, digest: str, batch_id: str, result: dict[str, Any]
) -> tuple[bytes, str | None, Usage, Cost | None]:
    """Return the result of a request in a batch on the server, with what has to be counted of it.

    That is its line, the code of its error (None if it went well), its tokens and its cost. The
    body is Anthropic's message, as it came.
    """
    message = result.get("message")
    if result.get("type") != "succeeded" or not isinstance(message, dict):
        code = str(result.get("type") or MISSING_ANSWER)
        error = {"code": code, "message": _reason(result)}
        line = _line(custom_id, digest, error=error, attempts=1, batch_id=batch_id)
        return line, code, Usage(), None
    usage, cost = _usage(message), _cost(message)
    response = {"status_code": _OK, "request_id": message.get("id"), "body": message}
    line = _line(
        custom_id, digest, response=response, usage=usage, cost=cost, attempts=1, batch_id=batch_id
    )
    return line, None, usage, cost


def _line(
    custom_id: str | int,
    digest: str,
    *,
    response: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
    usage: Usage | None = None,
    cost: Cost | None = None,
    **facts: Any,
) -> bytes:
    # The journal knows a torn line by its beginning: the id has to stay in front.
    result = {
        "custom_id": custom_id,
        "response": response,
        "error": error,
        "usage": usage and _counts(usage),
        "cost": cost and {"usd": cost.usd, "credits": cost.credits},
        **facts,
        "digest": digest,
    }
    try:
        return msgspec.json.encode(result) + b"\n"
    except (UnicodeEncodeError, RecursionError):
        # Half an emoji, or a body that is nested to exhaust the stack; the rest was paid for.
        return json.dumps(_encodable(result), allow_nan=False).encode() + b"\n"


def _body(completion: Completion) -> msgspec.Raw | dict[str, Any]:
    """Return the body as the bytes that came, if they can stand in a line: parsing costs more."""
    raw = raw_body(completion)  # bytes only of a whole answer, known to be JSON
    if isinstance(raw, bytes) and raw.isascii() and b"\n" not in raw and b"\r" not in raw:
        return msgspec.Raw(raw)
    return completion.raw


def _counts(usage: Usage) -> dict[str, int | None]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cached_tokens": usage.cached_tokens,
    }


def _encodable(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return mend_surrogates(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {mend_surrogates(name): _encodable(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_encodable(item, depth + 1) for item in value]
    return value


def _reason(result: dict[str, Any]) -> str:
    """Find the innermost sentence of an error, which the vendor wraps several times."""
    inner: Any = result.get("error")
    while isinstance(inner, dict):
        if isinstance(inner.get("message"), str):
            return str(inner["message"])
        inner = inner.get("error")
    return f"the server says no more than {result.get('type')!r}"


def _usage(message: dict[str, Any]) -> Usage:
    said = message.get("usage")
    counts = said if isinstance(said, dict) else {}

    def count(name: str) -> int | None:
        value = counts.get(name)
        return value if isinstance(value, int) else None

    sent, written = count("input_tokens"), count("output_tokens")
    total = None if sent is None or written is None else sent + written
    return Usage(sent, written, total, cached_tokens=count("cache_read_input_tokens"), raw=counts)


def _cost(message: dict[str, Any]) -> Cost | None:
    meta = message.get("meta")
    said = meta.get("usage") if isinstance(meta, dict) else None
    if not isinstance(said, dict) or not isinstance(said.get("usd_spent"), int | float):
        return None
    usd = float(said["usd_spent"])
    credits_used = said.get("credits_used")
    # 2,000,000 credits are one dollar, as in `aimlchat.completions.Cost`.
    return Cost(usd, float(credits_used) if credits_used is not None else usd * 2_000_000)
