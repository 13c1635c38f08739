"""The assembly of tool calls from fragments, however the server numbers them.

Gateways were seen to send an ``index`` that is missing, that starts at 1, or that is the same for
all calls; an ``id`` that arrives late, with every fragment, never, changed, or the same for all
calls; a name that is repeated with every fragment, or that arrives in pieces; and arguments that
begin with a placeholder, or that are repeated whole at the end.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from aimlchat.completions import ToolCallDelta
from aimlchat.content import ToolCall
from aimlchat.errors import ProtocolError

if TYPE_CHECKING:
    from .chunks import ToolCallFragment

__all__ = ["ToolCallAssembler", "ToolCallIds"]

_JSON_MARK = re.compile(r'["\\{}\[\]]')
_EMPTY_OBJECT = re.compile(r"\s*\{\s*\}\s*")
# With any other finish reason, such as `length`, `content_filter` or vLLM's `abort`, the model may
# have been stopped within a call. None is that of a stream that ended with [DONE] alone.
_GOOD_ENDS = ("stop", "tool_calls", None)
# The API allows names of 64 characters. Without a limit, a name in a million pieces would be copied
# a million times.
_MAX_NAME = 256
# Arguments that are repeated in another layout are at most this many times shorter. The limit keeps
# the comparisons linear in the size of the stream.
_MAX_LAYOUT_RATIO = 4
# How deep the unknown keys of two fragments are merged; the deepest key that was seen is
# `extra_content.google.thought_signature`.
_MERGED_DEPTH = 8


class ToolCallIds:
    """The ids of the calls of one completion, each of which belongs to one call."""

    __slots__ = ("_counts", "_used")

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._counts: dict[str, int] = {}

    def copy(self) -> ToolCallIds:
        """Return a copy; ids that are claimed of it are free in the original."""
        ids = ToolCallIds()
        ids._used, ids._counts = self._used.copy(), self._counts.copy()
        return ids

    def claim(self, id_: str) -> str:
        """Return this id, or ``<id>_<n>`` if another call already has it."""
        base = id_
        while id_ in self._used:
            count = self._counts[base] = self._counts.get(base, 0) + 1
            id_ = f"{base}_{count}"
        self._used.add(id_)
        return id_


class _ToolCallBuilder:
    """The part of one tool call that has been received."""

    __slots__ = (
        "arguments",
        "extra",
        "id",
        "index",
        "length",
        "name",
        "nesting",
        "placeholder",
        "scanned",
        "type",
        "wire_id",
    )

    def __init__(self, index: int) -> None:
        self.index = index  # in `Choice.tool_calls`
        self.id: str | None = None  # the wire's id, made unique
        self.wire_id: str | None = None
        self.type = "function"
        self.name: str | None = None
        self.arguments: list[str] = []  # those that were handed out as deltas
        self.placeholder = ""  # an empty object that is the only arguments so far
        self.nesting = _Nesting()
        self.scanned = 0  # how many fragments of the arguments `nesting` has read
        self.length = 0  # of these fragments together
        self.extra: dict[str, Any] = {}

    @property
    def has_arguments(self) -> bool:
        return bool(self.arguments or self.placeholder)

    @property
    def is_whole(self) -> bool:
        """Whether the arguments so far are a whole object, perhaps a placeholder."""
        if self.placeholder:
            return True
        if self.type == "custom":  # its input is free text
            return False
        # Each fragment is scanned once, however often this is called.
        for fragment in self.arguments[self.scanned :]:
            self.nesting.feed(fragment)
            self.length += len(fragment)
        self.scanned = len(self.arguments)
        return self.nesting.is_closed

    def repeats(self, text: str) -> bool:
        """Return whether the text is the arguments once more, perhaps in another layout.

        Gateways that translate another API send the pieces of the arguments, then all of them.
        Requires that `is_whole` has returned True.
        """
        if len(text) * _MAX_LAYOUT_RATIO < self.length:
            return False
        arguments = "".join(self.arguments)
        if text == arguments:
            return True
        try:
            return bool(json.loads(text, strict=False) == json.loads(arguments, strict=False))
        except (ValueError, RecursionError):
            return False

    def add_name(self, name: str) -> None:
        """Take a name: a repeated one, a longer one in place of the name, or its next piece."""
        if not name:
            return
        if self.name is None or name.startswith(self.name):
            self.name = name
        elif len(self.name) + len(name) <= _MAX_NAME:
            self.name += name

    def add_arguments(self, text: str) -> str:
        """Take the next piece of the arguments; return the text that can be handed out.

        An empty object is held back while it is the only text: gateways before Claude send it
        where Claude's stream announces a call, and the arguments after it. Once the arguments are
        whole, an empty object or the same arguments add nothing.
        """
        if not text or self.type == "custom":
            pass
        elif not self.arguments and _EMPTY_OBJECT.fullmatch(text):
            self.placeholder = text
            return ""
        elif self.placeholder:
            if not _opens_object(text):
                text = self.placeholder + text
            self.placeholder = ""
        elif _opens_object(text) and self.is_whole:
            if _EMPTY_OBJECT.fullmatch(text) or self.repeats(text):
                return ""
        if text:
            self.arguments.append(text)
        return text

    def release(self) -> str:
        """Return the text that was held back, which can be handed out now."""
        text, self.placeholder = self.placeholder, ""
        self.arguments.append(text)
        return text

    def build(self, ids: ToolCallIds, *, complete: bool, finish_reason: str | None) -> ToolCall:
        text = "".join(self.arguments) + self.placeholder
        if finish_reason not in _GOOD_ENDS and not self._is_certainly_whole(text):
            complete = False
        return ToolCall(
            self.id or ids.claim(f"call_{self.index}"),
            self.name or "",
            text,
            complete,
            type=self.type,
            extra=_copy(self.extra, _MERGED_DEPTH),
        )

    def _is_certainly_whole(self, text: str) -> bool:
        """Return whether the arguments are whole even if the model was stopped.

        Blank arguments and an empty object may be those of a call that was only announced, and
        the input of a custom call has no end of its own.
        """
        if self.type == "custom":
            return False
        try:
            return bool(ToolCall("", "", text).arguments)
        except ProtocolError:
            return False


class ToolCallAssembler:
    """The tool calls of one choice.

    Args:
        ids: the ids of all calls of the completion.
    """

    __slots__ = ("_by_id", "_by_wire_index", "_calls", "_ids")

    def __init__(self, ids: ToolCallIds) -> None:
        self._ids = ids
        self._calls: list[_ToolCallBuilder] = []
        self._by_wire_index: dict[int, _ToolCallBuilder] = {}
        self._by_id: dict[str, _ToolCallBuilder] = {}

    def add(
        self, fragment: ToolCallFragment, choice: int, *, is_whole: bool = False
    ) -> ToolCallDelta | None:
        """Add a fragment; return its delta, or None if it has no text and begins no call.

        A fragment without an id, a name and arguments begins no call. ``is_whole`` is whether the
        fragment is a whole call of its own.
        """
        if (
            fragment.id is None
            and fragment.extra is None
            and fragment.index is not None
            and (call := self._by_wire_index.get(fragment.index)) is not None
            and call.arguments
            and (function := fragment.function) is not None
            and function.name is None
            and (text := function.arguments)
            and "{" not in text
        ):
            # The usual case, at a third of the cost: only the next piece of the arguments.
            call.arguments.append(text)
            return ToolCallDelta(text, choice, call.index, call.id, call.name)
        return self._add_any(fragment, choice, is_whole=is_whole)

    def _add_any(
        self, fragment: ToolCallFragment, choice: int, *, is_whole: bool
    ) -> ToolCallDelta | None:
        type_, name, text = _read_fragment(fragment)
        id_ = fragment.id or None
        call = None if is_whole else self._find_call(fragment.index, id_, name, text)
        is_new = call is None
        if call is None:
            if not (id_ or name or text):
                return None
            call = _ToolCallBuilder(len(self._calls))
            self._calls.append(call)
        if fragment.index is not None:
            self._by_wire_index[fragment.index] = call
        if id_:
            self._by_id[id_] = call
            if call.id is None:
                call.wire_id, call.id = id_, self._ids.claim(id_)
        call.type = type_ or call.type
        call.add_name(name or "")
        _merge(call.extra, fragment.extra or {}, _MERGED_DEPTH)
        text = call.add_arguments(text)
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
    ) -> _ToolCallBuilder | None:
        """Return the call that a fragment belongs to; None if it begins a new one."""
        last = self._calls[-1] if self._calls else None
        call = last if index is None else self._by_wire_index.get(index)
        if id_ and (known := self._by_id.get(id_)):
            if call is None and name:
                return None  # a call of its own, though the server has one id for all calls
            if index is None or call is None or call.wire_id not in (None, id_):
                call = known
        elif call is None and text and not (id_ or name):
            call = last  # arguments of a call that nothing announced
        if call is None or _begins_call(call, index, id_, name, text):
            return None
        return call


def _begins_call(
    call: _ToolCallBuilder, index: int | None, id_: str | None, name: str | None, text: str
) -> bool:
    """Return whether a fragment begins another call than the one that its index or id names."""
    if id_ and call.wire_id and id_ != call.wire_id:
        # Two calls share an index, or the id of one call changes with its second fragment, which
        # has no name.
        return bool(name) or index is None or _opens_next_object(call, text)
    if not name or call.name is None:
        return False
    is_unnumbered = index is None and not id_
    if name == call.name or (name.startswith(call.name) and not call.has_arguments):
        # The name is repeated with every fragment, or it grows ("get", then "get_weather"). If
        # nothing tells which call the fragment is for, an object after an object is a second call.
        if is_unnumbered:
            return _opens_object(text) and call.is_whole
        return _opens_next_object(call, text)
    if call.is_whole or is_unnumbered or (id_ and id_ != call.wire_id):
        return True
    # The name arrives in pieces ("get_wea", then "ther"), before the arguments or beside them.
    has_begun = not id_ and call.has_arguments
    return has_begun and (not text or _opens_object(text))


def _opens_next_object(call: _ToolCallBuilder, text: str) -> bool:
    """Return whether the arguments are whole, and the text begins others."""
    if call.placeholder or not _opens_object(text) or not call.is_whole:
        return False
    return not call.repeats(text)


def _opens_object(text: str) -> bool:
    return text.lstrip().startswith("{")


def _read_fragment(fragment: ToolCallFragment) -> tuple[str | None, str | None, str]:
    """Return the type, the name, and the text of the arguments or of the input."""
    function, custom = fragment.function, fragment.custom
    # Some gateways send an empty `custom` beside each `function`.
    if custom is not None and (custom.name or custom.input):
        return "custom", custom.name or None, custom.input or ""
    if function is None:
        return fragment.type, None, ""
    return fragment.type, function.name or None, function.arguments or ""


def _merge(known: dict[str, Any], new: dict[str, Any], depth: int) -> None:
    """Add the keys of a later fragment; null replaces nothing."""
    for key, value in new.items():
        old = known.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and depth > 1:
            _merge(old, value, depth - 1)
        elif value is not None or key not in known:
            known[key] = _copy(value, depth - 1)


def _copy(value: Any, depth: int) -> Any:
    """Return a copy of the dicts down to a depth; what is deeper is never changed."""
    if not isinstance(value, dict) or not depth:
        return value
    return {key: _copy(item, depth - 1) for key, item in value.items()}


class _Nesting:
    """The depth of nesting at the end of a JSON text that arrives in pieces."""

    __slots__ = ("_depth", "_has_opened", "_in_string", "_is_escaped")

    def __init__(self) -> None:
        self._depth = 0
        self._has_opened = False
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
                self._has_opened = True

    @property
    def is_closed(self) -> bool:
        """Whether there was a bracket, and every bracket and string that was opened is closed."""
        return self._has_opened and not self._depth and not self._in_string
