"""Parameters of functions: the schema that describes them, and the arguments decoded by it."""

import dataclasses
import enum
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import jsonschema
import msgspec
import pydantic
import pytest

from aimlchat._schema.errors import DecodeError, SchemaError
from aimlchat._schema.signatures import read_signature


class Unit(enum.Enum):
    KELVIN = "K"
    CELSIUS = "C"


@dataclasses.dataclass
class Tree:
    name: str
    branches: list["Tree"] = dataclasses.field(default_factory=list)


@attrs.frozen
class Person:
    name: str = attrs.field(validator=attrs.validators.min_len(2), converter=str.strip)


class Item(msgspec.Struct, tag="item"):
    count: Annotated[int, msgspec.Meta(ge=1)] = msgspec.field(name="n")


class Range(TypedDict):
    low: int
    high: int


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Model(pydantic.BaseModel):
    day: date
    child: "Model | None" = None


TYPES = [
    (str, "a", "a"),
    (int, 2.0, 2),
    (float, 1, 1.0),
    (bool, True, True),
    (None, None, None),
    (Any, {"a": [1]}, {"a": [1]}),
    (Literal["a", 2] | None, None, None),
    (Unit, "C", Unit.CELSIUS),
    (int | None, None, None),
    (str | date, "2030-01-31", date(2030, 1, 31)),
    (Decimal, "1.50", Decimal("1.50")),
    (bytes, "AAE=", b"\0\1"),
    (Annotated[str, msgspec.Meta(pattern="^a", max_length=2)], "ab", "ab"),
    (Annotated[int | None, msgspec.Meta(ge=3)], 3, 3),
    (list[int], [1], [1]),
    (set[str], ["a"], {"a"}),
    (tuple[int, ...], [1, 2], (1, 2)),
    (tuple[int, str], [1, "a"], (1, "a")),
    (dict[str, list[int]], {"a": [1]}, {"a": [1]}),
    (Tree, {"name": "a", "branches": [{"name": "b"}]}, Tree("a", [Tree("b")])),
    (Person, {"name": " ab "}, Person("ab")),
    (Item, {"type": "item", "n": 1}, Item(1)),
    (Range, {"low": 1, "high": 2}, {"low": 1, "high": 2}),
    (Point, {"x": 1.5}, Point(1.5)),
    (Model, {"day": "2030-01-31"}, Model(day=date(2030, 1, 31))),
    (list[Point] | Tree, {"name": "a"}, Tree("a")),
]


def make_function(annotation):
    def function(value): ...

    function.__annotations__["value"] = annotation
    return function


@pytest.mark.parametrize(("annotation", "value", "decoded"), TYPES)
def test_a_value_that_the_schema_accepts_becomes_a_value_of_the_type(annotation, value, decoded):
    signature = read_signature(make_function(annotation))
    schema = signature.schema()

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"value": value}, schema, cls=jsonschema.Draft202012Validator)
    _, arguments = signature.decode({"value": value})
    assert arguments == {"value": decoded}
    assert type(arguments["value"]) is type(decoded)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, True, "value: expected an integer, got true"),
        (int | None, "a", "value: expected an integer or null, got 'a'"),
        (Annotated[int, msgspec.Meta(ge=3)], 2, "value: expected at least 3, got 2"),
        (Unit, "F", "value: expected one of 'K', 'C', got 'F'"),
        (list[int], [1, "b"], "value[1]: expected an integer, got 'b'"),
        (Person, {"name": " a "}, "value: Length of 'name' must be >= 2: 1"),
        (Range, {"low": 1, "hi": 2}, "value.high: it is missing; expected an integer; value.hi: "),
        (Item, {"type": "other", "n": 1}, "value.type: expected 'item'"),
        (Model, {"day": "soon"}, "value.day: "),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_was_wanted(annotation, value, message):
    signature = read_signature(make_function(annotation))

    with pytest.raises(DecodeError) as caught:
        signature.decode({"value": value})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("annotation", [complex, dict[float, str], list[complex], "Missing"])
def test_a_type_without_a_schema_is_refused_with_the_name_of_the_parameter(annotation):
    with pytest.raises(SchemaError, match=r"^value"):
        read_signature(make_function(annotation)).schema()


def test_a_null_stands_for_an_argument_that_is_left_out():
    def function(count: int = 5): ...

    assert read_signature(function).decode({"count": None}) == ([], {})
