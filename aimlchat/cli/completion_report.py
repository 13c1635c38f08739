"""A completion as JSON, and what the command line prints about it on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .money import format_dollars

if TYPE_CHECKING:
    from aimlchat.completions import Completion, Cost, Usage

__all__ = ["build_document", "format_summary", "list_notices"]


def build_document(completion: Completion, *, reasoning: bool) -> dict[str, Any]:
    """Return the document of ``ask --json``; ``reasoning`` says whether it has that key."""
    document = {
        "model": completion.model,
        "text": completion.text,
        "reasoning": completion.reasoning,
        "finish_reason": completion.finish_reason,
        "tool_calls": [
            {
                "id": call.id,
                "name": call.name,
                "arguments": call.raw_arguments,
                "complete": call.complete,
            }
            for call in completion.tool_calls
        ],
        "usage": completion.usage and completion.usage.as_dict(),
        "cost": completion.cost and attrs.asdict(completion.cost),
        "id": completion.id,
        "inference_id": completion.inference_id,
        "client_request_id": completion.client_request_id,
    }
    if not reasoning:
        del document["reasoning"]
    return document


def list_notices(completion: Completion) -> list[str]:
    """List what the printed text does not show: a cut, a refusal, tool calls, no text at all."""
    notices: list[str] = []
    match completion.finish_reason:
        case "length":
            notices.append("The answer was cut off at its token limit; see --max-tokens.")
        case "content_filter":
            notices.append("The answer was stopped by a content filter.")
        case "stop" | "tool_calls" | None:
            pass
        case other:
            notices.append(f"The answer ended with an unknown finish reason: {other}.")
    if completion.refusal:
        notices.append(f"The model refused: {completion.refusal}")
    notices += [
        f"The model calls the tool {call.name} with {call.raw_arguments or 'no arguments'}."
        if call.complete
        else f"The call of the tool {call.name} was cut off."
        for call in completion.tool_calls
    ]
    if not completion.text and not notices:
        notices.append("The model gave no answer.")
    return notices


def format_summary(completion: Completion, first_token: float | None, *, emulator: bool) -> str:
    """Return one line with the model, its tokens, its cost and the time to the first token.

    ``first_token`` is in seconds; None leaves it out.
    """
    parts = [
        completion.model or "unnamed model",
        _format_usage(completion.usage),
        _format_cost(completion.cost),
    ]
    if first_token is not None:
        parts.append(f"first token after {first_token:.2f} s")
    if emulator:
        parts.append("made up by the emulator, nothing was charged")
    return " · ".join(parts)


def _format_usage(usage: Usage | None) -> str:
    if usage is None:
        return "tokens not reported"
    counts = [
        (usage.prompt_tokens, "tokens in"),
        (usage.completion_tokens, "tokens out"),
        (usage.reasoning_tokens, "of reasoning"),
    ]
    return ", ".join(f"{count:,} {label}" for count, label in counts if count is not None)


def _format_cost(cost: Cost | None) -> str:
    if cost is None:
        return "cost not reported"
    return format_dollars(cost.usd)
