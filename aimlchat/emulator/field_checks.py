"""The single questions that a check is made of; each refuses with the field's name."""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "MOST_TOOLS",
    "boolean",
    "decodable",
    "number",
    "one_of",
    "refuse",
    "require",
    "strings",
    "text",
    "tool_name",
]

MOST_TOOLS = 128
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def refuse(field: str, problem: str) -> NoReturn:
    """Refuse the request for what stands in a field."""
    raise Refusal(400, f"Body validation error\n{field}: {problem}")


def require(fits: bool, field: str, problem: str) -> None:  # noqa: FBT001 - it reads as a sentence
    """Refuse the request unless the field fits."""
    if not fits:
        refuse(field, problem)


def text(value: Any, field: str) -> None:
    """Require a string."""
    require(isinstance(value, str), field, "Expected string")


def strings(value: Any, field: str) -> None:
    """Require an array of strings."""
    fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    require(fits, field, "Expected an array of strings")


def one_of(value: Any, allowed: Collection[str], field: str) -> None:
    """Require one of a few words."""
    expected = " | ".join(repr(word) for word in allowed)
    fits = isinstance(value, str) and value in allowed
    require(fits, field, f"Invalid enum value. Expected {expected}, received {value!r}")


def boolean(body: dict[str, Any], field: str, *, within: str = "") -> None:
    """Require true, false or nothing."""
    value = body.get(field)
    require(value is None or isinstance(value, bool), within + field, "Expected boolean")


def number(
    body: dict[str, Any],
    field: str,
    *,
    low: float | None = None,
    high: float | None = None,
    whole: bool = False,
    within: str = "",
) -> None:
    """Require a number in a range, or nothing."""
    value = body.get(field)
    if value is None:
        return
    name = within + field
    fits = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(value, float) and not whole:
        fits = math.isfinite(value)
    require(fits, name, f"Expected {'integer' if whole else 'number'}")
    if low is not None and value < low:
        refuse(name, f"Number must be greater than or equal to {low}")
    if high is not None and value > high:
        refuse(name, f"Number must be less than or equal to {high}")


def tool_name(value: Any, field: str) -> None:
    """Require a name that a tool may have."""
    fits = isinstance(value, str) and _TOOL_NAME.fullmatch(value) is not None
    require(fits, field, f"String should match pattern '^{_TOOL_NAME.pattern}$'")


def decodable(value: Any, field: str) -> None:
    """Require base64 of at least one byte."""
    text(value, field)
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        refuse(field, "Invalid base64 data")
    require(bool(content), field, "Must not be empty")
