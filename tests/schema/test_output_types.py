"""Types that answers can have."""

import dataclasses
import re
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import attrs
import msgspec
import pydantic
import pytest
from type_samples import SAMPLES, Account, Cat, Dog, Invoice, Line, Page, Rating, Tree

from aimlchat._schema.errors import DecodeError, SchemaError
from aimlchat._schema.output_types import read_output_type
from aimlchat._schema.subsets import OPENAI


def test_a_type_is_read_once():
    assert read_output_type(list[Line]) is read_output_type(list[Line])
    assert read_output_type(Line).schema is read_output_type(Line).schema
    assert read_output_type(Line).rewrite(None) is read_output_type(Line).rewrite(None)


@pytest.mark.parametrize("value", [1, True])
def test_types_that_only_compare_equal_are_told_apart(value):
    assert read_output_type(Literal[value]).decode(value) is value


@pytest.mark.parametrize("kind", [kind for kind, _ in SAMPLES], ids=str)
def test_a_name_can_be_sent(kind):
    assert re.fullmatch(r"[A-Za-z0-9_]{1,48}", read_output_type(kind).name)


def test_a_name_says_the_type():
    assert read_output_type(Invoice).name == "Invoice"
    assert read_output_type(list[Line]).name == "list_Line"
    assert read_output_type(Page[Line]).name == "Page_Line"
    assert read_output_type(Annotated[Line, "words"]).name == "Line"
    assert read_output_type(dict[str, Page[Page[Line]]]).name == "dict_str_Page_Page_Line"
    assert read_output_type(Cat | Dog).name == "Union_Cat_Dog"
    assert read_output_type(Literal["ä", 1]).name == "Literal_1"


@dataclasses.dataclass
class Holder:
    items: "list[dict[str, complex]]"


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (complex, ""),
        (Holder, "items[]{}"),
        (list[Holder], "[].items[]{}"),
        (tuple[int, object | complex], "[1]"),
        (dict[float, int], ""),
        ("Line", ""),
        (print, ""),
        ({"type": "object"}, ""),
        (Annotated[complex, ["unhashable"]], ""),
    ],
    ids=str,
)
def test_what_cannot_be_a_schema_is_refused_with_the_path_of_the_field(kind, path):
    with pytest.raises(SchemaError) as caught:
        read_output_type(kind)
    assert caught.value.path == path
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("kind", "value", "path", "message"),
    [
        (Line, {"article": "a"}, "price", "price: it is missing; expected a decimal number"),
        (Invoice, {"lines": [{"article": 1, "price": "2"}]}, "lines[0].article", "got 1"),
        (Account, {"owner": "o", "balance": -1}, "", "balance has to be positive"),
        (list[Account], [{"owner": "o", "balance": -1}], "[0]", "balance has to be positive"),
        (Cat | Dog, {"type": "Dog", "name": 1}, "name", "name: expected a string, got 1"),
        (Cat | Dog, {"type": "Bird"}, "type", "'Bird'"),
        (dict[str, list[Cat | Dog]], {"a": [{"type": "Cat"}]}, "a[0].name", "missing"),
        (Rating, {"stars": 9}, "stars", "less than or equal to 5"),
        (list[Rating], [{"stars": 1, "replies": [{}]}], "[0].replies[0].stars", "required"),
        (int, None, "", "expected an integer, got null"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named_with_its_path(kind, value, path, message):
    with pytest.raises(DecodeError) as caught:
        read_output_type(kind).decode(value)
    assert caught.value.path == path
    assert message in str(caught.value)


def test_all_that_is_wrong_is_in_the_message():
    with pytest.raises(DecodeError) as caught:
        read_output_type(list[Line]).decode([{"article": 1, "price": "x", "coun": 1}])

    assert caught.value.path == "[0].article"
    assert [part.partition(":")[0] for part in str(caught.value).split("; ")[:3]] == [
        "[0].article",
        "[0].price",
        "[0].coun",
    ]


def test_a_model_of_pydantic_is_decoded_by_its_own_rules():
    output_type = read_output_type(Rating)

    assert output_type.decode({"stars": 3, "replies": [{"stars": 1}]}) == Rating(
        stars=3, replies=[Rating(stars=1)]
    )
    assert output_type.rewrite(OPENAI).schema["description"] == "A rating."


def test_converters_and_validators_run():
    assert read_output_type(Account).decode({"owner": " o "}).owner == "o"


def test_a_value_that_is_nested_too_deeply_is_refused():
    value: dict[str, Any] = {"value": 1}
    for _ in range(5_000):
        value = {"value": 1, "children": [value]}

    with pytest.raises(DecodeError, match="deeply"):
        read_output_type(Tree).decode(value)


def test_an_error_whose_text_says_little_is_named():
    @attrs.define
    class Known:
        name: str = attrs.field(converter={"a": 1}.__getitem__)

    with pytest.raises(DecodeError, match="KeyError: b"):
        read_output_type(Known).decode({"name": "b"})


def test_a_class_may_raise_anything():
    @attrs.define
    class Strange:
        x: int

        def __attrs_post_init__(self):
            raise KeyError(self.x)

    with pytest.raises(DecodeError, match="7"):
        read_output_type(Strange).decode({"x": 7})


@pytest.mark.parametrize("error", [KeyError(7), TypeError(7), RuntimeError(7)])
def test_a_validator_of_pydantic_may_raise_anything(error):
    class Strict(pydantic.BaseModel):
        x: int

        @pydantic.field_validator("x")
        @classmethod
        def check(cls, _):
            raise error

    with pytest.raises(DecodeError, match="7"):
        read_output_type(list[Strict]).decode([{"x": 7}])


def test_a_field_that_can_be_unset_is_optional():
    class Update(msgspec.Struct):
        name: str | msgspec.UnsetType | None = msgspec.UNSET

    output_type = read_output_type(Update)

    assert output_type.decode({}) == Update()
    assert output_type.decode({"name": None}) == Update(None)


def test_a_null_for_an_optional_key_is_the_key_left_out_unless_its_type_has_null():
    """As the documentation says: a strict schema has one null for both."""

    class Change(TypedDict):
        name: NotRequired[str]
        note: NotRequired[str | None]

    @dataclasses.dataclass
    class Price:
        unit: str = "kg"
        currency: str | None = "EUR"

    change, price = read_output_type(Change), read_output_type(Price)
    written = {"name": None, "note": None}
    assert change.decode(change.rewrite(OPENAI).restore(written)) == {"note": None}
    assert change.decode({}) == {}
    written = {"unit": None, "currency": None}
    assert price.decode(price.rewrite(OPENAI).restore(written)) == Price("kg", None)
