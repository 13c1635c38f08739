"""Schemas in the subset that vendors enforce, and values restored from it."""

import json
from typing import Annotated, Any, Literal

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_subset import GEMINI as GEMINI_KEYWORDS
from schema_subset import GEMINI_FORMATS, check_strict_schema
from type_samples import SAMPLES, Dog, Folder, Line, Tree

from aimlchat._schema.errors import SchemaError
from aimlchat._schema.output_types import read_output_type
from aimlchat._schema.strict import rewrite_strictly, wrap_root
from aimlchat._schema.subsets import GEMINI, OPENAI

VALIDATOR = jsonschema.Draft202012Validator


def rewrite_value(value, schema, root):
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


CASES = [(kind, value) for kind, values in SAMPLES for value in values]


@pytest.mark.parametrize(("kind", "value"), CASES, ids=str)
@pytest.mark.parametrize("subset", [OPENAI, GEMINI, None], ids=["openai", "gemini", "tool"])
def test_a_value_by_the_sent_schema_becomes_the_value_of_the_type(kind, value, subset):
    output_type = read_output_type(kind)
    rewritten = output_type.rewrite(subset)
    VALIDATOR(output_type.schema).validate(value)

    written = write_strictly(value, rewritten)
    before = json.dumps(written)

    assert output_type.decode(rewritten.restore(written)) == output_type.decode(value)
    assert json.dumps(written) == before


@pytest.mark.parametrize("kind", [kind for kind, _ in SAMPLES], ids=str)
def test_a_strict_schema_is_in_the_subset_of_its_vendor(kind):
    output_type = read_output_type(kind)
    for subset, rules in (
        (OPENAI, {}),
        (GEMINI, {"keywords": GEMINI_KEYWORDS, "formats": GEMINI_FORMATS}),
    ):
        rewritten = output_type.rewrite(subset)
        if rewritten.is_strict:
            check_strict_schema(rewritten.schema, **rules)
        else:
            assert "Any" in str(kind) or kind is list
    tool = output_type.rewrite(None).schema
    VALIDATOR.check_schema(tool)
    assert tool["type"] == "object"
    assert not tool.keys() & {"anyOf", "oneOf", "allOf", "$ref"}


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


def make_values(schema):
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


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_values_of_any_type_survive_a_strict_schema(data):
    output_type = read_output_type(data.draw(TYPES))
    rewritten = output_type.rewrite(OPENAI)
    value = data.draw(make_values(json.loads(json.dumps(inline(output_type.schema)))))

    check_strict_schema(rewritten.schema)
    written = write_strictly(value, rewritten)

    assert output_type.decode(rewritten.restore(written)) == output_type.decode(value)


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


def test_what_the_subset_lacks_is_said_in_the_description():
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "description": "A text", "minLength": 2, "default": False},
            "b": {"type": "array", "items": {"const": 1}, "uniqueItems": True},
            "c": {"type": "string", "pattern": "(?=x)", "format": "uri"},
            "d": {"type": "integer", "examples": [1, 2]},
        },
        "required": ["a", "b", "c", "d"],
    }

    properties = rewrite_strictly(schema).schema["properties"]

    assert properties["a"]["description"] == "A text. At least 2 characters. Default: false."
    assert properties["b"]["description"] == "No two items are equal."
    assert "(?=x)" in properties["c"]["description"]
    assert "uri" in properties["c"]["description"]
    assert properties["d"]["description"] == "Examples: 1, 2."
    assert properties["b"]["items"] == {"type": "integer", "enum": [1]}


