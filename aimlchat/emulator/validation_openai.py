"""What the API rejects in a request in the openai dialect."""

from __future__ import annotations

import re
from typing import Any

from .field_checks import (
    check_base64,
    check_boolean,
    check_number,
    check_object,
    check_one_of,
    check_string,
    check_strings,
    check_tool_name,
    reject,
    require,
)
from .models import claude_version_of, family_of
from .request import takes_both_dialects

__all__ = ["validate_openai", "validate_openai_message"]

_MAX_STOP_SEQUENCES = 4
_ROLES = ("system", "developer", "user", "assistant", "tool")
_PART_TYPES = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "tool": ("text",),
    "function": ("text",),
}
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w.+=-]+)*;base64,", re.ASCII)


def validate_openai(body: dict[str, Any]) -> None:
    """Reject a body that is invalid in this dialect."""
    call_ids: set[str] = set()
    for index, message in enumerate(body["messages"]):
        field = f"messages[{index}]"
        validate_openai_message(message, field, call_ids, body["model"])
    _validate_sampling(body)
    _validate_stop(body.get("stop"))
    _validate_tools(body)
    _validate_output(body)
    if (
        family_of(body["model"]) == "claude"
        and claude_version_of(body["model"]) == (3, 7)
        and body.get("reasoning_effort") is not None
    ):
        # Other models accept more values.
        check_one_of(body["reasoning_effort"], ("low", "medium", "high"), "reasoning_effort")


def validate_openai_message(
    message: dict[str, Any], field: str, call_ids: set[str], model: str
) -> None:
    """Validate a message; add the ids of its tool calls to those of the messages before."""
    role = message.get("role")
    # Only the newest Claude models still take OpenAI's first form of a tool's result.
    roles = (*_ROLES, "function") if takes_both_dialects(model) else _ROLES
    check_one_of(role, roles, f"{field}.role")
    if role == "assistant":
        if message.get("reasoning_content") is not None:
            check_string(message["reasoning_content"], f"{field}.reasoning_content")
        calls = message.get("tool_calls")
        _validate_calls(calls, f"{field}.tool_calls", call_ids)
        if message.get("content") is None:
            has_other_content = calls or message.get("refusal") or message.get("audio")
            require(bool(has_other_content), f"{field}.content", "Required")
            return
    if role == "function":
        check_string(message.get("name"), f"{field}.name")
    if role == "tool":
        known = message.get("tool_call_id") in call_ids
        require(known, f"{field}.tool_call_id", "No tool call with this id comes before")
    _validate_content(message.get("content"), f"{field}.content", _PART_TYPES[str(role)])


def _validate_calls(calls: Any, field: str, call_ids: set[str]) -> None:
    require(calls is None or isinstance(calls, list), field, "Expected an array")
    for index, call in enumerate(calls or ()):
        path = f"{field}[{index}]"
        check_object(call, path)
        check_string(call.get("id"), f"{path}.id")
        check_one_of(call.get("type"), ("function",), f"{path}.type")
        function = call.get("function")
        check_object(function, f"{path}.function", "Required, an object")
        check_tool_name(function.get("name"), f"{path}.function.name")
        check_string(function.get("arguments"), f"{path}.function.arguments")
        call_ids.add(call["id"])


def _validate_content(content: Any, field: str, part_types: tuple[str, ...]) -> None:
    if isinstance(content, str):
        return
    require(isinstance(content, list), field, "Expected string or array")
    require(bool(content), field, "Array must contain at least 1 element(s)")
    for index, part in enumerate(content):
        path = f"{field}[{index}]"
        check_object(part, path)
        check_one_of(part.get("type"), part_types, f"{path}.type")
        _validate_part(part, path)


def _validate_part(part: dict[str, Any], field: str) -> None:
    kind = part["type"]
    value = part.get(kind)
    path = f"{field}.{kind}"
    if kind in ("text", "refusal"):
        check_string(value, path)
        return
    check_object(value, path, "Required, an object")
    content: dict[str, Any] = value or {}
    if kind == "image_url":
        _validate_url(content.get("url"), f"{path}.url")
    elif kind == "input_audio":
        check_one_of(content.get("format"), ("wav", "mp3"), f"{path}.format")
        check_base64(content.get("data"), f"{path}.data")
    elif "file_id" not in content:
        _validate_file_data(content.get("file_data"), f"{path}.file_data")


