"""A type that cannot be a schema, and a value that does not fit its type."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "OTHER_CONSTANT",
    "DecodeError",
    "SchemaError",
    "describe_raised",
    "describe_value",
    "join_errors",
    "join_path",
]

_MAX_DESCRIBED = 60
OTHER_CONSTANT = 100
"""The distance of a value with another constant, such as that of another class of a union."""


def join_path(outer: str, inner: str) -> str:
    """Return the path to an item: ``outer`` leads to it, ``inner`` begins at it."""
    return f"{outer}{inner}" if not outer or not inner or inner[0] in "[{" else f"{outer}.{inner}"


class SchemaError(TypeError):
    """A type that JSON schema cannot describe.

    Attributes:
        reason: what is wrong with it.
        path: the path from the outermost type, such as ``order.items[]``; may be empty.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path

    def inside(self, outer: str) -> SchemaError:
        """Return the error with ``outer``, the path to the type, before its path."""
        return SchemaError(self.reason, join_path(outer, self.path))


class DecodeError(ValueError):
    """A JSON value that does not fit its type.

    The message lists every problem, since a model corrects all of them at once.

    Attributes:
        reason: what was received and what was expected.
        path: the path from the outermost value, such as ``order.items[2].price``; may be empty.
        others: what else is wrong with the value.
        distance: how far the value is from the type. A constant of another type of a union counts
            more than any other fault.
    """

    def __init__(
        self, reason: str, path: str = "", others: tuple[DecodeError, ...] = (), distance: int = 1
    ) -> None:
        described = f"{path}: {reason}" if path else reason
        super().__init__("; ".join([described, *map(str, others)]))
        self.reason = reason
        self.path = path
        self.others = others
        self.distance = distance

    def inside(self, outer: str) -> DecodeError:
        """Return the error with ``outer``, the path to the value, before its path."""
        others = tuple(other.inside(outer) for other in self.others)
        return DecodeError(self.reason, join_path(outer, self.path), others, self.distance)


def join_errors(errors: Sequence[DecodeError]) -> DecodeError:
    """Return one error for all that is wrong with a value, of which there is at least one."""
    first, *rest = errors
    if not rest:
        return first
    distance = sum(error.distance for error in errors)
    return DecodeError(first.reason, first.path, (*first.others, *rest), distance)


def describe_value(value: Any) -> str:
    """Describe a JSON value in a few words, for an error message that a model reads too."""
    match value:
        case None | bool():
            described = {None: "null", True: "true", False: "false"}[value]
        case dict():
            described = "an object"
        case list():
            described = f"an array of {len(value)}"
        case str():
            is_long = len(value) > _MAX_DESCRIBED
            described = repr(value[:_MAX_DESCRIBED]) + ("..." if is_long else "")
        case int() if abs(value) > 10**_MAX_DESCRIBED:
            described = "a huge integer"
        case float() if not math.isfinite(value):
            described = "a number that is not finite"
        case _:
            described = repr(value)
    return described


def describe_raised(error: Exception) -> str:
    """Return the reason in an exception of a user's validator or converter."""
    name, reason = type(error).__name__, next((str(arg) for arg in error.args[:1]), "")
    if reason and not isinstance(error, ValueError | TypeError):
        reason = f"{name}: {reason}"  # the text of a KeyError is only the key
    return reason or name
