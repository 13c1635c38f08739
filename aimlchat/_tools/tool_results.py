"""What a tool returned or raised, as the content of its result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from aimlchat._payload.json_values import check_text, to_json_value
from aimlchat.content import Audio, Document, Image, Text
from aimlchat.errors import InvalidRequestError

__all__ = ["Content", "Part", "ResultError", "describe_exception", "render_result"]

Part = Text | Image | Document | Audio
Content = str | tuple[Part, ...]

_FIELD = "the result"
_PARTS = (Text, Image, Document, Audio)
_NOTHING = "The call returned nothing."


class ResultError(Exception):
    """A tool returned what cannot be sent to the model; the message says why."""

    def __init__(self, error: InvalidRequestError) -> None:
        super().__init__(f"the result of the tool cannot be sent: {error.args[0]}")


def render_result(value: Any) -> Content:
    """Return what a tool returned as a text, or as parts if it contains parts.

    A str stays as it is. Objects with fields, dates and the like become JSON as msgspec writes it.
    Raises `ResultError` for a value that neither JSON nor a part can hold; exceptions of the
    value's own code are not caught.
    """
    try:
        return _render(value)
    except InvalidRequestError as error:
        raise ResultError(error) from error


def _render(value: Any) -> Content:
    if value is None:
        return _NOTHING
    if isinstance(value, str):
        return check_text(value, _FIELD) or _NOTHING
    if isinstance(value, _PARTS):
        return (value,)
    if isinstance(value, list | tuple) and any(isinstance(item, _PARTS) for item in value):
        return tuple(_render_part(item, index) for index, item in enumerate(value))
    if isinstance(value, bytes | bytearray | memoryview):  # msgspec would write base64
        to_json_value(value, _FIELD)
    built = msgspec.to_builtins(value, str_keys=True, enc_hook=_convert)
    return json.dumps(to_json_value(built, _FIELD), ensure_ascii=False)


def _render_part(item: Any, index: int) -> Part:
    if isinstance(item, str):
        return Text(check_text(item, f"{_FIELD}[{index}]"))
    if not isinstance(item, _PARTS):
        msg = f"an object of type {type(item).__name__} among parts; give texts and parts, or JSON"
        raise InvalidRequestError(msg, field=f"{_FIELD}[{index}]")
    return item


def _convert(value: Any) -> Any:
    """Convert what msgspec does not know: a pydantic model, another mapping, a number of numpy."""
    if hasattr(type(value), "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(type(value), "tolist"):
        return value.tolist()
    return to_json_value(value, _FIELD)  # which says what to give instead


def describe_exception(error: BaseException) -> str:
    """Return the class and the message of an exception, as text that JSON can carry."""
    name = "" if isinstance(error, ResultError) else type(error).__name__
    try:
        message = str(error).strip()
    except Exception:  # noqa: BLE001 - the exception is the caller's own, and may be broken
        message = ""
    text = ": ".join(filter(None, (name, message)))
    return text.encode(errors="backslashreplace").decode()
