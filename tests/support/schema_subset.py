"""A checker of the rules of vendors' strict schemas, written from their documents alone."""

import json

import jsonschema

COMMON = {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum"}
WORDS = {"title", "description"}
OPENAI = {
    "string": {"pattern", "format"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "array": {"minItems", "maxItems"},
}
GEMINI = {
    "string": {"format"},
    "integer": {"minimum", "maximum"},
    "number": {"minimum", "maximum"},
    "array": {"minItems", "maxItems"},
}
OPENAI_FORMATS = "date-time time date duration email hostname ipv4 ipv6 uuid".split()
GEMINI_FORMATS = "date-time date time".split()


def check_strict_schema(schema, *, keywords=OPENAI, formats=OPENAI_FORMATS):
    """Raise an AssertionError unless a vendor would accept the schema as a strict one."""
    jsonschema.Draft202012Validator.check_schema(schema)
    json.dumps(schema)
    assert schema["type"] == "object"
    assert "anyOf" not in schema
    definitions = schema.get("$defs", {})
    root = {key: value for key, value in schema.items() if key != "$defs"}
    for node in (root, *definitions.values()):
        _check_node(node, definitions, keywords, formats)


def _check_node(node, definitions, keywords, formats):
    def check(inner):
        _check_node(inner, definitions, keywords, formats)

    if "$ref" in node:
        assert node.keys() == {"$ref"}, "a reference has no neighbors"
        assert node["$ref"].removeprefix("#/$defs/") in definitions
        return
    if "anyOf" in node:
        assert node.keys() <= {"anyOf"} | WORDS
        assert node["anyOf"]
        for member in node["anyOf"]:
            check(member)
        return
    kind = node["type"]
    assert isinstance(kind, str)
    assert node.keys() <= COMMON | WORDS | keywords.get(kind, set()), node
    if kind == "object":
        assert node["additionalProperties"] is False
        assert node["required"] == list(node["properties"])
        for inner in node["properties"].values():
            check(inner)
    elif kind == "array":
        check(node["items"])
    assert node.get("format", formats[0]) in formats
