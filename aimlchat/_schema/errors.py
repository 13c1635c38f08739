"""A type that cannot be a schema, and a value that does not fit its type."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["DecodeError", "SchemaError", "describe_value", "join_path"]

_MAX_DESCRIBED = 60


def join_path(outer: str, inner: str) -> str:
    """Return the path to an item: ``outer`` holds it, ``inner`` begins at it."""
    return f"{outer}{inner}" if not outer or not inner or inner[0] == "[" else f"{outer}.{inner}"


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
        """Return the error as what holds the type, at ``outer``, sees it."""
        return SchemaError(self.reason, join_path(outer, self.path))


class DecodeError(ValueError):
    """A JSON value that does not fit its type.

    Attributes:
        reason: what came and what was wanted.
        path: the path from the outermost value, such as ``order.items[2].price``; may be empty.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path

    def inside(self, outer: str) -> DecodeError:
        """Return the error as what holds the value, at ``outer``, sees it."""
        return DecodeError(self.reason, join_path(outer, self.path))


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
