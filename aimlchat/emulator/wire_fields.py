"""Finish reasons and token counts in the words of each form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .generation import Usage

__all__ = ["NO_USAGE", "claude_usage", "finish_in_stream", "finish_native", "openai_usage"]

_NATIVE = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}

NO_USAGE = {"completion_tokens": 0, "prompt_tokens": 0, "total_tokens": 0}


def finish_in_stream(finish: str) -> str:
    """Say why it ended in OpenAI's words, which all streams and most whole answers use."""
    return "stop" if finish == "stop_sequence" else finish


def finish_native(finish: str) -> str:
    """Say why it ended in Claude's own words."""
    return _NATIVE.get(finish, finish)


def claude_usage(usage: Usage) -> dict[str, Any] | None:
    """Give the usage as Claude's answers have it; None if the script wants none."""
    if usage.verbatim is not None:
        return dict(usage.verbatim) or None
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }


def openai_usage(usage: Usage) -> dict[str, Any] | None:
    """Give the usage as all others have it; None if the script wants none."""
    plain = claude_usage(usage)
    if plain is None or usage.verbatim is not None:
        return plain
    return {
        **plain,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
