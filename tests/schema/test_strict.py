"""Schemas in the subset that vendors enforce, and values restored from it."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_subset import GEMINI as GEMINI_KEYWORDS
from schema_subset import GEMINI_FORMATS, check_strict_schema
from strict_values import TYPES, inline, make_values, write_strictly
from type_samples import SAMPLES, Dog, Folder, Line, Tree

from aimlchat._schema.errors import SchemaError
from aimlchat._schema.output_types import read_output_type
from aimlchat._schema.strict import rewrite_strictly, wrap_root
from aimlchat._schema.subsets import GEMINI, OPENAI

VALIDATOR = jsonschema.Draft202012Validator


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


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_values_of_any_type_survive_a_strict_schema(data):
    output_type = read_output_type(data.draw(TYPES))
    rewritten = output_type.rewrite(OPENAI)
    value = data.draw(make_values(json.loads(json.dumps(inline(output_type.schema)))))

    check_strict_schema(rewritten.schema)
    written = write_strictly(value, rewritten)

    assert output_type.decode(rewritten.restore(written)) == output_type.decode(value)


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
