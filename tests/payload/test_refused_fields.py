"""The fields that the newest Claude does not take, and those of models with two dialects."""

import pytest

from aimlchat import ChatRequest
from aimlchat._payload.model_table import TABLE_DATE

NEWEST = ["anthropic/claude-sonnet-5", "claude-opus-4-8", "claude-haiku-latest"]
OLDER = [
    "anthropic/claude-3.7-sonnet",
    "anthropic/claude-opus-4.8-fast",
    "gpt-4o",
    "our-claude",
]
REFUSED = {
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 5,
    "response_format": {"type": "json_object"},
}


@pytest.mark.parametrize("dialect", [None, "openai", "anthropic"])
@pytest.mark.parametrize("model", NEWEST)
@pytest.mark.parametrize(("field", "value"), REFUSED.items(), ids=REFUSED)
def test_the_newest_claude_refuses_a_field_by_its_name(model, field, value, dialect, refusal):
    error = refusal(ChatRequest(model, dialect=dialect, **{field: value}).user("Hi"))

    assert error.field == field
    assert model in str(error)
    assert TABLE_DATE in str(error)
    assert "leave it out" in str(error)


@pytest.mark.parametrize("field", ["temperature", "top_p", "top_k"])
def test_claude_opus_4_7_refuses_the_fields_of_sampling(field, refusal):
    request = ChatRequest("anthropic/claude-opus-4.7", **{field: REFUSED[field]})

    assert refusal(request.user("Hi")).field == field


@pytest.mark.parametrize("value", [0, 1, 1.0])
def test_a_value_of_zero_or_one_is_refused_as_well(value, refusal):
    assert refusal(ChatRequest(NEWEST[0], temperature=value).user("Hi")).field == "temperature"


def test_a_refused_response_format_comes_with_another_way_to_get_json(refusal):
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}

    assert "tool_choice" in str(refusal(ChatRequest(NEWEST[0], response_format=schema).user("Hi")))


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_plain_text_as_response_format_is_left_out(dialect):
    request = ChatRequest(NEWEST[0], dialect=dialect, response_format={"type": "text"})

    assert "response_format" not in request.user("Hi").payload()


@pytest.mark.parametrize(("field", "value"), REFUSED.items(), ids=REFUSED)
def test_extra_sends_a_refused_field_unchecked(field, value):
    body = ChatRequest(NEWEST[0], extra={field: value}).user("Hi").payload()

    assert body[field] == value


@pytest.mark.parametrize("options", [{}, {"max_tokens": 9}], ids=["plain", "with an option"])
@pytest.mark.parametrize("model", NEWEST)
def test_a_stream_of_the_newest_claude_does_not_ask_for_usage(model, options):
    body = ChatRequest(model, **options).user("Hi").payload(stream=True)

    assert body["stream"] is True
    assert "stream_options" not in body


def test_extra_may_ask_for_usage_nevertheless():
    request = ChatRequest(NEWEST[0], extra={"stream_options": {"include_usage": True}}).user("Hi")

    assert request.payload(stream=True)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("model", OLDER)
def test_other_models_take_the_fields_and_ask_for_usage(model):
    body = ChatRequest(model, temperature=0.5, top_p=0.9).user("Hi").payload(stream=True)

    assert (body["temperature"], body["top_p"]) == (0.5, 0.9)
    assert body["stream_options"] == {"include_usage": True}


# --- models with two dialects ---------------------------------------------------------------------


@pytest.mark.parametrize("model", ["claude-sonnet-4", "anthropic/claude-opus-4"])
def test_a_model_of_both_dialects_is_offered_the_other_one(model, refusal):
    error = refusal(ChatRequest(model, n=2).user("Hi"))
    body = ChatRequest(model, n=2, dialect="openai").user("Hi").payload()

    assert error.field == "n"
    assert "dialect='openai'" in str(error)
    assert body["n"] == 2


@pytest.mark.parametrize(
    "request_",
    [
        ChatRequest("claude-sonnet-4.5", seed=2),  # which takes one dialect only
        ChatRequest("claude-sonnet-4", seed=2, thinking=2048),  # which thinks in one only
    ],
    ids=["one dialect", "thinking"],
)
def test_no_dialect_is_offered_that_the_request_cannot_use(request_, refusal):
    error = refusal(request_.user("Hi"))

    assert error.field == "seed"
    assert "dialect=" not in str(error)
