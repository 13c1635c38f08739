"""Drafts of a value by a rewritten schema, restored in time linear in the value.

A later draft extends an earlier one, and only its last item, its last key and the values within
them may differ. So restored parts are kept, except along that path.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import attrs

from .restore import (
    KEY,
    VALUE,
    FieldsRestorer,
    ItemsRestorer,
    MapRestorer,
    ReferenceRestorer,
    Restorer,
    TupleRestorer,
    UnionRestorer,
    fits,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GrowingRestorer"]


@attrs.define
class _State:
    """The state of a container of the previous draft.

    Attributes:
        restorer: the restorer of the container.
        value: the container, by the rewritten schema.
        restored: what is kept: of an array all restored items, of an object those by key, and of a
            mapping all entries but the last.
        inner: the state of its last part.
    """

    restorer: Restorer
    value: Any
    restored: Any
    inner: _State | None = None


class GrowingRestorer:
    """Restores the drafts of one value.

    A draft that was returned never changes again; it shares its closed parts with other drafts.
    For a value that is whole call `RewrittenSchema.restore` instead, which may choose another
    member of a union.

    Args:
        restorer: the way back from the schema.
    """

    def __init__(self, restorer: Restorer) -> None:
        self._restorer = restorer
        self._state: _State | None = None

    def restore(self, draft: Any) -> Any:
        """Return a draft by the original schema, as far as it goes."""
        restored, self._state = _grow(self._restorer, draft, self._state)
        return restored


def _grow(restorer: Restorer, value: Any, state: _State | None) -> tuple[Any, _State | None]:
    if not isinstance(value, dict | list):
        return restorer.restore(value), None
    restorer = _resolve(restorer, value, state)
    if state is not None and (
        state.restorer is not restorer or type(state.value) is not type(value)
    ):
        state = None
    match restorer, value:
        case ItemsRestorer(), list():
            return _grow_items(restorer, value, state)
        case MapRestorer(), list():
            return _grow_map(restorer, value, state)
        case FieldsRestorer(fields, nullable), dict():
            restored, state = _grow_fields(restorer, fields, value, state)
            shown = {
                key: item
                for key, item in restored.items()
                if item is not None or key not in nullable
            }
            return shown, state
        case TupleRestorer(items), dict():
            restored, state = _grow_fields(restorer, items, value, state)
            return list(restored.values()), state
    return restorer.restore(value), _State(restorer, value, None)


def _resolve(restorer: Restorer, value: Any, state: _State | None) -> Restorer:
    """Return the restorer that references and unions lead to.

    A choice examines the whole value, so the previous draft's choice is kept while it can be right.
    """
    while isinstance(restorer, ReferenceRestorer | UnionRestorer):
        if isinstance(restorer, ReferenceRestorer):
            restorer = restorer.restorers[restorer.name]
            continue
        definitions = restorer.definitions
        members = [item for item in restorer.members if _takes(item[0], value, definitions)]
        if len(members) > 1:
            members = [
                (schema, member)
                for schema, member in members
                if state is not None
                and _leads_to(member, state.restorer)
                and _keeps_fitting(value, state.value, schema, definitions)
            ] or [
                (schema, member)
                for schema, member in members
                if fits(value, schema, definitions, is_whole=False)
            ]
        restorer = members[0][1] if members else Restorer()
    return restorer


def _takes(schema: dict[str, Any], value: Any, definitions: Mapping[str, Any]) -> bool:
    """Return whether a schema takes objects, or arrays, as the value is one."""
    if "$ref" in schema:
        return _takes(definitions[schema["$ref"].rpartition("/")[2]], value, definitions)
    if "anyOf" in schema:
        return any(_takes(member, value, definitions) for member in schema["anyOf"])
    return bool(schema["type"] == ("array" if isinstance(value, list) else "object"))


def _leads_to(member: Restorer, restorer: Restorer) -> bool:
    if isinstance(member, ReferenceRestorer):
        return _leads_to(member.restorers[member.name], restorer)
    if isinstance(member, UnionRestorer):
        return any(_leads_to(inner, restorer) for _, inner in member.members)
    return member is restorer


def _keeps_fitting(
    value: Any, before: Any, schema: dict[str, Any], definitions: Mapping[str, Any]
) -> bool:
    """Return whether a draft fits a schema that the previous draft fitted."""

    def keeps(inner: Any, inner_before: Any, inner_schema: dict[str, Any]) -> bool:
        return _keeps_fitting(inner, inner_before, inner_schema, definitions)

    if "$ref" in schema:
        return keeps(value, before, definitions[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return any(keeps(value, before, member) for member in schema["anyOf"])
    if schema["type"] == "object" and isinstance(value, dict) and isinstance(before, dict):
        properties, last = schema["properties"], next(reversed(before), None)
        return value.keys() <= properties.keys() and all(
            keeps(item, before.get(key), properties[key])
            for key, item in value.items()
            if key == last or key not in before
        )
    if schema["type"] == "array" and isinstance(value, list) and isinstance(before, list):
        start = max(len(before) - 1, 0)
        return all(
            keeps(item, inner, schema["items"])
            for item, inner in zip_longest(value[start:], before[start:])
        )
    return fits(value, schema, definitions, is_whole=False)


def _grow_items(
    restorer: ItemsRestorer, value: list[Any], state: _State | None
) -> tuple[Any, _State]:
    restored: list[Any] = []
    inner = None
    if state is not None and state.restored:
        restored, inner = state.restored[:-1], state.inner
    for item in value[len(restored) :]:
        new, inner = _grow(restorer.item, item, inner)
        restored.append(new)
        last, inner = inner, None
    return restored, _State(restorer, value, restored, last if value else None)


def _grow_map(restorer: MapRestorer, value: list[Any], state: _State | None) -> tuple[Any, _State]:
    closed: dict[str, Any] = {} if state is None else state.restored
    inner = None if state is None else state.inner
    start = 0 if state is None else max(len(state.value) - 1, 0)
    shown = None
    for index, entry in enumerate(value[start:], start):
        if not isinstance(entry, dict) or VALUE not in entry:
            inner = None
            continue
        new, grown = _grow(restorer.item, entry[VALUE], inner)
        inner = None
        if index < len(value) - 1:
            closed[str(entry.get(KEY))] = new
        else:
            shown, inner = {**closed, str(entry.get(KEY)): new}, grown
    state = _State(restorer, value, closed, inner)
    return (closed.copy() if shown is None else shown), state


def _grow_fields(
    restorer: Restorer, fields: Mapping[str, Restorer], value: dict[str, Any], state: _State | None
) -> tuple[dict[str, Any], _State]:
    before: dict[str, Any] = {} if state is None else state.value
    inner = None if state is None else state.inner
    last = next(reversed(before), None)
    restored: dict[str, Any] = {}
    grown = None
    for key, item in value.items():
        if key in before and item is before[key] and state is not None and key != last:
            restored[key], grown = state.restored[key], None
        elif key in fields:
            restored[key], grown = _grow(fields[key], item, inner if key == last else None)
        else:
            restored[key], grown = item, None
    return restored, _State(restorer, value, restored, grown)
