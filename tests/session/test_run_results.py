"""What a tool of a run returns or raises, as its result."""

import asyncio
import dataclasses
import datetime as dt

import attrs
import msgspec
import pytest
from run_tools import (
    CLAUDE,
    GPT,
    WEATHER,
    call_all,
    make_tool,
    read_all,
    results_of,
    run_one,
    texts_of,
)

from aimlchat import Audio, Document, Image, Text


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
        (Document.from_bytes(b"Rain", "text/plain"), "takes a PDF as a document"),
    ],
)
async def test_what_cannot_be_sent_is_an_error(session, emulator, value, problem):
    result = await run_one(session, emulator, lambda: value)

    assert result.is_error
    assert result.content.startswith("the result of the tool cannot be sent: ")
    assert problem in result.content


async def test_a_model_of_the_openai_dialect_gets_an_image_behind_the_results(
    session, emulator, png
):
    image = Image.from_bytes(png)
    tools = [WEATHER, make_tool(lambda: ["A map", image], "draw")]
    ulm = ("get_weather", {"city": "Ulm"})
    run = call_all(session, emulator, tools, "draw", ulm)

    events = await read_all(run)

    assert texts_of(events) == [((Text("A map"), image), False), ("It rains in Ulm.", False)]
    *results, files = emulator.requests[1].body["messages"][-3:]
    assert [message["role"] for message in (*results, files)] == ["tool", "tool", "user"]
    assert results[0]["content"].startswith("A map\n(Image 1 ")
    assert [part["type"] for part in files["content"]] == ["text", "image_url"]


async def test_the_emulator_answers_with_what_a_tool_draws(session, emulator, png):
    def draw():
        """Draw a map of a city."""
        return ["A map of Ulm", Image.from_bytes(png)]

    run = session.run("Draw a map of the city", tools=[draw], model=GPT)

    assert "A map of Ulm" in (await run.collect()).text
    assert run.rounds == 2


@pytest.mark.parametrize("models", [{"model": CLAUDE}, {"models": [GPT, CLAUDE], "model": None}])
async def test_what_a_model_does_not_take_is_left_out_of_a_result(session, emulator, png, models):
    audio, image = Audio.from_bytes(b"ID3 ", "audio/mpeg"), Image.from_bytes(png)
    tool = make_tool(lambda: ["Rain", audio, image], "f")

    (result,) = results_of(await read_all(call_all(session, emulator, [tool], "f", **models)))

    text, note, kept = result.content
    assert (text, kept, result.is_error) == (Text("Rain"), image, False)
    assert note.text.startswith("(Audio that was left out: the result of a tool holds texts and")


async def test_claude_gets_an_image(session, emulator, png):
    tool = make_tool(lambda: ["A map", Image.from_bytes(png)], "draw")
    run = call_all(session, emulator, [tool], "draw", model=CLAUDE)

    events = await read_all(run)

    assert texts_of(events) == [((Text("A map"), Image.from_bytes(png)), False)]
    result = emulator.requests[1].body["messages"][-1]["content"][0]
    assert [part["type"] for part in result["content"]] == ["text", "image"]