FORMS = [
    {"oneOf": [{"type": "string"}, {"type": "null"}]},
    {"type": ["string", "null"], "maxLength": 3},
    {"type": ["object", "null"], "properties": {"a": {"type": "integer"}}},
    {"allOf": [{"$ref": "#/$defs/A"}], "description": "An A"},
    {"allOf": [{"$ref": "#/$defs/A"}, {"properties": {"c": {"type": "null"}}}]},
    {"$ref": "#/$defs/A", "description": "An A", "default": {"b": 1}},
    {"$ref": "#/$defs/A", "properties": {"c": {"type": "null"}}},
    {"enum": ["a", 1, None]},
    {"const": "a"},
    {"items": {"type": "string"}},
    {"properties": {"a": {"type": "string"}}, "anyOf": [{"required": ["a"]}, {"type": "object"}]},
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_other_forms_of_schemas_are_rewritten(form):
    schema = {
        "type": "object",
        "properties": {"x": form},
        "$defs": {"A": {"type": "object", "properties": {"b": {"type": "integer"}}}},
    }

    rewritten = rewrite_strictly(schema)

    check_strict_schema(rewritten.schema)
    assert rewritten.restore({"x": None}) in ({}, {"x": None})


@pytest.mark.parametrize(
    ("inner", "path"),
    [
        ({}, "a.b[]"),
        ({"type": "object"}, "a.b[]{}"),
        ({"type": "object", "additionalProperties": True}, "a.b[]{}"),
        (
            {"type": "object", "properties": {"c": {"type": "null"}}, "additionalProperties": {}},
            "a.b[]",
        ),
        ({"not": {"type": "null"}}, "a.b[]"),
        ({"type": "array", "prefixItems": [{"type": "null"}]}, "a.b[]"),
        ({"enum": [[1], {}]}, "a.b[]"),
        ({"$ref": "other.json"}, "a.b[]"),
        ({"$ref": "#/$defs/missing"}, "a.b[]"),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, "a.b[]"),
    ],
    ids=str,
)
def test_what_a_strict_schema_cannot_say_is_refused_with_its_path(inner, path):
    array = {"type": "array", "items": inner}
    schema = {"properties": {"a": {"type": "object", "properties": {"b": array}}}}

    with pytest.raises(SchemaError) as caught:
        rewrite_strictly(schema)
    assert caught.value.path == path


def nest(depth):
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (nest(11), "levels"),
        (nest(10_000), "deeply"),
        ({"properties": {f"k{number}": {"type": "null"} for number in range(5001)}}, "keys"),
        ({"properties": {"a": {"enum": list(range(1001))}}}, "choices"),
        ({"properties": {"a": {"enum": [f"{n}" * 50 for n in range(251)]}}}, "15000 characters"),
        ({"properties": {"a" * 120_001: {"type": "null"}}}, "characters"),
    ],
    ids=["levels", "very deep", "keys", "choices", "long choices", "names"],
)
def test_a_schema_beyond_the_limits_of_the_vendor_is_refused(schema, message):
    with pytest.raises(SchemaError, match=message):
        rewrite_strictly(schema)


def test_a_schema_at_the_limits_is_taken():
    assert rewrite_strictly(nest(10)).is_strict
    # A type within itself is counted once.
    assert read_output_type(Folder).rewrite(OPENAI).is_strict


def test_a_value_that_is_not_wrapped_is_taken_as_it_is():
    rewritten = read_output_type(list[int]).rewrite(OPENAI)

    assert rewritten.restore([1]) == [1]
    assert rewritten.restore({"value": [1]}) == [1]
    assert rewritten.restore({"value": [1], "x": 2}) == {"value": [1], "x": 2}
    assert rewritten.restore({}) == {}


@pytest.mark.parametrize(
    "kind", [Line, Tree, list[Tree], dict[str, Line], tuple[int, str], Dog | int]
)
@pytest.mark.parametrize("value", [None, 1, "x", [1], {"a": 1}, [{"key": 1}], {"value": {"x": []}}])
def test_a_value_that_fits_no_schema_is_left_to_the_decoder(kind, value):
    read_output_type(kind).rewrite(OPENAI).restore(value)  # it raises nothing


GROWING = [
    ({"value": [{"key": "a"}]}, {}),
    ({"value": [{"key": "a", "value": {"article": "x"}}]}, {"a": {"article": "x"}}),
    (
        {"value": [{"key": "a", "value": {"article": "x", "price": "1", "count": None}}]},
        {"a": {"article": "x", "price": "1"}},
    ),
]


@pytest.mark.parametrize(("part", "restored"), GROWING)
def test_a_part_of_a_value_is_restored_as_far_as_it_goes(part, restored):
    assert read_output_type(dict[str, Line]).rewrite(OPENAI).restore(part) == restored


def test_the_parameters_of_a_tool_keep_all_keywords():
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 2}}}

    assert wrap_root(schema).schema == schema
    assert wrap_root(schema).restore({"a": None}) == {"a": None}
    assert wrap_root({"type": "string"}).schema["properties"] == {"value": {"type": "string"}}
