"""What the API rejects, and with which message."""

import pytest

CLAUDE = "anthropic/claude-3.7-sonnet"
SONNET = "anthropic/claude-sonnet-4.5"
OPUS = "anthropic/claude-opus-4.1"
NEWEST = "anthropic/claude-opus-4.8"
GPT = "openai/gpt-4o"

PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}


def turn(*parts, role="user"):
    """Return messages that consist of one message with these parts."""
    return [{"role": role, "content": list(parts)}]


def tool(name="f"):
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


BROKEN = [b"", b"{", b"null", b"[]", b'"x"', b'{"a": NaN}', b"\xff", b"[" * 100_000]


@pytest.mark.parametrize("body", BROKEN, ids=[str(body[:9]) for body in BROKEN])
async def test_a_body_that_is_not_a_json_object_is_rejected(client, body):
    response = await client.send(body)
    assert response.status == 400
    assert response.body["message"] == "Body validation error\nbody: Expected a JSON object"


USER = [{"role": "user", "content": "Hi"}]
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "ogg"}}
SCHEMA = {"type": "json_schema", "json_schema": {}}
THINKING = {"type": "enabled", "budget_tokens": 1024}

REJECTED = [
    # Both dialects.
    (GPT, {"model": ""}, "model"),
    (GPT, {"model": 3}, "model"),
    (GPT, {"messages": []}, "messages"),
    (GPT, {"messages": "Hi"}, "messages"),
    (GPT, {"messages": ["Hi"]}, "messages[0]"),
    (GPT, {"stream": 1}, "stream"),
    (GPT, {"max_tokens": 0}, "max_tokens"),
    (GPT, {"max_tokens": "9"}, "max_tokens"),
    (GPT, {"top_p": 1.1}, "top_p"),
    (GPT, {"tools": [tool()] * 129}, "tools"),
    # The openai dialect.
    (GPT, {"messages": [{"role": "function", "content": "x"}]}, "messages[0].role"),
    (GPT, {"messages": [{"role": "user"}]}, "messages[0].content"),
    (GPT, {"messages": [{"role": "assistant"}]}, "messages[0].content"),
    (GPT, {"messages": turn()}, "messages[0].content"),
    (GPT, {"messages": turn({"type": "image", "source": PNG})}, "messages[0].content[0].type"),
    (GPT, {"messages": turn({"type": "text"})}, "messages[0].content[0].text"),
    (GPT, {"messages": turn({"type": "image_url"})}, "messages[0].content[0].image_url"),
    (
        GPT,
        {"messages": turn({"type": "image_url", "image_url": {"url": "ftp://x"}})},
        "messages[0].content[0].image_url.url",
    ),
    (
        GPT,
        {"messages": turn({"type": "image_url", "image_url": {"url": "data:image/png;base64,a?"}})},
        "messages[0].content[0].image_url.url",
    ),
    (
        GPT,
        {"messages": turn({"type": "file", "file": {"file_data": "!"}})},
        "messages[0].content[0].file.file_data",
    ),
    (GPT, {"messages": turn(AUDIO)}, "messages[0].content[0].input_audio.format"),
    (
        GPT,
        {"messages": [{"role": "tool", "tool_call_id": "c1", "content": "x"}]},
        "messages[0].tool_call_id",
    ),
    (
        GPT,
        {"messages": [{"role": "assistant", "tool_calls": [CALL | {"type": "x"}]}]},
        "messages[0].tool_calls[0].type",
    ),
    (GPT, {"temperature": 2.1}, "temperature"),
    (GPT, {"temperature": True}, "temperature"),
    (GPT, {"frequency_penalty": -2.5}, "frequency_penalty"),
    (GPT, {"presence_penalty": 3}, "presence_penalty"),
    (GPT, {"max_completion_tokens": 0}, "max_completion_tokens"),
    (GPT, {"n": 0}, "n"),
    (GPT, {"n": 1.5}, "n"),
    (GPT, {"seed": "x"}, "seed"),
    (GPT, {"logprobs": 1}, "logprobs"),
    (GPT, {"top_logprobs": 2}, "top_logprobs"),
    (GPT, {"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    (GPT, {"logit_bias": {"50256": 101}}, "logit_bias.50256"),
    (GPT, {"logit_bias": []}, "logit_bias"),
    (GPT, {"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    (GPT, {"stop": [1]}, "stop"),
    (GPT, {"tools": [{"name": "f", "input_schema": {}}]}, "tools[0].type"),
    (GPT, {"tools": [tool("a b")]}, "tools[0].function.name"),
    (GPT, {"tools": [tool("x" * 65)]}, "tools[0].function.name"),
    (GPT, {"tool_choice": "any"}, "tool_choice"),
    (GPT, {"tool_choice": "required"}, "tool_choice"),
    (GPT, {"tool_choice": {"type": "auto"}}, "tool_choice.type"),
    (
        GPT,
        {"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        "tool_choice.function.name",
    ),
    (GPT, {"response_format": {"type": "xml"}}, "response_format.type"),
    (GPT, {"response_format": SCHEMA}, "response_format.json_schema.name"),
    (GPT, {"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    (GPT, {"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
    (GPT, {"reasoning_effort": 3}, "reasoning_effort"),
    (GPT, {"modalities": ["smell"]}, "modalities[0]"),
    # One model with narrower limits.
    (CLAUDE, {"reasoning_effort": "extreme"}, "reasoning_effort"),
    # The anthropic dialect.
    (SONNET, {"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    (SONNET, {"messages": [{"role": 3, "content": "x"}]}, "messages[0].role"),
    (SONNET, {"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
    (
        SONNET,
        {"messages": turn({"type": "image_url", "image_url": {"url": "https://x"}})},
        "messages[0].content[0].type",
    ),
    (
        SONNET,
        {"messages": turn({"type": "image", "source": {"type": "url", "url": "https://x"}})},
        "messages[0].content[0].source.type",
    ),
    (
        SONNET,
        {"messages": turn({"type": "image", "source": PNG | {"data": "?"}})},
        "messages[0].content[0].source.data",
    ),
    (
        SONNET,
        {"messages": turn({"type": "image", "source": PNG | {"media_type": "image/bmp"}})},
        "messages[0].content[0].source.media_type",
    ),
    (
        SONNET,
        {"messages": turn({"type": "tool_result", "tool_use_id": "t1", "content": "x"})},
        "messages[0].content[0].tool_use_id",
    ),
    (
        SONNET,
        {"messages": turn({"type": "thinking", "thinking": "x"}, role="assistant")},
        "messages[0].content[0].signature",
    ),
    (SONNET, {"temperature": 1.1}, "temperature"),
    (SONNET, {"top_k": -1}, "top_k"),
    (SONNET, {"system": ["x"]}, "system"),
    (SONNET, {"stop_sequences": "x"}, "stop_sequences"),
    (SONNET, {"metadata": {"user": 7}}, "metadata.user"),
    (SONNET, {"tools": [tool()]}, "tools[0].name"),
    (SONNET, {"tools": [{"name": "f", "input_schema": {}}]}, "tools[0].input_schema.type"),
    (SONNET, {"tool_choice": "auto"}, "tool_choice"),
    (SONNET, {"tool_choice": {"type": "any"}}, "tool_choice"),
    (SONNET, {"tool_choice": {"type": "tool", "name": "f"}}, "tool_choice.name"),
    (SONNET, {"thinking": {"type": "disabled"}}, "thinking.type"),
    (SONNET, {"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    (SONNET, {"thinking": THINKING | {"budget_tokens": 1023}}, "thinking.budget_tokens"),
    (SONNET, {"thinking": THINKING, "max_tokens": 1024}, "thinking.budget_tokens"),
    (CLAUDE, {"thinking": THINKING | {"budget_tokens": 2048.5}}, "thinking.budget_tokens"),
]


@pytest.mark.parametrize(
    ("model", "body", "field"), REJECTED, ids=[f"{case[2]}-{n}" for n, case in enumerate(REJECTED)]
)
async def test_an_invalid_field_is_rejected_with_its_name(client, emulator, model, body, field):
    response = await client.send({"model": model, "messages": USER} | body)
    assert response.status == 400
    assert response.body["statusCode"] == 400
    text = response.body["message"]
    unsupported = text.startswith(f"Unsupported value: '{field}' does not support")
    assert unsupported or text.startswith(f"Body validation error\n{field}: ")
    assert emulator.billed == 0


OPENAI_TOOL_ROUND = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "x"},
]
ANTHROPIC_TOOL_ROUND = [
    {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image", "source": PNG}]},
    {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "x", "signature": "y"}, USE],
    },
    *turn({"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "x"}]}),
]
TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
SYSTEM = [{"role": "system", "content": "Be brief."}, *USER]

IMAGE_URL = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
ACCEPTED = [
    (GPT, {"messages": SYSTEM, "temperature": 2, "top_p": 0, "n": 2, "seed": -1, "stop": "x"}),
    (GPT, {"messages": [{"role": "developer", "content": "Be brief."}, *USER]}),
    (GPT, {"messages": OPENAI_TOOL_ROUND, "tools": [tool()], "tool_choice": "auto"}),
    (GPT, {"messages": turn({"type": "image_url", "image_url": {"url": "https://x/y.png"}})}),
    (GPT, {"messages": turn({"type": "file", "file": {"file_data": "JVBERi0=", "filename": "x"}})}),
    (
        GPT,
        {
            "messages": turn(
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}
            )
        },
    ),
    (GPT, {"messages": turn(AUDIO | {"input_audio": {"data": "AAAA", "format": "mp3"}})}),
    (GPT, {"logprobs": True, "top_logprobs": 20, "logit_bias": {"1": -100}}),
    (GPT, {"temperature": None, "stop": None, "tools": None, "reasoning_effort": "minimal"}),
    (GPT, {"tools": [tool()] * 128}),
    (GPT, {"unknown_parameter": {"x": 1}}),
    (CLAUDE, {"messages": SYSTEM, "temperature": 2, "n": 2}),
    (CLAUDE, {"messages": OPENAI_TOOL_ROUND}),
    (CLAUDE, {"messages": ANTHROPIC_TOOL_ROUND, "tools": TOOLS, "thinking": THINKING}),
    (CLAUDE, {"top_k": 5, "temperature": 1}),
    (SONNET, {"messages": ANTHROPIC_TOOL_ROUND, "tools": TOOLS, "metadata": {"user": "u"}}),
    (SONNET, {"messages": turn({"type": "document", "source": PDF})}),
    (SONNET, {"messages": turn({"type": "document", "source": {"type": "text", "data": "x"}})}),
    (SONNET, {"messages": turn({"type": "redacted_thinking", "data": "x"}, role="assistant")}),
    (
        SONNET,
        {
            "tools": TOOLS,
            "messages": [
                {"role": "assistant", "content": [USE]},
                *turn(
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "content": [{"type": "image", "source": PNG}],
                    }
                ),
            ],
        },
    ),
    (NEWEST, {"tools": [{"name": "f", "input_schema": {"type": "object"}}]}),
    (NEWEST, {"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "f"}}}),
    (NEWEST, {"tool_choice": {"type": "none"}}),
    (GPT, {"stream_options": {"include_usage": True}, "response_format": {"type": "text"}}),
    (GPT, {"modalities": ["text"], "messages": [{"role": "assistant", "refusal": "No."}, *USER]}),
    (OPUS, {"messages": turn(*[{"type": "text", "text": "x"}] * 6)}),
    (OPUS, {"thinking": THINKING | {"budget_tokens": 31_999}}),
    (NEWEST, {"messages": SYSTEM, "thinking": {"type": "adaptive"}}),
    (
        NEWEST,
        {"messages": ANTHROPIC_TOOL_ROUND, "tools": TOOLS, "thinking": {"type": "disabled"}},
    ),
    ("claude-sonnet-latest", {"messages": OPENAI_TOOL_ROUND, "thinking": THINKING}),
    # Messages of OpenAI's shape next to fields of Anthropic's.
    (NEWEST, {"system": "Be brief.", "messages": turn(IMAGE_URL)}),
    (NEWEST, {"system": "Be brief.", "messages": OPENAI_TOOL_ROUND, "tools": TOOLS}),
    (NEWEST, {"messages": [*USER, {"role": "function", "name": "f", "content": "x"}]}),
    (GPT, {"messages": turn({"type": "file", "file": {"file_data": "https://x/y.pdf"}})}),
]


@pytest.mark.parametrize(("model", "body"), ACCEPTED)
async def test_a_valid_request_is_accepted(client, model, body):
    response = await client.send({"model": model, "messages": USER} | body)
    assert response.status == 200, response.text


@pytest.mark.parametrize("model", [NEWEST, "anthropic/claude-sonnet-5", "claude-sonnet-latest"])
@pytest.mark.parametrize(
    "field",
    [
        {"temperature": 1},
        {"top_p": 0.5},
        {"top_k": 5},
        {"response_format": {"type": "json_object"}},
        {"stream_options": {"include_usage": True}},
    ],
    ids=str,
)
async def test_the_newest_claude_refuses_fields_of_the_older(client, model, field):
    response = await client.ask(model=model, **field)
    assert response.status == 400
    assert response.body["message"].startswith(f"Body validation error\n{next(iter(field))}: ")


@pytest.mark.parametrize("field", ["temperature", "top_p", "top_k"])
async def test_claude_opus_4_7_refuses_the_fields_of_sampling(client, field):
    response = await client.ask(model="anthropic/claude-opus-4.7", **{field: 1})
    assert response.status == 400
    assert response.body["message"].startswith(f"Body validation error\n{field}: ")


async def test_thinking_switches_the_dialect_of_claude_3_7(client):
    body = {"model": CLAUDE, "messages": SYSTEM}
    assert (await client.send(body)).status == 200
    response = await client.send(body | {"thinking": THINKING})
    assert response.status == 400
    assert response.body["message"] == (
        "Unsupported value: 'messages[0].role' does not support 'system' with this model."
    )


@pytest.mark.parametrize(
    ("model", "accepts_system"),
    [
        ("claude-opus-latest", True),
        ("claude-3-7-sonnet-20250219", True),
        ("claude-sonnet-4-20250514", False),
        ("anthropic/claude-opus-4", False),
        ("anthropic/claude-opus-4.7", False),
        ("claude-haiku-4-5-20251001", False),
        ("anthropic/claude-sonnet-5", True),
        ("openai/o3", True),
        ("deepseek/deepseek-r1", True),
    ],
)
async def test_the_name_of_the_model_decides_the_dialect(client, model, accepts_system):
    response = await client.send({"model": model, "messages": SYSTEM})
    assert (response.status == 200) is accepts_system
