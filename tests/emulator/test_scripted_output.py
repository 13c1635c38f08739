"""`reply(output=...)`: the answer of a type, in the way that the request asks for."""

import dataclasses
import datetime as dt
import json

import pytest

from aimlchat.emulator import Reply

GPT = "openai/gpt-4o"
SONNET = "anthropic/claude-sonnet-4.5"
VALUE = {"name": "Ulm", "size": 3}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
    "required": ["name", "size"],
    "additionalProperties": False,
}
OTHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
THINKING = {"type": "enabled", "budget_tokens": 1024}
CALL_IT = "Give your final answer by calling the tool 'give_it' once."


def tool(name, schema=SCHEMA, description="Gives it."):
    function = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": function}


def claude_tool(name, schema=SCHEMA, description="Gives it."):
    return {"name": name, "description": description, "input_schema": schema}


async def ask(client, **body):
    """Return the texts, the arguments of the calls, and the finish reason."""
    choice = (await client.ask(model=GPT, **body)).body["choices"][0]
    calls = choice["message"].get("tool_calls") or []
    arguments = [call["function"]["arguments"] for call in calls]
    return choice["message"]["content"], arguments, choice["finish_reason"]


async def ask_by_blocks(client, **body):
    """Return the text, the inputs, and the stop reason, of a message in Claude's own format."""
    message = (await client.send_message(**body)).body
    texts = [block["text"] for block in message["content"] if block["type"] == "text"]
    inputs = [block["input"] for block in message["content"] if block["type"] == "tool_use"]
    return "".join(texts), inputs, message["stop_reason"]


class TestTheWay:
    async def test_a_response_format_gets_a_text(self, emulator, client):
        emulator.reply(output=VALUE)
        assert await ask(client, response_format=FORMAT) == (json.dumps(VALUE), [], "stop")

    async def test_nothing_but_a_prompt_gets_a_text(self, emulator, client):
        emulator.reply(output=VALUE)
        assert await ask(client) == (json.dumps(VALUE), [], "stop")

    async def test_a_forced_tool_gets_a_call(self, emulator, client):
        choice = {"type": "function", "function": {"name": "b"}}
        emulator.reply(output=VALUE)
        _, arguments, finish = await ask(client, tools=[tool("a"), tool("b")], tool_choice=choice)
        assert (arguments, finish) == ([json.dumps(VALUE)], "tool_calls")

    async def test_of_tools_that_are_required_the_one_that_fits_is_called(self, emulator, client):
        tools = [tool("a", OTHER | {"additionalProperties": False}), tool("b")]
        emulator.reply(output=VALUE)
        response = await client.ask(model=GPT, tools=tools, tool_choice="required")
        (call,) = response.message["tool_calls"]
        assert call["function"] == {"name": "b", "arguments": json.dumps(VALUE)}

    async def test_a_tool_that_the_system_prompt_asks_for_gets_a_call(self, emulator, client):
        tools = [claude_tool("other", OTHER), claude_tool("give_it")]
        emulator.reply(output=VALUE, reasoning="Hm.")
        body = {"tools": tools, "system": f"Be brief. {CALL_IT}", "thinking": THINKING}
        assert await ask_by_blocks(client, **body) == ("", [VALUE], "tool_use")

    async def test_a_tool_that_is_only_offered_gets_no_call(self, emulator, client):
        emulator.reply(output=VALUE)
        text, arguments, _ = await ask(client, tools=[tool("give_it")])
        assert (json.loads(text), arguments) == (VALUE, [])

    async def test_a_stream_carries_the_arguments(self, emulator, client):
        choice = {"type": "function", "function": {"name": "a"}}
        emulator.reply(output=VALUE)
        response = await client.stream(model=GPT, tools=[tool("a")], tool_choice=choice)
        calls = [call for one in response.choices for call in one["delta"].get("tool_calls") or ()]
        assert "".join(call["function"].get("arguments", "") for call in calls) == json.dumps(VALUE)


