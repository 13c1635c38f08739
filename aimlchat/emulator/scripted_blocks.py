"""The content blocks of a scripted turn, in Claude's own message format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .encoding import dump_json
from .generation import GeneratedCall, GeneratedChoice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from attrs import Attribute

__all__ = ["are_blocks", "build_choice_of_blocks"]

# The field that a block requires. Thinking without a text has only a signature.
_REQUIRED_FIELDS = {"text": "text", "tool_use": "name"}


def are_blocks(_reply: object, attribute: Attribute[Any], blocks: tuple[Any, ...]) -> None:
    """Refuse anything but content blocks."""
    if not all(map(_is_block, blocks)):
        words = 'content blocks, as in [{"type": "thinking", "thinking": "Hm."}]'
        msg = f"{attribute.name} is {blocks!r}; it takes {words}"
        raise TypeError(msg)


def _is_block(block: Any) -> bool:
    if not isinstance(block, Mapping) or not isinstance(block.get("type"), str):
        return False
    field = _REQUIRED_FIELDS.get(block["type"])
    texts = (block.get(name, "") for name in ("text", "thinking", "signature", "data", "name"))
    is_call = block["type"] == "tool_use"
    return (
        (field is None or field in block)
        and all(isinstance(text, str) for text in texts)
        and (not is_call or isinstance(block.get("input", {}), Mapping))
    )


def build_choice_of_blocks(
    blocks: Iterable[Mapping[str, Any]], make_call_id: Callable[[int], str]
) -> GeneratedChoice:
    """Build a choice: the blocks, and what other wire formats send instead of them.

    Args:
        blocks: the blocks of the script.
        make_call_id: makes the id of the n-th tool call, unless the script has one.
    """
    completed: list[dict[str, Any]] = []
    calls: list[GeneratedCall] = []
    for block in blocks:
        match block["type"]:
            case "thinking":
                completed.append({"type": "thinking", "thinking": "", **block})
            case "tool_use":
                call_id = block.get("id", make_call_id(len(calls)))
                whole = {"type": "tool_use", "id": call_id, "input": {}, **block}
                completed.append(whole)
                calls.append(GeneratedCall(call_id, whole["name"], dump_json(whole["input"])))
            case _:
                completed.append(dict(block))
    return GeneratedChoice(
        text="".join(block["text"] for block in completed if block["type"] == "text"),
        reasoning="".join(block["thinking"] for block in completed if block["type"] == "thinking"),
        calls=tuple(calls),
        blocks=tuple(completed),
    )
