"""The default answers, which the emulator builds from the prompt when nothing is scripted."""

import json

import pytest

from aimlchat.emulator.sample_answers import find_sample_answer

CLAUDE = "anthropic/claude-3.7-sonnet"
SONNET = "anthropic/claude-sonnet-4.5"
GPT = "openai/gpt-4o"
THINKING = {"type": "enabled", "budget_tokens": 1024}
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
    "required": ["city"],
}
OPENAI_TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": PARAMETERS}}
    for name in ("get_weather", "get_time")
]
ANTHROPIC_TOOLS = [
    {"name": name, "input_schema": PARAMETERS} for name in ("get_weather", "get_time")
]


def called_tools(response):
    calls = response.message.get("tool_calls") or ()
    return [call["function"]["name"] for call in calls]


async def test_the_question_in_the_demo_gets_a_true_answer(client):
    message = (await client.ask("Why is the sky blue?", thinking=THINKING)).message
    assert "Rayleigh" in message["content"]
    assert "wavelength" in message["reasoning_content"]


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("why is the ocean so salty?", "evaporates"),
        ("What causes the seasons?", "tilt"),
        ("Explain rainbows", "refracted"),
        ("How do tides work?", "moon"),
        ("Hi there", "emulator"),
    ],
)
async def test_a_few_other_questions_get_true_answers(client, prompt, word):
    assert word in (await client.ask(prompt)).message["content"]


@pytest.mark.parametrize("prompt", ["Write a poem about snow", "Hi, sort this list for me, please"])
def test_other_prompts_have_no_sample_answer(prompt):
    assert find_sample_answer(prompt) is None


async def test_an_answer_uses_the_words_of_the_prompt_and_names_the_emulator(client):
    question = "How does a compiler allocate registers?"
    message = (await client.ask(question, thinking=THINKING)).message
    assert "registers" in message["content"]
    assert "compiler" in message["reasoning_content"]
    assert "emulator" in message["content"]


@pytest.mark.parametrize("prompt", ["", "?", "\ud83d", "{first} {0}", "x" * 10_000])
async def test_unusual_prompts_get_an_answer(client, prompt):
    assert (await client.ask(prompt, model=GPT)).message["content"]


