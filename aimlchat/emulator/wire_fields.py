"""Fields that streams and whole completions share: finish reasons, usage, and reasoning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .generation import Usage

__all__ = [
    "ZERO_USAGE",
    "build_claude_usage",
    "build_openai_usage",
    "build_reasoning_detail",
    "build_thinking_part",
    "to_claude_finish_reason",
    "to_openai_finish_reason",
    "wrap_in_think_tags",
]

_CLAUDE_FINISH_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}

ZERO_USAGE = {"completion_tokens": 0, "prompt_tokens": 0, "total_tokens": 0}


def to_openai_finish_reason(finish: str) -> str:
    """Return OpenAI's word for a finish reason; all streams and most whole completions use it."""
    return "stop" if finish == "stop_sequence" else finish


def to_claude_finish_reason(finish: str) -> str:
    """Return Claude's own word for a finish reason."""
    return _CLAUDE_FINISH_REASONS.get(finish, finish)


def build_claude_usage(usage: Usage) -> dict[str, Any] | None:
    """Build the `usage` of Claude's responses; None if the script sends none."""
    if usage.verbatim is not None:
        return dict(usage.verbatim) or None
    counts: dict[str, Any] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }
    if usage.cache.read or usage.cache.written:
        counts["prompt_tokens_details"] = {"cached_tokens": usage.cache.read}
        counts["cache_write_tokens"] = usage.cache.written
    return counts


def build_openai_usage(usage: Usage) -> dict[str, Any] | None:
    """Build the `usage` of all other models' responses; None if the script sends none."""
    plain = build_claude_usage(usage)
    if plain is None or usage.verbatim is not None:
        return plain
    return {
        **plain,
        "prompt_tokens_details": {"cached_tokens": usage.cache.read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def build_reasoning_detail(text: str) -> dict[str, Any]:
    """Build the item of `reasoning_details` that carries reasoning."""
    return {"type": "reasoning.text", "text": text, "format": None, "index": 0}


def build_thinking_part(text: str) -> dict[str, str]:
    """Build the content part that carries reasoning."""
    return {"type": "thinking", "thinking": text}


def wrap_in_think_tags(reasoning: str) -> str:
    """Return reasoning in the form in which it precedes the answer of a "tagged" model."""
    return f"<think>\n{reasoning}\n</think>\n\n"
