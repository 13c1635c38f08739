"""The checks of single fields that validation is built from; each rejection names its field.

`check_boolean` and `check_number` look a field up in its object, and accept a field that is absent
or null; the other checks take the value itself.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import RejectedRequestError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "MAX_TOOLS",
    "check_base64",
    "check_boolean",
    "check_call_id",
    "check_number",
    "check_object",
    "check_one_of",
    "check_string",
    "check_strings",
    "check_tool_name",
    "reject",
    "require",
]

MAX_TOOLS = 128
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CALL_ID = re.compile(r"[A-Za-z0-9_-]+")


def reject(field: str, problem: str) -> NoReturn:
    """Reject the request because of one field.

    Raises:
        RejectedRequestError: always; 400 with the field's name in the message.
    """
    raise RejectedRequestError(400, f"Body validation error\n{field}: {problem}")


def require(condition: bool, field: str, problem: str) -> None:  # noqa: FBT001 - like `assert`
    """Reject the request unless a condition holds."""
    if not condition:
        reject(field, problem)


def check_object(value: Any, field: str, problem: str = "Expected an object") -> None:
    """Require an object."""
    require(isinstance(value, dict), field, problem)


def check_string(value: Any, field: str) -> None:
    """Require a string."""
    require(isinstance(value, str), field, "Expected string")


def check_strings(value: Any, field: str) -> None:
    """Require an array of strings."""
    valid = isinstance(value, list) and all(isinstance(item, str) for item in value)
    require(valid, field, "Expected an array of strings")


def check_one_of(value: Any, allowed: Collection[str], field: str) -> None:
    """Require one of a few strings."""
    expected = " | ".join(repr(word) for word in allowed)
    valid = isinstance(value, str) and value in allowed
    require(valid, field, f"Invalid enum value. Expected {expected}, received {value!r}")


def check_boolean(body: dict[str, Any], field: str, *, prefix: str = "") -> None:
    """Require a boolean, if the field is present; `prefix` is the path of `body`."""
    value = body.get(field)
    require(value is None or isinstance(value, bool), prefix + field, "Expected boolean")


def check_number(
    body: dict[str, Any],
    field: str,
    *,
    low: float | None = None,
    high: float | None = None,
    integer: bool = False,
    prefix: str = "",
) -> None:
    """Require a number within its bounds, if the field is present; `prefix` is the path of `body`.

    Both bounds are inclusive.
    """
    value = body.get(field)
    if value is None:
        return
    name = prefix + field
    valid = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(value, float) and not integer:
        valid = math.isfinite(value)
    require(valid, name, f"Expected {'integer' if integer else 'number'}")
    if low is not None and value < low:
        reject(name, f"Number must be greater than or equal to {low}")
    if high is not None and value > high:
        reject(name, f"Number must be less than or equal to {high}")


def check_call_id(value: Any, field: str) -> None:
    """Require an id of a tool call in the characters that Claude takes."""
    check_string(value, field)
    valid = _CALL_ID.fullmatch(value) is not None
    require(valid, field, "String should match pattern '^[a-zA-Z0-9_-]+$'")


def check_tool_name(value: Any, field: str) -> None:
    """Require a valid name of a tool."""
    valid = isinstance(value, str) and _TOOL_NAME.fullmatch(value) is not None
    require(valid, field, f"String should match pattern '^{_TOOL_NAME.pattern}$'")


def check_base64(value: Any, field: str) -> None:
    """Require base64 that decodes to at least one byte."""
    check_string(value, field)
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        reject(field, "Invalid base64 data")
    require(bool(content), field, "Must not be empty")
