"""The kinds of types, each of which makes its JSON schema and decodes JSON values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from .constraints import NO_CONSTRAINTS, Constraints
from .errors import OTHER_CONSTANT, DecodeError, describe_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "AnyNode",
    "ArrayNode",
    "ChoiceNode",
    "DescribedNode",
    "IntegerKeyNode",
    "MapNode",
    "NamedNode",
    "Node",
    "References",
    "TupleNode",
    "UnionNode",
]

# How the types of JSON schema are named in messages.
_WORDS = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "null": "null",
    "array": "an array",
    "object": "an object",
}


# Not longer than the integers that `int` reads.
_INTEGER = re.compile(r"-?[0-9]{1,4000}")


class References(Protocol):
    """Collects the schemas of types that other types refer to."""

    def refer(self, node: NamedNode) -> dict[str, Any]:
        """Return the schema of a type, or a reference to it."""

    def include(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a finished schema whose own ``$defs`` were moved."""


class Node:
    """A type: how JSON schema describes it, and how a value of it is decoded.

    Attributes:
        name: the name of a type that others can refer to, else None.
        rank: which of the types of a union is tried first; the lower, the earlier.
    """

    name: str | None = None
    rank: int = 0

    def schema(self, definitions: References) -> dict[str, Any]:
        """Return the JSON schema; what it refers to is added to the definitions."""
        raise NotImplementedError

    def decode(self, value: Any) -> Any:
        """Return the value of the type that a JSON value stands for.

        Raises `DecodeError` if it stands for none.
        """
        raise NotImplementedError

    def children(self) -> Iterable[Node]:
        """Return the types within this one."""
        return ()

    def json_types(self) -> frozenset[str]:
        """Return the types of JSON that its values have."""
        raise NotImplementedError

    def wanted(self) -> str:
        """Describe the expected value, for a message."""
        return " or ".join(_WORDS[name] for name in _WORDS if name in self.json_types())

    def refuse(self, value: Any) -> DecodeError:
        """Return the error for a value of another type."""
        return DecodeError(f"expected {self.wanted()}, got {describe_value(value)}")


