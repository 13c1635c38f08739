"""Whole completions: their body in the shape of each family of models, usage and cost."""

import json

import pytest

CLAUDE = "anthropic/claude-3.7-sonnet"
GPT = "openai/gpt-4o"


@pytest.mark.parametrize(
    ("reply", "finish_reason"),
    [
        ({"text": "x"}, "end_turn"),
        ({"text": "x", "finish_reason": "length"}, "max_tokens"),
        ({"tool_calls": [("f", {})]}, "tool_use"),
        ({"refusal": "No."}, "refusal"),
        ({"text": "x", "finish_reason": "pause_turn"}, "pause_turn"),
    ],
)
async def test_claude_has_its_own_finish_reasons(emulator, client, reply, finish_reason):
    emulator.reply(**reply)
    assert (await client.ask()).body["choices"][0]["finish_reason"] == finish_reason


async def test_claude_always_has_reasoning_content(emulator, client):
    emulator.reply("Yes.")
    assert (await client.ask()).message["reasoning_content"] == ""
    emulator.reply("Yes.", reasoning="Is it?")
    assert (await client.ask()).message["reasoning_content"] == "Is it?"


async def test_other_models_have_openais_finish_reasons(emulator, client):
    emulator.reply(refusal="No.")
    response = await client.ask(model=GPT)
    assert response.body["choices"][0]["finish_reason"] == "stop"
    assert response.message["content"] is None
    assert response.message["refusal"] == "No."


async def test_gemini_adds_its_native_finish_reason(client):
    model = "google/gemini-3-flash-preview"
    response = await client.ask(model=model, reasoning_effort="low")
    assert response.body["choices"][0]["native_finish_reason"] == "STOP"
    assert response.message["reasoning_details"][0]["text"] == response.message["reasoning"]


@pytest.mark.parametrize(
    ("reasoning_as", "expected"),
    [
        ("inline", {"content": "<think>\nIs it?\n</think>\n\nYes."}),
        ("reasoning_content", {"content": "Yes.", "reasoning_content": "Is it?"}),
        (
            "thinking",
            {
                "content": [
                    {"type": "thinking", "thinking": "Is it?"},
                    {"type": "text", "text": "Yes."},
                ]
            },
        ),
        (
            "reasoning_details",
            {
                "reasoning": None,
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "Is it?", "format": None, "index": 0}
                ],
            },
        ),
    ],
)
async def test_reasoning_is_put_into_the_scripted_field(emulator, client, reasoning_as, expected):
    emulator.reply("Yes.", reasoning="Is it?", reasoning_as=reasoning_as)
    message = (await client.ask(model=GPT)).message
    assert {field: message[field] for field in expected} == expected


async def test_tool_calls_carry_their_arguments_as_json(emulator, client):
    emulator.reply(tool_calls=[{"id": "call_7", "name": "f", "arguments": {"x": 1}}])
    (call,) = (await client.ask(model=GPT)).message["tool_calls"]
    assert call["id"] == "call_7"
    assert call["type"] == "function"
    assert json.loads(call["function"]["arguments"]) == {"x": 1}


async def test_the_cost_is_in_the_body_and_in_the_headers(client):
    response = await client.ask()
    meta_usage = response.body["meta"]["usage"]
    assert meta_usage["credits_used"] == pytest.approx(meta_usage["usd_spent"] * 2_000_000)
    assert response.headers["x-aimlapi-credits-used"] == str(meta_usage["credits_used"])
    assert float(response.headers["x-aimlapi-usd-spent"]) == meta_usage["usd_spent"]


async def test_a_longer_answer_costs_more(emulator, client):
    emulator.reply("short")
    emulator.reply("long " * 1000)
    short, long = [(await client.ask()).body for _ in range(2)]
    assert short["usage"]["completion_tokens"] < long["usage"]["completion_tokens"]
    assert short["meta"]["usage"]["usd_spent"] < long["meta"]["usage"]["usd_spent"]


async def test_reasoning_tokens_are_part_of_the_completion_tokens(client):
    usage = (await client.ask("Why is the sky blue?", model="openai/o3")).body["usage"]
    reasoning = usage["completion_tokens_details"]["reasoning_tokens"]
    assert 0 < reasoning < usage["completion_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize(
    ("model", "upstream"),
    [
        (CLAUDE, "claude-3-7-sonnet-20250219"),
        ("claude-3-7-sonnet-latest", "claude-3-7-sonnet-20250219"),
        ("anthropic/claude-opus-4.7", "claude-opus-4-7"),
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("moonshot/kimi-k2-6", "kimi-k2.6"),
    ],
)
async def test_the_response_has_the_upstream_name_of_the_model(client, model, upstream):
    assert (await client.ask(model=model)).body["model"] == upstream
