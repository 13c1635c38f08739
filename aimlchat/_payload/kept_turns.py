"""Turns of the assistant that go back as they came, with what the model thought in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat.content import Message
from aimlchat.tool_types import ToolCall

from .arguments import parse_arguments
from .json_values import describe, is_mapping, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model_table import ModelRow

__all__ = [
    "BLOCKS",
    "THINKING_TYPES",
    "TURN_KEYS",
    "check_blocks",
    "holds_thinking",
    "keep_accepted_reasoning",
    "select_blocks",
]

BLOCKS = "content_blocks"
"""The key of a message under which `Completion.as_message` keeps the blocks of a turn."""

THINKING_TYPES = ("thinking", "redacted_thinking")
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
    """Return the blocks of a turn that the API takes back, each of them as it came.

    It sends blank texts, but refuses them, and thinking that it has not signed is not its own.
    Raises `InvalidRequestError` for a call whose arguments are not an object.
    """
    selected = []
    for index, block in enumerate(blocks):
        kind = block["type"]
        if kind == "text" and not str(block.get("text", "")).strip():
            continue
        if kind == "thinking" and not block.get("signature"):
            continue
        if kind == "tool_use" and not isinstance(block.get("input"), dict):
            call = ToolCall(str(block.get("id")), str(block.get("name")), str(block.get("input")))
            arguments = parse_arguments(call, f"{field}[{index}].input")
            selected.append(block | {"input": arguments})
            continue
        selected.append(block)
    return selected


def keep_accepted_reasoning(message: dict[str, Any], row: ModelRow) -> None:
    """Remove from a turn in OpenAI's form the reasoning that the model does not take back."""
    message.pop(BLOCKS, None)
    returns = row.returns_reasoning
    if returns == "always" or (returns == "with_calls" and message.get("tool_calls")):
        return
    for key in _REASONING_KEYS:
        message.pop(key, None)
    if message == {"role": "assistant", "content": None}:  # there was nothing but reasoning
        message["content"] = ""
