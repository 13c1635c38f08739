"""JSON schemas in the subset that vendors enforce, and the way back to the original form.

In the subset all objects are closed, all their keys are required, the outermost value is an object,
and many keywords are missing. Whatever else a schema says is put into descriptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .errors import SchemaError, join_path
from .growing_restore import GrowingRestorer
from .nodes import find_json_types
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
    UnwrappingRestorer,
)
from .subsets import OPENAI, Subset, check_limits, describe_keywords

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RewrittenSchema", "rewrite_strictly", "wrap_root"]

_WRAPPER = "value"
_NOTHING = Restorer()
_NULL = {"type": "null"}
# The keywords that the rewriting itself reads.
_OF_VALUES = frozenset(("type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"))
_OF_CONTENTS = frozenset(
    ("properties", "required", "additionalProperties", "propertyNames", "items", "prefixItems")
)
_STRUCTURE = _OF_VALUES | _OF_CONTENTS | {"title", "description", "$defs", "definitions"}
_UNION_WORDS = frozenset(("anyOf", "oneOf", "title", "description"))
_UNCLEAR = frozenset(("patternProperties", "not", "if", "dependentSchemas", "dependentRequired"))


@attrs.frozen
class RewrittenSchema:
    """A schema that can be sent, and the way back.

    Attributes:
        schema: a JSON schema of type ``object``.
        is_strict: whether it is in the subset that vendors enforce.
        wrapper: the one key of the object around a value that is not an object itself; None if the
            value is not wrapped.
    """

    schema: dict[str, Any]
    is_strict: bool
    wrapper: str | None
    _restorer: Restorer

    def restore(self, value: Any) -> Any:
        """Return the value of the original schema for a value of this schema.

        Args:
            value: a JSON value, which is not changed. It may be a part of a value that still grows:
                keys and items that have not arrived yet are missing in the result.
        """
        return self._restorer.restore(value)

    def grow(self) -> GrowingRestorer:
        """Return what restores the drafts of one value, which are already unwrapped."""
        restorer = self._restorer
        inner = restorer.inner if isinstance(restorer, UnwrappingRestorer) else restorer
        return GrowingRestorer(inner)


def rewrite_strictly(schema: Mapping[str, Any], subset: Subset = OPENAI) -> RewrittenSchema:
    """Rewrite a JSON schema into the subset that a vendor enforces.

    Optional keys become nullable and required, mappings become arrays of entries, tuples become
    objects, and a value that is not an object is put into one.

    Raises:
        SchemaError: the subset cannot express the schema, such as one that allows any value.
    """
    rewriter = _Rewriter(dict(schema), subset)
    try:
        root, restorer = rewriter.rewrite(rewriter.inline_root(), "")
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise SchemaError(msg) from error
    wrapper = None if root.get("type") == "object" else _WRAPPER
    if wrapper is not None:
        root = _object({wrapper: root})
        restorer = UnwrappingRestorer(wrapper, restorer)
    if rewriter.definitions:
        root = root | {"$defs": rewriter.definitions}
    check_limits(root)
    return RewrittenSchema(root, True, wrapper, restorer)  # noqa: FBT003 - is_strict


def wrap_root(schema: Mapping[str, Any]) -> RewrittenSchema:
    """Return a JSON schema as that of an object, as the parameters of a tool have to be.

    A union, an array or a scalar is put into an object; any other schema stays as it is.
    """
    rewriter = _Rewriter(dict(schema), OPENAI)
    root = rewriter.inline_root()
    definitions = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    is_object = root.get("type", "object") == "object" and ("type" in root or "properties" in root)
    if is_object and not root.keys() & {"anyOf", "oneOf", "allOf"}:
        whole = {"type": "object"} | root | definitions
        return RewrittenSchema(whole, False, None, _NOTHING)  # noqa: FBT003 - is_strict
    inner = {key: item for key, item in schema.items() if key not in definitions}
    wrapped = _object({_WRAPPER: inner}) | definitions
    restorer = UnwrappingRestorer(_WRAPPER, _NOTHING)
    return RewrittenSchema(wrapped, False, _WRAPPER, restorer)  # noqa: FBT003 - is_strict


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


class _Rewriter:
    """Rewrites one schema, and collects what it refers to."""

    def __init__(self, root: dict[str, Any], subset: Subset) -> None:
        self.definitions: dict[str, Any] = {}
        self._restorers: dict[str, Restorer] = {}
        self._names: dict[str, str] = {}
        self._root = root
        self._subset = subset

    def inline_root(self) -> dict[str, Any]:
        """Return the outermost schema, instead of a reference to a definition."""
        root, seen = self._root, set()
        while isinstance(root.get("$ref"), str) and root["$ref"] not in seen:
            seen.add(root["$ref"])
            words = {key: root[key] for key in ("title", "description") if key in root}
            root = self._follow(root["$ref"], "") | words
        return {key: item for key, item in root.items() if key not in ("$defs", "definitions")}

    def _follow(self, reference: Any, path: str) -> dict[str, Any]:
        target: Any = self._root
        if not isinstance(reference, str) or not reference.startswith("#"):
            msg = f"{reference!r} refers to another document"
            raise SchemaError(msg, path)
        for step in reference.split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, dict) else None
        if not isinstance(target, dict):
            msg = f"{reference!r} refers to nothing"
            raise SchemaError(msg, path)
        return target

    def rewrite(self, schema: Any, path: str) -> tuple[dict[str, Any], Restorer]:
        """Return a rewritten schema, and its way back."""
        if not isinstance(schema, dict) or schema.keys() & _UNCLEAR:
            msg = "a strict schema cannot say what is valid here"
            raise SchemaError(msg, path)
        if "$ref" in schema:
            return self._refer(schema, path)
        if "allOf" in schema:
            return self.rewrite(self._merge(schema, path), path)
        members = schema.get("anyOf", schema.get("oneOf"))
        if members is not None:
            return self._rewrite_union(schema, members, path)
        kinds = _find_types(schema)
        if len(kinds) != 1:
            return self._rewrite_types(schema, kinds, path)
        kind = kinds[0]
        has_choices = "enum" in schema or "const" in schema
        if kind in ("object", "array"):
            if has_choices:
                msg = "it has objects or arrays as choices, which a strict schema cannot say"
                raise SchemaError(msg, path)
            build = self._rewrite_object if kind == "object" else self._rewrite_array
            return build(schema, path)
        rewritten: dict[str, Any] = {"type": kind}
        if has_choices and kind != "null":
            rewritten["enum"] = schema.get("enum", [schema.get("const")])
        return self._add_keywords(rewritten, schema), _NOTHING

    def _add_keywords(self, rewritten: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
        """Add the keywords that the subset has, and put the others into the description."""
        kind, unsent = rewritten.get("type", ""), {}
        for keyword, value in schema.items():
            if keyword in _STRUCTURE or keyword in rewritten:
                continue
            if self._subset.takes(kind, keyword, value):
                rewritten[keyword] = value
            else:
                unsent[keyword] = value
        description = describe_keywords(schema.get("description"), unsent)
        words = {"title": schema.get("title"), "description": description}
        return {key: text for key, text in words.items() if text} | rewritten

    def _refer(self, schema: dict[str, Any], path: str) -> tuple[dict[str, Any], Restorer]:
        reference = schema["$ref"]
        others = {key: item for key, item in schema.items() if key != "$ref"}
        if others.keys() & _STRUCTURE - {"title", "description"}:
            return self.rewrite({"allOf": [{"$ref": reference}, others]}, path)
        if reference not in self._names:
            target = self._follow(reference, path)
            base = str(reference).rpartition("/")[2].strip("#") or "Root"
            name, number = base, 1
            while name in self.definitions:
                number += 1
                name = f"{base}_{number}"
            self._names[reference] = name
            self.definitions[name] = {}  # takes the name while the definition refers to itself
            own = {key: item for key, item in target.items() if key not in ("$defs", "definitions")}
            rewritten, restorer = self.rewrite(own, path)
            self.definitions[name], self._restorers[name] = rewritten, restorer
        name = self._names[reference]
        restorer = ReferenceRestorer(self._restorers, name)
        rewritten = {"$ref": f"#/$defs/{name}"}
        with_words = self._add_keywords({}, others)
        # A reference stands alone in the subset.
        return ({"anyOf": [rewritten]} | with_words if with_words else rewritten), restorer

    def _merge(self, schema: dict[str, Any], path: str) -> dict[str, Any]:
        """Return a schema with the parts of its ``allOf`` in it; they may not contradict."""
        merged = {key: item for key, item in schema.items() if key != "allOf"}
        parts = [
            self._follow(part["$ref"], path) | {k: v for k, v in part.items() if k != "$ref"}
            if isinstance(part, dict) and "$ref" in part and len(schema["allOf"]) > 1
            else part
            for part in schema["allOf"]
        ]
        for part in parts:
            for key, item in part.items() if isinstance(part, dict) else ():
                known: Any = merged.get(key, item)
                if key == "properties":
                    merged[key] = {**known, **item}
                elif key == "required":
                    merged[key] = list(dict.fromkeys([*known, *item]))
                elif key not in ("title", "description") and known != item:
                    msg = f"the parts of its allOf say different things about {key}"
                    raise SchemaError(msg, path)
                else:
                    merged[key] = known
        return merged

    def _rewrite_union(
        self, schema: dict[str, Any], members: list[Any], path: str
    ) -> tuple[dict[str, Any], Restorer]:
        # Keywords about the structure next to the members apply to each of them.
        shared = {key: item for key, item in schema.items() if key in _STRUCTURE - _UNION_WORDS}
        words = {key: item for key, item in schema.items() if key not in shared}
        rewritten = [
            self.rewrite(shared | member if isinstance(member, dict) else member, path)
            for member in members
        ]
        return self._join(rewritten, words)

    def _rewrite_types(
        self, schema: dict[str, Any], kinds: list[str], path: str
    ) -> tuple[dict[str, Any], Restorer]:
        """Rewrite a schema that names several types, as a union of them."""
        if not kinds:
            msg = "it takes any JSON value, which a strict schema cannot say"
            raise SchemaError(msg, path)
        names = ("title", "description", "default", "examples")
        words: dict[str, Any] = {key: schema[key] for key in names if key in schema}
        rewritten = []
        for kind in kinds:
            member = {key: item for key, item in schema.items() if key not in words}
            member["type"] = kind
            if "enum" in member:
                member["enum"] = [item for item in member["enum"] if _is_of_type(item, kind)]
                if not member["enum"]:
                    continue
            rewritten.append(self.rewrite(member, path))
        return self._join(rewritten, words)

    def _join(
        self, members: list[tuple[dict[str, Any], Restorer]], words: dict[str, Any]
    ) -> tuple[dict[str, Any], Restorer]:
        flat: list[tuple[dict[str, Any], Restorer]] = []
        for member, restorer in members:
            if member.keys() == {"anyOf"} and isinstance(restorer, UnionRestorer):
                flat += restorer.members
            elif member.keys() == {"anyOf"} and restorer is _NOTHING:
                flat += [(inner, _NOTHING) for inner in member["anyOf"]]
            elif member not in [other for other, _ in flat]:
                flat.append((member, restorer))
        if len(flat) == 1 and not words:
            return flat[0]
        joined = self._add_keywords({"anyOf": [member for member, _ in flat]}, words)
        if all(restorer is _NOTHING for _, restorer in flat):
            return joined, _NOTHING
        return joined, UnionRestorer(tuple(flat), self.definitions)

    def _rewrite_object(self, schema: dict[str, Any], path: str) -> tuple[dict[str, Any], Restorer]:
        properties: dict[str, Any] = schema.get("properties", {})
        further = schema.get("additionalProperties", False if "properties" in schema else {})
        if further is not False:
            if properties:
                msg = "it takes keys that are not named, which a strict schema cannot say"
                raise SchemaError(msg, path)
            return self._rewrite_map(schema, further, path)
        required = schema.get("required", ())
        rewritten, fields, nullable = {}, {}, set()
        for name, item in properties.items():
            new, restorer = self.rewrite(item, join_path(path, name))
            if name not in required and not self._takes_null(item):
                names = ("title", "description")
                words: dict[str, Any] = {key: new[key] for key in names if key in new}
                bare = {key: value for key, value in new.items() if key not in words}
                new, restorer = self._join([(bare, restorer), (_NULL, _NOTHING)], words)
                nullable.add(name)
            rewritten[name] = new
            if restorer is not _NOTHING:
                fields[name] = restorer
        is_changed = fields or nullable
        return (
            self._add_keywords(_object(rewritten), schema),
            FieldsRestorer(fields, frozenset(nullable)) if is_changed else _NOTHING,
        )

    def _takes_null(self, schema: Any, seen: frozenset[str] = frozenset()) -> bool:
        """Return whether null is a value of an original schema."""
        if "$ref" in schema:
            reference = schema["$ref"]
            target = self._follow(reference, "")
            return reference not in seen and self._takes_null(target, seen | {reference})
        members = schema.get("anyOf", schema.get("oneOf"))
        if members is not None:
            return any(self._takes_null(member, seen) for member in members)
        return "null" in _find_types(schema) and None in schema.get("enum", (None,))

    def _rewrite_map(
        self, schema: dict[str, Any], further: Any, path: str
    ) -> tuple[dict[str, Any], Restorer]:
        """Rewrite a mapping as an array of entries."""
        item, restorer = self.rewrite({} if further is True else further, f"{path}{{}}")
        names = {"type": "string"} | schema.get("propertyNames", {})
        key, _ = self.rewrite(names, f"{path}{{}}")
        rewritten = {"type": "array", "items": _object({KEY: key, VALUE: item})}
        renamed = {"minProperties": "minItems", "maxProperties": "maxItems"}
        words = {renamed.get(keyword, keyword): value for keyword, value in schema.items()}
        return self._add_keywords(rewritten, words), MapRestorer(restorer)

    def _rewrite_array(self, schema: dict[str, Any], path: str) -> tuple[dict[str, Any], Restorer]:
        prefix = schema.get("prefixItems")
        if prefix:
            return self._rewrite_tuple(schema, prefix, path)
        if schema.get("maxItems") == 0:
            return self._add_keywords({"type": "array", "items": _NULL}, schema), _NOTHING
        item, restorer = self.rewrite(schema.get("items", {}), f"{path}[]")
        rewritten = self._add_keywords({"type": "array", "items": item}, schema)
        return rewritten, _NOTHING if restorer is _NOTHING else ItemsRestorer(restorer)

    def _rewrite_tuple(
        self, schema: dict[str, Any], prefix: list[Any], path: str
    ) -> tuple[dict[str, Any], Restorer]:
        """Rewrite an array whose items have types of their own, as an object."""
        count = len(prefix)
        is_closed = schema.get("items") is False or schema.get("maxItems") == count
        if not is_closed or schema.get("minItems", 0) != count:
            msg = "it takes arrays of different lengths, which a strict schema cannot say"
            raise SchemaError(msg, path)
        properties, restorers = {}, {}
        for index, item in enumerate(prefix):
            name = f"item_{index + 1}"
            properties[name], restorers[name] = self.rewrite(item, f"{path}[{index}]")
        words = {key: item for key, item in schema.items() if key not in ("minItems", "maxItems")}
        return self._add_keywords(_object(properties), words), TupleRestorer(restorers)


def _is_of_type(value: Any, kind: str) -> bool:
    return kind in find_json_types(value)


def _find_types(schema: dict[str, Any]) -> list[str]:
    """Return the types that a schema names, or that its keywords imply."""
    kinds = schema.get("type")
    if isinstance(kinds, str):
        return [kinds]
    if isinstance(kinds, list):
        # Every integer is a number as well.
        return [kind for kind in kinds if kind != "integer" or "number" not in kinds]
    if "const" in schema:
        return [find_json_types(schema["const"])[0]]
    if "enum" in schema:
        return list(dict.fromkeys(find_json_types(item)[0] for item in schema["enum"]))
    if schema.keys() & {"properties", "additionalProperties", "required"}:
        return ["object"]
    return ["array"] if schema.keys() & {"items", "prefixItems"} else []
