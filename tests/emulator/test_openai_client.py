"""OpenAI's own package as a client; the emulator has to send what that package expects."""

import json

import openai
import pytest
from openai import AsyncOpenAI

GPT = "openai/gpt-4o"
CLAUDE = "anthropic/claude-3.7-sonnet"
HELLO = [{"role": "user", "content": "Why is the sky blue?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture
async def ai(emulator):
    async with AsyncOpenAI(base_url=emulator.base_url, api_key="k", max_retries=0) as client:
        yield client


async def test_it_reads_a_whole_completion(ai):
    completion = await ai.chat.completions.create(model="openai/o3", messages=HELLO)
    assert "Rayleigh" in completion.choices[0].message.content
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.completion_tokens_details.reasoning_tokens > 0


async def test_it_reads_a_stream(ai):
    stream = await ai.chat.completions.create(model=GPT, messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert "Rayleigh" in text
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_it_reads_the_usage_of_a_stream(ai):
    stream = await ai.chat.completions.create(
        model=GPT, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = [chunk async for chunk in stream]
    assert all(chunk.usage is None for chunk in chunks)
    assert last.choices == []
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens


@pytest.mark.parametrize("form", ["flat", "enveloped"])
async def test_it_reads_claudes_streams_without_an_error(ai, emulator, form):
    emulator.reply("Fine.", form=form)
    stream = await ai.chat.completions.create(model=CLAUDE, messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    if form == "flat":
        deltas = [c.choices[0].delta for c in chunks if c.choices and c.choices[0].delta]
        assert "".join(delta.content or "" for delta in deltas) == "Fine."


async def test_it_reads_two_choices(ai):
    stream = await ai.chat.completions.create(model=GPT, messages=HELLO, stream=True, n=2)
    texts = ["", ""]
    async for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert all(texts)
    completion = await ai.chat.completions.create(model=GPT, messages=HELLO, n=2)
    assert [choice.message.content for choice in completion.choices] == texts


async def test_its_own_accumulator_accepts_a_stream(ai, emulator):
    emulator.reply("Fine.", tool_calls=[("get_weather", {"city": "Oslo"})])
    async with ai.chat.completions.stream(model=GPT, messages=HELLO, tools=[WEATHER]) as stream:
        async for _ in stream:
            pass
        completion = await stream.get_final_completion()
    message = completion.choices[0].message
    assert message.content == "Fine."
    assert json.loads(message.tool_calls[0].function.arguments) == {"city": "Oslo"}
    assert completion.choices[0].finish_reason == "tool_calls"


async def test_it_completes_a_round_of_tool_calls(ai):
    messages = [{"role": "user", "content": "Use get_weather for Oslo"}]
    first = await ai.chat.completions.create(model=GPT, messages=messages, tools=[WEATHER])
    (call,) = first.choices[0].message.tool_calls
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "18 degrees"})
    second = await ai.chat.completions.create(model=GPT, messages=messages, tools=[WEATHER])
    assert "18 degrees" in second.choices[0].message.content


async def test_it_reads_a_refusal(ai, emulator):
    emulator.reply(refusal="I will not.")
    stream = await ai.chat.completions.create(model=GPT, messages=HELLO, stream=True)
    refusals = [chunk.choices[0].delta.refusal or "" async for chunk in stream]
    assert "".join(refusals) == "I will not."


async def test_it_reads_an_answer_that_fits_a_json_schema(ai):
    schema = {"type": "object", "properties": {"cause": {"type": "string"}}}
    completion = await ai.chat.completions.create(
        model=GPT,
        messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
    )
    assert json.loads(completion.choices[0].message.content).keys() == {"cause"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
async def test_it_raises_its_own_exception_for_each_status(ai, emulator, status, error):
    emulator.fail(status=status, message="Because.")
    with pytest.raises(error, match=r"Because\."):
        await ai.chat.completions.create(model=GPT, messages=HELLO)


async def test_it_reads_the_list_of_models(ai):
    assert GPT in [model.id async for model in ai.models.list()]
