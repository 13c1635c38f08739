"""Sample JSON that fits a schema."""

import jsonschema
import pytest

from aimlchat.emulator.json_samples import build_sample


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string", "minLength": 40},
        {"type": "string", "maxLength": 3},
        {"type": "string", "format": "date-time"},
        {"type": "integer", "minimum": 7, "multipleOf": 5},
        {"type": "integer", "exclusiveMinimum": 7, "maximum": 8},
        {"type": "integer", "maximum": -3},
        {"type": "integer", "exclusiveMaximum": -3},
        {"type": "array"},
        {
            "type": "object",
            "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
            "required": ["children"],
        },
        {"type": "number", "minimum": 0.2, "maximum": 0.8},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
        {"type": ["boolean", "null"]},
        {"type": "null"},
        {"const": 4},
        {"enum": ["x", "y"]},
        {"type": "array", "items": {"type": "integer"}, "minItems": 3},
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "null"}], "minItems": 2},
        {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"},
        {"type": "string", "format": "duration"},
        {"type": "string", "contentEncoding": "base64"},
        {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "integer"}}},
                {"type": "object", "required": ["b"], "properties": {"b": {"type": "null"}}},
            ]
        },
        {
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string"},
                        "next": {"$ref": "#/$defs/node"},
                    },
                    "required": ["name"],
                }
            },
            "$ref": "#/$defs/node",
        },
    ],
    ids=str,
)
def test_a_sample_fits_its_schema(schema):
    jsonschema.validate(build_sample(schema, ["alpha", "beta"]), schema)
