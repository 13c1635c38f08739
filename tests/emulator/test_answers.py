"""What the emulator says when nothing is scripted."""

import json

import jsonschema
import pytest

from aimlchat.emulator.json_samples import build_sample
from aimlchat.emulator.sample_answers import find_sample_answer

CLAUDE = "anthropic/claude-3.7-sonnet"
SONNET = "anthropic/claude-sonnet-4.5"
GPT = "openai/gpt-4o"
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


def called(answered):
    calls = answered.message.get("tool_calls") or ()
    return [call["function"]["name"] for call in calls]


async def test_the_demo_question_is_answered_well(client):
    message = (await client.ask("Why is the sky blue?")).message
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
async def test_a_few_topics_have_true_answers(client, prompt, word):
    assert word in (await client.ask(prompt)).message["content"]


@pytest.mark.parametrize("prompt", ["Write a poem about snow", "Hi, sort this list for me, please"])
def test_other_prompts_are_no_topic(prompt):
    assert find_sample_answer(prompt) is None


async def test_any_prompt_gets_its_own_words_back_and_no_claim_to_be_a_model(client):
    message = (await client.ask("How does a compiler allocate registers?")).message
    assert "registers" in message["content"]
    assert "compiler" in message["reasoning_content"]
    assert "emulator" in message["content"]


@pytest.mark.parametrize("prompt", ["", "?", "\ud83d", "{first} {0}", "x" * 10_000])
async def test_odd_prompts_get_an_answer_too(client, prompt):
    assert (await client.ask(prompt, model=GPT)).message["content"]


@pytest.mark.parametrize(
    "off", [{"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}], ids=str
)
async def test_reasoning_can_be_switched_off(client, off):
    answered = await client.ask("Why is the sky blue?", model="claude-sonnet-latest", **off)
    assert answered.message["reasoning_content"] == ""
    assert answered.message["content"]


async def test_max_tokens_cuts_the_answer_and_says_length(client):
    answered = await client.ask("Why is the sky blue?", model=GPT, max_tokens=20)
    assert answered.body["choices"][0]["finish_reason"] == "length"
    assert answered.body["usage"]["completion_tokens"] == 20
    assert answered.message["content"]


async def test_claude_says_max_tokens_natively(client):
    answered = await client.ask("Why is the sky blue?", max_tokens=1)
    assert answered.body["choices"][0]["finish_reason"] == "max_tokens"
    assert answered.body["usage"]["completion_tokens"] == 1


async def test_a_thinking_budget_holds_the_reasoning_within_max_tokens(client):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    answered = await client.ask("Why is the sky blue?", thinking=thinking, max_tokens=2000)
    assert answered.body["choices"][0]["finish_reason"] == "end_turn"
    assert answered.message["reasoning_content"].endswith("these two.")


@pytest.mark.parametrize(
    ("model", "body", "finish"),
    [
        (GPT, {"stop": "Rayleigh"}, "stop"),
        (GPT, {"stop": ["nothing of this", "Rayleigh"]}, "stop"),
        (SONNET, {"stop_sequences": ["Rayleigh"]}, "stop_sequence"),
    ],
)
async def test_a_stop_sequence_ends_the_answer_before_itself(client, model, body, finish):
    answered = await client.ask("Why is the sky blue?", model=model, **body)
    assert answered.message["content"].endswith("This is called **")
    assert answered.body["choices"][0]["finish_reason"] == finish


async def test_n_choices_differ(client):
    answered = await client.ask("Why is the sky blue?", model=GPT, n=3)
    texts = [choice["message"]["content"] for choice in answered.body["choices"]]
    assert len(set(texts)) == 3


async def test_the_anthropic_dialect_knows_no_n(client):
    assert len((await client.ask(model=SONNET, n=3)).body["choices"]) == 1


class TestTools:
    async def test_auto_calls_a_tool_that_the_prompt_names(self, client):
        answered = await client.ask("Please get weather for Oslo", model=GPT, tools=OPENAI_TOOLS)
        assert called(answered) == ["get_weather"]
        (call,) = answered.message["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"city": "Oslo", "unit": "C"}

    async def test_auto_calls_none_otherwise(self, client):
        answered = await client.ask("Good morning to you", model=GPT, tools=OPENAI_TOOLS)
        assert called(answered) == []
        assert answered.message["content"]

    async def test_two_named_tools_are_called_at_once(self, client):
        prompt = "Use get_weather and get_time"
        answered = await client.ask(prompt, model=GPT, tools=OPENAI_TOOLS)
        assert called(answered) == ["get_weather", "get_time"]

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
        answered = await client.ask("Use get_weather and get_time", model=model, **body)
        assert called(answered) == ["get_weather"]

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
        answered = await client.ask("Hello", model=model, tools=tools, tool_choice=choice)
        assert called(answered) == expected

    async def test_a_result_is_used_in_openais_dialect(self, client):
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

    async def test_a_result_is_used_in_anthropics_dialect(self, client):
        use = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "t1", "content": "fog", "is_error": True}
        messages = [
            {"role": "user", "content": "Use get_weather"},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
        ]
        body = {"model": SONNET, "messages": messages, "tools": ANTHROPIC_TOOLS}
        assert (await client.send(body)).message["content"] == "`get_weather` failed: fog"

    async def test_ids_of_calls_differ(self, client):
        answered = await client.ask("Use get_weather and get_time", model=GPT, tools=OPENAI_TOOLS)
        ids = [call["id"] for call in answered.message["tool_calls"]]
        assert len(set(ids)) == 2


class TestJson:
    async def test_json_object_is_answered_with_an_object(self, client):
        answered = await client.ask(
            "Name a lake", model=GPT, response_format={"type": "json_object"}
        )
        assert isinstance(json.loads(answered.message["content"]), dict)

    async def test_a_schema_is_fitted(self, client):
        wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": PARAMETERS}}
        answered = await client.ask("Describe Oslo", model=GPT, response_format=wanted)
        assert json.loads(answered.message["content"]) == {"city": "Describe", "unit": "C"}

    @pytest.mark.parametrize(
        "schema",
        [
            {},
            {"type": "string", "minLength": 40},
            {"type": "string", "maxLength": 3},
            {"type": "string", "format": "date-time"},
            {"type": "integer", "minimum": 7, "multipleOf": 5},
            {"type": "integer", "exclusiveMinimum": 7, "maximum": 8},
            {"type": "integer", "maximum": -3},
            {"type": "integer", "exclusiveMaximum": -3},
            {"type": "array"},
            {
                "type": "object",
                "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
                "required": ["children"],
            },
            {"type": "number", "minimum": 0.2, "maximum": 0.8},
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
            {"type": ["boolean", "null"]},
            {"type": "null"},
            {"const": 4},
            {"enum": ["x", "y"]},
            {"type": "array", "items": {"type": "integer"}, "minItems": 3},
            {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "integer"}}},
                    {"type": "object", "required": ["b"], "properties": {"b": {"type": "null"}}},
                ]
            },
            {
                "$defs": {
                    "node": {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string"},
                            "next": {"$ref": "#/$defs/node"},
                        },
                        "required": ["name"],
                    }
                },
                "$ref": "#/$defs/node",
            },
        ],
        ids=str,
    )
    def test_what_is_made_up_fits(self, schema):
        jsonschema.validate(build_sample(schema, ["alpha", "beta"]), schema)
