"""The assembly of tool calls from fragments, however the server numbers them.

Gateways were seen to send an ``index`` that is missing, that starts at 1, or that is the same for
all calls; an ``id`` that arrives late, with every fragment or never, that changes within a call,
or that is the same for all calls; and a name that is repeated with every fragment, or that arrives
in pieces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from aimlchat.completions import ToolCallDelta

from .kept_size import MAX_PARTS
from .tool_call_builder import ToolCallBuilder, opens_object

if TYPE_CHECKING:
    from aimlchat.tool_types import ToolCall

    from .chunks import ToolCallFragment
    from .tool_call_builder import ToolCallIds

__all__ = ["ToolCallAssembler"]

_MAY_OPEN_OBJECT = "{ \t\r\n"
_MAX_SHORT_ID = 256
_K = TypeVar("_K")


class ToolCallAssembler:
    """The tool calls of one choice.

    Args:
        ids: the ids of all calls of the completion.
    """

    __slots__ = ("_by_id", "_by_wire_index", "_calls", "_ids", "_long_ids")

    def __init__(self, ids: ToolCallIds) -> None:
        self._ids = ids
        self._calls: list[ToolCallBuilder] = []
        # The last call for each index that the server sent, and under None the last call of all.
        self._by_wire_index: dict[int | None, ToolCallBuilder] = {}
        self._by_id: dict[str, ToolCallBuilder] = {}
        self._long_ids = 0  # the size of ids that are long: some gateways put signatures into them

    def measure(self) -> int:
        """Return the size of the calls in bytes: arguments, unknown keys, long ids and names."""
        return self._long_ids + sum(call.measure() for call in self._calls)

    def add(
        self, fragment: ToolCallFragment, choice: int, *, is_whole: bool = False
    ) -> ToolCallDelta | None:
        """Add a fragment; return its delta, or None if it has no text and begins no call.

        A fragment without an id, a name and arguments begins no call. ``is_whole`` is whether the
        fragment is a whole call of its own.
        """
        if (
            (call := self._by_wire_index.get(fragment.index)) is not None
            and call.arguments
            and (not fragment.id or fragment.id == call.wire_id)
            and (function := fragment.function) is not None
            and (not function.name or function.name == call.name)
            and (text := function.arguments)
            and ("{" not in text or text[0] not in _MAY_OPEN_OBJECT)
            and fragment.extra is None
        ):
            # The usual case, at half of the cost: only the next piece of the arguments.
            call.arguments.append(text)
            return ToolCallDelta(text, choice, call.index, call.id, call.name)
        return self._add_any(fragment, choice, is_whole=is_whole)

    def _add_any(
        self, fragment: ToolCallFragment, choice: int, *, is_whole: bool
    ) -> ToolCallDelta | None:
        type_, name, text = _read_fragment(fragment)
        id_ = fragment.id if fragment.id and not fragment.id.isspace() else None
        call = None if is_whole else self._find_call(fragment.index, id_, name, text)
        is_new = call is None
        if call is None:
            if not (id_ or name or text):
                return None
            self._ids.count_call()
            call = ToolCallBuilder(len(self._calls))
            self._calls.append(call)
            self._by_wire_index[None] = call
        if fragment.index is not None:
            _remember(self._by_wire_index, fragment.index, call)
        if id_:
            if id_ not in self._by_id:
                self._long_ids += len(id_) if len(id_) > _MAX_SHORT_ID else 0
            _remember(self._by_id, id_, call)
            if call.id is None:
                call.wire_id, call.id = id_, self._ids.claim(id_)
        call.type = type_ or call.type
        if name:
            call.add_name(name)
        if fragment.extra:
            call.add_extra(fragment.extra)
        text = text and call.add_arguments(text)
        if not (text or is_new):
            return None
        return ToolCallDelta(text, choice, call.index, call.id, call.name)

    def close(self, choice: int) -> list[ToolCallDelta]:
        """Return the deltas of the arguments that were held back; no fragment may follow."""
        return [
            ToolCallDelta(call.release(), choice, call.index, call.id, call.name)
            for call in self._calls
            if call.placeholder
        ]

    def build(
        self, ids: ToolCallIds, *, complete: bool, finish_reason: str | None
    ) -> tuple[ToolCall, ...]:
        """Build the calls so far.

        Args:
            ids: the ids of all calls of the completion, for those that have none.
            complete: whether the completion has reached its end.
            finish_reason: the normalized finish reason of the choice.
        """
        return tuple(
            call.build(ids, complete=complete, finish_reason=finish_reason) for call in self._calls
        )

    def _find_call(
        self, index: int | None, id_: str | None, name: str | None, text: str
    ) -> ToolCallBuilder | None:
        """Return the call that a fragment belongs to; None if it begins a new one."""
        call = self._by_wire_index.get(index)
        if id_ and (known := self._by_id.get(id_)):
            if call is None and name:
                return None  # a call of its own, although the server uses one id for all calls
            if index is None or call is None or call.wire_id not in (None, id_):
                call = known
            if call is known:
                id_ = call.wire_id  # it may be another id that this call has had
        elif call is None and text and not (id_ or name):
            last = self._by_wire_index.get(None)
            if last is not None and not _opens_next_object(last, text):
                call = last  # its index changes with the arguments
        if call is None or _begins_call(call, index, id_, name, text):
            return None
        return call


def _remember(calls: dict[_K, ToolCallBuilder], key: _K, call: ToolCallBuilder) -> None:
    """Keep a call under a key, unless there are too many: a server may send a new one each time."""
    if key in calls or len(calls) < MAX_PARTS:
        calls[key] = call


def _begins_call(
    call: ToolCallBuilder, index: int | None, id_: str | None, name: str | None, text: str
) -> bool:
    """Return whether a fragment begins a call other than the one that its index or id names."""
    if id_ and call.wire_id and id_ != call.wire_id:
        return index is None or _begins_call_at_index(call, name, text)
    if not name or call.name is None:
        return False
    is_unnumbered = index is None and not id_ and not call.wire_id
    if name == call.name or (name.startswith(call.name) and not call.has_arguments):
        # The name is repeated with every fragment, or it grows ("get", then "get_weather"). If
        # nothing says which call the fragment is for, an object after an object is a second call.
        if is_unnumbered:
            return opens_object(text) and call.is_whole
        return _opens_next_object(call, text)
    if call.is_whole or is_unnumbered or (id_ and id_ != call.wire_id):
        return True
    # The name arrives in pieces ("get_wea", then "ther"), before the arguments or with them.
    has_begun = not id_ and call.has_arguments
    return has_begun and (not text or opens_object(text))


def _begins_call_at_index(call: ToolCallBuilder, name: str | None, text: str) -> bool:
    """Return whether a fragment with a new id begins another call at the index of the call.

    Either two calls share an index, or the id of one call changes with each fragment, and its name
    may be repeated.
    """
    if not name:
        return _opens_next_object(call, text)
    if name != call.name:
        return True
    if call.has_arguments:
        return call.is_whole and (not text or opens_object(text))
    return not text


def _opens_next_object(call: ToolCallBuilder, text: str) -> bool:
    """Return whether the arguments are whole, and the text begins others."""
    if call.placeholder or not opens_object(text) or not call.is_whole:
        return False
    return not call.repeats(text)


def _read_fragment(fragment: ToolCallFragment) -> tuple[str | None, str | None, str]:
    """Return the type, the name, and the text of the arguments or of the input."""
    function, custom = fragment.function, fragment.custom
    # Some gateways send an empty `custom` beside each `function`.
    if custom is not None and (custom.name or custom.input):
        return "custom", custom.name or None, custom.input or ""
    if function is None:
        return fragment.type, None, ""
    return fragment.type, function.name or None, function.arguments or ""
