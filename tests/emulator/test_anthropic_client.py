"""Anthropic's own package as a client; the emulator has to send what that package expects."""

import anthropic
import pytest
from anthropic import AsyncAnthropic

CLAUDE = "anthropic/claude-sonnet-4.5"
HELLO = [{"role": "user", "content": "Why is the sky blue?"}]
THINKING = {"type": "enabled", "budget_tokens": 1024}
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


@pytest.fixture
async def ai(emulator):
    root = emulator.base_url.removesuffix("/v1")
    async with AsyncAnthropic(base_url=root, api_key="k", max_retries=0) as client:
        yield client


def ask(**changes):
    return {"model": CLAUDE, "max_tokens": 4096, "messages": HELLO} | changes


async def test_it_reads_a_whole_message(ai):
    message = await ai.messages.create(**ask())
    assert "Rayleigh" in message.content[0].text
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens > 0


async def test_it_reads_thinking_with_a_signature(ai):
    message = await ai.messages.create(**ask(thinking=THINKING))
    thinking, text = message.content
    assert "Rayleigh" in thinking.thinking
    assert thinking.signature
    assert "Rayleigh" in text.text


async def test_its_own_accumulator_makes_the_whole_message_of_a_stream(ai, emulator):
    emulator.reply("Fine.", reasoning="Hm.", tool_calls=[("get_weather", {"city": "Oslo"})])
    async with ai.messages.stream(**ask(tools=[WEATHER])) as stream:
        streamed = await stream.get_final_message()
    emulator.reply("Fine.", reasoning="Hm.", tool_calls=[("get_weather", {"city": "Oslo"})])
    whole = await ai.messages.create(**ask(tools=[WEATHER]))
    assert [block.type for block in streamed.content] == ["thinking", "text", "tool_use"]
    assert streamed.content[0] == whole.content[0]
    assert streamed.content[2].input == whole.content[2].input == {"city": "Oslo"}
    assert streamed.stop_reason == whole.stop_reason == "tool_use"
    assert streamed.usage.output_tokens == whole.usage.output_tokens


async def test_it_completes_a_round_of_tool_calls_with_thinking(ai):
    question = [{"role": "user", "content": "Use get_weather for Oslo"}]
    options = ask(messages=question, tools=[WEATHER], thinking=THINKING)
    first = await ai.messages.create(**options)
    call = first.content[-1]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"}
    options["messages"] = [
        *question,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    second = await ai.messages.create(**options)
    assert "18 degrees" in second.content[-1].text


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.InternalServerError),
    ],
)
async def test_it_raises_its_own_exception_for_each_status(ai, emulator, status, error):
    emulator.fail(status=status, message="Because.")
    with pytest.raises(error, match=r"Because\."):
        await ai.messages.create(**ask())


async def test_it_sends_interleaved_thinking_back_from_a_stream(ai, emulator):
    blocks = [
        {"type": "thinking", "thinking": "First."},
        {"type": "text", "text": "Let me see."},
        {"type": "redacted_thinking"},
        {"type": "thinking"},
        {"type": "tool_use", "name": "get_weather", "input": {"city": "Ulm"}},
    ]
    emulator.reply(blocks=blocks)
    options = ask(tools=[WEATHER], thinking=THINKING)
    async with ai.messages.stream(**options) as stream:
        message = await stream.get_final_message()
    result = {"type": "tool_result", "tool_use_id": message.content[-1].id, "content": "rain"}
    options["messages"] = [
        *HELLO,
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": [result]},
    ]
    answer = await ai.messages.create(**options)
    assert "rain" in answer.content[-1].text
    message.content[0].thinking = "Second."
    with pytest.raises(anthropic.BadRequestError, match="signature"):
        await ai.messages.create(**options)
