"""Types made by hypothesis, values of them, and those values as a model writes them strictly."""

from typing import Annotated, Literal

import jsonschema
import msgspec
from hypothesis import strategies as st

VALIDATOR = jsonschema.Draft202012Validator


def rewrite_value(value, schema, root):  # noqa: PLR0911 - a case each
    """Return a value as a model writes it by a strict schema, all keys given; None if it cannot."""
    if "$ref" in schema:
        return rewrite_value(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        found = (rewrite_value(value, member, root) for member in schema["anyOf"])
        return next((item for item in found if item is not None), None)
    kind = schema["type"]
    if kind == "object":
        properties = schema["properties"]
        if isinstance(value, list) and list(properties) == [
            f"item_{index + 1}" for index in range(len(value))
        ]:
            value = dict(zip(properties, value, strict=True))
        if not isinstance(value, dict) or not value.keys() <= properties.keys():
            return None
        items = {
            key: rewrite_value(value.get(key, NULL), properties[key], root) for key in properties
        }
        return None if None in items.values() else items
    if kind == "array":
        if isinstance(value, dict):
            value = [{"key": key, "value": item} for key, item in value.items()]
        if not isinstance(value, list):
            return None
        items = [rewrite_value(item, schema["items"], root) for item in value]
        return None if None in items else items
    value = NULL if value is None else value
    is_valid = value is NULL if kind == "null" else VALIDATOR(schema).is_valid(value)
    return value if is_valid else None


NULL = object()


def put_nulls(value):
    if isinstance(value, dict):
        return {key: put_nulls(item) for key, item in value.items()}
    if isinstance(value, list):
        return [put_nulls(item) for item in value]
    return None if value is NULL else value


def write_strictly(value, rewritten):
    if rewritten.wrapper is not None:
        value = {rewritten.wrapper: value}
    if not rewritten.is_strict:
        return value
    written = put_nulls(rewrite_value(value, rewritten.schema, rewritten.schema))
    VALIDATOR(rewritten.schema).validate(written)
    return written


SCALARS = st.sampled_from(
    [
        int,
        str,
        bool,
        None,
        float,
        Literal["a", "b"],
        Literal[1, 2],
        Annotated[int, msgspec.Meta(ge=0)],
    ]
)


def make_struct(fields):
    """Return a struct of these types; every second field has a default."""
    return msgspec.defstruct(
        "Made",
        [
            (f"f{index}", kind, msgspec.UNSET) if index % 2 else (f"f{index}", kind)
            for index, kind in enumerate(fields)
        ],
        kw_only=True,
    )


TYPES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        inner.map(lambda kind: list[kind]),
        inner.map(lambda kind: dict[str, kind]),
        inner.map(lambda kind: kind | None if kind is not None else None),
        st.tuples(inner, inner).map(lambda kinds: tuple[kinds]),
        st.lists(inner, min_size=1, max_size=4).map(make_struct),
    ),
    max_leaves=6,
)


def make_values(schema):  # noqa: PLR0911 - a case each
    """Return a strategy of JSON values by the schema of a type."""
    if "anyOf" in schema:
        return st.one_of([make_values(member) for member in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "prefixItems" in schema:
        return st.tuples(*map(make_values, schema["prefixItems"])).map(list)
    if "properties" in schema:
        required = {key: make_values(schema["properties"][key]) for key in schema["required"]}
        optional = {
            key: make_values(item)
            for key, item in schema["properties"].items()
            if key not in required
        }
        return st.fixed_dictionaries(required, optional=optional)
    if schema["type"] == "object":
        return st.dictionaries(st.text(max_size=2), make_values(schema["additionalProperties"]))
    if schema["type"] == "array":
        return st.lists(make_values(schema["items"]), max_size=3)
    return {
        "integer": st.integers(0, 9),
        "number": st.sampled_from([0.5, -2.25]),
        "string": st.text(max_size=3),
        "boolean": st.booleans(),
        "null": st.none(),
    }[schema["type"]]


def inline(schema):
    definitions = schema.get("$defs", {})

    def follow(node):
        if isinstance(node, list):
            return [follow(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return follow(definitions[node["$ref"].rpartition("/")[2]])
        return {key: follow(item) for key, item in node.items() if key != "$defs"}

    return follow(schema)
