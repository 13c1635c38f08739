"""What the anthropic dialect refuses."""

from __future__ import annotations

from typing import Any

from .errors import Refusal
from .field_checks import decodable, number, one_of, require, strings, text, tool_name

__all__ = ["check"]

_ROLES = ("user", "assistant")
_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PAPERS = ("application/pdf", "text/plain")
_PARTS = (
    "text",
    "image",
    "document",
    "tool_use",
    "tool_result",
    "thinking",
    "redacted_thinking",
)


def check(body: dict[str, Any]) -> None:
    """Refuse what this dialect cannot carry."""
    called: set[str] = set()
    for index, message in enumerate(body["messages"]):
        _message(message, index, called)
    if body.get("system") is not None:
        text(body["system"], "system")
    if body.get("stop_sequences") is not None:
        strings(body["stop_sequences"], "stop_sequences")
    number(body, "temperature", low=0, high=1)
    number(body, "top_k", low=0)
    _metadata(body.get("metadata"))
    _tools(body)


def _message(message: dict[str, Any], index: int, called: set[str]) -> None:
    role = message.get("role")
    if isinstance(role, str) and role not in _ROLES:
        field = f"'messages[{index}].role'"
        raise Refusal(400, f"Unsupported value: {field} does not support {role!r} with this model.")
    one_of(role, _ROLES, f"messages[{index}].role")
    field = f"messages[{index}].content"
    content = message.get("content")
    if isinstance(content, str):
        require(bool(content) or role == "assistant", field, "Must not be empty")
        return
    require(isinstance(content, list), field, "Expected string or array")
    require(bool(content), field, "Array must contain at least 1 element(s)")
    for number_of_part, part in enumerate(content or ()):
        at = f"{field}[{number_of_part}]"
        require(isinstance(part, dict), at, "Expected an object")
        one_of(part.get("type"), _PARTS, f"{at}.type")
        _part(part, at, called)


def _part(part: dict[str, Any], field: str, called: set[str]) -> None:
    match part["type"]:
        case "text":
            text(part.get("text"), f"{field}.text")
        case "image" | "document":
            _source(part.get("source"), f"{field}.source", document=part["type"] == "document")
        case "tool_use":
            text(part.get("id"), f"{field}.id")
            text(part.get("name"), f"{field}.name")
            require(isinstance(part.get("input"), dict), f"{field}.input", "Expected an object")
            called.add(part["id"])
        case "tool_result":
            known = part.get("tool_use_id") in called
            require(known, f"{field}.tool_use_id", "No tool_use with this id comes before")
            _result(part.get("content"), f"{field}.content")
        case "thinking":
            text(part.get("thinking"), f"{field}.thinking")
            text(part.get("signature"), f"{field}.signature")
        case _:
            text(part.get("data"), f"{field}.data")


def _source(source: Any, field: str, *, document: bool) -> None:
    require(isinstance(source, dict), field, "Required, an object")
    kinds = ("base64", "text") if document else ("base64",)
    one_of(source.get("type"), kinds, f"{field}.type")
    if source["type"] == "text":
        text(source.get("data"), f"{field}.data")
        return
    one_of(source.get("media_type"), _PAPERS if document else _PICTURES, f"{field}.media_type")
    decodable(source.get("data"), f"{field}.data")


def _result(content: Any, field: str) -> None:
    if content is None or isinstance(content, str):
        return
    require(isinstance(content, list), field, "Expected string or array")
    for index, part in enumerate(content):
        at = f"{field}[{index}]"
        require(isinstance(part, dict), at, "Expected an object")
        one_of(part.get("type"), ("text", "image"), f"{at}.type")
        _part(part, at, set())


def _metadata(metadata: Any) -> None:
    if metadata is None:
        return
    require(isinstance(metadata, dict), "metadata", "Expected an object")
    for name, value in metadata.items():
        text(value, f"metadata.{name}")


def _tools(body: dict[str, Any]) -> None:
    names = []
    for index, tool in enumerate(body.get("tools") or ()):
        at = f"tools[{index}]"
        require(isinstance(tool, dict), at, "Expected an object")
        tool_name(tool.get("name"), f"{at}.name")
        schema = tool.get("input_schema")
        require(isinstance(schema, dict), f"{at}.input_schema", "Required, an object")
        one_of(schema.get("type"), ("object",), f"{at}.input_schema.type")
        names.append(tool["name"])
    choice = body.get("tool_choice")
    if choice is None:
        return
    require(isinstance(choice, dict), "tool_choice", "Expected an object")
    one_of(choice.get("type"), ("none", "auto", "any", "tool"), "tool_choice.type")
    if choice["type"] == "any":
        require(bool(names), "tool_choice", "Only allowed with tools")
    if choice["type"] == "tool":
        name = choice.get("name")
        require(name in names, "tool_choice.name", f"No tool is named {name!r}")
