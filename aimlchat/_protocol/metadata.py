"""Everything but the text: finish reasons, token counts, the cost, and the list of models.

Every value is read leniently: one of an unexpected type counts as absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat.completions import CREDITS_PER_USD, Cost, Model, Usage
from aimlchat.errors import ProtocolError

from .lenient import read_dict, read_float, read_int, read_list, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["normalize_finish_reason", "parse_cost", "parse_models", "parse_usage"]

# Claude's whole completions have "end_turn" where its streams have "stop". Some upstreams write
# these words in capitals, so they are compared in lower case.
_FINISH_REASONS = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}
_PLAIN_USAGE_SIZE = 3  # usage with the three counts and no other key


def normalize_finish_reason(native: str | None) -> str | None:
    """Return OpenAI's word for a finish reason, or the reason itself if there is no such word."""
    return None if native is None else _FINISH_REASONS.get(native.lower(), native)


def parse_usage(usage: Any) -> Usage | None:
    """Read a ``usage`` object with OpenAI's or Anthropic's names for the counts.

    Returns None for anything that is not an object, and for one without a count above zero:
    Claude's enveloped streams have usage with zeros in every chunk.
    """
    if not isinstance(usage, dict):
        return None
    get = usage.get
    prompt = read_int(get("prompt_tokens", get("input_tokens")))
    completion = read_int(get("completion_tokens", get("output_tokens")))
    total = read_int(get("total_tokens"))
    if not (prompt or completion or total):
        return None
    if len(usage) == _PLAIN_USAGE_SIZE and None not in (prompt, completion, total):
        return Usage(prompt, completion, total, None, None, usage)
    output_details = read_dict(get("completion_tokens_details") or get("output_tokens_details"))
    input_details = read_dict(get("prompt_tokens_details") or get("input_tokens_details"))
    return Usage(
        prompt,
        completion,
        total,
        reasoning_tokens=read_int(output_details.get("reasoning_tokens", get("reasoning_tokens"))),
        cached_tokens=read_int(input_details.get("cached_tokens", get("cache_read_input_tokens"))),
        raw=usage,
    )


def parse_cost(
    meta: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
) -> Cost | None:
    """Read the amount charged from ``meta.usage`` of a body, or from the response headers.

    ``meta.usage`` was seen absent, and with ``tokens_used`` alone, with ``credits_used`` alone, or
    with ``credits_used`` and ``usd_spent``. The headers are read only if it has no amount. If only
    one of the two amounts is known, the other is converted from it. Returns None if neither is.
    """
    usd = credits_used = None
    if meta:
        usage = read_dict(meta.get("usage"))
        usd = read_float(usage.get("usd_spent"))
        credits_used = read_float(usage.get("credits_used"))
    if usd is None and credits_used is None and headers:
        usd = read_float(headers.get("x-aimlapi-usd-spent"))
        credits_used = read_float(headers.get("x-aimlapi-credits-used"))
    if usd is None:
        if credits_used is None:
            return None
        usd = credits_used / CREDITS_PER_USD
    if credits_used is None:
        credits_used = usd * CREDITS_PER_USD
    return Cost(usd=usd, credits=credits_used)


def parse_models(body: Any) -> list[Model]:
    """Read the body of ``GET /v1/models``; entries without an id are left out.

    Raises `ProtocolError` if the body is neither a list nor an object with a list in ``data``.
    """
    entries = body.get("data") if isinstance(body, dict) else body
    if not isinstance(entries, list):
        msg = f"the response body holds no list of models: {str(body)[:120]!r}"
        raise ProtocolError(msg)
    return [_parse_model(entry) for entry in entries if read_text(read_dict(entry).get("id"))]


def _parse_model(entry: dict[str, Any]) -> Model:
    info = read_dict(entry.get("info"))
    return Model(
        id=read_text(entry.get("id")) or "",
        aliases=tuple(a for a in read_list(entry.get("aliases")) if isinstance(a, str)),
        type=read_text(entry.get("type")) or "",
        name=read_text(info.get("name")) or "",
        developer=read_text(info.get("developer")) or "",
        description=read_text(info.get("description")) or "",
        context_length=read_int(info.get("contextLength")),
        max_output=read_int(info.get("outputMax")),
        capabilities=tuple(c for c in read_list(entry.get("capabilities")) if isinstance(c, str)),
        raw=entry,
    )
