"""Values rewritten to fit the schema of a request."""

import pytest

from aimlchat.emulator.output_shapes import MISFIT, shape_value, spoil_value

INT, TEXT, NULL = {"type": "integer"}, {"type": "string"}, {"type": "null"}


def closed(**properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


ENTRIES = {"type": "array", "items": closed(key=TEXT, value=INT)}
NODE = closed(value=INT, next={"anyOf": [{"$ref": "#/$defs/Node"}, NULL]})


@pytest.mark.parametrize(
    ("value", "schema", "shaped"),
    [
        (1, INT, 1),
        (1.0, INT, 1.0),
        ({"a": 1}, closed(a=INT), {"a": 1}),
        ([1, 2], closed(value={"type": "array", "items": INT}), {"value": [1, 2]}),
        (None, closed(value={"anyOf": [INT, NULL]}), {"value": None}),
        ([], closed(value={"anyOf": [{"type": "array", "items": INT}, NULL]}), {"value": []}),
        ({}, closed(value={"anyOf": [{"type": "object"}, NULL]}), {"value": {}}),
        ({}, closed(value={"anyOf": [INT, NULL]}), {"value": None}),
        ({}, closed(other={"anyOf": [{"type": "object"}, NULL]}), {"other": None}),
        ({"a": 1}, closed(a=INT, b={"type": ["integer", "null"]}), {"a": 1, "b": None}),
        ({"a": 1}, ENTRIES, [{"key": "a", "value": 1}]),
        ({"a": 1}, closed(value=ENTRIES), {"value": [{"key": "a", "value": 1}]}),
        ([1, "x"], closed(first=INT, second=TEXT), {"first": 1, "second": "x"}),
        ([1, "x"], {"type": "array", "prefixItems": [INT, TEXT], "items": False}, [1, "x"]),
        ({"b": 1}, {"anyOf": [closed(a=INT), closed(b=INT)]}, {"b": 1}),
        ("b", {"enum": ["a", "b"]}, "b"),
        ({"a": [1]}, {}, {"a": [1]}),
        ({"x": 1}, {"type": "object", "additionalProperties": INT}, {"x": 1}),
        (
            {"value": 1, "next": {"value": 2}},
            {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}},
            {"value": 1, "next": {"value": 2, "next": None}},
        ),
    ],
)
def test_a_value_is_written_as_the_schema_wants_it(value, schema, shaped):
    assert shape_value(value, schema) == shaped


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("1", INT),
        (True, INT),
        (1.5, INT),
        (1, {"enum": [True, 2]}),
        ({"a": 1, "b": 2}, closed(a=INT)),
        ({}, closed(a=INT)),
        ([1, "x"], {"type": "array", "items": INT}),
        ({"a": 1}, {"type": "array", "items": INT}),
        (1, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": TEXT}}),
    ],
)
def test_a_value_that_fits_in_no_way_is_told(value, schema):
    assert shape_value(value, schema) is MISFIT


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"a": 1}, closed(a=INT)),
        ({"a": 1, "b": 2}, closed(a={}, b=INT)),
        ({"x": 1}, {"type": "object", "additionalProperties": INT}),
        ([1], {"type": "array", "items": INT}),
        (1, INT),
    ],
)
def test_a_spoiled_value_fits_no_more(value, schema):
    assert shape_value(spoil_value(value, schema), schema) is MISFIT


def test_a_schema_that_takes_everything_cannot_be_broken():
    assert spoil_value({"a": 1}, {}) == {"a": 1}
