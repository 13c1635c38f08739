"""Types in annotations to the nodes that describe and decode them."""

from __future__ import annotations

import collections
import dataclasses
import enum
import inspect
import types
import typing
from collections import abc
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec

from .class_fields import MISSING, ClassField, read_fields, substitute
from .constraints import NO_CONSTRAINTS, Constraints, read_metadata
from .docstrings import read_docstring
from .errors import SchemaError
from .foreign import PydanticNode, is_pydantic_model
from .nodes import (
    AnyNode,
    ArrayNode,
    ChoiceNode,
    DescribedNode,
    IntegerKeyNode,
    MapNode,
    NamedNode,
    Node,
    TupleNode,
    UnionNode,
)
from .objects import ObjectField, ObjectNode
from .scalars import SCALARS, ScalarNode, TextNode

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NodeBuilder", "encode_default"]

_LISTS: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    abc.Sequence: list,
    abc.MutableSequence: list,
    abc.Collection: list,
    abc.Iterable: list,
    abc.Reversible: list,
    abc.Container: list,
    collections.deque: collections.deque,
    set: set,
    abc.Set: set,
    abc.MutableSet: set,
    frozenset: frozenset,
}
_SETS = (set, frozenset, abc.Set, abc.MutableSet)
_MAPS: dict[Any, Callable[[dict[Any, Any]], Any]] = {
    dict: dict,
    abc.Mapping: dict,
    abc.MutableMapping: dict,
    collections.OrderedDict: collections.OrderedDict,
}
# Wrappers that say nothing about the values.
_TRANSPARENT = ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar")
_ADVICE = (
    "annotate it with builtin types, Literal, Enum, dates, Decimal, UUID, dataclasses, attrs"
    " classes, msgspec structs, TypedDict, NamedTuple or pydantic models"
)


def encode_default(value: Any, node: Node) -> Any:
    """Return a default as a JSON value, or `MISSING` if it has no place in the schema.

    None has none: it means that the argument is left out. Neither has a value that the type does
    not accept, or decodes to another value, such as a sentinel.
    """
    if value is MISSING or value is None:
        return MISSING
    try:
        encoded = _encode(value)
        is_same = bool(_encode(node.decode(encoded)) == encoded)
    except Exception:  # noqa: BLE001 - the methods of the default may raise anything
        return MISSING
    return encoded if is_same else MISSING


def _encode(value: Any) -> Any:
    """Return a value as JSON has it; raises a `TypeError` if JSON cannot hold it."""
    if is_pydantic_model(type(value)):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    # The encoder refuses what JSON cannot hold, such as a set of objects without an order.
    text = msgspec.json.encode(value, order="deterministic", enc_hook=_encode_path)
    return msgspec.json.decode(text)


def _encode_path(value: Any) -> str:
    if isinstance(value, PurePath):
        return str(value)
    msg = f"{type(value).__name__} is not a JSON value"
    raise TypeError(msg)


