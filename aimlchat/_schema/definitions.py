"""The ``$defs`` of a schema: types that refer to themselves, or that several others share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .nodes import NamedNode, Node

__all__ = ["Definitions", "build_schema"]

_REF = "#/$defs/"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


def build_schema(root: Node) -> dict[str, Any]:
    """Return the JSON schema of a type, with what it refers to under ``$defs``."""
    definitions = Definitions(root)
    schema = root.schema(definitions)
    return schema | {"$defs": definitions.schemas} if definitions.schemas else schema


class Definitions:
    """Collects the schemas that other schemas refer to, and names them.

    A type that is used once, and not by itself, is written where it is used: some models read
    references badly.

    Args:
        root: the type whose schema is made.
    """

    def __init__(self, root: Node) -> None:
        self.schemas: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._included: list[tuple[dict[str, Any], dict[str, str]]] = []
        seen: set[int] = set()
        self._shared: set[int] = set()
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                self._shared.add(id(node))
                continue
            if node.name is not None:
                seen.add(id(node))
            waiting.extend(node.children())

    def refer(self, node: NamedNode) -> dict[str, Any]:
        """Return the schema of a type, or a reference to it if it is shared."""
        if id(node) not in self._shared:
            return node.target.schema(self)
        name = self._names.get(id(node))
        if name is None:
            name = self._names[id(node)] = self._choose_name(node.name)
            self.schemas[name] = {}  # takes the name while the type refers to itself
            self.schemas[name] = node.target.schema(self)
        return {"$ref": _REF + name}

    def include(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a finished schema whose own ``$defs`` are moved here, and renamed where needed."""
        own: dict[str, Any] = schema.get("$defs", {})
        names = next((names for known, names in self._included if known == own), None)
        if names is None:
            names = {}
            self._included.append((own, names))
            for name in own:
                names[name] = self._choose_name(name)
                self.schemas[names[name]] = {}  # takes the name
            for name, definition in own.items():
                self.schemas[names[name]] = _rename(definition, names)
        rest = {key: item for key, item in schema.items() if key != "$defs"}
        renamed: dict[str, Any] = _rename(rest, names)
        return renamed

    def _choose_name(self, name: str) -> str:
        base = _NOT_IN_NAMES.sub("_", name).strip("_") or "Type"
        name, number = base, 1
        while name in self.schemas:
            number += 1
            name = f"{base}_{number}"
        return name


def _rename(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_rename(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    renamed = {key: _rename(item, names) for key, item in value.items()}
    reference = renamed.get("$ref")
    if isinstance(reference, str) and reference.startswith(_REF):
        renamed["$ref"] = _REF + names[reference.removeprefix(_REF)]
    return renamed