class TestBroken:
    async def test_truncated_json_ends_with_the_finish_reason_of_the_length(self, emulator, client):
        for _ in range(2):
            emulator.reply(output=VALUE, broken="truncated")
        text, _, finish = await ask(client, response_format=FORMAT)
        assert json.dumps(VALUE).startswith(text)
        assert (len(text) < len(json.dumps(VALUE)), finish) == (True, "length")
        choice = {"type": "function", "function": {"name": "a"}}
        _, (arguments,), finish = await ask(client, tools=[tool("a")], tool_choice=choice)
        assert (arguments, finish) == (text, "length")

    @pytest.mark.parametrize(
        ("value", "schema", "wrong"),
        [
            (VALUE, SCHEMA, {"name": {"unexpected": "value"}, "size": 3}),
            ([1], {"type": "array", "items": {"type": "integer"}}, {"unexpected": "value"}),
            ("a", {"enum": ["a", "b"]}, {"unexpected": "value"}),
            ({"a": {}}, {"properties": {"a": {"type": "object"}}}, {"a": ["unexpected"]}),
        ],
    )
    async def test_an_invalid_value_does_not_fit(self, emulator, client, value, schema, wrong):
        emulator.reply(output=value, broken="invalid")
        asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        text, _, finish = await ask(client, response_format=asked)
        assert (json.loads(text), finish) == (wrong, "stop")

    async def test_a_text_is_fenced_or_has_text_around_it(self, emulator, client):
        emulator.reply(output=VALUE, broken="fenced")
        emulator.reply(output=VALUE, broken="prose")
        fenced, _, _ = await ask(client, response_format=FORMAT)
        assert fenced == f"```json\n{json.dumps(VALUE)}\n```"
        prose, _, _ = await ask(client, response_format=FORMAT)
        before, _, after = prose.partition(json.dumps(VALUE))
        assert before
        assert after

    @pytest.mark.parametrize("broken", ["fenced", "prose"])
    async def test_a_tool_that_is_not_forced_is_not_called_then(self, emulator, client, broken):
        body = {"tools": [claude_tool("give_it")], "system": CALL_IT}
        emulator.reply(output=VALUE, broken=broken)
        text, inputs, stop = await ask_by_blocks(client, **body)
        assert json.dumps(VALUE) in text
        assert (inputs, stop) == ([], "end_turn")

    async def test_prose_comes_before_a_call_that_is_forced(self, emulator, client):
        body = {"tools": [claude_tool("a")], "tool_choice": {"type": "tool", "name": "a"}}
        emulator.reply(output=VALUE, broken="prose")
        text, inputs, stop = await ask_by_blocks(client, **body)
        assert text
        assert (inputs, stop) == ([VALUE], "tool_use")


class TestGenerated:
    """Without a script, an answer is generated in the same ways."""

    async def test_the_tool_for_the_answer_is_called(self, client):
        body = {"tools": [claude_tool("other", OTHER), claude_tool("give_it")], "system": CALL_IT}
        _, (value,), _ = await ask_by_blocks(client, **body)
        assert value.keys() == VALUE.keys()

    async def test_it_is_called_after_the_results_of_other_tools(self, client):
        call = {"type": "tool_use", "id": "toolu_1", "name": "other", "input": {"city": "Ulm"}}
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}
        messages = [
            {"role": "user", "content": "Use other."},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ]
        described = "Gives the final answer."
        tools = [claude_tool("other", OTHER), claude_tool("it", description=described)]
        body = {"messages": messages, "tools": tools, "tool_choice": {"type": "any"}}
        _, (value,), _ = await ask_by_blocks(client, **body)
        assert value.keys() == VALUE.keys()

    async def test_a_schema_in_the_system_prompt_is_followed(self, client):
        system = f"Give JSON that is valid by this JSON schema:\n{json.dumps(SCHEMA)}"
        text, _, _ = await ask_by_blocks(client, system=system)
        assert json.loads(text).keys() == VALUE.keys()


@dataclasses.dataclass
class Visit:
    day: dt.date
    tags: tuple[str, ...]


async def test_values_of_types_are_written_as_json(emulator, client):
    emulator.reply(output=Visit(dt.date(2026, 1, 2), ("a", "b")))
    text, _, _ = await ask(client)
    assert json.loads(text) == {"day": "2026-01-02", "tags": ["a", "b"]}


async def test_a_function_may_return_an_output(emulator, client):
    emulator.reply(lambda request: Reply(output=[request.prompt, None]))
    text, _, _ = await ask(client)
    assert json.loads(text) == ["Hello", None]


def test_contradictions_are_refused_where_they_are_written(emulator):
    with pytest.raises(ValueError, match="leave out text"):
        emulator.reply("a", output=1)
    with pytest.raises(ValueError, match="leave out blocks"):
        emulator.reply(output=1, blocks=[{"type": "text", "text": "a"}])
    with pytest.raises(ValueError, match="add output="):
        emulator.reply("a", broken="fenced")
    with pytest.raises(ValueError, match="broken"):
        emulator.reply(output=1, broken="bent")
    with pytest.raises(TypeError, match="is no JSON"):
        emulator.reply(output=object())