class NodeBuilder:
    """Makes nodes of types; a type that occurs again, also within itself, gets the same node."""

    def __init__(self) -> None:
        self._named: dict[Any, NamedNode] = {}

    def build(self, annotation: Any, constraints: Constraints = NO_CONSTRAINTS) -> Node:
        """Return the node of a type, whose values have the given limits.

        Raises `SchemaError` for a type that JSON schema cannot describe.
        """
        node, known = self._build(annotation, constraints)
        constraints.refuse_unknown(known, describe_type(annotation))
        return node

    def _build(self, annotation: Any, constraints: Constraints) -> tuple[Node, set[str]]:
        """Return the node, and the names of the limits that apply to it."""
        if annotation is Any or annotation is object:
            return AnyNode(), set()
        annotation = _unwrap(annotation)
        scalar = SCALARS.get(annotation) if _is_hashable(annotation) else None
        if scalar is not None:
            return ScalarNode(scalar, constraints), constraints.known_to(scalar.kind)
        origin = typing.get_origin(annotation) or annotation
        arguments = typing.get_args(annotation)
        return self._build_form(annotation, origin, arguments, constraints)

    def _build_form(
        self, annotation: Any, origin: Any, arguments: tuple[Any, ...], constraints: Constraints
    ) -> tuple[Node, set[str]]:
        """Return the node of a type that is not a scalar."""
        if annotation is Any:
            return AnyNode(), set()
        if hasattr(origin, "__value__"):
            return self._build_alias(annotation, origin, arguments, constraints)
        if hasattr(annotation, "__metadata__"):
            return self._build_annotated(annotation, constraints)
        if origin in (typing.Union, types.UnionType):
            return self._build_union(arguments, constraints)
        if origin is typing.Literal:
            return _build_literal(arguments), set()
        return self._build_class(annotation, origin, arguments, constraints)

    def _build_alias(
        self, annotation: Any, origin: Any, arguments: tuple[Any, ...], constraints: Constraints
    ) -> tuple[Node, set[str]]:
        """Return the node of a ``type`` alias, which may refer to itself."""
        value = origin.__value__
        given = dict(zip(origin.__type_params__, arguments, strict=False))
        if constraints.limits:  # of one use of the alias
            return self._build(substitute(value, given), constraints)
        return self._name(
            annotation, origin.__name__, lambda: self.build(substitute(value, given))
        ), set()

    def _build_annotated(self, annotation: Any, constraints: Constraints) -> tuple[Node, set[str]]:
        read = read_metadata(annotation.__metadata__)
        inner = read.constraints | constraints
        node, known = self._build(annotation.__origin__, inner)
        read.constraints.refuse_unknown(known, describe_type(annotation.__origin__))
        return (DescribedNode(node, read.keywords) if read.keywords else node), known

    def _build_union(
        self, members: tuple[Any, ...], constraints: Constraints
    ) -> tuple[Node, set[str]]:
        """Return the node of a union; each limit has to apply to one of its members."""
        nodes, known = [], set()
        for member in members:
            if member is msgspec.UnsetType:  # the default of a field that is left out
                continue
            node, known_to_member = self._build(member, constraints)
            nodes.append(node)
            known |= known_to_member
        return (nodes[0] if len(nodes) == 1 else UnionNode(tuple(nodes))), known

    def _build_class(
        self, annotation: Any, origin: Any, arguments: tuple[Any, ...], constraints: Constraints
    ) -> tuple[Node, set[str]]:
        if not _is_hashable(origin):
            msg = f"{describe_type(annotation)} is not a type; {_ADVICE}"
            raise SchemaError(msg)
        if origin in _LISTS:
            item = self._item(arguments[0] if arguments else Any, "[]")
            node: Node = ArrayNode(item, _LISTS[origin], constraints, unique=origin in _SETS)
            return node, constraints.known_to("array")
        if origin in _MAPS:
            key, item = arguments or (str, Any)
            node = MapNode(
                _build_key(self.build(key)), self._item(item, "{}"), _MAPS[origin], constraints
            )
            return node, constraints.known_to("object")
        if origin is tuple:
            return self._build_tuple(annotation, arguments, constraints)
        if isinstance(origin, type) and issubclass(origin, enum.Enum):
            return _build_enum(origin), set()
        if is_pydantic_model(origin):
            return self._name(
                annotation, origin.__name__, lambda: PydanticNode.of(annotation)
            ), set()
        if annotation is MISSING or annotation is inspect.Parameter.empty:
            msg = f"it has no annotation; {_ADVICE}"
            raise SchemaError(msg)
        fields = read_fields(annotation)
        if fields is None:
            msg = f"{describe_type(annotation)} cannot be a JSON schema; {_ADVICE}"
            raise SchemaError(msg)
        name = "_".join([origin.__name__, *map(describe_type, arguments)])
        return self._name(annotation, name, lambda: self._build_object(origin, fields)), set()

    def _item(self, annotation: Any, path: str) -> Node:
        try:
            return self.build(annotation)
        except SchemaError as error:
            raise error.inside(path) from error.__cause__

    def _build_tuple(
        self, annotation: Any, arguments: tuple[Any, ...], constraints: Constraints
    ) -> tuple[Node, set[str]]:
        if annotation in (tuple, typing.Tuple) or (arguments and arguments[-1] is ...):  # noqa: UP006
            item = self._item(arguments[0] if arguments else Any, "[]")
            return ArrayNode(item, tuple, constraints), constraints.known_to("array")
        items = [self._item(item, f"[{index}]") for index, item in enumerate(arguments)]
        return TupleNode(tuple(items)), set()

    def _name(self, key: Any, name: str, build: Callable[[], Node]) -> NamedNode:
        node = self._named.get(key)
        if node is None:
            node = self._named[key] = NamedNode(name)
            node.target = build()
        return node

    def _build_object(self, origin: Any, fields: list[ClassField]) -> ObjectNode:
        documented = read_docstring(_own_docstring(origin))
        config = getattr(origin, "__struct_config__", None)
        tag = None if config is None or config.tag is None else (config.tag_field, config.tag)
        built = [
            self.build_field(
                field.name,
                field.argument,
                field.annotation,
                field.default,
                field.description or documented.parameters.get(field.argument),
                required=field.required,
                keeps_text=field.keeps_text,
            )
            for field in fields
        ]
        return ObjectNode(
            tuple(built),
            lambda arguments: origin(**arguments),
            tag,
            documented.description,
        )

    def build_field(
        self,
        name: str,
        argument: str,
        annotation: Any,
        default: Any,
        description: str | None,
        *,
        required: bool,
        keeps_text: bool = False,
    ) -> ObjectField:
        """Return a key of an object; a `SchemaError` has its name in the path."""
        try:
            node = self.build(annotation)
        except SchemaError as error:
            raise error.inside(name) from error.__cause__
        keywords = {}
        if description and not _has_description(node):
            keywords["description"] = description
        encoded = encode_default(default, node)
        node = TextNode(node) if keeps_text else node
        if encoded is not MISSING:
            keywords["default"] = encoded
        return ObjectField(name, argument, node, required, keywords)


