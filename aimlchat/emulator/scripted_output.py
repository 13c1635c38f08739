"""A scripted value as a typed answer, in the way that the request specifies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from .generation import GeneratedCall, GeneratedChoice
from .output_shapes import MISFIT, shape_value, spoil_value
from .tool_selection import find_answer_tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from .request import OfferedTool, ParsedRequest

__all__ = ["NO_OUTPUT", "Broken", "build_choice_of_output", "to_json_value"]

NO_OUTPUT: Any = object()
"""The default of a scripted value, since None is a value."""

Broken = Literal["truncated", "invalid", "fenced", "prose"]
"""What can be wrong with the answer; `Emulator.reply` explains it."""

_BEFORE = "Here is what you asked for:\n\n"
_AFTER = "\n\nLet me know if you need anything else."


def to_json_value(value: Any) -> Any:
    """Convert an object of a test, such as a dataclass or an enum, to a JSON value."""
    if value is NO_OUTPUT:
        return value
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_dump_model)


def _dump_model(value: Any) -> Any:
    if hasattr(value, "model_dump"):  # of pydantic
        return value.model_dump(mode="json")
    msg = f"{type(value).__name__} is no JSON; give a value of JSON, or a dataclass or the like"
    raise TypeError(msg)


def build_choice_of_output(
    value: Any, broken: Broken | None, request: ParsedRequest, make_call_id: Callable[[int], str]
) -> GeneratedChoice:
    """Build the choice that gives a value as the answer.

    The value becomes the arguments of a tool if the request forces one, or its prompt reserves one
    for the answer; otherwise it becomes the text.

    Args:
        value: the value, JSON.
        broken: what is wrong with the answer.
        request: the request.
        make_call_id: makes the id of a tool call.
    """
    tool = None if request.json_schema is not None else _choose_tool(request, value)
    may_write = request.tool_choice != "required"
    if tool is None or (may_write and broken in ("fenced", "prose")):
        schema = request.requested_schema if tool is None else tool.schema
        text = _dump(value, schema, broken)
        if broken == "fenced":
            text = f"```json\n{text}\n```"
        elif broken == "prose":
            text = f"{_BEFORE}{text}{_AFTER}"
        return GeneratedChoice(text=text, finish="length" if broken == "truncated" else "stop")
    call = GeneratedCall(make_call_id(0), tool.name, _dump(value, tool.schema, broken))
    return GeneratedChoice(
        text=_BEFORE.strip() if broken == "prose" else "",
        calls=(call,),
        finish="length" if broken == "truncated" else "tool_calls",
    )


def _choose_tool(request: ParsedRequest, value: Any) -> OfferedTool | None:
    """Return the tool that takes the answer, None if the answer is a text."""
    if request.tool_choice == "none":
        return None
    named = [tool for tool in request.tools if tool.name == request.named_tool]
    tool = named[0] if named else find_answer_tool(request)
    if tool is None and request.tool_choice == "required":
        tools = request.tools
        fitting = (one for one in tools if shape_value(value, one.schema) is not MISFIT)
        tool = next(fitting, tools[-1])
    return tool


def _dump(value: Any, schema: dict[str, Any] | None, broken: Broken | None) -> str:
    """Write a value as JSON that fits the schema, unless it is broken or cannot."""
    if schema:
        shaped = shape_value(value, schema)
        value = value if shaped is MISFIT else shaped
        if broken == "invalid":
            value = spoil_value(value, schema)
    text = json.dumps(value, ensure_ascii=False)
    return text[: max(1, 2 * len(text) // 3)] if broken == "truncated" else text
