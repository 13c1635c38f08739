"""Turns of the assistant that are sent back as they were received, including their thinking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from aimlchat.content import Message
from aimlchat.errors import InvalidRequestError, ProtocolError
from aimlchat.tool_types import ToolCall

from .arguments import parse_arguments
from .call_names import build_call_id, build_call_name
from .json_values import describe, is_mapping, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .model_table import ModelRow

__all__ = [
    "BLOCKS",
    "THINKING_TYPES",
    "TURN_KEYS",
    "adapt_turn",
    "check_blocks",
    "continues_calls_without_thinking",
    "holds_thinking",
    "refuse_edited_turn",
    "select_blocks",
]

BLOCKS = "content_blocks"
"""The key of a message under which `Completion.as_message` keeps the blocks of a turn."""

THINKING_TYPES = ("thinking", "redacted_thinking")
# https://ai.google.dev/gemini-api/docs/thought-signatures
_ANY_SIGNATURE = "skip_thought_signature_validator"
_REASONING_KEYS = ("reasoning_content", "reasoning_details")
TURN_KEYS = (BLOCKS, *_REASONING_KEYS)
"""The keys of a message that only matter to the model that wrote it."""


def holds_thinking(messages: Iterable[Any]) -> bool:
    """Return whether a turn of the conversation has thinking that Claude has signed."""
    for message in messages:
        turn: Any = message.turn if isinstance(message, Message) else message
        if is_mapping(turn) and any(_is_signed(turn.get(key)) for key in (BLOCKS, "content")):
            return True
    return False


def _is_signed(blocks: Any) -> bool:
    if not isinstance(blocks, (list, tuple)):
        return False
    for block in filter(is_mapping, blocks):
        kind = block.get("type")
        if kind == "redacted_thinking" or (kind == "thinking" and block.get("signature")):
            return True
    return False


def check_blocks(message: dict[str, Any], field: str) -> None:
    """Check the kept blocks of a message, if it has any.

    Raises `InvalidRequestError`.
    """
    blocks = message.get(BLOCKS)
    if blocks is None:
        return
    field = f"{field}.{BLOCKS}"
    if message["role"] != "assistant":
        refuse("only a turn of the assistant has blocks of its own; leave the key out", field)
    if not isinstance(blocks, list):
        refuse(f"{describe(blocks)} is not a list of blocks; leave the key out", field)
    for index, block in enumerate(blocks):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            msg = f"{describe(block)} is not a block; send the turn back as .as_message() gave it"
            refuse(msg, f"{field}[{index}]")


def select_blocks(blocks: list[dict[str, Any]], field: str) -> list[dict[str, Any]]:
    """Return the blocks of a turn that the API accepts back, each as it was received.

    The API sends blank texts, and thinking at the end of a turn, but does not accept either; and
    thinking that it has not signed is not its own. Raises `InvalidRequestError` for a call whose
    arguments are not an object.
    """
    selected = []
    for index, block in enumerate(blocks):
        kind = block["type"]
        if kind == "text" and not str(block.get("text", "")).strip():
            continue
        if kind == "thinking" and not block.get("signature"):
            continue
        selected.append(
            _build_call_block(block, f"{field}[{index}]") if kind == "tool_use" else block
        )
    while selected and selected[-1]["type"] in THINKING_TYPES:
        selected.pop()
    return selected


def _build_call_block(block: dict[str, Any], field: str) -> dict[str, Any]:
    value = block.get("input")
    if not isinstance(value, dict):
        call = ToolCall(str(block.get("id")), str(block.get("name")), str(value))
        value = parse_arguments(call, f"{field}.input")
    call_id = build_call_id(block.get("id"), f"{field}.id")
    name = build_call_name(block.get("name"), f"{field}.name")
    return block | {"id": call_id, "name": name, "input": value}


def refuse_edited_turn(blocks: list[dict[str, Any]], calls: Any, content: Any, field: str) -> None:
    """Refuse a turn whose text or calls differ from its blocks, since only the blocks are sent.

    Args:
        blocks: the blocks.
        calls: the calls of the message, as `ToolCall` or as dicts in OpenAI's form.
        content: the content of the message. None and empty content are not compared.
        field: the path of the message.
    """
    texts = "".join(str(block.get("text", "")) for block in blocks if block["type"] == "text")
    uses = [
        (block.get("id"), build_call_name(block.get("name"), field), block.get("input"))
        for block in blocks
        if block["type"] == "tool_use"
    ]
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content)
    if content and content.strip() != texts.strip():
        _refuse_edit("content", field)
    if calls and [_read_call(call, field) for call in calls] != uses:
        _refuse_edit("tool_calls", field)


def _read_call(call: Any, field: str) -> tuple[Any, Any, Any]:
    if not isinstance(call, ToolCall):
        function = call.get("function") or {}
        call = ToolCall(call["id"], function.get("name", ""), function.get("arguments", ""))
    name = build_call_name(call.name, field)
    try:
        return call.id, name, call.arguments
    except ProtocolError:
        return call.id, name, call.raw_arguments


def continues_calls_without_thinking(messages: Sequence[Any]) -> bool:
    """Return whether a turn that began with calls, and without Claude's thinking, continues.

    Another model made it, or thinking was off. The user's text after the results of calls belongs
    to the turn as well, since it is sent with them.
    """
    first = None
    for index in range(len(messages) - 1, -1, -1):
        role = _get(messages[index], "role")
        if role == "assistant":
            first = messages[index]
        elif role == "user" and (not index or _get(messages[index - 1], "role") != "tool"):
            break
    if first is None or not _get(first, "tool_calls"):
        return False
    turn: Any = first.turn if isinstance(first, Message) else first
    blocks: Any = (turn or {}).get(BLOCKS)
    return not (isinstance(blocks, (list, tuple)) and _is_signed(blocks[:1]))


def _get(message: Any, name: str) -> Any:
    if isinstance(message, Message):
        return getattr(message, name)
    return message.get(name) if is_mapping(message) else None


def _refuse_edit(key: str, field: str) -> NoReturn:
    msg = (
        f"{key} and {BLOCKS} differ, and only {BLOCKS} is sent to Claude; change it in both, or"
        f" remove {BLOCKS}, and the thinking with it"
    )
    raise InvalidRequestError(msg, field=f"{field}.{key}")


def adapt_turn(message: dict[str, Any], row: ModelRow) -> None:
    """Convert a turn in OpenAI's format, perhaps of another model, to one that this model accepts.

    Claude's thinking goes only to Claude, and reasoning only to models that accept it back. Gemini
    from 3 on requires its signature with the first call of a turn; Google's documents specify a
    placeholder for turns of other models.
    """
    message.pop(BLOCKS, None)
    thinks_as_claude = row.is_claude and row.thinking_modes
    if not thinks_as_claude and isinstance(message.get("content"), list):
        parts = [part for part in message["content"] if part["type"] not in THINKING_TYPES]
        message["content"] = parts or (None if message.get("tool_calls") else "")
    if row.signs_calls and message.get("tool_calls"):
        _sign_call(message["tool_calls"][0])
    returns = row.returns_reasoning
    if returns == "always" or (returns == "with_calls" and message.get("tool_calls")):
        return
    for key in _REASONING_KEYS:
        message.pop(key, None)
    if all(value is None for key, value in message.items() if key != "role"):
        message["content"] = ""  # there was nothing but reasoning


def _sign_call(call: dict[str, Any]) -> None:
    holder = call
    for key in ("extra_content", "google"):
        if not isinstance(holder.setdefault(key, {}), dict):
            return
        holder = holder[key]
    if not holder.get("thought_signature"):
        holder["thought_signature"] = _ANY_SIGNATURE
