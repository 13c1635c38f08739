"""What a tool of a run returns or raises, as its result."""

import asyncio
import dataclasses
import datetime as dt

import attrs
import msgspec
import pytest
from run_tools import (
    CLAUDE,
    call_all,
    make_tool,
    read_all,
    run_one,
    texts_of,
)

from aimlchat import Document, Image, Text


class BrokenError(Exception):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "content"),
    [
        (KeyError("Ulm"), "KeyError: 'Ulm'"),
        (StopIteration(), "RuntimeError: coroutine raised StopIteration"),
        (asyncio.CancelledError("no"), "CancelledError: no"),
        (ValueError("\ud800"), "ValueError: \\ud800"),
        (BrokenError(), "BrokenError"),
        (ExceptionGroup("two", [ValueError()]), "ExceptionGroup: two (1 sub-exception)"),
        (StopAsyncIteration(), "StopAsyncIteration"),
    ],
)
@pytest.mark.parametrize("is_async", [True, False])
async def test_whatever_a_tool_raises_is_a_result(session, emulator, error, content, is_async):
    def fail():
        raise error

    async def fail_later():
        raise error

    result = await run_one(session, emulator, fail_later if is_async else fail)

    assert (result.content, result.is_error) == (content, True)


@dataclasses.dataclass
class Weather:
    rain: bool
    day: dt.date


@attrs.define
class Point:
    x: float


class Wind(msgspec.Struct):
    speed: float


class Model:
    """As one of pydantic."""

    def model_dump(self, mode):
        return {"mode": mode}


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("Rain in Köln", "Rain in Köln"),
        (None, "The call returned nothing."),
        ("", "The call returned nothing."),
        (True, "true"),
        (1.5, "1.5"),
        ({"ü": [1, None]}, '{"ü": [1, null]}'),
        ({1: "a"}, '{"1": "a"}'),
        ((1, 2), "[1, 2]"),
        ([], "[]"),
        (Weather(rain=True, day=dt.date(2026, 5, 1)), '{"rain": true, "day": "2026-05-01"}'),
        ([Point(1.5)], '[{"x": 1.5}]'),
        (Wind(2.5), '{"speed": 2.5}'),
        (Model(), '{"mode": "json"}'),
        (Text("Rain"), (Text("Rain"),)),
        (["Rain", Text("Sun")], (Text("Rain"), Text("Sun"))),
    ],
)
async def test_what_a_tool_returns_becomes_text(session, emulator, value, content):
    result = await run_one(session, emulator, lambda: value)

    assert (result.content, result.is_error) == (content, False)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (object(), "object is not a JSON value"),
        (b"rain", "give its .decode()"),
        (float("nan"), "nan is not a number"),
        ("\ud800", "lone surrogate"),
        (2**70, "64 bits"),
        ((n for n in "ab"), "give list(...)"),
        ([Text("Rain"), 7], "an object of type int among parts"),
        (Document.from_bytes(b"%PDF-1.7 "), "holds only text"),
    ],
)
async def test_what_cannot_be_sent_is_an_error(session, emulator, value, problem):
    result = await run_one(session, emulator, lambda: value)

    assert result.is_error
    assert result.content.startswith("the result of the tool cannot be sent: ")
    assert problem in result.content


async def test_claude_gets_an_image(session, emulator, png):
    tool = make_tool(lambda: ["A map", Image.from_bytes(png)], "draw")
    run = call_all(session, emulator, [tool], "draw", model=CLAUDE)

    events = await read_all(run)

    assert texts_of(events) == [((Text("A map"), Image.from_bytes(png)), False)]
    result = emulator.requests[1].body["messages"][-1]["content"][0]
    assert [part["type"] for part in result["content"]] == ["text", "image"]
