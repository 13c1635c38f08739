"""What the openai dialect refuses."""

from __future__ import annotations

import re
from typing import Any

from .field_checks import (
    boolean,
    decodable,
    number,
    one_of,
    refuse,
    require,
    strings,
    text,
    tool_name,
)
from .naming import kin, version

__all__ = ["check"]

_MOST_STOPS = 4
_ROLES = ("system", "developer", "user", "assistant", "tool")
_PARTS = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "tool": ("text",),
}
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w.+=-]+)*;base64,", re.ASCII)


def check(body: dict[str, Any]) -> None:
    """Refuse what this dialect cannot carry."""
    called: set[str] = set()
    for index, message in enumerate(body["messages"]):
        _message(message, f"messages[{index}]", called)
    _sampling(body)
    _stop(body.get("stop"))
    _tools(body)
    _output(body)
    if (
        kin(body["model"]) == "claude"
        and version(body["model"]) == (3, 7)
        and body.get("reasoning_effort") is not None
    ):
        # Other models take more words for it.
        one_of(body["reasoning_effort"], ("low", "medium", "high"), "reasoning_effort")


def _message(message: dict[str, Any], field: str, called: set[str]) -> None:
    role = message.get("role")
    one_of(role, _ROLES, f"{field}.role")
    if role == "assistant":
        calls = message.get("tool_calls")
        _calls(calls, f"{field}.tool_calls", called)
        if message.get("content") is None:
            spoken = calls or message.get("refusal") or message.get("audio")
            require(bool(spoken), f"{field}.content", "Required")
            return
    if role == "tool":
        known = message.get("tool_call_id") in called
        require(known, f"{field}.tool_call_id", "No tool call with this id comes before")
    _content(message.get("content"), f"{field}.content", _PARTS[str(role)])


def _calls(calls: Any, field: str, called: set[str]) -> None:
    require(calls is None or isinstance(calls, list), field, "Expected an array")
    for index, call in enumerate(calls or ()):
        at = f"{field}[{index}]"
        require(isinstance(call, dict), at, "Expected an object")
        text(call.get("id"), f"{at}.id")
        one_of(call.get("type"), ("function",), f"{at}.type")
        function = call.get("function")
        require(isinstance(function, dict), f"{at}.function", "Required, an object")
        text(function.get("name"), f"{at}.function.name")
        text(function.get("arguments"), f"{at}.function.arguments")
        called.add(call["id"])


def _content(content: Any, field: str, allowed: tuple[str, ...]) -> None:
    if isinstance(content, str):
        return
    require(isinstance(content, list), field, "Expected string or array")
    require(bool(content), field, "Array must contain at least 1 element(s)")
    for index, part in enumerate(content):
        at = f"{field}[{index}]"
        require(isinstance(part, dict), at, "Expected an object")
        one_of(part.get("type"), allowed, f"{at}.type")
        _part(part, at)


def _part(part: dict[str, Any], field: str) -> None:
    kind = part["type"]
    inner = part.get(kind)
    if kind in ("text", "refusal"):
        text(inner, f"{field}.{kind}")
        return
    require(isinstance(inner, dict), f"{field}.{kind}", "Required, an object")
    content: dict[str, Any] = inner or {}
    if kind == "image_url":
        _address(content.get("url"), f"{field}.image_url.url", or_plain=False)
    elif kind == "input_audio":
        one_of(content.get("format"), ("wav", "mp3"), f"{field}.input_audio.format")
        decodable(content.get("data"), f"{field}.input_audio.data")
    elif "file_id" not in content:
        _address(content.get("file_data"), f"{field}.file.file_data", or_plain=True)


def _address(value: Any, field: str, *, or_plain: bool) -> None:
    text(value, field)
    if value.startswith(("https://", "http://")) and not or_plain:
        return
    head = _DATA_URI.match(value)
    require(head is not None or or_plain, field, "Invalid url")
    decodable(value[head.end() :] if head else value, field)


def _sampling(body: dict[str, Any]) -> None:
    number(body, "temperature", low=0, high=2)
    number(body, "frequency_penalty", low=-2, high=2)
    number(body, "presence_penalty", low=-2, high=2)
    number(body, "max_completion_tokens", low=1, whole=True)
    number(body, "n", low=1, high=128, whole=True)
    number(body, "seed", whole=True)
    boolean(body, "logprobs")
    number(body, "top_logprobs", low=0, high=20, whole=True)
    if body.get("top_logprobs") is not None:
        require(body.get("logprobs") is True, "top_logprobs", "Only allowed with logprobs: true")
    bias = body.get("logit_bias")
    require(bias is None or isinstance(bias, dict), "logit_bias", "Expected an object")
    allowances: dict[str, Any] = bias or {}
    for token in allowances:
        number(allowances, token, low=-100, high=100, within="logit_bias.")


def _stop(stop: Any) -> None:
    if stop is None or isinstance(stop, str):
        return
    strings(stop, "stop")
    require(len(stop) <= _MOST_STOPS, "stop", f"At most {_MOST_STOPS} element(s)")


def _tools(body: dict[str, Any]) -> None:
    names = []
    for index, tool in enumerate(body.get("tools") or ()):
        at = f"tools[{index}]"
        require(isinstance(tool, dict), at, "Expected an object")
        one_of(tool.get("type"), ("function",), f"{at}.type")
        function = tool.get("function")
        require(isinstance(function, dict), f"{at}.function", "Required, an object")
        tool_name(function.get("name"), f"{at}.function.name")
        parameters = function.get("parameters")
        fits = parameters is None or isinstance(parameters, dict)
        require(fits, f"{at}.function.parameters", "Expected an object")
        boolean(function, "strict", within=f"{at}.function.")
        names.append(function["name"])
    boolean(body, "parallel_tool_calls")
    _tool_choice(body.get("tool_choice"), names)


def _tool_choice(choice: Any, names: list[str]) -> None:
    if choice is None:
        return
    if isinstance(choice, str):
        one_of(choice, ("none", "auto", "required"), "tool_choice")
        if choice == "required":
            require(bool(names), "tool_choice", "Only allowed with tools")
        return
    require(isinstance(choice, dict), "tool_choice", "Expected string or object")
    one_of(choice.get("type"), ("function",), "tool_choice.type")
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    require(name in names, "tool_choice.function.name", f"No tool is named {name!r}")


def _output(body: dict[str, Any]) -> None:
    options = body.get("stream_options")
    require(options is None or isinstance(options, dict), "stream_options", "Expected an object")
    boolean(options or {}, "include_usage", within="stream_options.")
    if body.get("reasoning_effort") is not None:
        text(body["reasoning_effort"], "reasoning_effort")
    if body.get("modalities") is not None:
        strings(body["modalities"], "modalities")
        for index, modality in enumerate(body["modalities"]):
            one_of(modality, ("text", "audio"), f"modalities[{index}]")
    _response_format(body.get("response_format"))


def _response_format(wanted: Any) -> None:
    if wanted is None:
        return
    require(isinstance(wanted, dict), "response_format", "Expected an object")
    kinds = ("text", "json_object", "json_schema")
    one_of(wanted.get("type"), kinds, "response_format.type")
    if wanted["type"] != "json_schema":
        return
    inner = wanted.get("json_schema")
    if not isinstance(inner, dict):
        refuse("response_format.json_schema", "Required, an object")
    tool_name(inner.get("name"), "response_format.json_schema.name")
