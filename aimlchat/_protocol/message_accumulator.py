"""`MessageAccumulator`, for responses in Claude's own message format (``/v1/messages``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from aimlchat._json import prune
from aimlchat.errors import ProtocolError

from .accumulator import Accumulator
from .chunks import DECODE_ERRORS
from .end_rule import DONE_MARKER
from .error_events import find_error
from .lenient import decode_object, read_dict, read_int, read_list, read_text
from .message_blocks import Block, TurnBuilder
from .metadata import merge_usage, parse_cost, parse_usage
from .tool_call_builder import ToolCallIds

if TYPE_CHECKING:
    from aimlchat.completions import Delta, Usage
    from aimlchat.errors import AIMLChatError

__all__ = ["MessageAccumulator", "begin_message", "is_message"]

_EVENTS = frozenset(
    (
        *("message_start", "message_delta", "message_stop"),
        *("content_block_start", "content_block_delta", "content_block_stop"),
    )
)
_MESSAGE_KEYS = frozenset(("id", "type", "role", "model", "content", "usage", "stop_reason"))
_TEXT_KINDS = ("text", "thinking")
_BLOCKS_OF_DELTAS = {f"{kind}_delta": kind for kind in _TEXT_KINDS}
_decode = msgspec.json.Decoder().decode


def is_message(body: dict[str, Any]) -> bool:
    """Return whether the body of a response is a message in Claude's own format."""
    return (
        isinstance(body.get("content"), list)
        and "choices" not in body
        and (body.get("type") == "message" or body.get("role") == "assistant")
    )


def begin_message(body: dict[str, Any], values: dict[str, Any]) -> MessageAccumulator | None:
    """Return an accumulator for a stream in Claude's own format, None if an event is in another.

    ``values`` are those of unknown keys; the values in it so far came with pings.
    """
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in _EVENTS or "choices" in body:
        return None
    if kind == "message_stop":  # ends a block that never began
        return None
    values.clear()
    return MessageAccumulator(values)


