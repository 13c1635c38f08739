"""Tool calls put together from their fragments, however the wire numbers them.

Seen from gateways: an index that is missing, starts at 1, or is the same for all calls; an id that
comes late, or with every fragment; a name that is repeated with every fragment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aimlchat.completions import ToolCallDelta
from aimlchat.content import ToolCall

if TYPE_CHECKING:
    from .chunks import ToolFragment

__all__ = ["ToolCalls"]

_MARK = re.compile(r'["\\{}\[\]]')


class _Call:
    """A call in the making."""

    __slots__ = ("arguments", "id", "looked_at", "name", "nesting", "place")

    def __init__(self, place: int) -> None:
        self.place = place
        self.id: str | None = None
        self.name: str | None = None
        self.arguments: list[str] = []
        self.nesting = _Nesting()
        self.looked_at = 0  # how many fragments of the arguments `nesting` knows


class ToolCalls:
    """The tool calls of one choice."""

    __slots__ = ("_by_id", "_by_index", "_calls")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}

    def take(self, fragment: ToolFragment, choice: int) -> ToolCallDelta | None:
        """Add a fragment; None if it brings no text and does not announce a call.

        What has neither id nor name nor arguments announces nothing.
        """
        function = fragment.function
        name = (function and function.name) or None
        text = (function and function.arguments) or ""
        call = self._call_for(fragment.index, fragment.id or None, name, text)
        is_new = call is None
        if is_new and not (fragment.id or name or text):
            return None
        if call is None:
            call = _Call(len(self._calls))
            self._calls.append(call)
        if fragment.index is not None:
            self._by_index[fragment.index] = call
        if fragment.id:
            call.id = fragment.id
            self._by_id[fragment.id] = call
        if name and (call.name is None or name.startswith(call.name)):
            call.name = name
        if not (text or is_new):
            return None
        call.arguments.append(text)
        return ToolCallDelta(text, choice, call.place, call.id, call.name)

    def made(self, *, complete: bool) -> tuple[ToolCall, ...]:
        """Return the calls so far; ``complete`` is whether the stream had reached its end."""
        return tuple(
            ToolCall(
                call.id or f"call_{call.place}", call.name or "", "".join(call.arguments), complete
            )
            for call in self._calls
        )

    def _call_for(
        self, index: int | None, id_: str | None, name: str | None, text: str
    ) -> _Call | None:
        """Find the call that a fragment belongs to; None if it begins a new one."""
        if id_ and id_ in self._by_id:
            return self._by_id[id_]
        if index is None:
            call = self._calls[-1] if self._calls else None
        else:
            call = self._by_index.get(index)
        if call is None:
            return None
        if id_:
            # Another id at a known place is another call; the first id there is one that came late.
            late = call.id is None and (name is None or name == call.name or call.name is None)
            return call if late else None
        if name is None or call.name is None:
            return call
        if name == call.name:
            return None if _begins_anew(call, text) else call
        # Either the name grows ("get", "get_weather"), or calls collide on one index.
        return call if name.startswith(call.name) and not any(call.arguments) else None


class _Nesting:
    """How deep in JSON a text ends that comes in pieces."""

    __slots__ = ("_escaped", "_in_string", "depth")

    def __init__(self) -> None:
        self.depth = 0
        self._in_string = False
        self._escaped = False

    def feed(self, text: str) -> None:
        """Take the next piece."""
        at = 1 if self._escaped and text else 0
        self._escaped = self._escaped and not text
        while found := _MARK.search(text, at):
            mark, at = found[0], found.end()
            if mark == '"':
                self._in_string = not self._in_string
            elif mark == "\\":
                self._escaped = at == len(text)
                at += 1
            elif not self._in_string:
                self.depth += 1 if mark in "{[" else -1

    @property
    def is_closed(self) -> bool:
        """Whether all that was opened is closed."""
        return not self.depth and not self._in_string


def _begins_anew(call: _Call, text: str) -> bool:
    """Tell a call of the same function from a name that is repeated with every fragment."""
    if not text.startswith("{") or not call.arguments[-1].endswith("}"):
        return False
    # Each fragment is looked at once, however often this is asked.
    for fragment in call.arguments[call.looked_at :]:
        call.nesting.feed(fragment)
    call.looked_at = len(call.arguments)
    return call.nesting.is_closed
