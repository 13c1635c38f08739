"""Sample JSON that fits a JSON schema, as a model generates it for tools and typed answers."""

from __future__ import annotations

import math
import re
from itertools import cycle
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["build_sample"]

_FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
}

# A schema may refer to itself. From this depth on, objects get only their required properties and
# arrays no items; beyond twice the depth every value is null.
_MAX_OPTIONAL_DEPTH = 6


def build_sample(schema: dict[str, Any], words: Sequence[str]) -> Any:
    """Build a value that fits a schema.

    Args:
        schema: a JSON schema of the usual keywords; `not` and conditions are ignored, and of
            patterns only those of numbers are followed.
        words: the words that strings are made of, used in rotation.
    """
    return _SampleBuilder(schema, cycle(words or ("example",))).build(schema, 0)


@attrs.frozen
class _SampleBuilder:
    root: dict[str, Any]
    words: Iterator[str]

    def build(self, schema: Any, depth: int) -> Any:  # noqa: PLR0911 - one for each keyword
        if not isinstance(schema, dict) or depth > 2 * _MAX_OPTIONAL_DEPTH:
            return None
        if "const" in schema:
            return schema["const"]
        for values in ("enum", "examples"):
            if schema.get(values):
                return schema[values][0]
        if "$ref" in schema:
            return self.build(self._resolve(schema["$ref"]), depth + 1)
        for alternatives in ("anyOf", "oneOf"):
            if schema.get(alternatives):
                return self.build(schema[alternatives][0], depth + 1)
        if schema.get("allOf"):
            return self.build(_merge_schemas(schema["allOf"]), depth + 1)
        return self._build_by_type(schema, depth)

    def _resolve(self, reference: str) -> Any:
        target: Any = self.root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if step:
                target = target.get(step) if isinstance(target, dict) else None
        return target

    def _build_by_type(self, schema: dict[str, Any], depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = kind[0]
        match kind:
            case "object":
                return self._build_object(schema, depth)
            case "array":
                firsts = schema.get("prefixItems") or ()
                length = schema.get("minItems", 1 if depth < _MAX_OPTIONAL_DEPTH else 0)
                schemas = [*firsts, *[schema.get("items", {})] * (length - len(firsts))]
                return [self.build(item, depth + 1) for item in schemas]
            case "integer" | "number":
                return _build_number(schema, integer=kind == "integer")
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._build_string(schema)

    def _build_object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = schema.get("required") or ()
        names = [name for name in properties if depth < _MAX_OPTIONAL_DEPTH or name in required]
        names += [name for name in required if name not in properties]
        return {name: self.build(properties.get(name, {}), depth + 1) for name in names}

    def _build_string(self, schema: dict[str, Any]) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        if schema.get("contentEncoding") == "base64":
            return "ZXhhbXBsZQ=="
        text = next(self.words)
        if _is_of_digits(schema.get("pattern"), text):
            return "1"
        while len(text) < schema.get("minLength", 0):
            text += f" {next(self.words)}"
        return text[: schema.get("maxLength")]


def _is_of_digits(pattern: Any, word: str) -> bool:
    """Return whether a pattern, such as one of decimal numbers, matches a digit, but no word."""
    try:
        matches = [re.search(pattern, text) is not None for text in (word, "1")]
    except (TypeError, re.error):  # not a pattern, or one of another language
        return False
    return matches == [False, True]


def _merge_schemas(schemas: list[Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {"properties": {}, "required": []}
    for schema in schemas:
        merged["properties"] |= schema.get("properties") or {}
        merged["required"] += schema.get("required") or []
        merged = {**schema, **merged}
    return merged


def _build_number(schema: dict[str, Any], *, integer: bool) -> float:
    step = schema.get("multipleOf", 1)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        value = step if high is None or high >= step else math.floor(high / step) * step
    else:
        value = math.ceil(low / step) * step
    if value == schema.get("exclusiveMinimum"):
        value += step
    if value == schema.get("exclusiveMaximum"):
        value -= step
    if not integer and high is not None and value > high and low is not None:
        value = (low + high) / 2  # no multiple lies between them, for example 0.2 and 0.8
    return int(value) if integer else value
