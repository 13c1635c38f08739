"""Checks of a scripted reply: a mistake raises where it was made, and not as a 500 later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .encoding import dump_json

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = [
    "are_calls",
    "are_headers",
    "are_texts",
    "is_amount",
    "is_json",
    "is_mapping",
    "is_status",
    "is_text",
]

_MIN_STATUS = 200
_MAX_STATUS = 599


def is_text(_reply: object, attribute: Attribute[Any], value: Any) -> None:
    """Refuse anything but a string."""
    if not isinstance(value, str):
        _refuse(attribute, value, "a string")


def is_mapping(_reply: object, attribute: Attribute[Any], value: Any) -> None:
    """Refuse anything but a mapping."""
    if not isinstance(value, Mapping):
        _refuse(attribute, value, "a mapping")


def is_amount(_reply: object, attribute: Attribute[Any], value: Any) -> None:
    """Refuse anything but a number of dollars or a mapping."""
    if not isinstance(value, int | float | Mapping):
        _refuse(attribute, value, "US dollars, or a mapping")


def are_texts(_reply: object, attribute: Attribute[Any], values: tuple[Any, ...]) -> None:
    """Refuse anything but strings."""
    if not all(isinstance(value, str) for value in values):
        _refuse(attribute, values, "strings")


def are_calls(_reply: object, attribute: Attribute[Any], calls: tuple[Any, ...]) -> None:
    """Refuse anything but tool calls, such as a pair that is not in a list."""
    if not all(map(_is_call, calls)):
        words = 'pairs of a name and arguments, as in [("get_weather", {"city": "Oslo"})]'
        _refuse(attribute, calls, words)


def _is_call(call: Any) -> bool:
    if isinstance(call, Mapping):
        name, arguments = call.get("name"), call.get("arguments", {})
    elif isinstance(call, tuple | list) and len(call) == 2:  # noqa: PLR2004 - a pair
        name, arguments = call
    else:
        return False
    return isinstance(name, str) and isinstance(arguments, str | Mapping)


def are_headers(_reply: object, attribute: Attribute[Any], headers: Any) -> None:
    """Refuse anything but a mapping of strings; a line feed in one would start another header."""
    if not isinstance(headers, Mapping) or not all(
        isinstance(text, str) and text.isprintable() for item in headers.items() for text in item
    ):
        _refuse(attribute, headers, "a mapping of strings without control characters")


def is_status(_reply: object, attribute: Attribute[Any], status: Any) -> None:
    """Refuse a number that is not the status of a final response."""
    if not isinstance(status, int) or not _MIN_STATUS <= status <= _MAX_STATUS:
        msg = f"{attribute.name} is {status!r}; it takes {_MIN_STATUS} to {_MAX_STATUS}"
        raise ValueError(msg)


def is_json(_reply: object, attribute: Attribute[Any], value: Any) -> None:
    """Refuse a value that is neither bytes, a string nor JSON; of a tuple, check the items."""
    for item in value if isinstance(value, tuple) else (value,):
        try:
            if not isinstance(item, bytes):
                dump_json(item)
        except (TypeError, ValueError, RecursionError) as error:
            msg = f"{attribute.name} cannot be sent as JSON: {error}"
            raise TypeError(msg) from error


def _refuse(attribute: Attribute[Any], value: Any, words: str) -> None:
    msg = f"{attribute.name} is {value!r}; it takes {words}"
    raise TypeError(msg)
