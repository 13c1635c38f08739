"""`ToolCallBuilder`, which puts the fragments of one tool call together.

Gateways were seen to send arguments that begin with a placeholder, or that are repeated whole at
the end, and names that arrive in pieces.
"""

from __future__ import annotations

import json
import re
from typing import Any

from aimlchat.errors import ProtocolError
from aimlchat.tool_types import ToolCall

from .kept_size import TextPieces, check_parts, measure_json

__all__ = ["ToolCallBuilder", "ToolCallIds", "opens_object"]

_JSON_MARK = re.compile(r'["\\{}\[\]]')
# Texts that stand for no arguments.
_NO_ARGUMENTS = re.compile(r"\s*(?:\{\s*\}|null)\s*")
# With any other finish reason, such as `length` or `content_filter`, the model may have been
# stopped within a call. A stream that ended with only [DONE] has None.
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

    __slots__ = ("_calls", "_counts", "_used")

    def __init__(self) -> None:
        self._calls = 0
        self._used: set[str] = set()
        self._counts: dict[str, int] = {}

    def copy(self) -> ToolCallIds:
        """Return a copy; ids that are claimed in it stay free in the original."""
        ids = ToolCallIds()
        ids._used, ids._counts = self._used.copy(), self._counts.copy()
        return ids

    def count_call(self) -> None:
        """Count a call of the completion. Raises `ProtocolError` if there are too many."""
        self._calls += 1
        check_parts(self._calls, "tool calls")

    def claim(self, id_: str) -> str:
        """Return this id, or ``<id>_<n>`` if another call already has it."""
        base = id_
        while id_ in self._used:
            count = self._counts[base] = self._counts.get(base, 0) + 1
            id_ = f"{base}_{count}"
        self._used.add(id_)
        return id_


class ToolCallBuilder:
    """The part of one tool call that has been received."""

    __slots__ = (
        "arguments",
        "extra",
        "extra_size",
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
        self.arguments = TextPieces()  # the arguments that were returned as deltas
        self.placeholder = ""  # text that stands for no arguments, if there was no other so far
        self.nesting: _Nesting | None = None  # None until it is needed
        self.scanned = 0  # how many fragments of the arguments `nesting` has read
        self.length = 0  # of these fragments together
        self.extra: dict[str, Any] | None = None
        self.extra_size = 0

    def measure(self) -> int:
        """Return the size of the arguments, the unknown keys and a long name, in bytes."""
        if self.nesting is not None:
            self.nesting.feed("".join(self.arguments[self.scanned :]))
        size = self.arguments.measure() + len(self.placeholder) + self.extra_size
        if self.nesting is not None:
            self.scanned = len(self.arguments)
        return size + (len(self.name) if self.name and len(self.name) > _MAX_NAME else 0)

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
        if self.nesting is None:
            self.nesting = _Nesting()
        # Each fragment is scanned once, however often this is called.
        for fragment in self.arguments[self.scanned :]:
            self.nesting.feed(fragment)
            self.length += len(fragment)
        self.scanned = len(self.arguments)
        return self.nesting.is_closed

    def repeats(self, text: str) -> bool:
        """Return whether the text adds nothing: it repeats the arguments, or has none.

        Gateways that translate another API send the pieces of the arguments, then all of them.
        Requires that `is_whole` has returned True.
        """
        if _NO_ARGUMENTS.fullmatch(text):
            return True
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
        """Take a name: a repeated one, a longer one instead of the name, or its next piece."""
        if self.name is None or name.startswith(self.name):
            self.name = name
        elif len(self.name) + len(name) <= _MAX_NAME:
            self.name += name

    def add_arguments(self, text: str) -> str:
        """Take the next piece of the arguments; return the text that can be returned as a delta.

        An empty object or ``null`` is held back while it is the only text: gateways before Claude
        send it where Claude's stream announces a call, and the arguments after it. Once the
        arguments are whole, an empty object or the same arguments add nothing.
        """
        if self.type == "custom":
            pass
        elif self.arguments:
            if opens_object(text) and self.is_whole and self.repeats(text):
                return ""
        elif _NO_ARGUMENTS.fullmatch(text):
            self.placeholder = text
            return ""
        elif self.placeholder:
            if not text.strip():
                return ""
            text = text if opens_object(text) else self.placeholder + text
            self.placeholder = ""
        self.arguments.append(text)
        return text

    def add_extra(self, extra: dict[str, Any]) -> None:
        """Take unknown keys of a fragment; those of a later fragment win, null replaces nothing."""
        if self.extra is None:
            self.extra = {}
        self.extra_size += measure_json(extra)
        _merge(self.extra, extra, _MERGED_DEPTH)

    def release(self) -> str:
        """Return the text that was held back, which can now be a delta."""
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
            extra=_copy(self.extra, _MERGED_DEPTH) if self.extra else {},
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


def opens_object(text: str) -> bool:
    """Return whether the text begins a JSON object."""
    return text.lstrip().startswith("{")


def _merge(known: dict[str, Any], new: dict[str, Any], depth: int) -> None:
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