@pytest.mark.parametrize(
    "setting", [{"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}], ids=str
)
async def test_reasoning_can_be_switched_off(client, setting):
    response = await client.ask("Why is the sky blue?", model="claude-sonnet-latest", **setting)
    assert response.message["reasoning_content"] == ""
    assert response.message["content"]


async def test_an_answer_cut_by_max_tokens_finishes_with_length(client):
    response = await client.ask("Why is the sky blue?", model=GPT, max_tokens=20)
    assert response.body["choices"][0]["finish_reason"] == "length"
    assert response.body["usage"]["completion_tokens"] == 20
    assert response.message["content"]


async def test_claude_finishes_with_its_own_word_for_length(client):
    response = await client.ask("Why is the sky blue?", max_tokens=1)
    assert response.body["choices"][0]["finish_reason"] == "max_tokens"
    assert response.body["usage"]["completion_tokens"] == 1


async def test_reasoning_within_the_thinking_budget_is_complete(client):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    response = await client.ask("Why is the sky blue?", thinking=thinking, max_tokens=2000)
    assert response.body["choices"][0]["finish_reason"] == "end_turn"
    assert response.message["reasoning_content"].endswith("these two.")


@pytest.mark.parametrize(
    ("model", "body", "finish"),
    [
        (GPT, {"stop": "Rayleigh"}, "stop"),
        (GPT, {"stop": ["nothing of this", "Rayleigh"]}, "stop"),
        (SONNET, {"stop_sequences": ["Rayleigh"]}, "stop_sequence"),
    ],
)
async def test_the_answer_ends_before_a_stop_sequence(client, model, body, finish):
    response = await client.ask("Why is the sky blue?", model=model, **body)
    assert response.message["content"].endswith("This is called **")
    assert response.body["choices"][0]["finish_reason"] == finish


async def test_several_choices_differ(client):
    response = await client.ask("Why is the sky blue?", model=GPT, n=3)
    texts = [choice["message"]["content"] for choice in response.body["choices"]]
    assert len(set(texts)) == 3


async def test_the_anthropic_dialect_ignores_n(client):
    assert len((await client.ask(model=SONNET, n=3)).body["choices"]) == 1


class TestTools:
    async def test_auto_calls_the_tool_that_the_prompt_names(self, client):
        response = await client.ask("Please get weather for Oslo", model=GPT, tools=OPENAI_TOOLS)
        assert called_tools(response) == ["get_weather"]
        (call,) = response.message["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"city": "Oslo", "unit": "C"}

    async def test_auto_calls_no_tool_that_the_prompt_does_not_name(self, client):
        response = await client.ask("Good morning to you", model=GPT, tools=OPENAI_TOOLS)
        assert called_tools(response) == []
        assert response.message["content"]

    async def test_auto_calls_every_tool_that_the_prompt_names(self, client):
        prompt = "Use get_weather and get_time"
        response = await client.ask(prompt, model=GPT, tools=OPENAI_TOOLS)
        assert called_tools(response) == ["get_weather", "get_time"]

    @pytest.mark.parametrize(
        ("model", "body"),
        [
            (GPT, {"tools": OPENAI_TOOLS, "parallel_tool_calls": False}),
            (
                SONNET,
                {
                    "tools": ANTHROPIC_TOOLS,
                    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
                },
            ),
        ],
    )
    async def test_parallel_calls_can_be_forbidden(self, client, model, body):
        response = await client.ask("Use get_weather and get_time", model=model, **body)
        assert called_tools(response) == ["get_weather"]

    @pytest.mark.parametrize(
        ("model", "tools", "choice", "expected"),
        [
            (GPT, OPENAI_TOOLS, "none", []),
            (GPT, OPENAI_TOOLS, "required", ["get_weather"]),
            (
                GPT,
                OPENAI_TOOLS,
                {"type": "function", "function": {"name": "get_time"}},
                ["get_time"],
            ),
            (SONNET, ANTHROPIC_TOOLS, {"type": "none"}, []),
            (SONNET, ANTHROPIC_TOOLS, {"type": "any"}, ["get_weather"]),
            (SONNET, ANTHROPIC_TOOLS, {"type": "tool", "name": "get_time"}, ["get_time"]),
        ],
    )
    async def test_tool_choice_is_obeyed(self, client, model, tools, choice, expected):
        response = await client.ask("Hello", model=model, tools=tools, tool_choice=choice)
        assert called_tools(response) == expected

    async def test_a_tool_result_in_the_openai_dialect_is_answered(self, client):
        function = {"name": "get_weather", "arguments": "{}"}
        messages = [
            {"role": "user", "content": "Use get_weather"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "18 degrees"},
        ]
        body = {"model": GPT, "messages": messages, "tools": OPENAI_TOOLS}
        assert (await client.send(body)).message["content"] == "`get_weather` says: 18 degrees"

    async def test_a_tool_result_in_the_anthropic_dialect_is_answered(self, client):
        use = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "t1", "content": "fog", "is_error": True}
        messages = [
            {"role": "user", "content": "Use get_weather"},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
        ]
        body = {"model": SONNET, "messages": messages, "tools": ANTHROPIC_TOOLS}
        assert (await client.send(body)).message["content"] == "`get_weather` failed: fog"

    async def test_the_ids_of_parallel_calls_differ(self, client):
        response = await client.ask("Use get_weather and get_time", model=GPT, tools=OPENAI_TOOLS)
        ids = [call["id"] for call in response.message["tool_calls"]]
        assert len(set(ids)) == 2


class TestJson:
    async def test_the_format_json_object_gets_an_object(self, client):
        response = await client.ask(
            "Name a lake", model=GPT, response_format={"type": "json_object"}
        )
        assert isinstance(json.loads(response.message["content"]), dict)

    async def test_the_format_json_schema_gets_a_value_that_fits(self, client):
        response_format = {
            "type": "json_schema",
            "json_schema": {"name": "city", "schema": PARAMETERS},
        }
        response = await client.ask("Describe Oslo", model=GPT, response_format=response_format)
        assert json.loads(response.message["content"]) == {"city": "Describe", "unit": "C"}
