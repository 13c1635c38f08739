"""Types whose values are one text, number or boolean of JSON."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
import msgspec

from .constraints import NO_CONSTRAINTS, Constraints, ValueKind
from .nodes import Node, find_json_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .nodes import References

__all__ = ["SCALARS", "ScalarNode", "ScalarType", "TextNode"]


@attrs.frozen
class ScalarType:
    """How a Python type is written in JSON.

    Attributes:
        schema: its JSON schema.
        convert: makes a value of it from a JSON value of that type; a `ValueError` says that it
            cannot.
        kind: decides which constraints apply to it.
        rank: the position in a union: a text is tried as a date before it counts as a text.
        wanted: how it is named in messages.
    """

    schema: dict[str, Any]
    convert: Callable[[Any], Any]
    kind: ValueKind
    rank: int
    wanted: str


@attrs.frozen(eq=False)
class ScalarNode(Node):
    """A text, a number, a boolean or null, perhaps with limits."""

    scalar: ScalarType
    constraints: Constraints = NO_CONSTRAINTS
    rank: int = attrs.field(init=False)

    @rank.default
    def _take_rank(self) -> int:
        return self.scalar.rank

    def schema(self, _: References) -> dict[str, Any]:
        """Return the JSON schema, with the limits that it can express."""
        kind = self.scalar.kind
        # The limits of bytes count bytes, those of the schema the letters of their base64; those of
        # a Decimal are of numbers, but it is written as a text.
        expressible = self.scalar.schema["type"] != "string" or self.scalar is SCALARS[str]
        return self.scalar.schema | (self.constraints.keywords(kind) if expressible else {})

    def decode(self, value: Any) -> Any:
        """Return the value of the Python type."""
        if self.scalar.schema["type"] not in find_json_types(value) and not (
            self.scalar is SCALARS[Decimal] and isinstance(value, int | float)
        ):
            raise self.refuse(value)
        try:
            decoded = self.scalar.convert(value)
        except (ValueError, OverflowError) as error:  # msgspec's errors are ValueErrors
            raise self.refuse(value) from error
        self.constraints.check(decoded, self.scalar.kind)
        return decoded

    def json_types(self) -> frozenset[str]:
        """Return the types of JSON that are taken."""
        numbers = ("integer", "number") if self.scalar is SCALARS[Decimal] else ()
        return frozenset((self.scalar.schema["type"], *numbers))

    def wanted(self) -> str:
        """Say what is wanted."""
        return self.scalar.wanted


@attrs.frozen(eq=False)
class TextNode(Node):
    """A type whose values are checked, and stay texts, for a converter that reads texts."""

    inner: Node

    def schema(self, definitions: References) -> dict[str, Any]:
        """Return the schema of the type."""
        return self.inner.schema(definitions)

    def decode(self, value: Any) -> Any:
        """Return a text as it is, and any other value decoded."""
        decoded = self.inner.decode(value)
        return value if isinstance(value, str) else decoded

    def children(self) -> Iterable[Node]:
        """Return the type."""
        return (self.inner,)

    def json_types(self) -> frozenset[str]:
        """Return the types of JSON that are taken."""
        return self.inner.json_types()

    def wanted(self) -> str:
        """Say what is wanted."""
        return self.inner.wanted()


def _convert_float(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        msg = "not finite"
        raise ValueError(msg)
    return number


def _convert_decimal(value: Any) -> Decimal:
    if isinstance(value, bool):
        msg = "a boolean"
        raise ValueError(msg)  # noqa: TRY004 - it is caught as a ValueError
    number: Decimal = msgspec.convert(str(value), Decimal)
    if not number.is_finite():
        msg = "not finite"
        raise ValueError(msg)
    return number


def _by_msgspec(python_type: Any) -> Callable[[Any], Any]:
    return lambda value: msgspec.convert(value, python_type)


def _text(
    python_type: Any, wanted: str, kind: ValueKind, rank: int = 0, **keywords: str
) -> ScalarType:
    """Return a type that is written as a text, which msgspec reads."""
    schema = {"type": "string"} | keywords
    return ScalarType(schema, _by_msgspec(python_type), kind, rank, wanted)


def _same(value: Any) -> Any:
    return value


SCALARS: dict[Any, ScalarType] = {
    str: ScalarType({"type": "string"}, _same, "text", 3, "a string"),
    bool: ScalarType({"type": "boolean"}, _same, "other", 0, "a boolean"),
    int: ScalarType({"type": "integer"}, int, "number", 0, "an integer"),
    float: ScalarType({"type": "number"}, _convert_float, "number", 1, "a number"),
    type(None): ScalarType({"type": "null"}, _same, "other", 0, "null"),
    # Many words are base64, so in a union a text is a text.
    bytes: _text(bytes, "a string in base64", "bytes", 4, contentEncoding="base64"),
    datetime: _text(
        datetime, "a date and time as in '2030-01-31T12:00:00Z'", "time", format="date-time"
    ),
    date: _text(date, "a date as in '2030-01-31'", "other", format="date"),
    time: _text(time, "a time as in '12:30:00'", "time", format="time"),
    timedelta: _text(timedelta, "a duration as in 'P1DT2H'", "other", format="duration"),
    UUID: _text(UUID, "a UUID", "other", format="uuid"),
    Decimal: ScalarType(
        {"type": "string", "pattern": r"^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"},
        _convert_decimal,
        "number",
        2,
        "a decimal number as a string, as in '12.50'",
    ),
    Path: ScalarType({"type": "string"}, Path, "other", 1, "a path as a string"),
    PurePath: ScalarType({"type": "string"}, PurePath, "other", 1, "a path as a string"),
}