def _validate_url(url: Any, field: str) -> None:
    """Require a web address or a data URI."""
    check_string(url, field)
    if url.startswith(("https://", "http://")):
        return
    prefix = _DATA_URI.match(url)
    if prefix is None:
        reject(field, "Invalid url")
    check_base64(url[prefix.end() :], field)


def _validate_file_data(data: Any, field: str) -> None:
    """Require a web address, a data URI or plain base64."""
    check_string(data, field)
    if data.startswith(("https://", "http://")):
        return
    prefix = _DATA_URI.match(data)
    check_base64(data[prefix.end() :] if prefix else data, field)


def _validate_sampling(body: dict[str, Any]) -> None:
    check_number(body, "temperature", low=0, high=2)
    check_number(body, "frequency_penalty", low=-2, high=2)
    check_number(body, "presence_penalty", low=-2, high=2)
    check_number(body, "max_completion_tokens", low=1, integer=True)
    check_number(body, "n", low=1, high=128, integer=True)
    check_number(body, "seed", integer=True)
    check_boolean(body, "logprobs")
    check_number(body, "top_logprobs", low=0, high=20, integer=True)
    if body.get("top_logprobs") is not None:
        require(body.get("logprobs") is True, "top_logprobs", "Only allowed with logprobs: true")
    logit_bias = body.get("logit_bias")
    if logit_bias is None:
        return
    check_object(logit_bias, "logit_bias")
    for token in logit_bias:
        check_number(logit_bias, token, low=-100, high=100, prefix="logit_bias.")


def _validate_stop(stop: Any) -> None:
    if stop is None or isinstance(stop, str):
        return
    check_strings(stop, "stop")
    require(len(stop) <= _MAX_STOP_SEQUENCES, "stop", f"At most {_MAX_STOP_SEQUENCES} element(s)")


def _validate_tools(body: dict[str, Any]) -> None:
    names = []
    for index, tool in enumerate(body.get("tools") or ()):
        path = f"tools[{index}]"
        check_object(tool, path)
        check_one_of(tool.get("type"), ("function",), f"{path}.type")
        function = tool.get("function")
        check_object(function, f"{path}.function", "Required, an object")
        check_tool_name(function.get("name"), f"{path}.function.name")
        if function.get("parameters") is not None:
            check_object(function["parameters"], f"{path}.function.parameters")
        check_boolean(function, "strict", prefix=f"{path}.function.")
        names.append(function["name"])
    check_boolean(body, "parallel_tool_calls")
    _validate_tool_choice(body.get("tool_choice"), names)


def _validate_tool_choice(tool_choice: Any, names: list[str]) -> None:
    if tool_choice is None:
        return
    if isinstance(tool_choice, str):
        check_one_of(tool_choice, ("none", "auto", "required"), "tool_choice")
        if tool_choice == "required":
            require(bool(names), "tool_choice", "Only allowed with tools")
        return
    check_object(tool_choice, "tool_choice", "Expected string or object")
    check_one_of(tool_choice.get("type"), ("function",), "tool_choice.type")
    function = tool_choice.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    require(name in names, "tool_choice.function.name", f"No tool is named {name!r}")


def _validate_output(body: dict[str, Any]) -> None:
    stream_options = body.get("stream_options")
    if stream_options is not None:
        check_object(stream_options, "stream_options")
        check_boolean(stream_options, "include_usage", prefix="stream_options.")
    if body.get("reasoning_effort") is not None:
        check_string(body["reasoning_effort"], "reasoning_effort")
    if body.get("modalities") is not None:
        check_strings(body["modalities"], "modalities")
        for index, modality in enumerate(body["modalities"]):
            check_one_of(modality, ("text", "audio"), f"modalities[{index}]")
    if body.get("response_format") is not None:
        _validate_response_format(body["response_format"])


def _validate_response_format(response_format: Any) -> None:
    check_object(response_format, "response_format")
    kinds = ("text", "json_object", "json_schema")
    check_one_of(response_format.get("type"), kinds, "response_format.type")
    if response_format["type"] == "json_schema":
        path = "response_format.json_schema"
        json_schema = response_format.get("json_schema")
        check_object(json_schema, path, "Required, an object")
        check_tool_name(json_schema.get("name"), f"{path}.name")
