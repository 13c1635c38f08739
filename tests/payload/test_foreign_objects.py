"""Objects of other libraries in a request: refused by their path, with how they become JSON."""

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import pathlib
import uuid
from collections import UserDict

import pytest

from aimlchat.completions import Choice, Completion
from aimlchat.content import Audio, Document, Image, Text
from aimlchat.errors import InvalidRequestError
from aimlchat.request import ChatRequest

OPENAI = "gpt-4o"


class Color(enum.Enum):
    RED = "red"


class Role(enum.StrEnum):
    USER = "user"


class PydanticModel:
    def model_dump(self):
        raise AssertionError


class NumpyInteger:
    def tolist(self):
        raise AssertionError


@dataclasses.dataclass
class Data:
    role: str = "user"


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (PydanticModel(), ".model_dump("),
        (Data(), "dataclasses.asdict("),
        (Completion(), ".as_message()"),
        (Color.RED, ".value"),
        (NumpyInteger(), ".tolist()"),
        (dt.datetime.now(tz=dt.UTC), ".isoformat()"),
        (dt.date(2026, 1, 1), ".isoformat()"),
        (decimal.Decimal("1.5"), "float("),
        (fractions.Fraction(1, 2), "float("),
        (pathlib.Path("a"), "str("),
        (uuid.UUID(int=1), "str("),
        (b"a", ".decode()"),
        (bytearray(b"a"), ".decode()"),
        ({1}, "list("),
        ({}.keys(), "list("),
        ((x for x in "a"), "list("),
        (1j, "a str, int"),
        (object(), "a str, int"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_a_value_that_json_cannot_hold_is_refused_with_its_conversion(value, advice, refusal):
    for request, field in (
        (ChatRequest(OPENAI, extra={"a": [value]}).user("Hi"), "extra.a[0]"),
        (ChatRequest(OPENAI, messages=[{"role": "user", "content": value}]), "messages[0].content"),
    ):
        error = refusal(request)
        assert error.field == field
        assert type(value).__name__ in str(error)
        assert f"give {advice}" in str(error) or f"give its {advice}" in str(error)


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        (PydanticModel(), "model_dump"),
        (Data(), "asdict"),
        (Completion(choices=(Choice(text="Hi"),)), "as_message"),
        (Text("Hi"), ".user("),
        (("user", "Hi"), ".user("),
        (None, ".user("),
    ],
    ids=str,
)
def test_an_object_in_place_of_a_message_is_refused_with_how_to_give_it(message, advice, refusal):
    error = refusal(ChatRequest(OPENAI, messages=[message]))
    assert error.field == "messages[0]"
    assert advice in str(error)


class Series(list):
    """Compares item by item, as those of numpy and pandas do."""

    __hash__ = None

    def __eq__(self, _):
        raise ValueError


def test_a_list_that_compares_item_by_item_is_a_list():
    messages = Series([{"role": "user", "content": "Hi"}])
    request = ChatRequest(OPENAI, messages=messages, stop=Series(["a"]))
    assert request.payload() == {"model": OPENAI, "messages": [*messages], "stop": ["a"]}


def test_a_type_with_the_name_of_a_builtin_is_told_apart(refusal):
    namesake = type("bool", (), {"__module__": "numpy"})
    error = refusal(ChatRequest(OPENAI, logprobs=namesake()).user("Hi"))
    assert "an object of type numpy.bool is neither True nor False" in str(error)


def test_an_object_in_place_of_a_tool_is_refused_with_how_to_give_it(refusal):
    error = refusal(ChatRequest(OPENAI, tools=[PydanticModel()]).user("Hi"))
    assert error.field == "tools[0]"
    assert "model_dump" in str(error)


@pytest.mark.parametrize(
    "messages",
    [
        ({"role": "user", "content": "Hi"} for _ in range(1)),
        iter([{"role": "user", "content": "Hi"}]),
        {"a": {"role": "user", "content": "Hi"}}.values(),
        ({"role": Role.USER, "content": "Hi"},),
        [UserDict(role="user", content="Hi")],
    ],
    ids=lambda value: type(value).__name__,
)
def test_messages_may_be_any_iterable_of_any_mappings(messages):
    sent = ChatRequest(OPENAI, messages=messages).payload()["messages"]
    assert sent == [{"role": "user", "content": "Hi"}]
    assert type(sent[0]["role"]) is str


async def test_messages_as_an_option_may_be_any_iterable(session, emulator):
    messages = ({"role": "user", "content": text} for text in ["Hi"])
    await session.complete("replaced", messages=messages)

    assert emulator.requests[0].body["messages"] == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("kind", [Image, Document, Audio])
@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("from_bytes", "text", "from_path()"),
        ("from_bytes", 5, "bytes"),
        ("from_bytes", None, "bytes"),
        ("from_url", pathlib.Path("a"), "str(url)"),
        ("from_url", b"https://example.com", "str(url)"),
        ("from_url", None, "str(url)"),
        ("from_path", b"a", "from_bytes()"),
        ("from_path", 5, "a path"),
        ("from_path", None, "a path"),
    ],
)
def test_a_file_made_from_another_type_is_refused_by_it(kind, name, value, advice):
    with pytest.raises(InvalidRequestError, match=type(value).__name__) as caught:
        getattr(kind, name)(value)

    assert advice in str(caught.value)


def test_a_media_type_of_another_type_is_refused():
    with pytest.raises(InvalidRequestError, match="type int; give a media type"):
        Image.from_bytes(b"x", media_type=5)
