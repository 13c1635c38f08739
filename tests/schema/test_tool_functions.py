"""`Tool.from_function`: a function as a tool, and what cannot be one."""

import copy
import functools
import gc
import weakref
from datetime import date
from typing import Annotated

import msgspec
import pytest

from aimlchat import ConfigurationError, InvalidRequestError, ProtocolError, Tool, ToolCall
from aimlchat._schema.signatures import read_signature


def search(query: str, limit: int = 5) -> str:
    """Search the web.

    Args:
        query: what to look for.
        limit: the most results.
    """
    return query * limit


class Shop:
    """A shop."""

    async def __call__(self, item: str):
        """Buy an item."""

    def price(self, item: str):
        """Tell a price."""

    @classmethod
    def opens(cls, day: int):
        """Tell when it opens."""

    @staticmethod
    def closes(day: int):
        """Tell when it closes."""


class Plain:
    """Does something."""

    def __call__(self): ...


@functools.cache
def cached(query: str):
    """Search, once."""


def generate():
    yield 1


async def generate_later():
    yield 1


def test_a_function_gives_name_description_and_parameters():
    tool = Tool.from_function(search)

    assert tool == Tool(
        "search",
        description="Search the web.",
        parameters={
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "what to look for."},
                "limit": {"type": "integer", "description": "the most results.", "default": 5},
            },
            "required": ["query"],
            "additionalProperties": False,
        },
        function=search,
    )


@pytest.mark.parametrize(
    ("function", "name", "description", "parameters"),
    [
        (Shop(), "Shop", "Buy an item.", ["item"]),
        (Plain(), "Plain", "Does something.", []),
        (Shop().price, "price", "Tell a price.", ["item"]),
        (Shop.opens, "opens", "Tell when it opens.", ["day"]),
        (Shop.closes, "closes", "Tell when it closes.", ["day"]),
        (Shop().__call__, "__call__", "Buy an item.", ["item"]),
        (functools.partial(search, limit=3), "search", "Search the web.", ["query"]),
        (functools.partial(search, "a"), "search", "Search the web.", ["limit"]),
        (functools.partial(Shop(), item="a"), "Shop", "Buy an item.", []),
        (cached, "cached", "Search, once.", ["query"]),
    ],
)
def test_whatever_can_be_called_can_be_a_tool(function, name, description, parameters):
    tool = Tool.from_function(function)

    assert (tool.name, tool.description) == (name, description)
    assert [*tool.parameters["properties"]] == parameters
    assert tool.function is function


def test_changes_replace_what_was_found():
    schema = {"type": "object"}
    changes = {"name": "find", "description": None, "parameters": schema}
    tool = Tool.from_function(search, **changes, strict=False, timeout=3, sequential=True)

    assert tool == Tool(**changes, strict=False, timeout=3, sequential=True, function=search)
    with pytest.raises(TypeError, match="retries"):
        Tool.from_function(search, retries=3)


def test_with_parameters_of_its_own_a_tool_needs_no_annotations():
    tool = Tool.from_function(lambda x: x, name="f", parameters={"type": "object"})

    assert tool.function(3) == 3


@pytest.mark.parametrize(
    ("function", "field", "words"),
    [
        (Shop, "function", "Shop is a class; give a function, or an instance with __call__"),
        (functools.partial(Shop), "function", "Shop is a class"),
        (5, "function", "an object of type int is not a function"),
        (generate, "function", "it yields values, but a tool has one result; collect them"),
        (generate_later, "function", "it yields values"),
        (lambda: 1, "name", "'<lambda>' is not a name that the API takes; give another one"),
        (lambda *_: 1, "parameters._", "it takes any number of values; give it a list"),
        (lambda _: 1, "parameters._", "it has no annotation; annotate it with builtin"),
        (max, "parameters", "its signature cannot be read"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_with_what_to_do(function, field, words):
    changes = {} if field == "name" else {"name": "f"}
    with pytest.raises(InvalidRequestError) as caught:
        Tool.from_function(function, **changes)

    assert caught.value.field == field
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (complex, "complex cannot be a JSON schema"),
        (Annotated[str, msgspec.Meta(ge=3)], "the limits ge do not apply to str"),
        ("Missing", "'Missing', cannot be resolved"),
        (dict[float, str], "the keys of an object are texts"),
    ],
)
def test_a_parameter_without_a_schema_is_named_with_its_function(annotation, words):
    def find(value): ...

    find.__annotations__["value"] = annotation
    with pytest.raises(InvalidRequestError) as caught:
        Tool.from_function(find)

    assert caught.value.field.startswith("parameters.value")
    assert "find() cannot be described to a model" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["größe", "a b", "x" * 65, "", 5])
def test_a_name_that_the_api_refuses_is_refused(name):
    with pytest.raises(InvalidRequestError, match="1 to 64 of A-Z a-z 0-9 _ -") as caught:
        Tool.from_function(search, name=name)

    assert caught.value.field == "name"


def test_a_signature_is_read_once_for_functions_methods_and_objects():
    for first, second in ((search, search), (Shop().price, Shop().price), (Shop(), Shop())):
        assert read_signature(first) is read_signature(second)
    assert read_signature(Shop().price) is not read_signature(Shop.price)


def test_a_tool_does_not_share_its_schema_with_the_next_one():
    Tool.from_function(search).parameters["properties"].clear()

    assert Tool.from_function(search).parameters["properties"]


def test_a_function_that_was_a_tool_is_freed():
    def local(day: int = 5): ...

    Tool.from_function(local)
    reference = weakref.ref(local)
    del local
    gc.collect()

    assert reference() is None


def test_a_deep_copy_of_a_tool_calls_the_same_object():
    tool = Tool.from_function(Shop().price)

    assert copy.deepcopy(tool) == tool
    assert copy.deepcopy(tool).parameters is not tool.parameters


def book(day: date, counts: dict[str, int], nights: int = 1):
    return day, counts, nights


@pytest.mark.parametrize(
    "arguments",
    [
        '{"day": "2030-01-31", "counts": {"a": 2}}',
        '{"day": "2030-01-31", "counts": [{"key": "a", "value": 2}], "nights": null}',
    ],
)
def test_a_call_is_bound_with_decoded_arguments(arguments):
    call = ToolCall("1", "book", arguments)

    assert Tool.from_function(book).bind(call)() == (date(2030, 1, 31), {"a": 2}, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            '{"day": "soon", "nights": 1.5}',
            (
                "the arguments of tool call 'book' do not fit: day: expected a date as in"
                " '2030-01-31', got 'soon'; counts: it is missing; expected an object; nights:"
                " expected an integer, got 1.5"
            ),
        ),
        ("[1]", "the arguments of tool call 'book' are not a JSON object"),
        ('{"day"', "the arguments of tool call 'book' are not JSON"),
    ],
)
def test_a_call_that_does_not_fit_is_refused_with_all_that_is_wrong(arguments, words):
    with pytest.raises(ProtocolError) as caught:
        Tool.from_function(book).bind(ToolCall("1", "book", arguments))

    assert words in str(caught.value)


def test_a_tool_without_a_function_has_no_call():
    with pytest.raises(ConfigurationError, match="'book' has no function"):
        Tool("book").bind(ToolCall("1", "book", "{}"))
