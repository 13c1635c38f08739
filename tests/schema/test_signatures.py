"""Parameters of functions: the schema that describes them, and the arguments decoded by it."""

import dataclasses
import enum
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

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


@dataclasses.dataclass
class Dated:
    name: str
    id: str = dataclasses.field(default_factory=lambda: "new")
    tags: list[str] = dataclasses.field(default_factory=list)


@attrs.frozen
class Event:
    day: date = attrs.field(converter=date.fromisoformat)
    key: UUID | None = attrs.field(default=None, converter=attrs.converters.optional(lambda x: x))


@attrs.frozen
class Parsed:
    words: list[str] = attrs.field(converter=lambda text: text.split())


def split(text: str) -> list[str]:
    return text.split()


@attrs.frozen
class Split:
    words: list[str] = attrs.field(converter=split)


class Renamed(msgspec.Struct, rename="camel"):
    first_name: str = "A"


@pytest.mark.parametrize(
    ("annotation", "default", "said"),
    [
        (Point, Point(1.0), {"x": 1.0, "y": 0.0}),
        (Renamed, Renamed("B"), {"firstName": "B"}),
        (list[int], (1, 2), [1, 2]),
        (Path, Path("a/b"), "a/b"),
        (Unit, Unit.KELVIN, "K"),
        (set[str], {"b", "a"}, ["a", "b"]),
        (Model, Model(day=date(2030, 1, 31)), {"day": "2030-01-31", "child": None}),
        (Annotated[int, msgspec.Meta(ge=1)], 0, None),  # the schema refuses it
        (str, object(), None),  # a sentinel
        (float, float("nan"), None),
        (int, True, None),
        (list[Point], [Point(1.0)], None),  # msgspec writes it as an array
    ],
)
def test_a_default_is_said_if_its_type_reads_it_back(annotation, default, said):
    def function(value): ...

    function.__annotations__["value"] = annotation
    function.__defaults__ = (default,)
    schema = read_signature(function).schema()

    assert schema["properties"]["value"].get("default") == said
    assert "required" not in schema


def test_what_a_factory_makes_is_said_only_if_it_is_always_the_same():
    properties = read_signature(make_function(Dated)).schema()["properties"]["value"]["properties"]

    assert properties["tags"]["default"] == []
    assert "default" not in properties["id"]


@pytest.mark.parametrize("items", [["a", "b", "a"], ["a", "a"]])
def test_equal_items_of_a_set_are_refused_as_the_schema_says(items):
    signature = read_signature(make_function(set[str]))

    assert signature.schema()["properties"]["value"]["uniqueItems"] is True
    with pytest.raises(DecodeError, match="expected items that differ from each other"):
        signature.decode({"value": items})


def decode_one(annotation, value):
    return read_signature(make_function(annotation)).decode({"value": value})[1]["value"]


def test_a_converter_gets_what_it_takes():
    assert decode_one(Event, {"day": "2030-01-31"}) == Event("2030-01-31")  # it reads a text
    assert decode_one(Split, {"words": "a b"}) == Split("a b")  # so says its annotation
    with pytest.raises(DecodeError, match=r"^value\.day: expected a date"):
        decode_one(Event, {"day": "soon"})
    with pytest.raises(DecodeError, match="split"):  # no annotation says that it takes a text
        decode_one(Parsed, {"words": ["a b"]})


def test_a_text_that_may_be_bytes_is_a_text():
    assert decode_one(str | bytes, "data") == "data"


def test_an_invalid_pattern_is_refused():
    with pytest.raises(SchemaError, match="'\\(', is not a regular expression"):
        read_signature(make_function(Annotated[str, SimpleNamespace(pattern="(")])).schema()


def test_models_of_the_same_name_keep_their_own_definitions():
    def make(kind):
        leaf = pydantic.create_model("Leaf", value=(kind, ...))
        return pydantic.create_model("Tree", leaf=(leaf, ...), leaves=(list[leaf], ...))

    def function(first, second, third): ...

    first, second = make(int), make(str)
    function.__annotations__.update(first=first, second=second, third=list[first])
    schema = read_signature(function).schema()

    values = [{"leaf": {"value": leaf}, "leaves": []} for leaf in (1, "a")]
    arguments = {"first": values[0], "second": values[1], "third": [values[0]]}
    jsonschema.validate(arguments, schema, cls=jsonschema.Draft202012Validator)
    for name, value in (("first", values[1]), ("second", values[0]), ("third", [values[1]])):
        wrong = arguments | {name: value}
        assert not jsonschema.Draft202012Validator(schema).is_valid(wrong)


def test_arguments_in_the_strict_form_are_decoded():
    def function(pair: tuple[int, str], counts: dict[str, int], model: Model, limit: int = 5): ...

    form = read_signature(function).strict_form()
    arguments = {
        "pair": {"item_1": 1, "item_2": "a"},
        "counts": [{"key": "a", "value": 1}],
        "model": {"day": "2030-01-31", "child": None},
        "limit": None,
    }

    jsonschema.validate(arguments, form.schema, cls=jsonschema.Draft202012Validator)
    decoded = {"pair": (1, "a"), "counts": {"a": 1}, "model": Model(day=date(2030, 1, 31))}
    assert read_signature(function).decode(arguments) == ([], decoded)


def test_a_keyword_is_not_taken_for_the_wrapper_of_a_strict_schema():
    def function(**counts: int): ...

    assert read_signature(function).strict_form() is None
    assert read_signature(function).decode({"value": 3}) == ([], {"value": 3})


def test_parameters_without_keywords_are_given_by_position():
    def function(first: int, second: int = 2, /, *, third: int = 3): ...

    decode = read_signature(function).decode
    assert decode({"first": 1, "second": 5, "third": 4}) == ([1, 5], {"third": 4})
    with pytest.raises(DecodeError, match="first: it is missing"):
        decode({"second": 5})
