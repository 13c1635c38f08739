"""The pieces of one choice, as the deltas that carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .generation import cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .generation import Answer, Call, ReasoningAs

__all__ = ["deltas", "thinking_part"]


def deltas(answer: Answer, reasoning_as: ReasoningAs) -> Iterator[dict[str, Any]]:
    """Give the deltas of one choice: its reasoning, its text, its refusal, its tool calls."""
    if answer.reasoning and reasoning_as == "inline":
        yield from _inline(answer)
    else:
        yield from _reasoning(answer.reasoning, reasoning_as)
        yield from _text(answer, reasoning_as)
    for piece in cut(answer.refusal or ""):
        yield {"content": None, "refusal": piece}
    for index, call in enumerate(answer.calls):
        yield from _call(index, call)


def thinking_part(text: str) -> dict[str, str]:
    """Make the content part that carries reasoning."""
    return {"type": "thinking", "thinking": text}


def _inline(answer: Answer) -> Iterator[dict[str, Any]]:
    thought = f"<think>\n{answer.reasoning}\n</think>\n\n"
    if answer.chunks is None:
        # Cut as one text, so that pieces also lie across the border.
        pieces = cut(thought + answer.text)
    else:
        pieces = iter((*cut(thought), *answer.chunks))
    for piece in pieces:
        yield {"content": piece}


def _reasoning(text: str, reasoning_as: ReasoningAs) -> Iterator[dict[str, Any]]:
    for piece in cut(text):
        detail = {"type": "reasoning.text", "text": piece, "format": None, "index": 0}
        match reasoning_as:
            case "reasoning":
                yield {"content": "", "reasoning": piece, "reasoning_details": [detail]}
            case "reasoning_details":
                yield {"content": "", "reasoning": None, "reasoning_details": [detail]}
            case "thinking":
                yield {"content": [thinking_part(piece)]}
            case _:
                yield {"content": None, "reasoning_content": piece}


def _text(answer: Answer, reasoning_as: ReasoningAs) -> Iterator[dict[str, Any]]:
    for piece in answer.text_pieces():
        if answer.reasoning and reasoning_as == "thinking":
            yield {"content": [{"type": "text", "text": piece}]}
        elif answer.reasoning and reasoning_as == "reasoning_content":
            yield {"content": piece, "reasoning_content": None}
        else:
            yield {"content": piece}


def _call(index: int, call: Call) -> Iterator[dict[str, Any]]:
    function = {"name": call.name, "arguments": ""}
    head = {"index": index, "id": call.id, "type": "function", "function": function}
    yield {"content": None, "tool_calls": [head]}
    for piece in cut(call.arguments):
        fragment = {"index": index, "function": {"arguments": piece}}
        yield {"content": None, "tool_calls": [fragment]}
