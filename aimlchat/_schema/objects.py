"""Objects with known keys: classes with fields, and the parameters of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .errors import OTHER_CONSTANT, DecodeError, describe_raised, describe_value, join_errors
from .nodes import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .nodes import References

__all__ = ["ObjectField", "ObjectNode"]


@attrs.frozen(eq=False)
class ObjectField:
    """A key of an object, and the argument of the constructor that it stands for.

    Attributes:
        name: the key in JSON.
        argument: the name of the argument.
        node: the type.
        required: whether the key has to be there.
        keywords: further keywords of the schema: ``description``, ``default``.
    """

    name: str
    argument: str
    node: Node
    required: bool
    keywords: Mapping[str, Any] = attrs.field(factory=dict)

    def is_given(self, value: dict[str, Any]) -> bool:
        """Return whether an object has the key; a null may stand for one that is left out."""
        if self.name not in value:
            return False
        is_null = value[self.name] is None
        return not is_null or self.required or "null" in self.node.json_types()


@attrs.frozen(eq=False)
class ObjectNode(Node):
    """An object with known keys.

    Attributes:
        fields: the keys.
        build: makes the value from the decoded arguments by name; any exception means that the
            value is invalid.
        tag: a key and its constant value, which tells the classes of a union apart.
        description: the description of the class.
        rest: the type of further keys; None if there may be none.
    """

    fields: tuple[ObjectField, ...]
    build: Callable[[dict[str, Any]], Any]
    tag: tuple[str, str | int] | None = None
    description: str | None = None
    rest: Node | None = None

    def schema(self, definitions: References) -> dict[str, Any]:
        """Return the JSON schema, which is closed unless further keys are allowed."""
        description = {} if self.description is None else {"description": self.description}
        properties = {}
        if self.tag is not None:
            kind = "string" if isinstance(self.tag[1], str) else "integer"
            properties[self.tag[0]] = {"type": kind, "enum": [self.tag[1]]}
        for field in self.fields:
            properties[field.name] = {**field.node.schema(definitions), **field.keywords}
        required = [] if self.tag is None else [self.tag[0]]
        required += [field.name for field in self.fields if field.required]
        return {
            "type": "object",
            **description,
            "properties": properties,
            **({"required": required} if required else {}),
            "additionalProperties": self.rest is not None and self.rest.schema(definitions),
        }

    def decode(self, value: Any) -> Any:
        """Return the instance that the class makes from the decoded fields."""
        arguments = self.decode_arguments(value)
        try:
            return self.build(arguments)
        except Exception as error:  # a validator may raise anything
            raise DecodeError(describe_raised(error)) from error

    def decode_arguments(self, value: Any) -> dict[str, Any]:
        """Return the decoded fields by the names of the arguments.

        If the type of a field has no null, a null counts as left out: models that have to write all
        keys leave a field out in this way. The error lists every problem, since a model corrects
        all of them at once.
        """
        if not isinstance(value, dict):
            raise self.refuse(value)
        arguments: dict[str, Any] = {}
        errors = [*self._check_tag(value)]
        for name, argument, node in self._find_given(value, errors):
            try:
                arguments[argument] = node.decode(value[name])
            except DecodeError as error:
                errors.append(error.inside(name))
        if errors:
            raise join_errors(errors)
        return arguments

    def _check_tag(self, value: dict[str, Any]) -> Iterator[DecodeError]:
        if self.tag is None:
            return
        name, wanted = self.tag
        if name not in value:
            yield DecodeError(f"it is missing; expected {describe_value(wanted)}", name)
        elif value[name] != wanted:
            msg = f"expected {describe_value(wanted)}, got {describe_value(value[name])}"
            yield DecodeError(msg, name, distance=OTHER_CONSTANT)

    def _find_given(
        self, value: dict[str, Any], errors: list[DecodeError]
    ) -> Iterator[tuple[str, str, Node]]:
        """Yield the key, the argument and the type of each field that an object has.

        A key that is missing, or that is not known, is added to the errors.
        """
        unknown = dict.fromkeys(value)
        if self.tag is not None:
            unknown.pop(self.tag[0], None)
        for field in self.fields:
            unknown.pop(field.name, None)
            if field.is_given(value):
                yield field.name, field.argument, field.node
            elif field.required:
                msg = f"it is missing; expected {field.node.wanted()}"
                errors.append(DecodeError(msg, field.name))
        for name in unknown:
            if self.rest is not None:
                yield name, name, self.rest
            else:
                names = ", ".join(field.name for field in self.fields) or "none"
                errors.append(DecodeError(f"there is no such key; the keys are: {names}", name))

    def children(self) -> Iterable[Node]:
        """Return the types of the fields."""
        rest = () if self.rest is None else (self.rest,)
        return (*(field.node for field in self.fields), *rest)

    def json_types(self) -> frozenset[str]:
        """Return the one type of JSON."""
        return frozenset(["object"])
