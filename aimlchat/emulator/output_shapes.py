"""A value by the schema of a request, as a model would write it.

Clients rewrite the schema of a type before they send it: they put an array into an object, make
optional properties nullable, and turn mappings into arrays of entries. A script has the value
itself.
"""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["MISFIT", "shape_value", "spoil_value"]

MISFIT = object()
"""Stands for a value that does not fit a schema in any way."""

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": (int, float),
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
}
_MAX_REFERENCES = 32  # in a row, which lead nowhere
# Some of these do not fit, whatever the schema, unless it takes everything.
_WRONG_VALUES: tuple[Any, ...] = ({"unexpected": "value"}, ["unexpected"], "unexpected", True, None)


def shape_value(value: Any, schema: dict[str, Any]) -> Any:
    """Return a JSON value rewritten to fit a schema, or `MISFIT`.

    Only types, keys, `enum` and `const` count; a value may break all other limits.
    """
    return _Shaper(schema).shape(value, schema)


def spoil_value(value: Any, schema: dict[str, Any]) -> Any:
    """Return a value, or an equal one with one wrong part: as far inside as its first level.

    A value whose schema takes everything is returned as it is.
    """
    shaper = _Shaper(schema)
    parts: dict[Any, Any] = value if isinstance(value, dict) else {}
    resolved = shaper.resolve(schema)
    properties = resolved.get("properties") or {}
    for name in parts:
        inner = properties.get(name, resolved.get("additionalProperties"))
        for wrong in _WRONG_VALUES:
            if shaper.shape(wrong, inner) is MISFIT:
                return {**parts, name: wrong}
    wrongs = (wrong for wrong in _WRONG_VALUES if shaper.shape(wrong, schema) is MISFIT)
    return next(wrongs, value)


@attrs.frozen
class _Shaper:
    root: dict[str, Any]

    def resolve(self, schema: Any) -> dict[str, Any]:
        """Follow references."""
        for _ in range(_MAX_REFERENCES):
            if not isinstance(schema, dict) or "$ref" not in schema:
                break
            target: Any = self.root
            for step in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
                if step:
                    target = target.get(step) if isinstance(target, dict) else None
            schema = target
        return schema if isinstance(schema, dict) else {}

    def shape(self, value: Any, schema: Any) -> Any:
        """Return the value by the schema, or `MISFIT`."""
        schema = self.resolve(schema)
        choices = [schema["const"]] if "const" in schema else schema.get("enum")
        if choices:
            return value if any(_is_same(value, choice) for choice in choices) else MISFIT
        members = schema.get("anyOf") or schema.get("oneOf")
        if not members:
            kinds = schema.get("type", "object" if "properties" in schema else None)
            if kinds is None:
                return value
            names = kinds if isinstance(kinds, list) else [kinds]
            members = [{**schema, "type": name} for name in names]
            shape = self._shape_by_type
        else:
            shape = self.shape
        shaped = [shape(value, member) for member in members]
        fitting = [one for one in shaped if one is not MISFIT]
        unchanged = [one for one in fitting if _is_same(one, value)]
        return (unchanged or fitting or [MISFIT])[0]

    def _shape_by_type(self, value: Any, schema: dict[str, Any]) -> Any:
        kind = schema["type"]
        if kind == "object":
            return self._shape_object(value, schema)
        if kind == "array":
            return self._shape_array(value, schema)
        if isinstance(value, bool) != (kind == "boolean"):
            return MISFIT
        if kind == "integer" and isinstance(value, float) and not value.is_integer():
            return MISFIT
        return value if isinstance(value, _TYPES.get(kind, object)) else MISFIT

    def _shape_array(self, value: Any, schema: dict[str, Any]) -> Any:
        firsts, items = schema.get("prefixItems") or (), schema.get("items")
        if isinstance(value, dict):  # as entries
            names = list(self.resolve(items).get("properties") or ())
            if len(names) != 2:  # noqa: PLR2004 - a key and its value
                return MISFIT
            value = [dict(zip(names, entry, strict=True)) for entry in value.items()]
        if not isinstance(value, list):
            return MISFIT
        schemas = [*firsts[: len(value)], *[items] * (len(value) - len(firsts))]
        shaped = [self.shape(item, inner) for item, inner in zip(value, schemas, strict=True)]
        return MISFIT if any(item is MISFIT for item in shaped) else shaped

    def _shape_object(self, value: Any, schema: dict[str, Any]) -> Any:
        properties = schema.get("properties") or {}
        # An empty mapping in the object that clients put around it, or an object without its keys.
        is_wrapped = value == {} and list(properties) == ["value"]
        shaped = MISFIT
        if isinstance(value, dict) and not is_wrapped:
            shaped = self._shape_members(value, schema)
        if shaped is MISFIT and len(properties) == 1:  # around a value that is not an object itself
            ((name, inner),) = properties.items()
            part = self.shape(value, inner)
            shaped = part if part is MISFIT else {name: part}
        if shaped is MISFIT and is_wrapped:
            shaped = self._shape_members(value, schema)
        if shaped is MISFIT and isinstance(value, list) and len(value) <= len(properties):
            shaped = self._shape_members(dict(zip(properties, value, strict=False)), schema)
        return shaped

    def _shape_members(self, value: dict[str, Any], schema: dict[str, Any]) -> Any:
        properties = schema.get("properties") or {}
        others = schema.get("additionalProperties", True)
        shaped: dict[str, Any] = {}
        for name, item in value.items():
            if name not in properties and others is False:
                return MISFIT
            shaped[name] = self.shape(item, properties.get(name, others))
        for name in schema.get("required") or ():
            if name not in shaped:
                shaped[name] = self.shape(None, properties.get(name))
        return MISFIT if any(item is MISFIT for item in shaped.values()) else shaped


def _is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
