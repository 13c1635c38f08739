"""Turns that a page keeps for the model: thinking with its signatures, and keys of calls.

The parts of a message of the AI SDK cannot hold them, so they are in its metadata, as
`Completion.as_message` returned them, one for each step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aimlchat.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimlchat.completions import Completion

__all__ = ["TURNS", "find_turn", "keep_turn"]

TURNS = "turns"
"""The key of the metadata: a list with a turn, or null, for each step."""

_KEYS = {
    *("role", "content", "refusal", "tool_calls"),
    *("content_blocks", "reasoning_content", "reasoning_details"),
}


def keep_turn(completion: Completion[Any], page_ids: Mapping[str, str]) -> dict[str, Any] | None:
    """Return a turn if the parts of a message cannot hold all that the model needs back.

    ``page_ids`` has the ids of calls that the page uses, by those of the completion. If the id of a
    call differs, the turn is not kept, since the signed content names the call.
    """
    choice = completion.choices[0] if completion.choices else None
    if choice is None or any(page_ids.get(call.id) != call.id for call in choice.tool_calls):
        return None
    if choice.turn is None and not any(call.extra for call in choice.tool_calls):
        return None
    try:
        return completion.as_message()
    except ProtocolError:  # a call was cut off
        return None


def find_turn(metadata: Any, step: int, text: str, call_ids: Sequence[Any]) -> Any:
    """Return the kept turn of a step, None if there is none, or if the page has changed the step.

    The turn comes from the page, so it may be anything that JSON can hold.
    """
    turns = metadata.get(TURNS) if isinstance(metadata, Mapping) else None
    turn = turns[step] if isinstance(turns, list) and step < len(turns) else None
    if not isinstance(turn, Mapping) or not turn.keys() <= _KEYS:
        return None
    if turn.get("role") != "assistant":
        return None
    content, calls = turn.get("content") or "", turn.get("tool_calls") or []
    if not isinstance(content, str) or content.strip() != text.strip():
        return None
    if not isinstance(calls, list) or not all(isinstance(call, Mapping) for call in calls):
        return None
    return turn if [call.get("id") for call in calls] == list(call_ids) else None
