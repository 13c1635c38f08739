"""JSON made up to fit a JSON schema, as a model would when it has to."""

from __future__ import annotations

import math
from itertools import cycle
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["fitting"]

_FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
}

# Below this depth only what is required is made up, and nothing at all at twice the depth: schemas
# may refer to themselves.
_DEEP = 6


def fitting(schema: dict[str, Any], words: Sequence[str]) -> Any:
    """Make a value that fits a schema.

    Args:
        schema: a JSON schema of the usual keywords; `pattern`, `not` and conditions are ignored.
        words: what strings are made of, used in turn.
    """
    return _Maker(schema, cycle(words or ("example",))).make(schema, 0)


@attrs.frozen
class _Maker:
    root: dict[str, Any]
    words: Iterator[str]

    def make(self, schema: Any, depth: int) -> Any:  # noqa: PLR0911 - one for each keyword
        if not isinstance(schema, dict) or depth > 2 * _DEEP:
            return None
        if "const" in schema:
            return schema["const"]
        for chosen in ("enum", "examples"):
            if schema.get(chosen):
                return schema[chosen][0]
        if "$ref" in schema:
            return self.make(self._referred(schema["$ref"]), depth + 1)
        for alternatives in ("anyOf", "oneOf"):
            if schema.get(alternatives):
                return self.make(schema[alternatives][0], depth + 1)
        if schema.get("allOf"):
            return self.make(_merged(schema["allOf"]), depth + 1)
        return self._of_type(schema, depth)

    def _referred(self, reference: str) -> Any:
        found: Any = self.root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if step:
                found = found.get(step) if isinstance(found, dict) else None
        return found

    def _of_type(self, schema: dict[str, Any], depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = kind[0]
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                length = schema.get("minItems", 1 if depth < _DEEP else 0)
                return [self.make(schema.get("items", {}), depth + 1) for _ in range(length)]
            case "integer" | "number":
                return _number(schema, whole=kind == "integer")
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._string(schema)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = schema.get("required") or ()
        names = [name for name in properties if depth < _DEEP or name in required]
        names += [name for name in required if name not in properties]
        return {name: self.make(properties.get(name, {}), depth + 1) for name in names}

    def _string(self, schema: dict[str, Any]) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        text = next(self.words)
        while len(text) < schema.get("minLength", 0):
            text += f" {next(self.words)}"
        return text[: schema.get("maxLength")]


def _merged(schemas: list[Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {"properties": {}, "required": []}
    for schema in schemas:
        merged["properties"] |= schema.get("properties") or {}
        merged["required"] += schema.get("required") or []
        merged = {**schema, **merged}
    return merged


def _number(schema: dict[str, Any], *, whole: bool) -> float:
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
    if not whole and high is not None and value > high and low is not None:
        value = (low + high) / 2  # no multiple lies between them, as between 0.2 and 0.8
    return int(value) if whole else value
