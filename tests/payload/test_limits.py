"""The limits of single parameters and messages, which are refused by their path."""

import math

import pytest

from aimlchat.content import Document, Image, Message, Text
from aimlchat.request import ChatRequest

OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"
NOT_NUMBERS = [True, "1", [1], math.nan, math.inf, -math.inf, 10**5000, 1j]


def _build_payload(model, **options):
    return ChatRequest(model, **options).user("Hi").payload()


@pytest.mark.parametrize(
    ("model", "field", "values"),
    [
        (OPENAI, "temperature", [0, 0.5, 2, 2.0]),
        (ANTHROPIC, "temperature", [0, 1]),
        (OPENAI, "top_p", [0, 0.05, 1]),
        (ANTHROPIC, "top_p", [0, 1]),
        (OPENAI, "frequency_penalty", [-2, 0.1, 2]),
        (OPENAI, "presence_penalty", [-2, 0.1, 2]),
        (OPENAI, "max_tokens", [1, 10**6]),
        (ANTHROPIC, "max_tokens", [1]),
        (ANTHROPIC, "top_k", [0, 40]),
        (OPENAI, "n", [1, 8]),
        (OPENAI, "seed", [0, -5, 2**40]),
        (OPENAI, "logprobs", [True, False]),
        (OPENAI, "parallel_tool_calls", [True, False]),
        (OPENAI, "reasoning_effort", ["low", "minimal", "xhigh"]),
        (OPENAI, "stop", ["a", "\n", ["a"], ["a", "b", "c", "d"]]),
        (OPENAI, "modalities", [["text"], ["text", "audio"]]),
        (OPENAI, "audio", [{"format": "wav", "voice": "alloy"}, {"format": "x", "voice": {}}]),
        (OPENAI, "prediction", [{"type": "content", "content": "x"}]),
        (OPENAI, "web_search_options", [{}, {"search_context_size": "low"}]),
        (OPENAI, "response_format", [{"type": "text"}, {"type": "json_object"}]),
        (ANTHROPIC, "metadata", [{}, {"user_id": "1"}]),
    ],
)
def test_a_value_within_its_limits_is_sent_as_it_is(model, field, values):
    for value in values:
        assert _build_payload(model, **{field: value})[field] == value


@pytest.mark.parametrize(
    ("model", "field", "values", "limit"),
    [
        (OPENAI, "temperature", [-0.1, 2.1, *NOT_NUMBERS], "number"),
        (ANTHROPIC, "temperature", [-0.1, 1.1, 2, *NOT_NUMBERS], "number"),
        (OPENAI, "top_p", [-0.1, 1.1, *NOT_NUMBERS], "number"),
        (ANTHROPIC, "top_p", [-0.1, 1.1, *NOT_NUMBERS], "number"),
        (OPENAI, "frequency_penalty", [-2.1, 2.1, *NOT_NUMBERS], "number"),
        (OPENAI, "presence_penalty", [-2.1, 2.1, *NOT_NUMBERS], "number"),
        (OPENAI, "max_tokens", [0, -1, 1.0, *NOT_NUMBERS], "int"),
        (ANTHROPIC, "max_tokens", [0, -1, 1.5, *NOT_NUMBERS], "int"),
        (ANTHROPIC, "top_k", [-1, 1.5, *NOT_NUMBERS], "int"),
        (OPENAI, "n", [0, -1, 1.5, *NOT_NUMBERS], "1"),
        (OPENAI, "seed", [1.5, *NOT_NUMBERS], ""),
        (OPENAI, "logprobs", [1, 0, "yes"], "True"),
        (OPENAI, "parallel_tool_calls", [1, "no"], "False"),
        (OPENAI, "reasoning_effort", ["", " ", 5, ["low"]], ""),
        (OPENAI, "stop", ["", 5, b"a", {"a": 1}, list("abcde")], ""),
        (OPENAI, "audio", ["alloy", 5], "dict"),
        (OPENAI, "prediction", ["x", 5, ["x"]], "dict"),
        (OPENAI, "web_search_options", ["x", True], "dict"),
        (OPENAI, "logit_bias", ["x", 5], "dict"),
        (OPENAI, "response_format", ["json", 5], "dict"),
        (ANTHROPIC, "metadata", ["x", 5, [1]], "dict"),
        (OPENAI, "modalities", ["text", 5, {"text": 1}], "list"),
        (OPENAI, "tools", [5, "f", {"name": "f"}], "Tool"),
        (OPENAI, "extra", ["x", 5, [("a", 1)]], "dict"),
        (OPENAI, "system", [5, ["S"]], "str"),
    ],
)
def test_a_value_beyond_its_limits_is_refused(model, field, values, limit, refusal):
    for value in values:
        error = refusal(ChatRequest(model, **{field: value}).user("Hi"))
        assert error.field == field
        assert limit in str(error)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"stop": ["a", ""]}, "stop[1]"),
        ({"stop": ["a", 5]}, "stop[1]"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
        ({"logit_bias": {1: -101}}, "logit_bias.1"),
        ({"logit_bias": {1: math.nan}}, "logit_bias.1"),
        ({"logit_bias": {1.5: 1}}, "logit_bias"),
        ({"logit_bias": {True: 1}}, "logit_bias"),
        ({"modalities": ["text", "smell"]}, "modalities[1]"),
        ({"audio": {"voice": "alloy"}}, "audio.format"),
        ({"audio": {"format": "wav"}}, "audio.voice"),
        ({"audio": {"format": 1, "voice": "alloy"}}, "audio.format"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": ["text"]}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
            "response_format.json_schema.name",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": ["a"]}}},
            "response_format.json_schema.name",
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": "object"},
                }
            },
            "response_format.json_schema.schema",
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "strict": "yes"},
                }
            },
            "response_format.json_schema.strict",
        ),
        ({"prediction": {"content": [1, math.inf]}}, "prediction.content[1]"),
        ({"web_search_options": {"a": {"b": {1}}}}, "web_search_options.a.b"),
        ({"extra": {"a": [{"b": math.nan}]}}, "extra.a[0].b"),
        ({"extra": {"a": {5: 1}}}, "extra.a"),
        ({"extra": {"a": 2**64}}, "extra.a"),
        ({"extra": {"a": b"x"}}, "extra.a"),
        ({"extra": {"a": "\ud800"}}, "extra.a"),
        ({"extra": {"\ud800": 1}}, "extra"),
    ],
)
def test_a_nested_value_beyond_its_limits_is_refused_by_its_path(options, field, refusal):
    assert refusal(ChatRequest(OPENAI, **options).user("Hi")).field == field


