"""Messages that a caller wrote as dicts: what is known in them is checked, the rest left alone."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from .json_values import is_mapping, plain, refuse, shown

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BLANK", "base64_of", "data_uri", "is_blank", "read"]

BLANK = "there is nothing but white space in the message; give it a text or a file"

_ONLY_TEXT = ("system", "developer", "user", "assistant")  # who may say a text and no more
_ROLES = (*_ONLY_TEXT, "tool")
_ROLE_AND_CONTENT = 2
_DATA_URI = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?;base64,", re.IGNORECASE)


def read(message: Any, field: str) -> dict[str, Any]:
    """Return a message dict as a plain copy whose known parts are well formed."""
    if (said := _simple(message)) is not None:
        return said
    if not is_mapping(message):
        refuse(f"{shown(message)} is not a message; give a dict, or use .user(...)", field)
    copied: dict[str, Any] = plain(message, field)
    role = copied.get("role")
    if role not in _ROLES:
        refuse(f"{shown(role)} is no role; give one of {', '.join(_ROLES)}", f"{field}.role")
    if role == "assistant":
        _calls(copied.get("tool_calls"), f"{field}.tool_calls")
    if role == "tool":
        _text(copied, "tool_call_id", field)
    _content(copied, role, f"{field}.content")
    return copied


def _simple(message: Any) -> dict[str, Any] | None:
    """Copy what nearly every message is, a role and an ASCII text, at a third of the cost."""
    if type(message) is not dict or len(message) != _ROLE_AND_CONTENT:
        return None
    role, content = message.get("role"), message.get("content")
    if type(role) is not str or role not in _ONLY_TEXT:
        return None
    if type(content) is not str or not content.isascii():
        return None
    if role == "user" and not content.strip():
        return None
    return {"role": role, "content": content}


def _content(message: dict[str, Any], role: str, field: str) -> None:
    content = message.get("content")
    if content is None:
        ways = ("tool_calls", "refusal", "audio", "function_call")
        if role == "assistant" and any(message.get(way) for way in ways):
            return
        refuse("the message has no content; give a text or a list of parts", field)
    if isinstance(content, str):
        if role == "user" and not content.strip():
            refuse(BLANK, field)
        return
    if not isinstance(content, list):
        refuse(f"{shown(content)} is no content; give a text or a list of parts", field)
    if not content:
        refuse("the list of parts is empty; give it one", field)
    for place, part in enumerate(content):
        _part(part, f"{field}[{place}]")
    if role == "user" and all(is_blank(part) for part in content):
        refuse(BLANK, field)


def is_blank(part: dict[str, Any]) -> bool:
    """Return whether a part, which looks alike in both dialects, is text without a word."""
    return part["type"] == "text" and not part["text"].strip()


def _part(part: Any, field: str) -> None:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        msg = f"{shown(part)} is not a part; give a dict with a type, as {{'type': 'text', ...}}"
        refuse(msg, field)
    check = _PARTS.get(part["type"])
    if check is not None:
        check(part, field)


def _text(part: dict[str, Any], key: str, field: str) -> str:
    value = part.get(key)
    if not isinstance(value, str):
        refuse(f"{shown(value)} is not text; give a str", f"{field}.{key}")
    return value


def _dict(part: dict[str, Any], key: str, field: str) -> dict[str, Any]:
    value = part.get(key)
    if not isinstance(value, dict):
        refuse(f"{shown(value)} is not a dict", f"{field}.{key}")
    return value


def base64_of(value: Any, field: str) -> bytes:
    """Return the bytes of a base64 text, or refuse it."""
    if not isinstance(value, str):
        refuse(f"{shown(value)} is not base64 text", field)
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        refuse(f"the base64 data is broken ({error}); give it without line breaks", field)
    if not data:
        refuse("the base64 data is empty", field)
    return data


def data_uri(value: str, field: str) -> tuple[str, bytes] | None:
    """Return media type and bytes of a data URI, None for any other address."""
    if value[:5].lower() != "data:":
        return None
    head = _DATA_URI.match(value)
    if head is None:
        refuse("a data: URI has to be base64, as in data:image/png;base64,...", field)
    return head[1].lower(), base64_of(value[head.end() :], field)


def _image_url(part: dict[str, Any], field: str) -> None:
    inner = _dict(part, "image_url", field)
    data_uri(_text(inner, "url", f"{field}.image_url"), f"{field}.image_url.url")


def _input_audio(part: dict[str, Any], field: str) -> None:
    inner = _dict(part, "input_audio", field)
    base64_of(inner.get("data"), f"{field}.input_audio.data")
    _text(inner, "format", f"{field}.input_audio")


def _file(part: dict[str, Any], field: str) -> None:
    inner = _dict(part, "file", field)
    if inner.get("file_data") is not None:
        at = f"{field}.file.file_data"
        value = _text(inner, "file_data", f"{field}.file")
        if data_uri(value, at) is None:
            base64_of(value, at)


def _source(part: dict[str, Any], field: str) -> None:
    inner = _dict(part, "source", field)
    if inner.get("type") == "base64":
        base64_of(inner.get("data"), f"{field}.source.data")


def _tool_use(part: dict[str, Any], field: str) -> None:
    _text(part, "id", field)
    _text(part, "name", field)
    _dict(part, "input", field)


def _tool_result(part: dict[str, Any], field: str) -> None:
    _text(part, "tool_use_id", field)
    content = part.get("content")
    if isinstance(content, list):
        for place, inner in enumerate(content):
            _part(inner, f"{field}.content[{place}]")
    elif content is not None:
        _text(part, "content", field)


_PARTS: dict[str, Callable[[dict[str, Any], str], object]] = {
    "text": lambda part, field: _text(part, "text", field),
    "refusal": lambda part, field: _text(part, "refusal", field),
    "image_url": _image_url,
    "input_audio": _input_audio,
    "file": _file,
    "image": _source,
    "document": _source,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
}


def _calls(calls: Any, field: str) -> None:
    if calls is None:
        return
    if not isinstance(calls, list):
        refuse(f"{shown(calls)} is not a list of tool calls", field)
    for place, call in enumerate(calls):
        at = f"{field}[{place}]"
        if not isinstance(call, dict):
            refuse(f"{shown(call)} is not a tool call; give a dict", at)
        _text(call, "id", at)
        if call.get("type") in (None, "function"):
            function = _dict(call, "function", at)
            _text(function, "name", f"{at}.function")
            if not isinstance(function.get("arguments"), str):
                msg = f"{shown(function.get('arguments'))} is not JSON text; use json.dumps()"
                refuse(msg, f"{at}.function.arguments")
