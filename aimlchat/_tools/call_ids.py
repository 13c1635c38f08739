"""Ids of tool calls that are unique in a conversation.

Some servers send no ids of calls, and some only count the calls of a response, so that the ids of
one round are those of the round before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from aimlchat.completions import ToolCallDelta
from aimlchat.content import Message

if TYPE_CHECKING:
    from aimlchat.completions import Choice, Completion, Delta

__all__ = ["CallIds", "find_call_ids"]

_ID_KEYS = ("id", "tool_call_id", "tool_use_id")
_HOLDERS = ("tool_calls", "content", "content_blocks")


def find_call_ids(messages: Any) -> set[str]:
    """Return the ids of the calls that a conversation has, in whatever form its messages are."""
    found: set[str] = set()
    for message in messages if isinstance(messages, tuple | list) else ():
        if isinstance(message, Message):
            found.update(call.id for call in message.tool_calls)
            _collect({"id": message.call_id, **(message.turn or {})}, found)
        elif isinstance(message, Mapping):
            _collect(message, found)
    return found


def _collect(holder: Mapping[str, Any], found: set[str]) -> None:
    found.update(value for key in _ID_KEYS if isinstance(value := holder.get(key), str))
    for key in _HOLDERS:
        items = holder.get(key)
        if isinstance(items, tuple | list):
            for item in items:
                if isinstance(item, Mapping):
                    _collect(item, found)


class CallIds:
    """The ids of the calls of one round, which differ from those of the conversation so far.

    Args:
        used: the ids that other calls have; those of the round are added.
    """

    def __init__(self, used: set[str]) -> None:
        self._used = used
        self._by_index: dict[int, str] = {}  # by the index of the call in choice 0

    def rename_delta(self, delta: Delta) -> Delta:
        """Return a delta; one of a call with the id of its call, from its first delta on."""
        if not isinstance(delta, ToolCallDelta) or delta.choice:
            return delta
        call_id = self._name(delta.index, delta.id)
        if call_id == delta.id:
            return delta
        return ToolCallDelta(delta.text, delta.choice, delta.index, call_id, delta.name)

    def rename(self, completion: Completion[Any]) -> Completion[Any]:
        """Return a completion in which the calls have the same ids as in the deltas."""
        calls = completion.tool_calls
        names = {call.id: self._name(index, call.id) for index, call in enumerate(calls)}
        if all(old == new for old, new in names.items()):
            return completion
        first = next(choice for choice in completion.choices if choice.tool_calls == calls)
        renamed = _rename_choice(first, names)
        choices = (renamed if choice is first else choice for choice in completion.choices)
        return attrs.evolve(completion, choices=tuple(choices))

    def _name(self, index: int, wire_id: str | None) -> str:
        if index not in self._by_index:
            base = call_id = wire_id or f"call_{index}"
            count = 1
            while call_id in self._used:
                count += 1
                call_id = f"{base}_{count}"
            self._used.add(call_id)
            self._by_index[index] = call_id
        return self._by_index[index]


def _rename_choice(choice: Choice, names: Mapping[str, str]) -> Choice:
    """Return a choice with other ids of calls, including in the turn that is sent back."""
    calls = tuple(attrs.evolve(call, id=names[call.id]) for call in choice.tool_calls)
    turn = choice.turn and {key: _rename_items(value, names) for key, value in choice.turn.items()}
    return attrs.evolve(choice, tool_calls=calls, turn=turn)


def _rename_items(items: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(items, Iterable) or isinstance(items, str | Mapping):
        return items
    return [
        {**item, "id": names[item["id"]]}
        if isinstance(item, Mapping) and item.get("id") in names
        else item
        for item in items
    ]