@pytest.mark.parametrize(
    ("metadata", "field"),
    [({"a": 1}, "metadata.a"), ({"a": None}, "metadata.a"), ({1: "a"}, "metadata")],
)
def test_metadata_other_than_str_to_str_is_refused(metadata, field, refusal):
    assert refusal(ChatRequest(ANTHROPIC, metadata=metadata).user("Hi")).field == field


def test_the_token_ids_of_logit_bias_are_sent_as_texts():
    payload = _build_payload(OPENAI, logit_bias={50256: -100, "7": 0.5})
    assert payload["logit_bias"] == {"50256": -100, "7": 0.5}


def test_a_response_format_with_a_schema_is_sent_as_it_is():
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}},
    }
    assert _build_payload(OPENAI, response_format=wanted)["response_format"] == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
        {"type": "json_schema", "json_schema": {"name": None, "schema": {"type": "object"}}},
        {"type": "json_schema", "schema": {"type": "object"}},
    ],
)
def test_a_schema_without_a_name_is_sent_as_it_is(wanted):
    assert _build_payload(OPENAI, response_format=wanted)["response_format"] == wanted


@pytest.mark.parametrize("value", [0, 5, 20])
def test_top_logprobs_are_sent_with_logprobs(value):
    assert _build_payload(OPENAI, logprobs=True, top_logprobs=value)["top_logprobs"] == value


@pytest.mark.parametrize("logprobs", [None, False])
def test_top_logprobs_are_refused_without_logprobs(logprobs, refusal):
    error = refusal(ChatRequest(OPENAI, logprobs=logprobs, top_logprobs=5).user("Hi"))
    assert error.field == "top_logprobs"
    assert "logprobs=True" in str(error)


@pytest.mark.parametrize("value", [-1, 21, 1.5, True])
def test_top_logprobs_beyond_0_to_20_are_refused(value, refusal):
    error = refusal(ChatRequest(OPENAI, logprobs=True, top_logprobs=value).user("Hi"))
    assert error.field == "top_logprobs"


def test_the_anthropic_dialect_takes_any_number_of_stop_texts():
    assert _build_payload(ANTHROPIC, stop=list("abcdef"))["stop_sequences"] == list("abcdef")


@pytest.mark.parametrize("content", ["", " \n\t", [{"type": "text", "text": " "}]])
def test_a_blank_user_message_is_sent_in_the_openai_dialect_only(content, refusal):
    messages = [{"role": "user", "content": content}]
    assert ChatRequest(OPENAI, messages=messages).payload()["messages"] == messages
    error = refusal(ChatRequest(ANTHROPIC, messages=messages))
    assert error.field.startswith("messages[0].content")
    assert "white space" in str(error)


@pytest.mark.parametrize("texts", [[""], [" \n\t"], ["", " "]])
def test_blank_texts_are_sent_in_the_openai_dialect_only(texts, refusal):
    (message,) = ChatRequest(OPENAI).user(*texts).payload()["messages"]
    parts = [{"type": "text", "text": text} for text in texts]
    assert message["content"] == (texts[0] if len(texts) == 1 else parts)
    assert refusal(ChatRequest(ANTHROPIC).user(*texts)).field.startswith("messages[0].content")


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_a_user_message_without_parts_is_refused(model, refusal):
    assert refusal(ChatRequest(model).user()).field == "messages[0].content"


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_a_blank_assistant_message_is_refused(model, refusal):
    request = ChatRequest(model).user("Hi").assistant(" ")
    assert refusal(request).field.startswith("messages[1].content")


@pytest.mark.parametrize("kind", [Image, Document])
def test_a_part_without_data_or_url_is_refused(kind, refusal):
    error = refusal(ChatRequest(OPENAI).user(kind()))
    assert error.field == "messages[0].content[0]"
    assert "from_bytes" in str(error)


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize("role", ["system", "robot", "", None, ["user"]])
def test_a_message_of_an_unknown_role_is_refused(model, role, refusal):
    error = refusal(ChatRequest(model, messages=[Message(role, (Text("Hi"),))]))
    assert error.field == "messages[0].role"


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize("call_id", ["", None, 5])
def test_a_tool_result_without_the_id_of_its_call_is_refused(model, call_id, refusal):
    error = refusal(ChatRequest(model).user("Hi").tool_result(call_id, "x"))
    assert error.field == "messages[1].tool_call_id"


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_a_part_of_an_unknown_type_is_refused(model, refusal):
    error = refusal(ChatRequest(model, messages=[Message("user", ("Hi",))]))
    assert error.field == "messages[0].content[0]"
