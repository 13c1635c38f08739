"""The anthropic dialect, for Claude 4 to 4.7, and for Claude 3.7 with thinking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import limits
from .anthropic_messages import build_messages
from .json_values import check_text, refuse
from .tools import TOOL_FIELDS, ToolChoice, ToolSpec, add_tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aimlchat.content import Message

__all__ = ["build_anthropic_payload"]

_PARAMETER_CHECKS: dict[str, limits.Check] = {
    "max_tokens": limits.build_integer_check(1),
    "temperature": limits.build_number_check(0, 1, note=" (the openai dialect takes up to 2)"),
    "top_p": limits.build_number_check(0, 1),
    "top_k": limits.build_integer_check(0),
    "stop": limits.build_stop_check(),
    "metadata": limits.check_metadata,
    "thinking": limits.check_dict,
}
_ALTERNATIVES = {
    "n": "send the request n times",
    "response_format": "give a tool whose parameters are the schema and name it in tool_choice",
    "reasoning_effort": "give a budget in tokens, as in thinking=2048",
    "parallel_tool_calls": (
        "in place of False give tool_choice={'type': 'auto', 'disable_parallel_tool_use': True}"
    ),
}


def build_anthropic_payload(
    model: str,
    messages: Iterable[Message | Mapping[str, Any]],
    system: str | None,
    parameters: Mapping[str, Any],
    *,
    stream: bool = False,
) -> dict[str, Any]:
    """Return the payload of a request in the anthropic dialect.

    Args:
        model: the model's name, already checked.
        messages: the conversation; system messages in it go into the system prompt.
        system: a system prompt to put before those; None for none.
        parameters: the other fields of the request that are set, by their own names.
        stream: whether the payload requests a stream.

    Raises:
        InvalidRequestError: for what exceeds a limit or cannot be expressed in this dialect.
    """
    built, prompts = build_messages(messages)
    if system is not None:
        prompts.insert(0, check_text(system, "system"))
    payload: dict[str, Any] = {"model": model, "messages": built}
    if prompts:
        payload["system"] = "\n\n".join(prompts)
    for name, value in parameters.items():
        if name in TOOL_FIELDS:
            continue
        if name not in _PARAMETER_CHECKS:
            alternative = _ALTERNATIVES.get(name, "give a model of the openai dialect")
            msg = f"the anthropic dialect, which is used for {model}, has no {name}; {alternative}"
            refuse(f"{msg}, or leave it out", name)
        payload[name] = _PARAMETER_CHECKS[name](value, name)
    if "stop" in payload:
        stop = payload.pop("stop")
        payload["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    add_tools(payload, parameters, _build_tool, _build_choice)
    if stream:
        payload["stream"] = True
    return payload


def _build_tool(spec: ToolSpec, field: str) -> dict[str, Any]:
    if spec.form == "other":
        return spec.original
    tool = spec.tool
    if tool.strict is not None:
        parent = f"{field}.function" if spec.form == "openai" else field
        refuse("the anthropic dialect has no strict tools; leave strict out", f"{parent}.strict")
    if spec.form == "anthropic":
        return spec.original | {"input_schema": tool.parameters}
    description = {} if tool.description is None else {"description": tool.description}
    return {"name": tool.name} | description | {"input_schema": tool.parameters} | spec.extra


def _build_choice(choice: ToolChoice) -> dict[str, Any]:
    if choice.form in ("anthropic", "other"):
        return choice.original
    if choice.kind == "tool":
        return {"type": "tool", "name": choice.name}
    return {"type": "any" if choice.kind == "required" else choice.kind}
