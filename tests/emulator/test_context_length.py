"""Requests that do not fit into the context of their model."""

import json

import pytest

SMALL = "gryphe/mythomax-l2-13b"  # 4000 tokens
CLAUDE = "anthropic/claude-3.7-sonnet"  # 200,000 tokens
GEMINI = "google/gemini-2.5-flash"  # 1,000,000 tokens
PER_MESSAGE = 4


def words(count):
    return " ".join(["a"] * count)


def upstream_error(response):
    assert response.status == 400
    status, _, text = response.body["message"].partition(" ")
    assert status == "400"
    return json.loads(text)


async def test_a_prompt_may_fill_the_context(client):
    assert (await client.ask(words(4000 - PER_MESSAGE), model=SMALL)).status == 200


async def test_a_prompt_beyond_the_context_is_refused(client, emulator):
    response = await client.ask(words(4001 - PER_MESSAGE), model=SMALL)
    error = upstream_error(response)["error"]
    assert error["code"] == "context_length_exceeded"
    assert error["param"] == "messages"
    assert "4001 tokens" in error["message"]
    assert "at most 4000" in error["message"]
    assert emulator.billed == 0


async def test_the_whole_conversation_counts(client):
    turn = {"role": "user", "content": words(2000)}
    answer = {"role": "assistant", "content": words(2000)}
    body = {"model": SMALL, "messages": [turn, answer, turn]}
    assert "6012 tokens" in upstream_error(await client.send(body))["error"]["message"]


async def test_claude_has_an_error_of_its_own_shape(client):
    error = upstream_error(await client.ask(words(200_000), model=CLAUDE))
    assert error["type"] == "error"
    assert error["error"]["type"] == "invalid_request_error"
    assert "prompt is too long: 200004 tokens" in error["error"]["message"]


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_the_room_for_the_answer_counts(client, field):
    prompt = words(3000 - PER_MESSAGE)
    assert (await client.ask(prompt, model=SMALL, **{field: 1000})).status == 200
    error = upstream_error(await client.ask(prompt, model=SMALL, **{field: 1001}))["error"]
    assert error["code"] == "context_length_exceeded"
    assert "3000 + 1001 tokens" in error["message"]


async def test_gemini_does_not_count_the_room_for_the_answer(client):
    assert (await client.ask(model=GEMINI, max_tokens=2_000_000)).status == 200


async def test_a_reply_waits_for_a_request_that_fits(client, emulator):
    emulator.reply("Yes.")
    await client.ask(words(4000), model=SMALL)
    assert (await client.ask(model=SMALL)).message["content"] == "Yes."
