"""What ``Annotated`` adds to a type: limits of its values, and a description."""

from __future__ import annotations

import operator
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import attrs

from .errors import DecodeError, SchemaError, describe_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["NO_CONSTRAINTS", "Annotations", "Constraints", "ValueKind", "read_metadata"]

ValueKind = Literal["number", "text", "bytes", "array", "object", "time", "other"]

_NUMBER_KEYWORDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
}
_TEXT_KEYWORDS = {"min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"}
# The constraints of each kind of value, each with its JSON schema keyword, if it has one.
_KEYWORDS: dict[ValueKind, dict[str, str]] = {
    "number": _NUMBER_KEYWORDS,
    "text": _TEXT_KEYWORDS,
    "bytes": {"min_length": "", "max_length": ""},
    "array": {"min_length": "minItems", "max_length": "maxItems"},
    "object": {"min_length": "minProperties", "max_length": "maxProperties"},
    "time": {"tz": ""},
    "other": {},
}
_NAMES = (*_NUMBER_KEYWORDS, *_TEXT_KEYWORDS, "tz")


@attrs.frozen
class Constraints:
    """Limits of a value, by the names of `msgspec.Meta`, such as ``ge`` or ``max_length``."""

    limits: Mapping[str, Any] = attrs.field(factory=dict)

    def __or__(self, other: Constraints) -> Constraints:
        """Return the limits of both; those of ``other`` take precedence."""
        return Constraints({**self.limits, **other.limits})

    def known_to(self, kind: ValueKind) -> set[str]:
        """Return the names of those limits that apply to a kind of value."""
        return self.limits.keys() & _KEYWORDS[kind].keys()

    def keywords(self, kind: ValueKind) -> dict[str, Any]:
        """Return the limits as keywords of JSON schema, for a kind of value."""
        names = _KEYWORDS[kind]
        return {names[key]: limit for key, limit in self.limits.items() if names.get(key)}

    def check(self, value: Any, kind: ValueKind) -> None:
        """Raise `DecodeError` if a decoded value is beyond a limit."""
        for name in sorted(self.known_to(kind)):
            limit = self.limits[name]
            if _CHECKS[name](value, limit):
                continue
            if name == "tz":
                msg = f"expected a time {'with a' if limit else 'without'} time zone, got {value}"
            elif name in _NUMBER_KEYWORDS:
                msg = f"expected {_WORDS[name]} {limit}, got {value}"
            elif name == "pattern":
                msg = f"expected {_WORDS[name]} {limit!r}, got {describe_value(value)}"
            else:
                msg = f"expected {_WORDS[name]} {limit}, got {len(value)}"
            raise DecodeError(msg)

    def refuse_unknown(self, known: Iterable[str], described: str) -> None:
        """Raise `SchemaError` if a limit does not apply to a type."""
        unknown = sorted(self.limits.keys() - set(known))
        if unknown:
            msg = f"the limits {', '.join(unknown)} do not apply to {described}"
            raise SchemaError(msg)


NO_CONSTRAINTS = Constraints()

_WORDS = {
    "gt": "more than",
    "ge": "at least",
    "lt": "less than",
    "le": "at most",
    "multiple_of": "a multiple of",
    "min_length": "a length of at least",
    "max_length": "a length of at most",
    "pattern": "a text that matches",
}


_CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    # Exact for decimal fractions too: 0.3 is a multiple of 0.1.
    "multiple_of": lambda value, limit: Fraction(str(value)) % Fraction(str(limit)) == 0,
    "min_length": lambda value, limit: len(value) >= limit,
    "max_length": lambda value, limit: len(value) <= limit,
    "pattern": lambda value, limit: re.search(limit, value) is not None,
    "tz": lambda value, limit: (value.tzinfo is not None) == limit,
}


@attrs.frozen
class Annotations:
    """What the metadata of ``Annotated`` says about a type.

    ``keywords`` are those of JSON schema that limit nothing, such as ``description``.
    """

    constraints: Constraints
    keywords: dict[str, Any]


def read_metadata(metadata: Iterable[Any]) -> Annotations:
    """Read the metadata of an ``Annotated``; what has no meaning here is ignored, as PEP 593 says.

    `msgspec.Meta`, the field of a pydantic model and the classes of annotated-types name the limits
    alike, so they are read by attribute. A text is a description.
    """
    limits: dict[str, Any] = {}
    keywords: dict[str, Any] = {}
    for item in _flatten(metadata):
        if isinstance(item, str):
            keywords["description"] = item
            continue
        for name in _NAMES:
            limit = getattr(item, name, None)
            if limit is not None and not callable(limit):
                limits[name] = limit.pattern if isinstance(limit, re.Pattern) else limit
        _check_pattern(limits.get("pattern"))
        for name in ("title", "description", "documentation"):
            text = getattr(item, name, None)
            if isinstance(text, str):  # `documentation` is that of PEP 727
                keywords["description" if name == "documentation" else name] = text
        if examples := getattr(item, "examples", None):
            keywords["examples"] = list(examples)
        if extra := getattr(item, "extra_json_schema", None):
            keywords |= extra
    return Annotations(Constraints(limits), keywords)


def _check_pattern(pattern: Any) -> None:
    try:
        re.compile(pattern or "")
    except (re.error, TypeError) as error:
        msg = f"its pattern, {pattern!r}, is not a regular expression: {error}"
        raise SchemaError(msg) from error


def _flatten(metadata: Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        yield item
        inner = getattr(item, "metadata", None)  # pydantic keeps the limits of a Field there
        if isinstance(inner, list):
            yield from inner