def find_json_types(value: Any) -> tuple[str, ...]:
    """Return the types of JSON schema that a JSON value has; a whole number has two."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        is_whole = isinstance(value, int) or value.is_integer()
        return ("integer", "number") if is_whole else ("number",)
    kinds = {bool: "boolean", str: "string", list: "array", tuple: "array", type(None): "null"}
    return (next((kinds[kind] for kind in kinds if isinstance(value, kind)), "object"),)


@attrs.frozen(eq=False)
class AnyNode(Node):
    """Any JSON value, which stays as it is."""

    rank = 9

    def schema(self, _: References) -> dict[str, Any]:
        return {}

    def decode(self, value: Any) -> Any:
        return value

    def json_types(self) -> frozenset[str]:
        return frozenset(_WORDS)


@attrs.frozen(eq=False)
class ChoiceNode(Node):
    """One of several JSON values, each of which stands for a value: ``Literal`` and ``Enum``.

    Attributes:
        choices: pairs of a JSON value, which is not an array or object, and the value it stands
            for.
    """

    choices: tuple[tuple[Any, Any], ...]
    rank = -1

    def schema(self, _: References) -> dict[str, Any]:
        types = sorted(self.json_types())
        kind = types[0] if len(types) == 1 else types
        return {"type": kind, "enum": [value for value, _ in self.choices]}

    def decode(self, value: Any) -> Any:
        for choice, decoded in self.choices:
            # JSON tells true from 1, and Python does not; to JSON schema 1.0 is 1, though.
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return decoded
        distance = OTHER_CONSTANT if len(self.choices) == 1 else 1
        raise DecodeError(self.refuse(value).reason, distance=distance)

    def json_types(self) -> frozenset[str]:
        return frozenset(find_json_types(value)[0] for value, _ in self.choices)

    def wanted(self) -> str:
        described = [describe_value(value) for value, _ in self.choices]
        return described[0] if len(described) == 1 else f"one of {', '.join(described)}"


@attrs.frozen(eq=False)
class ArrayNode(Node):
    """An array whose items are of one type.

    Attributes:
        item: that type.
        build: makes the collection from the decoded items.
        unique: whether the collection keeps equal items once.
    """

    item: Node
    build: Callable[[list[Any]], Any]
    constraints: Constraints = NO_CONSTRAINTS
    unique: bool = False

    def schema(self, definitions: References) -> dict[str, Any]:
        schema = {"type": "array", "items": self.item.schema(definitions)}
        unique = {"uniqueItems": True} if self.unique else {}
        return schema | unique | self.constraints.keywords("array")

    def decode(self, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise self.refuse(value)
        items = []
        for index, item in enumerate(value):
            try:
                items.append(self.item.decode(item))
            except DecodeError as error:
                raise error.inside(f"[{index}]") from error.__cause__  # noqa: EM102 - a path
        try:
            collection = self.build(items)
        except TypeError as error:  # a set of dicts
            msg = f"its items cannot be in a set: {error}"
            raise DecodeError(msg) from error
        if self.unique and len(collection) < len(items):
            msg = "expected items that differ from each other, and two of them are equal"
            raise DecodeError(msg)
        self.constraints.check(collection, "array")
        return collection

    def children(self) -> Iterable[Node]:
        return (self.item,)

    def json_types(self) -> frozenset[str]:
        return frozenset(["array"])


@attrs.frozen(eq=False)
class TupleNode(Node):
    """An array of a fixed length, each of whose items has a type of its own."""

    items: tuple[Node, ...]

    def schema(self, definitions: References) -> dict[str, Any]:
        count = len(self.items)
        items = [item.schema(definitions) for item in self.items]
        schema: dict[str, Any] = {"type": "array", "minItems": count, "maxItems": count}
        # An empty prefixItems is not valid.
        return schema | ({"prefixItems": items, "items": False} if items else {})

    def decode(self, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise self.refuse(value)
        if len(value) != len(self.items):
            msg = f"expected an array of {len(self.items)} items, got {len(value)}"
            raise DecodeError(msg)
        decoded = []
        for index, (node, item) in enumerate(zip(self.items, value, strict=True)):
            try:
                decoded.append(node.decode(item))
            except DecodeError as error:
                raise error.inside(f"[{index}]") from error.__cause__  # noqa: EM102 - a path
        return tuple(decoded)

    def children(self) -> Iterable[Node]:
        return self.items

    def json_types(self) -> frozenset[str]:
        return frozenset(["array"])


@attrs.frozen(eq=False)
class MapNode(Node):
    """An object with any keys, whose values are of one type.

    Attributes:
        key: the type of the keys.
        item: the type of the values.
        build: makes the mapping from a dict.
    """

    key: Node
    item: Node
    build: Callable[[dict[Any, Any]], Any]
    constraints: Constraints = NO_CONSTRAINTS
    rank = 1  # after classes, whose keys are known

    def schema(self, definitions: References) -> dict[str, Any]:
        names = {key: item for key, item in self.key.schema(definitions).items() if key != "type"}
        schema = {"type": "object", "additionalProperties": self.item.schema(definitions)}
        restriction = {"propertyNames": names} if names else {}
        return schema | restriction | self.constraints.keywords("object")

    def decode(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise self.refuse(value)
        decoded = {}
        for key, item in value.items():
            try:
                decoded[self.key.decode(key)] = self.item.decode(item)
            except DecodeError as error:
                raise error.inside(str(key)) from error.__cause__
        self.constraints.check(decoded, "object")
        return self.build(decoded)

    def children(self) -> Iterable[Node]:
        return (self.key, self.item)

    def json_types(self) -> frozenset[str]:
        return frozenset(["object"])


@attrs.frozen(eq=False)
class IntegerKeyNode(Node):
    """The key of an object that stands for an integer."""

    inner: Node

    def schema(self, definitions: References) -> dict[str, Any]:
        choices = self.inner.schema(definitions).get("enum")
        if choices is not None:
            return {"type": "string", "enum": [str(choice) for choice in choices]}
        return {"type": "string", "pattern": "^-?[0-9]+$"}

    def decode(self, value: Any) -> Any:
        if not isinstance(value, str) or not _INTEGER.fullmatch(value):
            raise self.refuse(value)
        return self.inner.decode(int(value))

    def json_types(self) -> frozenset[str]:
        return frozenset(["string"])

    def wanted(self) -> str:
        return "an integer as a string"


@attrs.frozen(eq=False)
class UnionNode(Node):
    """One of several types; the first that a value fits, in an order that loses nothing."""

    members: tuple[Node, ...]

    def schema(self, definitions: References) -> dict[str, Any]:
        return {"anyOf": [member.schema(definitions) for member in self.members]}

    def decode(self, value: Any) -> Any:
        types = find_json_types(value)
        candidates = [
            member for member in self.members if not member.json_types().isdisjoint(types)
        ]
        errors = []
        for member in sorted(candidates, key=lambda member: member.rank):
            try:
                return member.decode(value)
            except DecodeError as error:
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        nearest = min(errors, key=lambda error: error.distance, default=None)
        if nearest is not None and nearest.path:  # of objects and arrays it says more
            raise nearest
        raise self.refuse(value)

    def children(self) -> Iterable[Node]:
        return self.members

    def json_types(self) -> frozenset[str]:
        return frozenset().union(*(member.json_types() for member in self.members))

    def wanted(self) -> str:
        return " or ".join(dict.fromkeys(member.wanted() for member in self.members))


@attrs.define(eq=False)
class NamedNode(Node):
    """A type that has a name, and that other types, and itself, can refer to.

    Attributes:
        target: the type; set when it is known, since it may contain this one.
    """

    name: str
    target: Node = attrs.field(factory=AnyNode)

    @property
    def rank(self) -> int:  # type: ignore[override]
        """The rank of the type."""
        return self.target.rank

    def schema(self, definitions: References) -> dict[str, Any]:
        return definitions.refer(self)

    def decode(self, value: Any) -> Any:
        return self.target.decode(value)

    def children(self) -> Iterable[Node]:
        return (self.target,)

    def json_types(self) -> frozenset[str]:
        return self.target.json_types()

    def wanted(self) -> str:
        return self.target.wanted()


@attrs.frozen(eq=False)
class DescribedNode(Node):
    """A type with annotations, such as its description."""

    inner: Node
    keywords: Mapping[str, Any]
    rank: int = attrs.field(init=False)

    @rank.default
    def _take_rank(self) -> int:
        return self.inner.rank

    def schema(self, definitions: References) -> dict[str, Any]:
        return {**self.inner.schema(definitions), **self.keywords}

    def decode(self, value: Any) -> Any:
        return self.inner.decode(value)

    def children(self) -> Iterable[Node]:
        return (self.inner,)

    def json_types(self) -> frozenset[str]:
        return self.inner.json_types()

    def wanted(self) -> str:
        return self.inner.wanted()
