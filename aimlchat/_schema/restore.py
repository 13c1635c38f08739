"""The way back from a rewritten schema: its values become values of the schema that it replaces.

A value that fits no schema stays as it is, so that the decoder says what is wrong with it. A part
of a value that still grows is restored as far as it goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "KEY",
    "VALUE",
    "FieldsRestorer",
    "ItemsRestorer",
    "MapRestorer",
    "ReferenceRestorer",
    "Restorer",
    "TupleRestorer",
    "UnionRestorer",
    "UnwrappingRestorer",
    "fits",
]

KEY, VALUE = "key", "value"
"""The keys of an entry, since a mapping is rewritten as an array of entries."""


class Restorer:
    """Restores a value; this class returns it unchanged."""

    def restore(self, value: Any) -> Any:
        """Return the value by the original schema; the given one is never changed."""
        return value


@attrs.frozen
class UnwrappingRestorer(Restorer):
    """Takes a value out of the object around it.

    The bare value is accepted as well, since a model may leave out the object: a value that is not
    an object with exactly the one key is not wrapped.
    """

    name: str
    inner: Restorer

    def restore(self, value: Any) -> Any:
        """Return the value in the object."""
        if isinstance(value, dict) and value.keys() == {self.name}:
            value = value[self.name]
        return self.inner.restore(value)


@attrs.frozen
class FieldsRestorer(Restorer):
    """Removes the nulls that stand for keys that are left out.

    Attributes:
        fields: the restorers of the values by key.
        nullable: the keys whose null stands for a key that is left out.
    """

    fields: Mapping[str, Restorer]
    nullable: frozenset[str]

    def restore(self, value: Any) -> Any:
        """Return an object without those keys."""
        if not isinstance(value, dict):
            return value
        return {
            key: self.fields[key].restore(item) if key in self.fields else item
            for key, item in value.items()
            if item is not None or key not in self.nullable
        }


@attrs.frozen
class ItemsRestorer(Restorer):
    """Restores each item of an array."""

    item: Restorer

    def restore(self, value: Any) -> Any:
        """Return the array of restored items."""
        return [self.item.restore(item) for item in value] if isinstance(value, list) else value


@attrs.frozen
class TupleRestorer(Restorer):
    """Makes an array of an object that has a key for each item."""

    items: Mapping[str, Restorer]

    def restore(self, value: Any) -> Any:
        """Return the array; it ends before the first item that is missing."""
        if not isinstance(value, dict) or not value.keys() <= self.items.keys():
            return value
        restored = []
        for name, item in self.items.items():
            if name not in value:
                break
            restored.append(item.restore(value[name]))
        return restored


@attrs.frozen
class MapRestorer(Restorer):
    """Makes an object from an array of entries; of entries with the same key the last counts."""

    item: Restorer

    def restore(self, value: Any) -> Any:
        """Return the object; an entry whose value has not arrived yet is left out."""
        if not isinstance(value, list):
            return value
        restored = {}
        for entry in value:
            if not isinstance(entry, dict) or not isinstance(entry.get(KEY), str):
                return value
            if VALUE in entry:
                restored[entry[KEY]] = self.item.restore(entry[VALUE])
        return restored


@attrs.frozen
class ReferenceRestorer(Restorer):
    """Restores by the definition that a ``$ref`` names, which may contain the reference."""

    restorers: Mapping[str, Restorer]
    name: str

    def restore(self, value: Any) -> Any:
        """Return what the definition's restorer returns."""
        return self.restorers[self.name].restore(value)


@attrs.frozen
class UnionRestorer(Restorer):
    """Restores by the first member of a union that the value fits.

    Attributes:
        members: the rewritten schema of each member, and its restorer.
        definitions: what the schemas refer to.
    """

    members: Sequence[tuple[dict[str, Any], Restorer]]
    definitions: Mapping[str, dict[str, Any]]

    def restore(self, value: Any) -> Any:
        """Return the value restored by the member that it fits, or can still grow to fit."""
        for is_whole in (True, False):
            for schema, restorer in self.members:
                if fits(value, schema, self.definitions, is_whole=is_whole):
                    return restorer.restore(value)
        return value


_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": (int, float),
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def fits(
    value: Any, schema: dict[str, Any], definitions: Mapping[str, Any], *, is_whole: bool
) -> bool:
    """Return whether a value has the types and the keys of a rewritten schema.

    Args:
        value: a JSON value.
        schema: a schema that `rewrite_strictly` has made.
        definitions: its definitions by name.
        is_whole: False for a value that may still grow: its last parts may be missing or cut.
    """

    def fits_inner(inner: Any, inner_schema: dict[str, Any]) -> bool:
        return fits(inner, inner_schema, definitions, is_whole=is_whole)

    if "$ref" in schema:
        return fits_inner(value, definitions[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return any(fits_inner(value, member) for member in schema["anyOf"])
    if schema["type"] == "object":
        properties = schema["properties"]
        return (
            isinstance(value, dict)
            and value.keys() <= properties.keys()
            and (not is_whole or value.keys() >= set(schema["required"]))
            and all(fits_inner(item, properties[key]) for key, item in value.items())
        )
    if schema["type"] == "array":
        return isinstance(value, list) and all(fits_inner(item, schema["items"]) for item in value)
    return _fits_scalar(value, schema, is_whole=is_whole)


def _fits_scalar(value: Any, schema: dict[str, Any], *, is_whole: bool) -> bool:
    kind, choices = schema["type"], schema.get("enum")
    if not isinstance(value, _TYPES[kind]) or isinstance(value, bool) != (kind == "boolean"):
        return False
    if kind == "integer" and isinstance(value, float) and not value.is_integer():
        return False
    if choices is None or value in choices:
        return True
    return not is_whole and kind == "string" and any(item.startswith(value) for item in choices)
