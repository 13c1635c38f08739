"""The anthropic dialect: Claude 4 to 4.7, and Claude 3.7 when it thinks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import limits
from .anthropic_messages import conversation
from .json_values import refuse, text
from .tools import Asked, Choice, choose, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aimlchat.content import Message

__all__ = ["payload"]

_TAKES: dict[str, limits.Check] = {
    "max_tokens": limits.whole(1),
    "temperature": limits.number(0, 1, where=" (only the openai dialect goes up to 2)"),
    "top_p": limits.number(0, 1),
    "top_k": limits.whole(0),
    "stop": limits.stops(),
    "metadata": limits.metadata,
    "thinking": limits.mapping,
}
_TOOLS = ("tools", "tool_choice")
_WAYS_OUT = {
    "n": "send the request n times",
    "response_format": "give a tool whose parameters are the schema and name it in tool_choice",
    "reasoning_effort": "say it in tokens, as thinking=2048",
    "parallel_tool_calls": (
        "for False give tool_choice={'type': 'auto', 'disable_parallel_tool_use': True}"
    ),
}


def payload(
    model: str,
    messages: Iterable[Message | Mapping[str, Any]],
    system: str | None,
    parameters: Mapping[str, Any],
    *,
    stream: bool = False,
) -> dict[str, Any]:
    """Return the JSON body; ``parameters`` holds the fields that are set, under their own names.

    Raises `InvalidRequestError` for what breaks a limit or cannot be said in this dialect.
    """
    turns, prompts = conversation(messages)
    if system is not None:
        prompts.insert(0, text(system, "system"))
    body: dict[str, Any] = {"model": model, "messages": turns}
    if prompts:
        body["system"] = "\n\n".join(prompts)
    for name, value in parameters.items():
        if name in _TOOLS:
            continue
        if name not in _TAKES:
            way = _WAYS_OUT.get(name, "give a model of the openai dialect")
            msg = f"the anthropic dialect, in which {model} is asked, has no {name}; {way}"
            refuse(f"{msg}, or leave it out", name)
        body[name] = _TAKES[name](value, name)
    if "stop" in body:
        stop = body.pop("stop")
        body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    _put_tools(body, parameters)
    if stream:
        body["stream"] = True
    return body


def _put_tools(body: dict[str, Any], parameters: Mapping[str, Any]) -> None:
    bodies, names = listed(parameters.get("tools", ()), _tool)
    if bodies:
        body["tools"] = bodies
    if "tool_choice" in parameters:
        body["tool_choice"] = _choice(choose(parameters["tool_choice"], names, len(bodies)))


def _tool(asked: Asked, field: str) -> dict[str, Any]:
    if asked.form == "other":
        return asked.given
    tool = asked.tool
    if tool.strict is not None:
        at = f"{field}.function" if asked.form == "openai" else field
        refuse("the anthropic dialect has no strict tools; leave strict out", f"{at}.strict")
    if asked.form == "anthropic":
        return asked.given | {"input_schema": tool.parameters}
    described = {} if tool.description is None else {"description": tool.description}
    return {"name": tool.name} | described | {"input_schema": tool.parameters} | asked.rest


def _choice(choice: Choice) -> dict[str, Any]:
    if choice.form in ("anthropic", "other"):
        return choice.given
    if choice.kind == "tool":
        return {"type": "tool", "name": choice.name}
    return {"type": "any" if choice.kind == "required" else choice.kind}
