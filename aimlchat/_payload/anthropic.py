"""The anthropic dialect, for Claude 4 to 4.7, and for Claude 3.7 with thinking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from . import limits
from .anthropic_messages import build_messages, refuse_thinking_before_text
from .cache_control import CACHE_KEY, MarkedPrompt, build_cache_control
from .json_values import check_text, refuse
from .message_dicts import EMPTY_CONVERSATION
from .models import find_model_row
from .tools import TOOL_FIELDS, ToolChoice, ToolSpec, add_tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aimlchat.content import Message

    from .model_table import Dialect

__all__ = ["build_anthropic_payload"]

_ONLY_PROMPTS = (
    "the conversation is empty but for the system prompt, which the anthropic dialect does not take"
    " alone; add a message, as in .user('Hello')"
)
_PARAMETER_CHECKS: dict[str, limits.Check] = {
    "max_tokens": limits.build_integer_check(1),
    "temperature": limits.build_number_check(0, 1, note=" (the openai dialect takes up to 2)"),
    "top_p": limits.build_number_check(0, 1),
    "top_k": limits.build_integer_check(0),
    "stop": limits.build_stop_check(),
    "metadata": limits.check_metadata,
    "thinking": limits.check_dict,
}
# Values of fields that this dialect lacks, which are the default anyway.
_DEFAULTS: dict[str, Any] = {
    "n": 1,
    "logprobs": False,
    "top_logprobs": 0,
    "logit_bias": {},
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "parallel_tool_calls": True,
    "response_format": {"type": "text"},
    "modalities": ["text"],
}
_ALTERNATIVES = {
    "n": "send the request n times",
    "response_format": "give a tool whose parameters are the schema and name it in tool_choice",
    "reasoning_effort": "give a budget in tokens, as in thinking=2048",
    "parallel_tool_calls": (
        "instead of False give tool_choice={'type': 'auto', 'disable_parallel_tool_use': True}"
    ),
}


def build_anthropic_payload(
    model: str,
    messages: Iterable[Message | Mapping[str, Any]],
    system: str | None,
    parameters: Mapping[str, Any],
    *,
    stream: bool = False,
    dialect: Dialect = "anthropic",
) -> dict[str, Any]:
    """Return the payload of a request in the anthropic dialect.

    Args:
        model: the model's name, already checked.
        messages: the conversation; system messages in it go into the system prompt.
        system: a system prompt to put before those; None for none.
        parameters: the other fields of the request that are set, by name.
        stream: whether the payload requests a stream.
        dialect: ``anthropic`` or ``messages``, which differs in that it takes back the blocks of
            the model's turns.

    Raises:
        InvalidRequestError: for what exceeds a limit or cannot be expressed in this dialect.
    """
    built, prompts = build_messages(messages, keeps_turns=dialect == "messages")
    if not built:
        has_prompt = prompts or system is not None
        refuse(_ONLY_PROMPTS if has_prompt else EMPTY_CONVERSATION, "messages")
    if system is not None:
        prompts.insert(0, _build_prompt(system, dialect))
    payload: dict[str, Any] = {"model": model, "messages": built}
    if prompts:
        payload["system"] = _join_prompts(prompts)
    for name, value in parameters.items():
        if name in TOOL_FIELDS or limits.is_default(value, _DEFAULTS.get(name)):
            continue
        if name not in _PARAMETER_CHECKS:
            _refuse_parameter(name, model, parameters, dialect)
        payload[name] = _PARAMETER_CHECKS[name](value, name)
    if "thinking" in payload and payload["thinking"].get("type") != "disabled":
        refuse_thinking_before_text(built)
    if "stop" in payload:
        stop = payload.pop("stop")
        payload["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    add_tools(payload, parameters, _build_tool, _build_choice)
    if stream:
        payload["stream"] = True
    return payload


def _build_prompt(system: str, dialect: Dialect) -> dict[str, Any]:
    prompt: dict[str, Any] = {"type": "text", "text": check_text(system, "system")}
    if isinstance(system, MarkedPrompt) and dialect == "messages":
        prompt[CACHE_KEY] = build_cache_control(system.ttl)
    return prompt


def _join_prompts(prompts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return the system prompt: one text, or parts if one of them has a breakpoint."""
    if any(CACHE_KEY in prompt for prompt in prompts):
        return prompts
    return "\n\n".join(prompt["text"] for prompt in prompts)


def _refuse_parameter(
    name: str, model: str, parameters: Mapping[str, Any], dialect: Dialect
) -> NoReturn:
    alternative = _ALTERNATIVES.get(name, "give a model of the openai dialect")
    if "thinking" not in parameters and "openai" in find_model_row(model).dialects:
        alternative = "give dialect='openai', which it takes as well"
    msg = f"the {dialect} dialect, which is used for {model}, has no {name}; {alternative}"
    refuse(f"{msg}, or leave it out", name)


def _build_tool(spec: ToolSpec, field: str) -> dict[str, Any]:
    if spec.form == "other":
        return spec.original
    tool = spec.tool
    if tool.strict:  # False is the default
        parent = f"{field}.function" if spec.form == "openai" else field
        msg = (
            "the anthropic dialect has no strict tools; leave strict out and check the arguments,"
            " or give a model of the openai dialect"
        )
        refuse(msg, f"{parent}.strict")
    if spec.form == "anthropic":
        tool_dict = spec.original | {"input_schema": tool.parameters}
        tool_dict.pop("strict", None)
        return tool_dict
    description = {} if tool.description is None else {"description": tool.description}
    return {"name": tool.name} | description | {"input_schema": tool.parameters} | spec.extra


def _build_choice(choice: ToolChoice) -> dict[str, Any]:
    if choice.form in ("anthropic", "other"):
        return choice.original
    if choice.kind == "tool":
        return {"type": "tool", "name": choice.name}
    return {"type": "any" if choice.kind == "required" else choice.kind}
