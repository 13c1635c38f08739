"""Messages as dicts in OpenAI's form: known keys are checked, all others pass unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat.content import decode_base64, decode_data_uri, remove_white_space
from aimlchat.tool_types import ToolCall

from .arguments import build_arguments
from .call_names import build_call_name
from .json_values import describe, is_mapping, refuse, suggest_dict, to_json_value
from .kept_turns import BLOCKS, check_blocks

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BLANK_MESSAGE",
    "EMPTY_CONVERSATION",
    "copy_plain_text",
    "is_blank_text",
    "is_url",
    "parse_message",
]

EMPTY_CONVERSATION = "the conversation is empty; add a message, as in .user('Hello')"
BLANK_MESSAGE = "the message has nothing but white space; give it a text or a file"

_ROLES_OF_PLAIN_TEXT = ("system", "developer", "user", "assistant")
# The role function is OpenAI's deprecated form of tool.
_ROLES = (*_ROLES_OF_PLAIN_TEXT, "tool", "function")
_ROLE_AND_CONTENT = 2
# The keys that an assistant message may have instead of content.
_INSTEAD_OF_CONTENT = (
    "tool_calls",
    "refusal",
    "audio",
    "function_call",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "images",
    BLOCKS,
)


def parse_message(message: Any, field: str) -> dict[str, Any]:
    """Check a message dict, and return a copy of it in plain types.

    Roles, contents, parts and tool calls of known form are checked. White space is removed from
    base64, since the API rejects it, and arguments that only a lenient parser reads are repaired.
    Keys without a value are removed: SDKs and servers write a message with all its keys, and
    servers refuse most of the nulls and empty lists.

    Raises `InvalidRequestError`, whose ``field`` is the path of the invalid value.
    """
    if not is_mapping(message):
        advice = suggest_dict(message, "give a dict, or use .user(...)")
        refuse(f"{describe(message)} is not a message; {advice}", field)
    parsed: dict[str, Any] = {
        key: value
        for key, value in to_json_value(message, field).items()
        if key == "content" or value not in (None, [])
    }
    role = parsed.get("role")
    if role not in _ROLES:
        msg = f"{describe(role)} is not a role; give one of {', '.join(_ROLES)}"
        refuse(msg, f"{field}.role")
    check_blocks(parsed, field)
    if role == "assistant":
        _check_tool_calls(parsed.get("tool_calls"), f"{field}.tool_calls")
        if "function_call" in parsed:
            call = _require_dict(parsed, "function_call", field)
            _check_function(call, "", f"{field}.function_call")
    if role == "tool":
        _require_text(parsed, "tool_call_id", field)
    _check_content(parsed, role, f"{field}.content")
    return parsed


def copy_plain_text(message: Any) -> dict[str, Any] | None:
    """Copy a message dict that has only a role and an ASCII text; return None for any other.

    Most messages have this form, and copying them here takes a third of the time of
    `parse_message`, which returns the same.
    """
    if type(message) is not dict or len(message) != _ROLE_AND_CONTENT:
        return None
    role, content = message.get("role"), message.get("content")
    if type(role) is not str or role not in _ROLES_OF_PLAIN_TEXT:
        return None
    if type(content) is not str or not content.isascii():
        return None
    return {"role": role, "content": content}


def _check_content(message: dict[str, Any], role: str, field: str) -> None:
    content = message.get("content")
    if content in (None, []) and _may_be_empty(message, role):
        if content == []:
            message["content"] = "" if role == "tool" else None
        return
    if content is None:
        refuse("the message has no content; give a text or a list of parts", field)
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        refuse(f"{describe(content)} is not content; give a text or a list of parts", field)
    if not content:
        refuse("the list of parts is empty; give at least one", field)
    for index, part in enumerate(content):
        _check_part(part, f"{field}[{index}]")


def _may_be_empty(message: dict[str, Any], role: str) -> bool:
    """Return whether a message may have no content: a tool may return nothing."""
    if role == "assistant":
        return any(message.get(key) for key in _INSTEAD_OF_CONTENT)
    return role == "function" or (role == "tool" and message.get("content") == [])


def is_blank_text(part: dict[str, Any]) -> bool:
    """Return whether a part, in either dialect's form, is a text that is empty or white space."""
    return part["type"] == "text" and not part["text"].strip()


def _check_part(part: Any, field: str) -> None:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        msg = f"{describe(part)} is not a part; give a dict with a type, as {{'type': 'text', ...}}"
        refuse(msg, field)
    kind = part["type"]
    check = _PART_CHECKS.get(kind)
    if check is not None:
        _drop_nulls(part)
        if isinstance(part.get(kind), dict):
            _drop_nulls(part[kind])
        check(part, field)


def _drop_nulls(holder: dict[str, Any]) -> None:
    for key in [key for key, value in holder.items() if value is None]:
        del holder[key]


def _require_text(holder: dict[str, Any], key: str, field: str) -> str:
    value = holder.get(key)
    if not isinstance(value, str):
        refuse(f"{describe(value)} is not text; give a str", f"{field}.{key}")
    return value


