"""JSON values: sent in plain types, or refused by the path of what JSON cannot hold."""

import enum

import pytest

from aimlchat.content import Message, Text
from aimlchat.request import ChatRequest
from aimlchat.tool_types import Tool

OPENAI = "gpt-4o"


def _build_payload(model, **options):
    return ChatRequest(model, **options).user("Hi").payload()


LONE_SURROGATE = "cut \ud83d here"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (
            {"messages": [Message("user", (Text("a"), Text(LONE_SURROGATE)))]},
            "messages[0].content[1]",
        ),
        ({"messages": [{"role": "user", "content": LONE_SURROGATE}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "a", LONE_SURROGATE: 1}]}, "messages[0]"),
        ({"system": LONE_SURROGATE}, "system"),
        ({"model": LONE_SURROGATE}, "model"),
        ({"stop": LONE_SURROGATE}, "stop"),
        ({"stop": ["a", LONE_SURROGATE]}, "stop[1]"),
        ({"tools": [Tool("f", description=LONE_SURROGATE)]}, "tools[0].description"),
        ({"tools": [Tool("f", parameters={"title": LONE_SURROGATE})]}, "tools[0].parameters.title"),
    ],
)
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_lone_surrogate_is_refused_by_its_path(dialect, options, field, refusal):
    request = ChatRequest(**({"model": "x", "dialect": dialect} | options))
    error = refusal(request if "messages" in options else request.user("Hi"))
    assert error.field == field
    assert "surrogate" in str(error)
    str(error).encode()


def test_text_beyond_ascii_is_sent_as_it_is():
    assert _build_payload(OPENAI, system="Grüße 👋")["messages"][0]["content"] == "Grüße 👋"


def _deep(levels):
    value = "x"
    for _ in range(levels):
        value = [value]
    return value


def _wide_and_deep():
    value = []
    value += [value, value]
    return value


@pytest.mark.parametrize("levels", [101, 300, 100_000])
def test_nesting_deeper_than_100_levels_is_refused(levels, refusal):
    deep = _deep(levels)
    error = refusal(ChatRequest(OPENAI, extra={"a": deep}).user("Hi"))
    assert error.field == "extra"
    assert "100 levels" in str(error)
    while deep != "x":  # Python takes 100,000 levels apart by recursion otherwise
        deep = deep[0]


def test_a_value_that_contains_itself_is_refused(refusal):
    assert refusal(ChatRequest(OPENAI, extra={"a": _wide_and_deep()}).user("Hi")).field == "extra"


def test_nesting_of_90_levels_is_sent():
    assert _build_payload(OPENAI, extra={"a": _deep(90)})["a"] == _deep(90)


class Word(str, enum.Enum):  # noqa: UP042 - the older kind, whose str() is another text
    LOW = "low"


class Number(enum.IntEnum):
    ONE = 1


def test_enums_are_sent_as_their_plain_values():
    payload = _build_payload(
        OPENAI,
        reasoning_effort=Word.LOW,
        n=Number.ONE,
        extra={"a": [Word.LOW, Number.ONE]},
    )
    assert type(payload["reasoning_effort"]) is str
    assert payload["reasoning_effort"] == "low"
    assert type(payload["n"]) is int
    assert [type(item) for item in payload["a"]] == [str, int]


def test_an_error_quotes_only_the_beginning_of_a_long_value(refusal):
    error = refusal(ChatRequest(OPENAI, client_request_id="x" * 10_000).user("Hi"))
    assert len(str(error)) < 300
