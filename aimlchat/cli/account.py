"""What is told about an answer: its document in JSON, what is odd about it, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from aimlchat.completions import Completion, Cost, Usage

__all__ = ["document", "oddities", "summary"]

_SMALLEST_SHOWN = 0.000_001


def document(completion: Completion, *, reasoning: bool) -> dict[str, Any]:
    """Return the completion as ``ask --json`` prints it, with or without its reasoning."""
    usage = completion.usage
    whole = {
        "model": completion.model,
        "text": completion.text,
        "reasoning": completion.reasoning,
        "finish_reason": completion.finish_reason,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": call.raw_arguments}
            for call in completion.tool_calls
        ],
        "usage": usage and attrs.asdict(usage, filter=lambda field, _: field.name != "raw"),
        "cost": completion.cost and attrs.asdict(completion.cost),
        "id": completion.id,
        "inference_id": completion.inference_id,
        "client_request_id": completion.client_request_id,
    }
    if not reasoning:
        del whole["reasoning"]
    return whole


def oddities(completion: Completion) -> list[str]:
    """Say what the printed text does not: that it is cut off, refused, or no text at all."""
    told: list[str] = []
    match completion.finish_reason:
        case "length":
            told.append("The answer was cut off at its limit of tokens; see --max-tokens.")
        case "content_filter":
            told.append("The answer was stopped by a content filter.")
        case "stop" | "tool_calls" | None:
            pass
        case other:
            told.append(f"The answer ended for a reason of its own: {other}.")
    if completion.refusal:
        told.append(f"The model declined: {completion.refusal}")
    told += [
        f"The model asks for the tool {call.name} with {call.raw_arguments or 'no arguments'}."
        for call in completion.tool_calls
    ]
    if not completion.text and not told:
        told.append("The model gave no answer.")
    return told


def summary(completion: Completion, first_token: float | None, *, emulator: bool) -> str:
    """Say in one line which model answered, for how many tokens and dollars, and how soon.

    ``first_token`` is in seconds, None if none came.
    """
    parts = [completion.model or "unnamed model", _tokens(completion.usage), _cost(completion.cost)]
    if first_token is not None:
        parts.append(f"first token after {first_token:.2f} s")
    if emulator:
        parts.append("made up by the emulator, nothing was charged")
    return " · ".join(parts)


def _tokens(usage: Usage | None) -> str:
    if usage is None:
        return "tokens not reported"
    counts = [
        (usage.prompt_tokens, "tokens in"),
        (usage.completion_tokens, "tokens out"),
        (usage.reasoning_tokens, "of reasoning"),
    ]
    return ", ".join(f"{count:,} {what}" for count, what in counts if count is not None)


def _cost(cost: Cost | None) -> str:
    if cost is None:
        return "cost not reported"
    if 0 < cost.usd < _SMALLEST_SHOWN:
        return f"less than ${_SMALLEST_SHOWN:.6f}"
    dollars, _, fraction = f"{cost.usd:.6f}".rstrip("0").partition(".")
    return f"${dollars}.{fraction:0<2}"
