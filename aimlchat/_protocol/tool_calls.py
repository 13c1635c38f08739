"""The assembly of tool calls from fragments, however the server numbers them.

Gateways were seen to send an ``index`` that is missing, that starts at 1, or that is the same for
all calls; an ``id`` that arrives late, with every fragment, or never; and a name that is repeated
with every fragment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aimlchat.completions import ToolCallDelta
from aimlchat.content import ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterable, KeysView

    from .chunks import ToolCallFragment

__all__ = ["ToolCallAssembler", "ToolCallIds"]

_JSON_MARK = re.compile(r'["\\{}\[\]]')


class ToolCallIds:
    """Makes ids for those calls of one completion for which the server sent none.

    Args:
        wire_ids: the ids that the server sent, in all choices.
    """

    __slots__ = ("_counts", "_used")

    def __init__(self, wire_ids: Iterable[str] = ()) -> None:
        self._used = set(wire_ids)
        self._counts: dict[str, int] = {}

    def make(self, index: int) -> str:
        """Return ``call_<index>``, or ``call_<index>_<n>`` if another call already has that id."""
        id_ = base = f"call_{index}"
        while id_ in self._used:
            count = self._counts[base] = self._counts.get(base, 0) + 1
            id_ = f"{base}_{count}"
        self._used.add(id_)
        return id_


class _ToolCallBuilder:
    """The part of one tool call that has been received."""

    __slots__ = ("arguments", "id", "index", "name", "nesting", "scanned")

    def __init__(self, index: int) -> None:
        self.index = index  # in `Choice.tool_calls`
        self.id: str | None = None
        self.name: str | None = None
        self.arguments: list[str] = []
        self.nesting = _Nesting()
        self.scanned = 0  # how many fragments of the arguments `nesting` has read


class ToolCallAssembler:
    """The tool calls of one choice."""

    __slots__ = ("_by_id", "_by_wire_index", "_calls")

    def __init__(self) -> None:
        self._calls: list[_ToolCallBuilder] = []
        self._by_wire_index: dict[int, _ToolCallBuilder] = {}
        self._by_id: dict[str, _ToolCallBuilder] = {}

    @property
    def wire_ids(self) -> KeysView[str]:
        """The ids that the server sent."""
        return self._by_id.keys()

    def add(self, fragment: ToolCallFragment, choice: int) -> ToolCallDelta | None:
        """Add a fragment; return its delta, or None if it has no text and begins no call.

        A fragment without an id, a name and arguments begins no call.
        """
        function = fragment.function
        name = (function and function.name) or None
        text = (function and function.arguments) or ""
        call = self._find_call(fragment.index, fragment.id or None, name, text)
        is_new = call is None
        if is_new and not (fragment.id or name or text):
            return None
        if call is None:
            call = _ToolCallBuilder(len(self._calls))
            self._calls.append(call)
        if fragment.index is not None:
            self._by_wire_index[fragment.index] = call
        if fragment.id:
            call.id = fragment.id
            self._by_id[fragment.id] = call
        if name and (call.name is None or name.startswith(call.name)):
            call.name = name
        if not (text or is_new):
            return None
        call.arguments.append(text)
        return ToolCallDelta(text, choice, call.index, call.id, call.name)

    def build(self, ids: ToolCallIds, *, complete: bool) -> tuple[ToolCall, ...]:
        """Build the calls so far; ``complete`` is whether the completion has reached its end."""
        return tuple(
            ToolCall(
                call.id or ids.make(call.index),
                call.name or "",
                "".join(call.arguments),
                complete,
            )
            for call in self._calls
        )

    def _find_call(
        self, index: int | None, id_: str | None, name: str | None, text: str
    ) -> _ToolCallBuilder | None:
        """Return the call that a fragment belongs to; None if it begins a new one."""
        if id_ and id_ in self._by_id:
            return self._by_id[id_]
        if index is None:
            call = self._calls[-1] if self._calls else None
        else:
            call = self._by_wire_index.get(index)
        if call is None:
            return None
        if id_:
            # The first id at a known index is a late id of that call; a second one is a new call.
            is_late = call.id is None and (name is None or name == call.name or call.name is None)
            return call if is_late else None
        if name is None or call.name is None:
            return call
        if name == call.name:
            return None if _begins_call(call, text) else call
        # Either the name grows ("get", then "get_weather"), or two calls share one index.
        return call if name.startswith(call.name) and not any(call.arguments) else None


class _Nesting:
    """The depth of nesting at the end of a JSON text that arrives in pieces."""

    __slots__ = ("_depth", "_in_string", "_is_escaped")

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._is_escaped = False

    def feed(self, text: str) -> None:
        """Take the next piece."""
        position = 1 if self._is_escaped and text else 0
        self._is_escaped = self._is_escaped and not text
        while found := _JSON_MARK.search(text, position):
            mark, position = found[0], found.end()
            if mark == '"':
                self._in_string = not self._in_string
            elif mark == "\\":
                self._is_escaped = position == len(text)
                position += 1
            elif not self._in_string:
                self._depth += 1 if mark in "{[" else -1

    @property
    def is_closed(self) -> bool:
        """Whether every bracket and string that was opened is closed."""
        return not self._depth and not self._in_string


def _begins_call(call: _ToolCallBuilder, text: str) -> bool:
    """Return whether a fragment with the call's own name begins a second call of that function.

    It does if the arguments so far are a whole object and the fragment opens another one.
    Otherwise the gateway repeats the name with every fragment.
    """
    if not text.startswith("{") or not call.arguments[-1].endswith("}"):
        return False
    # Each fragment is scanned once, however often this is called.
    for fragment in call.arguments[call.scanned :]:
        call.nesting.feed(fragment)
    call.scanned = len(call.arguments)
    return call.nesting.is_closed
