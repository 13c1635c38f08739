"""What the emulator was told to answer is the output: every kind of type, by every way."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from soak import IS_SOAK
from strict_values import TYPES, inline, make_values
from type_samples import SAMPLES

from aimlchat import ChatSession, Tool
from aimlchat._schema.output_types import read_output_type
from aimlchat.emulator import Emulator

WAYS = {
    "response_format": ("openai/gpt-4o", {}),
    "gemini": ("google/gemini-2.5-pro", {}),
    "tool": ("x-ai/grok-4-fast-reasoning", {}),
    "gemini beside tools": ("google/gemini-2.5-pro", {"tools": [Tool("f")]}),
    "claude": ("anthropic/claude-sonnet-5", {}),
    "claude 4.5": ("anthropic/claude-sonnet-4.5", {}),
    "claude 4.5 messages": ("anthropic/claude-sonnet-4.5", {"dialect": "messages"}),
    "thinking": ("anthropic/claude-3.7-sonnet", {"thinking": 2048}),
    "thinking messages": ("anthropic/claude-sonnet-4.5", {"thinking": 2048, "dialect": "messages"}),
    "words": ("deepseek/deepseek-r1", {}),
}
CASES = [(kind, value) for kind, values in SAMPLES for value in values]
# Each case goes one way, and every way in a soak.
CASES_OF = {
    way: CASES if IS_SOAK else CASES[number :: len(WAYS)] for number, way in enumerate(WAYS)
}


async def answer(session, emulator, kind, value, way, *, is_stream):
    """Return the completion of a call whose answer is a value of a type."""
    model, options = WAYS[way]
    emulator.reply(output=value)
    if not is_stream:
        return await session.complete("Read it", model=model, output_type=kind, **options)
    async with session.stream("Read it", model=model, output_type=kind, **options) as stream:
        drafts = [draft async for draft in stream.drafts()]
    assert stream.output == stream.completion.output
    if isinstance(value, dict | list) and value:
        assert fill(read_output_type(kind).decode(drafts[-1])) == fill(stream.output)
    return stream.completion


@pytest.mark.sampled
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("way", WAYS)
async def test_every_kind_of_type(session, emulator, way, is_stream):
    for kind, value in CASES_OF[way]:
        completion = await answer(session, emulator, kind, value, way, is_stream=is_stream)

        wanted = read_output_type(kind).decode(value)
        assert (completion.output, type(completion.output)) == (wanted, type(wanted))
        assert (completion.finish_reason, completion.tool_calls) == ("stop", ())


@given(st.data(), TYPES, st.sampled_from(sorted(WAYS)), st.booleans())
def test_any_type(data, kind, way, is_stream):
    value = data.draw(make_values(inline(read_output_type(kind).schema)))

    async def run():
        async with Emulator() as emulator, ChatSession("k", base_url=emulator.base_url) as session:
            return await answer(session, emulator, kind, value, way, is_stream=is_stream)

    completion = asyncio.run(run())
    assert fill(completion.output) == fill(read_output_type(kind).decode(value))


def fill(value):
    """Return a value with null for what is left out: a strict schema does not tell them apart."""
    match value:
        case msgspec.Struct():
            return {name: fill(getattr(value, name)) for name in value.__struct_fields__}
        case dict():
            return {key: fill(item) for key, item in value.items()}
        case list() | tuple():
            return [fill(item) for item in value]
        case msgspec.UNSET:
            return None
    return value