def _require_dict(holder: dict[str, Any], key: str, field: str) -> dict[str, Any]:
    value = holder.get(key)
    if not isinstance(value, dict):
        refuse(f"{describe(value)} is not a dict", f"{field}.{key}")
    return value


def _clean_base64(holder: dict[str, Any], key: str, field: str) -> None:
    """Check the base64 at a key, and store it without white space."""
    value = holder.get(key)
    if not isinstance(value, str):
        refuse(f"{describe(value)} is not base64 text", field)
    holder[key] = remove_white_space(value)
    _check_data(decode_base64(holder[key], field), field)


def _clean_data_uri(holder: dict[str, Any], key: str, field: str) -> bool:
    """Check the ``data:`` URI at a key, and store it without white space.

    Returns False and does nothing if the text is not such a URI.
    """
    decoded = decode_data_uri(holder[key], field)
    if decoded is None:
        return False
    holder[key] = remove_white_space(holder[key])
    _check_data(decoded[1], field)
    return True


def _check_data(data: bytes, field: str) -> None:
    if not data:
        refuse("the base64 data is empty", field)


def is_url(text: str) -> bool:
    """Return whether a text is a URL where base64 is expected, in which no colon occurs."""
    return "://" in text


def _check_image_url(part: dict[str, Any], field: str) -> None:
    if isinstance(part.get("image_url"), str):  # some servers accept the URL itself
        _clean_data_uri(part, "image_url", f"{field}.image_url")
        return
    image = _require_dict(part, "image_url", field)
    _require_text(image, "url", f"{field}.image_url")
    _clean_data_uri(image, "url", f"{field}.image_url.url")


def _check_input_audio(part: dict[str, Any], field: str) -> None:
    audio = _require_dict(part, "input_audio", field)
    if "url" in audio and "data" not in audio:
        return  # vLLM's form
    _clean_remote_or_data(audio, "data", f"{field}.input_audio.data")
    _require_text(audio, "format", f"{field}.input_audio")


def _check_file(part: dict[str, Any], field: str) -> None:
    file = _require_dict(part, "file", field)
    if file.get("file_data") is not None:
        _require_text(file, "file_data", f"{field}.file")
        _clean_remote_or_data(file, "file_data", f"{field}.file.file_data")


def _clean_remote_or_data(holder: dict[str, Any], key: str, field: str) -> None:
    """Check a URL, a ``data:`` URI or base64; some servers accept each of them."""
    value = holder.get(key)
    if isinstance(value, str) and (is_url(value) or _clean_data_uri(holder, key, field)):
        return
    _clean_base64(holder, key, field)


def _check_source(part: dict[str, Any], field: str) -> None:
    if "source" not in part and len(part) > 1:
        return  # the form of another vendor
    source = _require_dict(part, "source", field)
    if source.get("type") == "base64":
        _clean_base64(source, "data", f"{field}.source.data")


def _check_tool_use(part: dict[str, Any], field: str) -> None:
    _require_text(part, "id", field)
    _require_text(part, "name", field)
    _require_dict(part, "input", field)


def _check_tool_result(part: dict[str, Any], field: str) -> None:
    _require_text(part, "tool_use_id", field)
    content = part.get("content")
    if isinstance(content, list):
        for index, inner in enumerate(content):
            _check_part(inner, f"{field}.content[{index}]")
    elif content is not None:
        _require_text(part, "content", field)


# Parts in OpenAI's form, and parts in Anthropic's form that callers mix with them.
_PART_CHECKS: dict[str, Callable[[dict[str, Any], str], object]] = {
    "text": lambda part, field: _require_text(part, "text", field),
    "refusal": lambda part, field: _require_text(part, "refusal", field),
    "image_url": _check_image_url,
    "input_audio": _check_input_audio,
    "file": _check_file,
    "image": _check_source,
    "document": _check_source,
    "tool_use": _check_tool_use,
    "tool_result": _check_tool_result,
}


def _check_tool_calls(calls: Any, field: str) -> None:
    if calls is None:
        return
    if not isinstance(calls, list):
        refuse(f"{describe(calls)} is not a list of tool calls", field)
    for index, call in enumerate(calls):
        call_field = f"{field}[{index}]"
        if not isinstance(call, dict):
            refuse(f"{describe(call)} is not a tool call; give a dict", call_field)
        _drop_nulls(call)
        _require_text(call, "id", call_field)
        if call.get("type") in (None, "function"):
            function = _require_dict(call, "function", call_field)
            _check_function(function, call["id"], f"{call_field}.function")


def _check_function(function: dict[str, Any], call_id: str, field: str) -> None:
    """Check the name and the arguments of a call."""
    name = _require_text(function, "name", field)
    arguments = function.get("arguments")
    if arguments is None:  # some servers leave them out for a function without parameters
        arguments = "{}"
    if not isinstance(arguments, str):
        msg = f"{describe(arguments)} is not JSON text; use json.dumps()"
        refuse(msg, f"{field}.arguments")
    call = ToolCall(call_id, name, arguments)
    function["name"] = build_call_name(name, f"{field}.name")
    function["arguments"] = build_arguments(call, f"{field}.arguments")
