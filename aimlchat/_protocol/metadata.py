"""Everything but the text: finish reasons, token counts, the cost, and the list of models.

Every value is read leniently: one of an unexpected type counts as absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat._json import prune
from aimlchat.completions import CREDITS_PER_USD, Cost, Usage

from .lenient import AMOUNT_BITS, read_amount, read_count, read_dict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "find_usage",
    "has_tokens",
    "merge_usage",
    "normalize_finish_reason",
    "parse_cost",
    "parse_usage",
]

# Words that are not finish reasons: gateways send them in chunks before the end, like null.
# KoboldCpp was seen to send "null", Ollama an empty string; the last is Google's zero value.
_NO_FINISH_REASONS = (
    *("", "null", "none", "nil", "undefined", "nan", "n/a", "false", "0"),
    *("unspecified", "in_progress", "finish_reason_unspecified"),
)
# The words of upstreams, in lower case and with "_" for "-". Only words whose meaning is certain:
# "pause_turn" or Gemini's "OTHER" are none of the four. Those of a failure are in `chunks`.
_FINISH_REASONS: dict[str, str | None] = dict.fromkeys(_NO_FINISH_REASONS) | {
    word: reason
    for reason, words in {
        "stop": (
            *("stop", "end_turn", "stop_sequence"),  # Claude's whole completions have "end_turn"
            *("eos", "eos_token", "stop_token", "stop_string"),  # Together, TGI
            *("end", "complete", "finish", "finished", "endoftext", "end_of_text"),  # Cohere, AI21
        ),
        "length": (
            *("length", "max_tokens", "max_output_tokens", "max_new_tokens", "max_length"),
            *("model_length", "model_context_window_exceeded"),  # Mistral, Anthropic
            *("token_limit", "maximum_tokens", "context_length_exceeded"),  # watsonx, Aleph Alpha
        ),
        "tool_calls": ("tool_calls", "tool_call", "tool_use", "function_call", "function_calls"),
        "content_filter": (
            *("content_filter", "refusal", "content_filtered", "guardrail_intervened"),  # Bedrock
            *("safety", "recitation", "blocklist", "prohibited_content", "spii"),  # Gemini
            *("image_safety", "image_prohibited_content", "image_recitation", "model_armor"),
            *("error_toxic", "sensitive"),  # Cohere, Zhipu
        ),
    }.items()
    for word in words
}
_PLAIN_USAGE_SIZE = 3  # usage with the three counts and no other key
_MAX_USAGE_SIZE = 100  # keys of usage that arrives in parts
# The names of the counts, in lower case and without "_": those of OpenAI, of Anthropic and of the
# AI SDK, of Gemini and of Bedrock's metrics.
_PROMPT_NAMES = ("prompttokens", "inputtokens", "prompttokencount", "inputtokencount")
_COMPLETION_NAMES = (
    *("completiontokens", "outputtokens", "candidatestokencount", "outputtokencount"),
    "generatedtokencount",
)
_TOTAL_NAMES = ("totaltokens", "totaltokencount")
_REASONING_NAMES = ("reasoningtokens", "thoughtstokencount")
_CACHED_NAMES = (
    "cachedtokens",
    *("cachereadinputtokens", "cachereadinputtokencount", "cachereadtokens"),  # Anthropic, Bedrock
    *("promptcachehittokens", "cachedinputtokens", "cachedcontenttokencount"),  # DeepSeek, Gemini
)
_CACHE_WRITE_NAMES = (
    *("cachewritetokens", "cachewriteinputtokens", "cachewriteinputtokencount"),
    *("cachecreationinputtokens", "cachecreationtokens", "cachedcreationtokens"),
)


def normalize_finish_reason(native: str | None) -> str | None:
    """Return OpenAI's word for a finish reason, or the reason itself if there is no such word.

    Returns None for a word that is not a finish reason, such as "null".
    """
    if native is None:
        return None
    return _FINISH_REASONS.get(native) or _FINISH_REASONS.get(
        native.strip().lower().replace("-", "_"), native
    )


def parse_usage(usage: Any) -> Usage | None:
    """Read a ``usage`` object, with any of the names that upstreams have for the counts.

    Returns None for anything that is not an object, and for one without any of the three counts.
    Zeros are counts; see `has_tokens`. A negative or huge number is none; see `read_count`.
    """
    if not isinstance(usage, dict):
        return None
    if len(usage) == _PLAIN_USAGE_SIZE:
        get = usage.get
        prompt, completion = get("prompt_tokens"), get("completion_tokens")
        total = get("total_tokens")
        # `__class__` costs less than `type`. A negative number has bits at any position.
        if (
            prompt.__class__ is completion.__class__ is total.__class__ is int
            and not (prompt | completion | total) >> AMOUNT_BITS
        ):
            return Usage(prompt, completion, total, raw=usage)
    prune(usage)
    counts = _read_counts(usage)
    prompt, completion = _pick(counts, _PROMPT_NAMES), _pick(counts, _COMPLETION_NAMES)
    total = _pick(counts, _TOTAL_NAMES)
    if prompt is completion is total is None:
        return None
    return Usage(
        prompt,
        completion,
        total,
        reasoning_tokens=_pick(counts, _REASONING_NAMES),
        cached_tokens=_pick(counts, _CACHED_NAMES),
        cache_write_tokens=_pick(counts, _CACHE_WRITE_NAMES),
        raw=usage,
    )


def has_tokens(usage: Usage | None) -> bool:
    """Return whether one of the three counts is above zero.

    Claude's enveloped streams have usage with zeros in every chunk, which means nothing.
    """
    return usage is not None and bool(
        usage.prompt_tokens or usage.completion_tokens or usage.total_tokens
    )


def merge_usage(known: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return usage that arrives in parts as one: new values take precedence if they say something.

    Anthropic's streams have the input at the start and the output at the end.
    """
    if len(known) > _MAX_USAGE_SIZE:  # keys used as data would make this quadratic
        return new
    return known | {
        name: value
        for name, value in new.items()
        if (read_amount(value) if isinstance(value, int | float) else value)
    }


