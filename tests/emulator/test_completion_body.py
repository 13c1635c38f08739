"""Whole completions, their headers, and the records of what came in."""

import json

import pytest

CLAUDE = "anthropic/claude-3.7-sonnet"
GPT = "openai/gpt-4o"


@pytest.mark.parametrize(
    ("scripted", "native"),
    [
        ({"text": "x"}, "end_turn"),
        ({"text": "x", "finish_reason": "length"}, "max_tokens"),
        ({"tool_calls": [("f", {})]}, "tool_use"),
        ({"refusal": "No."}, "refusal"),
        ({"text": "x", "finish_reason": "pause_turn"}, "pause_turn"),
    ],
)
async def test_claude_gives_its_own_finish_reasons(emulator, client, scripted, native):
    emulator.reply(**scripted)
    assert (await client.ask()).body["choices"][0]["finish_reason"] == native


async def test_claude_always_has_reasoning_content(emulator, client):
    emulator.reply("Yes.")
    assert (await client.ask()).message["reasoning_content"] == ""
    emulator.reply("Yes.", reasoning="Is it?")
    assert (await client.ask()).message["reasoning_content"] == "Is it?"


async def test_others_stop_in_openais_words(emulator, client):
    emulator.reply(refusal="No.")
    answered = await client.ask(model=GPT)
    assert answered.body["choices"][0]["finish_reason"] == "stop"
    assert answered.message["content"] is None
    assert answered.message["refusal"] == "No."


async def test_gemini_adds_its_native_finish_reason(client):
    answered = await client.ask(model="google/gemini-3-flash-preview")
    assert answered.body["choices"][0]["native_finish_reason"] == "STOP"
    assert answered.message["reasoning_details"][0]["text"] == answered.message["reasoning"]


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
async def test_reasoning_stands_where_the_script_says(emulator, client, reasoning_as, expected):
    emulator.reply("Yes.", reasoning="Is it?", reasoning_as=reasoning_as)
    message = (await client.ask(model=GPT)).message
    assert {field: message[field] for field in expected} == expected


async def test_tool_calls_carry_their_arguments_as_json(emulator, client):
    emulator.reply(tool_calls=[{"id": "call_7", "name": "f", "arguments": {"x": 1}}])
    (call,) = (await client.ask(model=GPT)).message["tool_calls"]
    assert call["id"] == "call_7"
    assert call["type"] == "function"
    assert json.loads(call["function"]["arguments"]) == {"x": 1}


async def test_the_cost_stands_in_the_body_and_in_the_headers(client):
    answered = await client.ask()
    spent = answered.body["meta"]["usage"]
    assert spent["credits_used"] == pytest.approx(spent["usd_spent"] * 2_000_000)
    assert answered.headers["x-aimlapi-credits-used"] == str(spent["credits_used"])
    assert float(answered.headers["x-aimlapi-usd-spent"]) == spent["usd_spent"]


async def test_a_longer_answer_costs_more(emulator, client):
    emulator.reply("short")
    emulator.reply("long " * 1000)
    short, long = [(await client.ask()).body for _ in range(2)]
    assert short["usage"]["completion_tokens"] < long["usage"]["completion_tokens"]
    assert short["meta"]["usage"]["usd_spent"] < long["meta"]["usage"]["usd_spent"]


async def test_reasoning_counts_as_completion_and_apart(client):
    usage = (await client.ask("Why is the sky blue?", model=GPT)).body["usage"]
    reasoning = usage["completion_tokens_details"]["reasoning_tokens"]
    assert 0 < reasoning < usage["completion_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize(
    ("asked", "upstream"),
    [
        (CLAUDE, "claude-3-7-sonnet-20250219"),
        ("claude-3-7-sonnet-latest", "claude-3-7-sonnet-20250219"),
        ("anthropic/claude-opus-4.7", "claude-opus-4-7"),
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("moonshot/kimi-k2.6", "kimi-k2.6"),
        ("a-model-of-mine", "a-model-of-mine"),
    ],
)
async def test_the_model_bears_its_upstream_name(client, asked, upstream):
    assert (await client.ask(model=asked)).body["model"] == upstream


@pytest.mark.parametrize("good", ["a", "job-7:step.2_x", "x" * 128])
async def test_a_client_request_id_is_echoed(client, emulator, good):
    body = {"model": CLAUDE, "messages": [{"role": "user", "content": "Hi"}]}
    answered = await client.send(body, X_Client_Request_Id=good)
    assert answered.headers["x-client-request-id"] == good
    assert emulator.requests[0].client_request_id == good


@pytest.mark.parametrize("bad", ["with space", "ümlaut", "x" * 129, "a/b"])
async def test_a_bad_client_request_id_is_dropped_without_a_word(client, emulator, bad):
    body = {"model": CLAUDE, "messages": [{"role": "user", "content": "Hi"}]}
    answered = await client.send(body, X_Client_Request_Id=bad)
    assert answered.status == 200
    assert "x-client-request-id" not in answered.headers
    assert emulator.requests[0].client_request_id is None


async def test_a_request_is_recorded_as_it_came(client, emulator):
    answered = await client.stream("Hello there", top_p=0.5)
    (record,) = emulator.requests
    assert (record.method, record.path) == ("POST", "/v1/chat/completions")
    assert record.headers["authorization"] == "Bearer k"
    assert record.body == json.loads(record.raw_body)
    assert record.body["top_p"] == 0.5
    assert record.stream is True
    assert record.inference_id == answered.headers["x-inference-id"]


async def test_a_record_does_not_show_the_key(client, emulator):
    body = {"model": CLAUDE, "messages": [{"role": "user", "content": "Hi"}]}
    await client.send(body, key="sk-very-secret")
    assert "sk-very-secret" not in repr(emulator.requests[0])


async def test_a_record_is_not_for_writing(client, emulator):
    await client.ask()
    with pytest.raises(AttributeError):
        emulator.requests[0].path = "/elsewhere"


async def test_only_answers_are_billed(client, emulator):
    emulator.fail()
    await client.ask()
    await client.ask(temperature=9)
    assert emulator.billed == 0
    await client.ask()
    await client.stream()
    assert emulator.billed == 2


async def test_a_picture_of_megabytes_is_taken(client):
    url = "data:image/png;base64," + "AAAA" * 1_000_000
    part = {"type": "image_url", "image_url": {"url": url}}
    body = {"model": GPT, "messages": [{"role": "user", "content": [part]}]}
    assert (await client.send(body)).status == 200
