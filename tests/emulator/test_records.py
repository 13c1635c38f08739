"""The records of requests."""

import json

import pytest

CLAUDE = "anthropic/claude-3.7-sonnet"


async def test_a_record_has_the_request_unchanged(client, emulator):
    response = await client.stream("Hello there", top_p=0.5)
    (record,) = emulator.requests
    assert (record.method, record.path) == ("POST", "/v1/chat/completions")
    assert record.headers["authorization"] == "Bearer k"
    assert record.body == json.loads(record.raw_body)
    assert record.body["top_p"] == 0.5
    assert record.stream is True
    assert record.inference_id == response.headers["x-inference-id"]


async def test_the_repr_of_a_record_does_not_contain_the_key(client, emulator):
    body = {"model": CLAUDE, "messages": [{"role": "user", "content": "Hi"}]}
    await client.send(body, key="sk-very-secret")
    assert "sk-very-secret" not in repr(emulator.requests[0])


async def test_a_record_cannot_be_changed(client, emulator):
    await client.ask()
    with pytest.raises(AttributeError):
        emulator.requests[0].path = "/elsewhere"
