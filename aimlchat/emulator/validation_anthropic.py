"""What the API rejects in a request in the anthropic dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import RejectedRequestError
from .field_checks import (
    check_base64,
    check_call_id,
    check_number,
    check_object,
    check_one_of,
    check_string,
    check_strings,
    check_tool_name,
    require,
)
from .request import is_server_tool, takes_both_dialects
from .validation_openai import validate_openai_message

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["validate_anthropic"]

_ROLES = ("user", "assistant")
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_OPENAI_PART_TYPES = ("image_url", "input_audio", "file", "refusal")
_SOURCE_TYPES = ("base64",)
_TEXT_FIELDS = {"text": "data", "url": "url"}
_DOCUMENT_TYPES = ("application/pdf", "text/plain")
_PART_TYPES = (
    "text",
    "image",
    "document",
    "tool_use",
    "tool_result",
    "thinking",
    "redacted_thinking",
)
# The blocks of tools that the server ran in a turn in Claude's own message format.
_SERVER_TYPES = (
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
)


def validate_anthropic(
    body: dict[str, Any], *, is_message: bool = False, sent_types: Collection[str] = ()
) -> None:
    """Reject a body that is invalid in this dialect.

    Args:
        body: the body.
        sent_types: the types of other blocks that may be sent back in Claude's own message format.
        is_message: whether it is in Claude's own message format, which takes URLs as sources, a
            system prompt in blocks, and no message in OpenAI's form.
    """
    call_ids: set[str] = set()
    takes_both = takes_both_dialects(body["model"]) and not is_message
    source_types = (*_SOURCE_TYPES, "url") if is_message else _SOURCE_TYPES
    for index, message in enumerate(body["messages"]):
        field = f"messages[{index}]"
        if takes_both and _is_openai_message(message):
            validate_openai_message(message, field, call_ids, body["model"])
        else:
            is_turn = is_message and message.get("role") == "assistant"
            others = (*_SERVER_TYPES, *sent_types) if is_turn else ()
            _validate_message(message, field, call_ids, source_types, others)
    system = body.get("system")
    if is_message and isinstance(system, list):
        for index, part in enumerate(system):
            path = f"system[{index}]"
            check_object(part, path)
            check_one_of(part.get("type"), ("text",), f"{path}.type")
            _validate_part(part, path, call_ids, source_types)
    elif system is not None:
        check_string(system, "system")
    if body.get("stop_sequences") is not None:
        check_strings(body["stop_sequences"], "stop_sequences")
    check_number(body, "temperature", low=0, high=1)
    check_number(body, "top_k", low=0)
    if body.get("metadata") is not None:
        _validate_metadata(body["metadata"])
    names = _validate_tools(body.get("tools") or [], is_message=is_message)
    require(bool(names or not call_ids), "tools", "Required, because the messages contain calls")
    if body.get("tool_choice") is not None:
        _validate_tool_choice(body["tool_choice"], names)


def _is_openai_message(message: dict[str, Any]) -> bool:
    """Return whether a message has a role or a part that only the openai dialect has."""
    if message.get("role") not in _ROLES or message.get("tool_calls"):
        return True
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return any(part.get("type") in _OPENAI_PART_TYPES for part in parts if isinstance(part, dict))


def _validate_message(
    message: dict[str, Any],
    field: str,
    call_ids: set[str],
    source_types: tuple[str, ...],
    other_types: tuple[str, ...],
) -> None:
    """Validate a message; add the ids of its tool calls to those of the messages before."""
    role = message.get("role")
    if isinstance(role, str) and role not in _ROLES:
        problem = f"'{field}.role' does not support {role!r} with this model."
        raise RejectedRequestError(400, f"Unsupported value: {problem}")
    check_one_of(role, _ROLES, f"{field}.role")
    content_field = f"{field}.content"
    content = message.get("content")
    if isinstance(content, str):
        require(bool(content) or role == "assistant", content_field, "Must not be empty")
        return
    require(isinstance(content, list), content_field, "Expected string or array")
    require(bool(content), content_field, "Array must contain at least 1 element(s)")
    for index, part in enumerate(content or ()):
        path = f"{content_field}[{index}]"
        check_object(part, path)
        if part.get("type") in _PART_TYPES or part.get("type") not in other_types:
            check_one_of(part.get("type"), _PART_TYPES, f"{path}.type")
            _validate_part(part, path, call_ids, source_types)


def _validate_part(
    part: dict[str, Any], field: str, call_ids: set[str], source_types: tuple[str, ...]
) -> None:
    match part["type"]:
        case "text":
            check_string(part.get("text"), f"{field}.text")
        case "image" | "document":
            is_document = part["type"] == "document"
            kinds = (*source_types, "text") if is_document else source_types
            media_types = _DOCUMENT_TYPES if is_document else _IMAGE_TYPES
            _validate_source(part.get("source"), f"{field}.source", kinds, media_types)
        case "tool_use":
            check_call_id(part.get("id"), f"{field}.id")
            check_tool_name(part.get("name"), f"{field}.name")
            check_object(part.get("input"), f"{field}.input")
            call_ids.add(part["id"])
        case "tool_result":
            known = part.get("tool_use_id") in call_ids
            require(known, f"{field}.tool_use_id", "No tool_use with this id comes before")
            _validate_tool_result(part.get("content"), f"{field}.content", source_types)
        case "thinking":
            check_string(part.get("thinking"), f"{field}.thinking")
            check_string(part.get("signature"), f"{field}.signature")
        case _:
            check_string(part.get("data"), f"{field}.data")


def _validate_source(
    source: Any, field: str, kinds: tuple[str, ...], media_types: tuple[str, ...]
) -> None:
    check_object(source, field, "Required, an object")
    check_one_of(source.get("type"), kinds, f"{field}.type")
    if source["type"] in _TEXT_FIELDS:
        name = _TEXT_FIELDS[source["type"]]
        check_string(source.get(name), f"{field}.{name}")
        return
    check_one_of(source.get("media_type"), media_types, f"{field}.media_type")
    check_base64(source.get("data"), f"{field}.data")


def _validate_tool_result(content: Any, field: str, source_types: tuple[str, ...]) -> None:
    if content is None or isinstance(content, str):
        return
    require(isinstance(content, list), field, "Expected string or array")
    for index, part in enumerate(content):
        path = f"{field}[{index}]"
        check_object(part, path)
        check_one_of(part.get("type"), ("text", "image"), f"{path}.type")
        _validate_part(part, path, set(), source_types)


def _validate_metadata(metadata: Any) -> None:
    check_object(metadata, "metadata")
    for name, value in metadata.items():
        check_string(value, f"metadata.{name}")


def _validate_tools(tools: list[Any], *, is_message: bool) -> list[str]:
    """Validate the tools and return their names.

    In Claude's own message format there are tools that the server runs, without a schema.
    """
    names = []
    for index, tool in enumerate(tools):
        path = f"tools[{index}]"
        check_object(tool, path)
        check_tool_name(tool.get("name"), f"{path}.name")
        if not (is_message and is_server_tool(tool)):
            schema = tool.get("input_schema")
            check_object(schema, f"{path}.input_schema", "Required, an object")
            check_one_of(schema.get("type"), ("object",), f"{path}.input_schema.type")
        names.append(tool["name"])
    return names


def _validate_tool_choice(tool_choice: Any, names: list[str]) -> None:
    check_object(tool_choice, "tool_choice")
    kinds = ("none", "auto", "any", "tool")
    check_one_of(tool_choice.get("type"), kinds, "tool_choice.type")
    if tool_choice["type"] == "any":
        require(bool(names), "tool_choice", "Only allowed with tools")
    if tool_choice["type"] == "tool":
        name = tool_choice.get("name")
        require(name in names, "tool_choice.name", f"No tool is named {name!r}")
