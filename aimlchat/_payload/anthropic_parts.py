"""The parts of a message in the anthropic dialect: ours written, OpenAI's translated."""

from __future__ import annotations

from typing import Any

from aimlchat.content import Audio, Document, Image, Text, ToolCall
from aimlchat.errors import InvalidRequestError, ProtocolError

from .json_values import plain, refuse, shown, text
from .media import held, remote
from .message_dicts import BLANK, base64_of, data_uri, is_blank

__all__ = ["result", "tool_use", "translated", "written"]

_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF, _TEXT = "application/pdf", "text/plain"

_NO_AUDIO = (
    "the anthropic dialect takes no audio; give a transcript, or a model of the openai dialect"
)
_NO_URL = (
    "the anthropic dialect takes no image by URL; download it, then Image.from_bytes(data), or"
    " give a model of the openai dialect"
)


def written(part: Any, field: str) -> dict[str, Any]:
    """Return one of our parts in this dialect."""
    match part:
        case Text():
            return _text({"type": "text", "text": text(part.text, field)}, field)
        case Image():
            return _image(part, field)
        case Document():
            return _document(part, field)
        case Audio():
            refuse(_NO_AUDIO, field)
    msg = f"{shown(part)} is no part; give a str, Text, Image or Document"
    raise InvalidRequestError(msg, field=field)


def _text(part: dict[str, Any], field: str) -> dict[str, Any]:
    if is_blank(part):
        refuse(BLANK, field)
    return part


def _image(part: Image, field: str) -> dict[str, Any]:
    if remote(part, field) is not None:
        refuse(_NO_URL, field)
    media_type = _picture(held(part, field), field)
    source = {"type": "base64", "media_type": media_type, "data": part.base64()}
    return {"type": "image", "source": source}


def _picture(media_type: Any, field: str) -> str:
    if media_type not in _PICTURES:
        msg = (
            f"the anthropic dialect takes no {shown(media_type)}; convert the image to one of"
            f" {', '.join(_PICTURES)}"
        )
        refuse(msg, field)
    return text(media_type, field)


def _document(part: Document, field: str) -> dict[str, Any]:
    # The file's name is left out: this dialect has no place for it.
    if remote(part, field) is not None:
        refuse("a document goes with its bytes; download it, then Document.from_bytes(data)", field)
    media_type = held(part, field)
    if media_type == _PDF:
        source = {"type": "base64", "media_type": _PDF, "data": part.base64()}
    elif media_type == _TEXT:
        source = {"type": "text", "media_type": _TEXT, "data": _utf8(part.data or b"", field)}
    else:
        refuse(f"{shown(media_type)} is no document; give a PDF or UTF-8 text", field)
    return {"type": "document", "source": source}


def _utf8(data: bytes, field: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        msg = f"the document is not UTF-8 text ({error.reason}); decode and encode it first"
        raise InvalidRequestError(msg, field=field) from error


def result(part: Any, field: str) -> dict[str, Any]:
    """Return one of our parts inside a tool's result, which holds texts and images."""
    if not isinstance(part, (Text, Image)):
        refuse(f"a tool's result holds texts and images, not {shown(part)}", field)
    return written(part, field)


def tool_use(call: ToolCall, field: str) -> dict[str, Any]:
    """Return a tool call of the history; its arguments have to be a JSON object."""
    if call.id is None:
        refuse("the call has no id, so no result can refer to it; give it one", f"{field}.id")
    at = f"{field}.function.arguments"
    try:
        arguments = call.arguments
    except ProtocolError as error:
        msg = f"{error}; mend them, or leave the call and its result out"
        raise InvalidRequestError(msg, field=at) from error
    return {
        "type": "tool_use",
        "id": text(call.id, f"{field}.id"),
        "name": text(call.name, f"{field}.function.name"),
        "input": plain(arguments, at),
    }


def translated(part: dict[str, Any], field: str) -> dict[str, Any]:
    """Return a part in OpenAI's form as one of this dialect; others pass as they are.

    Keys beside the part's own, such as cache_control, are kept.
    """
    kind = part["type"]
    rest = {key: value for key, value in part.items() if key not in ("type", kind)}
    match kind:
        case "text":
            return _text(part, field)
        case "refusal":
            return _text({"type": "text", "text": part["refusal"]}, field) | rest
        case "image_url":
            return _image_url(part["image_url"]["url"], f"{field}.image_url.url") | rest
        case "file":
            return _file(part["file"], f"{field}.file") | rest
        case "input_audio":
            refuse(_NO_AUDIO, field)
        case "image":
            _own_image(part["source"], f"{field}.source")
        case "tool_result" if isinstance(part.get("content"), list):
            inner = [
                translated(item, f"{field}.content[{place}]")
                for place, item in enumerate(part["content"])
            ]
            return part | {"content": inner}
    return part


def _own_image(source: dict[str, Any], field: str) -> None:
    if source.get("type") == "url":
        refuse(_NO_URL, field)
    if source.get("type") == "base64":
        _picture(source.get("media_type"), f"{field}.media_type")


def _image_url(url: str, field: str) -> dict[str, Any]:
    # `detail` is left out: it says what an image may cost, and this dialect has no such choice.
    found = data_uri(url, field)
    if found is None:
        refuse(_NO_URL, field)
    media_type, data = found
    try:
        return _image(Image.from_bytes(data, media_type or None), field)
    except InvalidRequestError as error:
        raise InvalidRequestError(str(error.args[0]), field=field) from error


def _file(file: dict[str, Any], field: str) -> dict[str, Any]:
    value = file.get("file_data")
    if value is None:
        refuse("the anthropic dialect takes no file by id; give its bytes as file_data", field)
    media_type, data = data_uri(value, field) or ("", base64_of(value, field))
    try:
        return _document(Document.from_bytes(data, media_type or None), field)
    except InvalidRequestError as error:
        raise InvalidRequestError(str(error.args[0]), field=f"{field}.file_data") from error
