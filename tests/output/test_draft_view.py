"""`DraftView`, and `drafts()` of a stream."""

from typing import TypedDict

import pytest

from aimlchat import AnswerDelta, ChatSession, ReasoningDelta, RetryPolicy, StreamInterruptedError
from aimlchat._output.draft_view import DraftView
from aimlchat._schema.output_types import read_output_type
from aimlchat._schema.subsets import OPENAI
from aimlchat.emulator import Cut, Emulator

GPT = "openai/gpt-4o"


class Optional(TypedDict, total=False):
    a: str
    b: int
    c: str
    d: int


async def deltas_of(*deltas):
    for delta in deltas:
        if isinstance(delta, Exception):
            raise delta
        yield delta


async def drafts_of(*deltas, schema=None):
    return [draft async for draft in DraftView(deltas_of(*deltas), lambda: schema)]


def rewrite(kind):
    """Return the strict schema of a type."""
    return read_output_type(kind).rewrite(OPENAI)


async def test_the_answer_of_choice_0_grows_and_all_else_is_skipped():
    drafts = await drafts_of(
        ReasoningDelta('{"x": 1}'),
        AnswerDelta('{"a": "b'),
        AnswerDelta('{"y": 1}', choice=1),
        AnswerDelta('c"}'),
        AnswerDelta(" "),
    )

    assert drafts == [{"a": "b"}, {"a": "bc"}]


async def test_a_text_without_an_object_is_shown_at_the_end():
    assert await drafts_of(AnswerDelta("4"), AnswerDelta("2")) == [42]
    assert await drafts_of(AnswerDelta("No.")) == []
    assert await drafts_of() == []


async def test_a_failure_is_raised_behind_the_drafts_before_it():
    view = DraftView(deltas_of(AnswerDelta('{"a": [1, '), StreamInterruptedError("cut")))

    assert await anext(view) == {"a": [1]}
    with pytest.raises(StreamInterruptedError):
        await anext(view)


async def test_what_was_rewritten_is_undone_and_equal_drafts_are_left_out():
    pieces = [AnswerDelta(piece) for piece in '{"a": null, "b": 1, "c": null, "d": 2}']

    drafts = await drafts_of(*pieces, schema=rewrite(Optional))

    assert drafts == [{}, {"b": 1}, {"b": 1, "d": 2}]


async def test_a_value_is_taken_out_of_the_object_around_it():
    name = rewrite(list[int]).wrapper
    pieces = [AnswerDelta(f'{{"{name}": [1, '), AnswerDelta("2]}")]

    assert await drafts_of(*pieces, schema=rewrite(list[int])) == [[1], [1, 2]]
    assert await drafts_of(*pieces) == [{name: [1]}, {name: [1, 2]}]


async def test_drafts_of_a_stream():
    value = {"city": "Ulm", "days": [{"rain": True}, {"rain": False}]}
    async with Emulator() as emulator, ChatSession("k", base_url=emulator.base_url) as session:
        emulator.reply(output=value, reasoning="Hm.")
        async with session.stream("Rain?", model=GPT) as stream:
            drafts = [draft async for draft in stream.drafts()]

        assert drafts[-1] == value
        assert len(drafts) > 2
        assert stream.completion.reasoning == "Hm."


async def test_a_stream_that_is_cut_raises_after_its_drafts():
    once = RetryPolicy(attempts=1)
    async with (
        Emulator() as emulator,
        ChatSession("k", base_url=emulator.base_url, retry=once) as session,
    ):
        emulator.reply(output={"a": ["word " * 20]}, fault=Cut(1500))
        async with session.stream("Rain?", model=GPT) as stream:
            drafts = []

            async def take_drafts():
                async for draft in stream.drafts():
                    drafts.append(draft)  # noqa: PERF401 - a comprehension would lose them

            with pytest.raises(StreamInterruptedError):
                await take_drafts()

        assert "word" in drafts[-1]["a"][0]
