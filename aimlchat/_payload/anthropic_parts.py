"""Message parts of the anthropic dialect, built from ours or translated from OpenAI's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat.content import (
    Audio,
    Document,
    Image,
    Text,
    decode_base64,
    decode_data_uri,
)
from aimlchat.errors import InvalidRequestError

from .arguments import parse_arguments
from .call_names import build_call_id, build_call_name
from .json_values import check_text, describe, refuse, to_json_value
from .media import check_url, require_media_type
from .message_dicts import is_blank_text, is_url

if TYPE_CHECKING:
    from aimlchat.tool_types import ToolCall

__all__ = ["build_part", "build_result_part", "build_tool_use", "translate_part"]

_IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF, _PLAIN_TEXT = "application/pdf", "text/plain"

_NO_AUDIO = (
    "the anthropic dialect takes no audio; give a transcript, or a model of the openai dialect"
)
_SOURCE_ADVICE = "give source={'type': 'base64', 'media_type': ..., 'data': ...}"
_NO_IMAGE_URL = (
    "the anthropic dialect takes no image by URL; download it, then Image.from_bytes(data), or"
    " give a model of the openai dialect"
)


def build_part(part: Any, field: str) -> dict[str, Any]:
    """Return the part for a `Text`, `Image` or `Document`.

    Raises `InvalidRequestError` for any other value, and for data that this dialect rejects.
    """
    match part:
        case Text():
            return _check_not_blank({"type": "text", "text": check_text(part.text, field)}, field)
        case Image():
            return _build_image(part, field)
        case Document():
            return _build_document(part, field)
        case Audio():
            refuse(_NO_AUDIO, field)
    msg = f"{describe(part)} is not a part; give a str, Text, Image or Document"
    raise InvalidRequestError(msg, field=field)


def _check_not_blank(text_part: dict[str, Any], field: str) -> dict[str, Any]:
    if is_blank_text(text_part):
        msg = "the text has nothing but white space, which Claude's API refuses; leave the part out"
        refuse(msg, field)
    return text_part


def _build_image(part: Image, field: str) -> dict[str, Any]:
    if check_url(part, field) is not None:
        refuse(_NO_IMAGE_URL, field)
    media_type = _check_image_type(require_media_type(part, field), field)
    source = {"type": "base64", "media_type": media_type, "data": part.base64()}
    return {"type": "image", "source": source}


def _check_image_type(media_type: Any, field: str) -> str:
    if media_type not in _IMAGE_TYPES:
        msg = (
            f"the anthropic dialect takes no {describe(media_type)}; convert the image to one of"
            f" {', '.join(_IMAGE_TYPES)}"
        )
        refuse(msg, field)
    return check_text(media_type, field)


def _build_document(part: Document, field: str) -> dict[str, Any]:
    # The filename is left out, since a document has no such key in this dialect.
    if check_url(part, field) is not None:
        msg = "a document cannot be sent by URL; download it, then Document.from_bytes(data)"
        refuse(msg, field)
    media_type = require_media_type(part, field)
    if media_type == _PDF:
        source = {"type": "base64", "media_type": _PDF, "data": part.base64()}
    elif media_type == _PLAIN_TEXT:
        data = _decode_utf8(part.data or b"", field)
        source = {"type": "text", "media_type": _PLAIN_TEXT, "data": data}
    else:
        refuse(f"{describe(media_type)} is not a document; give a PDF or UTF-8 text", field)
    return {"type": "document", "source": source}


def _decode_utf8(data: bytes, field: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        msg = f"the document is not UTF-8 text ({error.reason}); decode and encode it first"
        raise InvalidRequestError(msg, field=field) from error


def build_result_part(part: Any, field: str) -> dict[str, Any]:
    """Return a part of a tool's result, which can only be a text or an image."""
    if not isinstance(part, (Text, Image)):
        refuse(f"the result of a tool holds texts and images, not {describe(part)}", field)
    return build_part(part, field)


def build_tool_use(call: ToolCall, field: str) -> dict[str, Any]:
    """Return the part for a tool call in the conversation.

    Raises `InvalidRequestError` if the call has no id, if it is of a custom tool, or if its
    arguments are cut off or not a JSON object.
    """
    call_id = build_call_id(call.id, f"{field}.id")
    if call.type == "custom":
        msg = f"the anthropic dialect has no calls of type 'custom', as {describe(call.name)} is"
        refuse(f"{msg}; leave it out", f"{field}.type")
    arguments_field = f"{field}.function.arguments"
    arguments = parse_arguments(call, arguments_field)
    return {
        "type": "tool_use",
        "id": call_id,
        "name": build_call_name(call.name, f"{field}.function.name"),
        "input": to_json_value(arguments, arguments_field),
    }


def translate_part(part: dict[str, Any], field: str) -> dict[str, Any]:
    """Return a parsed part in OpenAI's form as a part of this dialect.

    A part of an unknown type is returned unchanged, and additional keys of a part, such as
    ``cache_control``, are kept. Raises `InvalidRequestError` for what this dialect lacks.
    """
    kind = part["type"]
    rest = {key: value for key, value in part.items() if key not in ("type", kind)}
    match kind:
        case "text":
            return _check_not_blank(part, field)
        case "refusal":
            return _check_not_blank({"type": "text", "text": part["refusal"]}, field) | rest
        case "image_url":
            return _translate_image(part["image_url"], f"{field}.image_url") | rest
        case "file":
            return _translate_file(part["file"], f"{field}.file") | rest
        case "input_audio":
            refuse(_NO_AUDIO, field)
        case "image" | "document" if "source" not in part:
            refuse(f"the {kind} has no source; {_SOURCE_ADVICE}", f"{field}.source")
        case "image":
            _check_image_source(part["source"], f"{field}.source")
        case "tool_result" if isinstance(part.get("content"), list):
            content = [
                translate_part(inner, f"{field}.content[{index}]")
                for index, inner in enumerate(part["content"])
            ]
            return part | {"content": content}
    return part


def _check_image_source(source: dict[str, Any], field: str) -> None:
    if source.get("type") == "url":
        refuse(_NO_IMAGE_URL, field)
    if source.get("type") == "base64":
        _check_image_type(source.get("media_type"), f"{field}.media_type")


def _translate_image(image: str | dict[str, Any], field: str) -> dict[str, Any]:
    url, field = (image, field) if isinstance(image, str) else (image["url"], f"{field}.url")
    # `detail`, the resolution at which an image is read, has no equivalent and is left out.
    decoded = decode_data_uri(url, field)
    if decoded is None:
        refuse(_NO_IMAGE_URL, field)
    media_type, data = decoded
    try:
        return _build_image(Image.from_bytes(data, media_type or None), field)
    except InvalidRequestError as error:
        raise InvalidRequestError(str(error.args[0]), field=field) from error


def _translate_file(file: dict[str, Any], field: str) -> dict[str, Any]:
    value = file.get("file_data")
    if value is None:
        refuse("the anthropic dialect takes no file by id; give its bytes as file_data", field)
    if is_url(value):
        msg = "the anthropic dialect takes no file by URL; download it and give its bytes as base64"
        refuse(msg, f"{field}.file_data")
    field = f"{field}.file_data"
    media_type, data = decode_data_uri(value, field) or ("", decode_base64(value, field))
    try:
        return _build_document(Document.from_bytes(data, media_type or None), field)
    except InvalidRequestError as error:
        raise InvalidRequestError(str(error.args[0]), field=field) from error
