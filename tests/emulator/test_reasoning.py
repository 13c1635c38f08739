"""When a generated answer has reasoning: if it was asked for, or if the model always reasons."""

import pytest

CLAUDE = "anthropic/claude-3.7-sonnet"
NEWEST = "anthropic/claude-sonnet-5"
BUDGET = {"type": "enabled", "budget_tokens": 1024}


@pytest.mark.parametrize(
    "model", [CLAUDE, NEWEST, "openai/gpt-4o", "google/gemini-3-flash-preview", "zhipu/glm-4.6"]
)
async def test_most_models_do_not_reason_unasked(client, model):
    response = await client.ask("Why is the sky blue?", model=model)
    assert not response.message.get("reasoning_content")
    assert not response.message.get("reasoning")
    assert "<think>" not in response.message["content"]


@pytest.mark.parametrize(
    ("model", "setting"),
    [
        (CLAUDE, {"thinking": BUDGET}),
        (CLAUDE, {"reasoning_effort": "low"}),
        (NEWEST, {"thinking": {"type": "adaptive"}}),
        ("zhipu/glm-4.6", {"thinking": {"type": "enabled"}}),
        ("deepseek/deepseek-v4-pro", {"reasoning_effort": "high"}),
        ("deepseek/deepseek-v4-pro", {"reasoning": {"effort": "low"}}),
        ("deepseek/deepseek-v4-pro", {"reasoning": {"max_tokens": 2000}}),
        ("deepseek/deepseek-v4-pro", {"enable_thinking": True}),
        ("deepseek/deepseek-r1", {}),
        ("deepseek/deepseek-r1", {"reasoning_effort": "none"}),
        ("x-ai/grok-code-fast-1", {}),
    ],
    ids=str,
)
async def test_reasoning_comes_if_asked_for_or_always(client, model, setting):
    response = await client.ask("Why is the sky blue?", model=model, **setting)
    assert "wavelength" in response.message["reasoning_content"]


@pytest.mark.parametrize(
    "setting",
    [
        {"reasoning_effort": "none"},
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "disabled"}, "reasoning_effort": "high"},
        {"reasoning": {"effort": "high", "exclude": True}},
        {"reasoning": {"enabled": False}},
        {"enable_thinking": False},
    ],
    ids=str,
)
async def test_reasoning_can_be_declined(client, setting):
    response = await client.ask("Why is the sky blue?", model="zhipu/glm-4.6", **setting)
    assert "reasoning_content" not in response.message
    assert response.body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0


async def test_a_model_that_does_not_reason_cannot_be_made_to(client):
    response = await client.ask(model="openai/gpt-4o", reasoning_effort="high")
    assert "reasoning_content" not in response.message


@pytest.mark.parametrize("model", ["openai/o3", "x-ai/grok-4-fast-reasoning"])
async def test_hidden_reasoning_is_only_counted(client, model):
    response = await client.ask("Why is the sky blue?", model=model)
    assert "reasoning_content" not in response.message
    usage = response.body["usage"]
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]


async def test_hidden_reasoning_is_not_streamed(client):
    response = await client.stream("Why is the sky blue?", model="openai/o3")
    assert response.join("reasoning_content") == ""
    assert response.join("content").startswith("The sky is blue")


async def test_the_reasoning_of_a_script_always_comes(client, emulator):
    emulator.reply("Yes.", reasoning="Is it?")
    assert (await client.ask(model="openai/o3")).message["reasoning_content"] == "Is it?"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_of_a_tool_is_reasoned_about_only_if_asked(client, stream):
    tools = [{"name": "get_time", "input_schema": {"type": "object"}}]
    body = {"model": CLAUDE, "tools": tools, "stream": stream}
    for thinking, reasons in ((None, False), (BUDGET, True)):
        response = await client.ask("get time", thinking=thinking, **body)
        text = response.join("reasoning_content") if stream else None
        text = response.message["reasoning_content"] if text is None else text
        assert bool(text) is reasons
