"""Whatever the types of parameters are: their schema is valid, and says what is decoded."""

import enum
from collections.abc import Mapping
from typing import Any

import jsonschema
import msgspec
from function_types import JSON_VALUES, make_function, typed_values
from hypothesis import given
from hypothesis import strategies as st

from aimlchat import ChatRequest, Tool
from aimlchat._schema.signatures import read_signature

Validator = jsonschema.Draft202012Validator


def encode(value):
    """Return a decoded value as JSON has it, by the names of its fields."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value
    if hasattr(value, "__dataclass_fields__") or hasattr(value, "__attrs_attrs__"):
        names = getattr(value, "__dataclass_fields__", None) or [
            field.name for field in value.__attrs_attrs__
        ]
        return {name: encode(getattr(value, name)) for name in names}
    if isinstance(value, msgspec.Struct):
        return {name: encode(getattr(value, name)) for name in value.__struct_fields__}
    return msgspec.to_builtins(value)


def decode(signature, value):
    _, arguments = signature.decode({"value": value})
    return arguments["value"]


@given(data=st.data(), pair=typed_values())
def test_a_value_of_a_type_fits_its_schema_and_survives_a_round_trip(data, pair):
    annotation, values = pair
    signature, value = read_signature(make_function(annotation)), data.draw(values)
    schema = signature.schema()

    Validator.check_schema(schema)
    assert Validator(schema).is_valid({"value": value})
    decoded = decode(signature, value)
    assert decode(signature, encode(decoded)) == decoded


@given(pair=typed_values(with_formats=False), value=JSON_VALUES)
def test_what_a_schema_accepts_is_decoded(pair, value):
    signature = read_signature(make_function(pair[0]))
    if Validator(signature.schema()).is_valid({"value": value}):
        decode(signature, value)


@given(pair=typed_values())
def test_each_object_of_a_strict_schema_is_closed_and_requires_all_its_keys(pair):
    tool = Tool.from_function(make_function(pair[0]))
    (sent,) = ChatRequest("gpt-4o", tools=[tool]).user("Hi").payload()["tools"]
    function = sent["function"]

    Validator.check_schema(function["parameters"])
    if "strict" not in function:
        assert function["parameters"] == tool.parameters
        return
    for schema in walk(function["parameters"]):
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            assert schema["required"] == [*schema["properties"]]


@given(data=st.data(), pair=typed_values())
def test_an_argument_in_the_strict_form_is_decoded_as_the_plain_one(data, pair):
    annotation, values = pair
    signature, value = read_signature(make_function(annotation)), data.draw(values)
    form = signature.strict_form()
    if form is not None:
        strict = to_strict(value, form.schema["properties"]["value"], form.schema)
        assert Validator(form.schema).is_valid({"value": strict})
        # A key that may be null, and may be left out, is null.
        plain = prune(encode(decode(signature, value)))
        assert prune(encode(decode(signature, strict))) == plain


def prune(value):
    if isinstance(value, dict):
        return {key: prune(item) for key, item in value.items() if item is not None}
    return [prune(item) for item in value] if isinstance(value, list) else value


def walk(schema: Any):
    if isinstance(schema, dict):
        yield schema
        for item in schema.values():
            yield from walk(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from walk(item)


def to_strict(value, schema, root):
    """Return a value as a model writes it that has to keep to a strict schema."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        forms = [to_strict(value, member, root) for member in schema["anyOf"]]
        pairs = zip(forms, schema["anyOf"], strict=True)
        valid = (
            form
            for form, member in pairs
            if Validator({**member, "$defs": root.get("$defs", {})}).is_valid(form)
        )
        return next(valid, value)
    if schema["type"] == "object" and isinstance(value, list):  # a tuple
        value = {f"item_{index + 1}": item for index, item in enumerate(value)}
    if schema["type"] == "array" and isinstance(value, dict):  # a mapping
        value = [{"key": key, "value": item} for key, item in value.items()]
    if schema["type"] == "object" and isinstance(value, dict):
        return {
            name: to_strict(value.get(name), inner, root)
            for name, inner in schema["properties"].items()
        }
    if schema["type"] == "array" and isinstance(value, list):
        return [to_strict(item, schema["items"], root) for item in value]
    return value
