"""The blocks of a turn in Claude's own message format, put together from the events of a stream.

https://docs.anthropic.com/en/api/messages-streaming
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aimlchat._json import prune
from aimlchat.completions import AnswerDelta, Choice, ReasoningDelta, ToolCallDelta
from aimlchat.errors import ProtocolError
from aimlchat.tool_types import ToolCall

from .kept_size import TextPieces, check_parts, measure_json
from .lenient import read_list, read_text
from .metadata import normalize_finish_reason
from .surrogates import mend_json, mend_surrogates
from .tool_call_builder import ToolCallBuilder, ToolCallIds

if TYPE_CHECKING:
    from aimlchat.completions import Delta

__all__ = ["Block", "TurnBuilder"]

_MAX_FINISH_REASON = 256
_JSON_INPUT = "partial_json"
# Deltas whose text replaces the previous one, or is an item of a list; others are pieces of text.
_SIGNATURE, _CITATION = "signature", "citation"
_PLAIN_KEYS = {
    "text": frozenset(("type", "text", "citations")),
    "tool_use": frozenset(("type", "id", "name", "input")),
}


class Block:
    """One block of a turn: what it began with, and the pieces of its texts."""

    __slots__ = ("call", "fields", "is_closed", "kind", "size", "texts")

    def __init__(self, fields: dict[str, Any], call: ToolCallBuilder | None) -> None:
        self.kind = fields.get("type")
        self.fields = fields
        self.call = call
        self.texts: dict[str, TextPieces] = {}
        self.is_closed = False
        self.size = measure_json(fields)

    def add_text(self, key: str, text: str) -> None:
        """Add a piece of the text under a key."""
        if key not in self.texts:
            start = read_text(self.fields.get(key))
            self.texts[key] = TextPieces([start] if start else [])
        self.texts[key].append(text)

    def add_value(self, key: str, value: Any) -> None:
        """Keep a value that is not a piece of text; a citation is one of several."""
        self.size += measure_json(value)
        if key == _CITATION:
            key, value = "citations", [*read_list(self.fields.get("citations")), value]
        self.fields[key] = value

    def read(self, key: str) -> str:
        """Return the text under a key so far."""
        if key in self.texts:
            return "".join(self.texts[key])
        return read_text(self.fields.get(key)) or ""

    def measure(self) -> int:
        """Return the size of all that is kept, in bytes."""
        call = self.call.measure() if self.call is not None else 0
        return self.size + call + sum(pieces.measure() for pieces in self.texts.values())

    def build(self, call: ToolCall | None) -> dict[str, Any]:
        """Return the block as a whole message has it; ``call`` is the call that it stands for."""
        built = dict(self.fields)
        for key, pieces in self.texts.items():
            if key != _JSON_INPUT:
                built[key] = "".join(pieces)
        if call is not None:
            built |= {"id": call.id, "name": call.name, "input": _parse_input(call.raw_arguments)}
        elif _JSON_INPUT in self.texts:
            built["input"] = _parse_input("".join(self.texts[_JSON_INPUT]))
        return built


def _parse_input(text: str) -> Any:
    """Return the input of a tool; text that is not an object stays as the model wrote it."""
    try:
        return ToolCall("", "", text).arguments
    except ProtocolError:
        return text


class TurnBuilder:
    """The blocks of a turn that have been received, which together are choice 0."""

    index = 0
    pieces = pieces_at_finish = 0  # the end of a message is an event of its own
    finish_reason: str | None = None

    def __init__(self, ids: ToolCallIds) -> None:
        self._ids = ids
        self._blocks: list[Block] = []
        self._calls = 0
        self.mends = False
        """Whether the blocks may have lone surrogates, with which they could not be sent back."""

    def begin(self, fields: dict[str, Any], deltas: list[Delta]) -> Block:
        """Begin a block with these fields, and append the delta that announces a call."""
        call = None
        check_parts(len(self._blocks) + 1, "blocks")
        if fields.get("type") == "tool_use":
            self._ids.count_call()
            call = ToolCallBuilder(self._calls)
            self._calls += 1
            wire_id = read_text(fields.get("id"))
            if wire_id and not wire_id.isspace():
                call.wire_id, call.id = wire_id, self._ids.claim(wire_id)
            call.name = read_text(fields.get("name"))
            deltas.append(ToolCallDelta("", 0, call.index, call.id, call.name))
        block = Block(fields, call)
        self._blocks.append(block)
        if text := block.read("thinking") if block.kind == "thinking" else "":
            deltas.append(ReasoningDelta(text))
        if text := block.read("text") if block.kind == "text" else "":
            deltas.append(AnswerDelta(text))
        return block

    def add(self, block: Block, key: str, value: Any, deltas: list[Delta]) -> None:
        """Add the value that a delta has under a key, and append its text to the deltas."""
        if key == _JSON_INPUT and block.call is not None:
            if isinstance(value, str) and value:
                self._add_arguments(block.call, value, deltas)
        elif key == _SIGNATURE or not isinstance(value, str):
            block.add_value(key, value)
        elif value:
            block.add_text(key, value)
            if key == block.kind == "text":
                deltas.append(AnswerDelta(value))
            elif key == block.kind == "thinking":
                deltas.append(ReasoningDelta(value))

    def close_block(self, block: Block, deltas: list[Delta]) -> None:
        """Note the end of a block; a call may have had its input from the beginning."""
        block.is_closed = True
        call, value = block.call, block.fields.get("input")
        if call is not None and not call.has_arguments and value:
            text = value if isinstance(value, str) else json.dumps(value)
            self._add_arguments(call, text, deltas)

    def close(self, deltas: list[Delta]) -> None:
        """Append the arguments that were held back; nothing may follow."""
        for block in self._blocks:
            if not block.is_closed:  # a gateway has left out the event that ends the block
                self.close_block(block, deltas)
            call = block.call
            if call is not None and call.placeholder:
                deltas.append(ToolCallDelta(call.release(), 0, call.index, call.id, call.name))

    def _add_arguments(self, call: ToolCallBuilder, text: str, deltas: list[Delta]) -> None:
        if text := call.add_arguments(text):
            deltas.append(ToolCallDelta(text, 0, call.index, call.id, call.name))

    def finish(self, reason: str) -> None:
        """Keep the stop reason."""
        self.finish_reason = reason[:_MAX_FINISH_REASON]

    @property
    def has_output(self) -> bool:
        """Whether any block has begun."""
        return bool(self._blocks)

    def measure(self) -> int:
        """Return the size of all that is kept, in bytes."""
        return sum(block.measure() for block in self._blocks)

    def build(self, ids: ToolCallIds | None, *, complete: bool) -> Choice:
        """Build the choice so far, with the turn that is sent back to the model."""
        reason = normalize_finish_reason(self.finish_reason)
        calls = {
            id(block): block.call.build(ids or self._ids, complete=complete, finish_reason=reason)
            for block in self._blocks
            if block.call is not None
        }
        turn = [block.build(calls.get(id(block))) for block in self._blocks]
        prune(turn)
        if self.mends:
            turn = mend_json(turn)
        citations = [item for block in turn for item in read_list(block.get("citations"))]
        return Choice(
            text=self._join("text"),
            reasoning=self._join("thinking"),
            tool_calls=tuple(calls.values()),
            finish_reason=reason,
            native_finish_reason=self.finish_reason,
            annotations=citations,
            # Of a turn that was cut off, only the text can be sent back.
            turn={"content_blocks": turn} if complete and not _is_plain(turn) else None,
        )

    def _join(self, kind: str) -> str:
        texts = [block.read(kind) for block in self._blocks if block.kind == kind]
        return mend_surrogates("".join(texts))


def _is_plain(turn: list[dict[str, Any]]) -> bool:
    """Return whether text and calls contain everything that is in the blocks."""
    for index, block in enumerate(turn):
        kind = block.get("type")
        known = _PLAIN_KEYS.get(str(kind))
        if known is None or not known.issuperset(block) or block.get("citations"):
            return False
        if kind == "text" and index:
            return False
    return True