def describe_type(annotation: Any) -> str:
    """Return the name of a type, for messages and for names of definitions."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _is_hashable(annotation: Any) -> bool:
    try:
        hash(annotation)
    except TypeError:  # Annotated with a list, for example
        return False
    return True


def _unwrap(annotation: Any) -> Any:
    """Return a type without the wrappers that say nothing about its values."""
    while True:
        name = getattr(typing.get_origin(annotation), "_name", None)
        if annotation is None:
            return type(None)
        if isinstance(annotation, typing.TypeVar):
            annotation = _bound_of(annotation)
        elif hasattr(annotation, "__supertype__"):  # a NewType
            annotation = annotation.__supertype__
        elif isinstance(annotation, dataclasses.InitVar):
            annotation = annotation.type
        elif name in _TRANSPARENT:
            (annotation,) = typing.get_args(annotation)
        else:
            return annotation


def _bound_of(variable: typing.TypeVar) -> Any:
    """Return the type that a type variable without an argument stands for."""
    if variable.__constraints__:
        return typing.Union[variable.__constraints__]  # noqa: UP007 - of a tuple
    return Any if variable.__bound__ is None else variable.__bound__


def _has_description(node: Node) -> bool:
    return isinstance(node, DescribedNode) and "description" in node.keywords


def _own_docstring(origin: Any) -> str | None:
    """Return the docstring that somebody wrote for a class; classes generate some, too."""
    docstring = vars(origin).get("__doc__")
    if not isinstance(docstring, str) or docstring.startswith(f"{origin.__name__}("):
        return None
    return inspect.cleandoc(docstring)


def _build_literal(values: tuple[Any, ...]) -> ChoiceNode:
    choices = []
    for value in values:
        encoded = value.value if isinstance(value, enum.Enum) else value
        if not isinstance(encoded, str | int | None):
            msg = f"the literal {value!r} is not a JSON value; give texts, integers or None"
            raise SchemaError(msg)
        choices.append((encoded, value))
    return ChoiceNode(tuple(choices))


def _build_enum(origin: type[enum.Enum]) -> ChoiceNode:
    choices = []
    for member in origin:
        value = member.value
        if isinstance(member, enum.Flag) or not isinstance(value, str | int | float | None):
            msg = (
                f"the member {member.name} of the enum {origin.__name__} is {value!r}, not a JSON"
                " value; give its members texts or numbers"
            )
            raise SchemaError(msg)
        # The value of a member of a StrEnum is a plain text.
        choices.append((value, member))
    if not choices:
        msg = f"the enum {origin.__name__} has no members"
        raise SchemaError(msg)
    return ChoiceNode(tuple(choices))


def _build_key(node: Node) -> Node:
    """Return the type of the keys of a mapping: texts, or integers, which are texts in JSON."""
    if node.json_types() == {"integer"}:
        return IntegerKeyNode(node)
    if node.json_types() != {"string"}:
        msg = f"its keys are to be {node.wanted()}, but the keys of an object are texts"
        raise SchemaError(msg)
    return node