class MessageAccumulator(Accumulator):
    """Turns the events of a message into deltas, and builds a completion from all of them.

    A message is whole at ``message_stop``. Its stop reason comes earlier and is not the end.

    Args:
        values: where to keep the values of keys that no field of a completion has.
    """

    end = "its message_stop"

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__()
        self._values = values
        self._call_ids = ToolCallIds()
        self._turn = TurnBuilder(self._call_ids)
        self._choices = {0: self._turn}  # type: ignore[dict-item]
        self._indexed: dict[int | None, Block] = {}
        self._mends = False  # whether text may have lone surrogates
        self.has_chunk = True

    def read(self, event: bytes, deltas: list[Delta]) -> AIMLChatError | None:
        """Add an event, and append its deltas to the list.

        Unknown events are ignored, as Claude's documents require. Returns the error that the event
        stands for, or an error if it is not a JSON object.
        """
        try:
            body, is_lenient = _decode(event), False
        except DECODE_ERRORS:
            text, is_lenient = event.strip(), True
            if not text or text.startswith(b":") or text == DONE_MARKER:
                return None
            try:
                body = decode_object(event)
            except ProtocolError as error:
                return error
        self._mends = is_lenient or bool(self._mender.pending)
        self._turn.mends |= is_lenient
        return self._add_event(read_dict(body), deltas)

    def _add_event(self, body: dict[str, Any], deltas: list[Delta]) -> AIMLChatError | None:
        match body.get("type"):
            case "content_block_delta":
                if error := self._add_delta(body, read_dict(body.get("delta")), deltas):
                    return error
            case "content_block_start":
                block = read_dict(body.get("content_block"))
                self._begin_block(read_int(body.get("index")), block, deltas)
            case "content_block_stop":
                if (begun := self._indexed.get(read_int(body.get("index")))) is not None:
                    self._turn.close_block(begun, deltas)
            case "message_start":
                self._read_message(read_dict(body.get("message")), deltas)
            case "message_delta":
                self._keep_values(read_dict(body.get("delta")))
            case "message_stop":
                self.finished_choices = 1
            case "ping":
                pass
            case _:
                return _find_fault(body)
        self._keep_amounts(body)
        return None

    def add_whole(self, body: dict[str, Any], deltas: list[Delta]) -> None:
        """Add the body of a whole message."""
        self._turn.mends = True
        self._read_message(body, deltas)
        self._keep_amounts(body)
        self.finished_choices = 1

    def close(self, deltas: list[Delta]) -> None:
        """Append the text that was held back; no event may follow."""
        for (index, key), text in self._mender.close().items():
            self._turn.add(self._indexed[index], key, text, deltas)
        self._turn.close(deltas)

    @property
    def is_settled(self) -> bool:
        """Always False, since no event of a message is a plain chunk."""
        return False

    @property
    def index_may_count_chunks(self) -> bool:
        """Always False, since a message has one choice."""
        return False

    def _read_message(self, message: dict[str, Any], deltas: list[Delta]) -> None:
        self._id = read_text(message.get("id")) or self._id
        self._model = read_text(message.get("model")) or self._model
        self._keep_values(message)
        self._keep_amounts(message)
        for block in read_list(message.get("content")):
            begun = self._begin_block(None, read_dict(block), deltas)
            if begun is not None:
                self._turn.close_block(begun, deltas)

    def _begin_block(
        self, index: int | None, block: dict[str, Any], deltas: list[Delta]
    ) -> Block | None:
        """Begin a block; return None for a block without a type, which cannot be sent back.

        Its deltas may imply the type, as if the event that begins the block had been left out.
        """
        if not isinstance(block.get("type"), str):
            kind = next((key for key in _TEXT_KINDS if isinstance(block.get(key), str)), None)
            if kind is None:
                return None
            block = block | {"type": kind}
        begun = self._turn.begin(dict(block), deltas)
        self._indexed[index] = self._indexed[None] = begun
        return begun

    def _add_delta(
        self, body: dict[str, Any], delta: dict[str, Any], deltas: list[Delta]
    ) -> ProtocolError | None:
        index = read_int(body.get("index"))
        block = self._indexed.get(index)
        if block is None:  # a gateway has left out the event that begins the block
            kind = _BLOCKS_OF_DELTAS.get(str(delta.get("type")))
            if delta.get("type") == "input_json_delta":
                return ProtocolError("the input of a tool call came without its beginning")
            if kind is None:
                return None
            block = self._turn.begin({"type": kind}, deltas)
            self._indexed[index] = self._indexed[None] = block
        for key, value in delta.items():
            if key == "type" or value is None:
                continue
            text = value
            if self._mends and isinstance(value, str) and index is not None:
                text = self._mender.mend((index, key), value)
            self._turn.add(block, key, text, deltas)
        return None

    def _keep_values(self, message: dict[str, Any]) -> None:
        """Keep the stop reason, and the values of unknown keys, such as ``stop_sequence``."""
        if reason := read_text(message.get("stop_reason")):
            self._turn.finish(reason)
        for key, value in message.items():
            if key not in _MESSAGE_KEYS and key != "meta" and value is not None:
                self._values[key] = value

    def _keep_amounts(self, body: dict[str, Any]) -> None:
        if isinstance(usage := body.get("usage"), dict):
            self._usage = usage if self._usage is None else merge_usage(self._usage, usage)
        if isinstance(meta := body.get("meta"), dict):
            self._cost = parse_cost(meta) or self._cost

    def _build_usage(self) -> Usage | None:
        """Return the usage, in which the prompt includes what was read from the cache or written.

        Claude counts these apart from ``input_tokens``.
        """
        if self._usage is None:
            return None
        prune(self._usage)
        usage = parse_usage(self._usage)
        if usage is None or usage.prompt_tokens is None:
            return usage
        cached = (usage.cached_tokens or 0) + (usage.cache_write_tokens or 0)
        prompt = usage.prompt_tokens + cached
        total = prompt + (usage.completion_tokens or 0)
        return attrs.evolve(usage, prompt_tokens=prompt, total_tokens=total)


def _find_fault(body: dict[str, Any]) -> AIMLChatError | None:
    """Return why an event that does not belong to a message cannot be skipped, None if it can."""
    if body.get("choices"):
        return ProtocolError("a chunk with choices came in the middle of a message")
    return find_error(body)
