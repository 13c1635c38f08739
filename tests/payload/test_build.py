"""The payload of a request: its defaults, its dialect, its stream and what `extra` adds."""

import pytest

from aimlchat._payload.models import DEFAULT_MODEL
from aimlchat.request import ChatRequest

OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"


def test_the_default_model_is_claude_3_7_sonnet():
    assert ChatRequest().user("Hi").payload() == {
        "model": "anthropic/claude-3.7-sonnet",
        "messages": [{"role": "user", "content": "Hi"}],
    }
    assert DEFAULT_MODEL == "anthropic/claude-3.7-sonnet"


@pytest.mark.parametrize(
    "request_",
    [
        ChatRequest(system="S"),
        ChatRequest(messages=[{"role": "system", "content": "S"}]),
        ChatRequest(messages=[{"role": "developer", "content": "S"}]),
    ],
    ids=["a system prompt", "a system message", "a developer message"],
)
def test_a_system_prompt_alone_is_sent_in_the_openai_dialect_only(request_, refusal):
    (message,) = request_.options(model=OPENAI).payload()["messages"]
    assert message["content"] == "S"
    error = refusal(request_.options(model=ANTHROPIC))
    assert error.field == "messages"
    assert "system prompt" in str(error)
    assert ".user(" in str(error)


@pytest.mark.parametrize("request_", [ChatRequest(), ChatRequest(system=" ")])
@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_an_empty_conversation_is_refused(model, request_, refusal):
    error = refusal(request_.options(model=model))
    assert error.field == "messages"
    assert "empty" in str(error)


@pytest.mark.parametrize("field", ["stop", "tools", "modalities"])
def test_an_empty_list_is_not_sent(field):
    assert field not in ChatRequest(OPENAI, **{field: []}).user("Hi").payload()


def test_a_stream_in_the_openai_dialect_asks_for_usage():
    payload = ChatRequest("gpt-4o").user("Hi").payload(stream=True)
    assert payload["stream"] is True
    assert payload["stream_options"] == {"include_usage": True}


def test_a_stream_in_the_anthropic_dialect_does_not_ask_for_usage():
    payload = ChatRequest("claude-sonnet-4-5").user("Hi").payload(stream=True)
    assert payload["stream"] is True
    assert "stream_options" not in payload


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet-4-5"])
def test_a_payload_without_stream_has_no_key_for_it(model):
    assert "stream" not in ChatRequest(model).user("Hi").payload()


def test_extra_is_merged_into_the_payload_last():
    payload = ChatRequest("gpt-4o", seed=1, n=2, extra={"seed": 7, "new": {"a": [1]}, "n": None})
    assert payload.user("Hi").payload() == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hi"}],
        "seed": 7,
        "new": {"a": [1]},
    }


def test_a_none_in_extra_for_a_missing_key_does_nothing():
    assert "x" not in ChatRequest("gpt-4o", extra={"x": None}).user("Hi").payload()


@pytest.mark.parametrize("value", [True, False, None])
def test_stream_in_extra_is_refused(value, refusal):
    assert refusal(ChatRequest(extra={"stream": value}).user("Hi")).field == "extra"


def test_the_client_request_id_is_not_in_the_payload():
    request = ChatRequest("gpt-4o", client_request_id="a.b_c:d-1").user("Hi")
    assert request.payload() == ChatRequest("gpt-4o").user("Hi").payload()


@pytest.mark.parametrize("request_id", ["", "a b", "é", "x" * 129, "a\n", 5, b"a"])
def test_a_client_request_id_that_the_api_would_drop_is_refused(request_id, refusal):
    error = refusal(ChatRequest(client_request_id=request_id).user("Hi"))
    assert error.field == "client_request_id"
    assert "128" in str(error)


@pytest.mark.parametrize("request_id", ["x", "x" * 128])
def test_a_client_request_id_may_have_1_to_128_characters(request_id):
    assert ChatRequest(client_request_id=request_id).user("Hi").payload()


@pytest.mark.parametrize("model", ["", " ", 5, ["gpt-4o"], "gpt-4o\n", " gpt-4o", "gpt\x1b-4o"])
def test_a_model_that_is_no_clean_text_is_refused(model, refusal):
    assert refusal(ChatRequest(model).user("Hi")).field == "model"


@pytest.mark.parametrize("dialect", ["OpenAI", "", 5, ["openai"]])
def test_an_unknown_dialect_is_refused(dialect, refusal):
    error = refusal(ChatRequest(dialect=dialect).user("Hi"))
    assert error.field == "dialect"
    assert "'anthropic'" in str(error)