def find_usage(extra: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the usage under one of the vendor's own keys, None if there is none.

    Groq's is in ``x_groq``, Bedrock's under ``amazon-bedrock-invocationMetrics``, and Gemini's is
    ``usageMetadata``.
    """
    for value in extra.values():
        if isinstance(value, dict):
            for usage in (value.get("usage"), value):
                if parse_usage(usage):
                    return usage
    return None


def _read_counts(usage: dict[str, Any]) -> dict[str, list[int]]:
    """Return the counts by their names, in lower case and without ``_``.

    A count of the details, such as OpenAI's ``prompt_tokens_details.cached_tokens``, is listed
    before one of the same name beside them.
    """
    counts: dict[str, list[int]] = {}
    details = [value for name, value in usage.items() if name.lower().endswith("details")]
    for fields in (*details, usage):
        for name, value in read_dict(fields).items():
            if (count := read_count(value)) is not None:
                counts.setdefault(name.replace("_", "").lower(), []).append(count)
    return counts


def _pick(counts: dict[str, list[int]], names: Iterable[str]) -> int | None:
    """Return the first count with one of the names, one above zero if there is any.

    Gateways were seen to have the names of two APIs, and zeros under those that they do not fill.
    """
    found = [count for name in names for count in counts.get(name, ())]
    return next(filter(None, found), found[0] if found else None)


def parse_cost(
    meta: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
) -> Cost | None:
    """Read the amount charged from ``meta.usage`` of a body, or from the response headers.

    ``meta.usage`` was seen absent, and with ``tokens_used`` alone, with ``credits_used`` alone, or
    with ``credits_used`` and ``usd_spent``. The headers are read only if it has no amount. If only
    one of the two amounts is known, the other is converted from it. Returns None if neither is.
    A negative or infinite number is not an amount; see `read_amount`.
    """
    usd = credits_used = None
    if meta:
        usage = read_dict(meta.get("usage"))
        usd = read_amount(usage.get("usd_spent"))
        credits_used = read_amount(usage.get("credits_used"))
    if usd is None and credits_used is None and headers:
        usd = read_amount(headers.get("x-aimlapi-usd-spent"))
        credits_used = read_amount(headers.get("x-aimlapi-credits-used"))
    if usd is None:
        if credits_used is None:
            return None
        usd = credits_used / CREDITS_PER_USD
    if credits_used is None:
        credits_used = usd * CREDITS_PER_USD
    return Cost(usd=usd, credits=credits_used)
