import enum
import math

import pytest

from aimlchat.content import Document, Image, Message, Text, Tool
from aimlchat.request import ChatRequest

OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"
NO_NUMBERS = [True, "1", [1], math.nan, math.inf, -math.inf, 10**5000, 1j]


def _body(model, **options):
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
        assert _body(model, **{field: value})[field] == value


@pytest.mark.parametrize(
    ("model", "field", "values", "limit"),
    [
        (OPENAI, "temperature", [-0.1, 2.1, *NO_NUMBERS], "number"),
        (ANTHROPIC, "temperature", [-0.1, 1.1, 2, *NO_NUMBERS], "number"),
        (OPENAI, "top_p", [-0.1, 1.1, *NO_NUMBERS], "number"),
        (ANTHROPIC, "top_p", [-0.1, 1.1, *NO_NUMBERS], "number"),
        (OPENAI, "frequency_penalty", [-2.1, 2.1, *NO_NUMBERS], "number"),
        (OPENAI, "presence_penalty", [-2.1, 2.1, *NO_NUMBERS], "number"),
        (OPENAI, "max_tokens", [0, -1, 1.0, *NO_NUMBERS], "int"),
        (ANTHROPIC, "max_tokens", [0, -1, 1.5, *NO_NUMBERS], "int"),
        (ANTHROPIC, "top_k", [-1, 1.5, *NO_NUMBERS], "int"),
        (OPENAI, "n", [0, -1, 1.5, *NO_NUMBERS], "1"),
        (OPENAI, "seed", [1.5, *NO_NUMBERS], ""),
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
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
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
def test_a_value_deep_within_a_field_is_refused_by_its_path(options, field, refusal):
    assert refusal(ChatRequest(OPENAI, **options).user("Hi")).field == field


@pytest.mark.parametrize(
    ("metadata", "field"),
    [({"a": 1}, "metadata.a"), ({"a": None}, "metadata.a"), ({1: "a"}, "metadata")],
)
def test_metadata_is_text_by_text(metadata, field, refusal):
    assert refusal(ChatRequest(ANTHROPIC, metadata=metadata).user("Hi")).field == field


def test_the_numbers_of_tokens_become_texts():
    body = _body(OPENAI, logit_bias={50256: -100, "7": 0.5})
    assert body["logit_bias"] == {"50256": -100, "7": 0.5}


def test_a_schema_for_the_answer_is_sent_as_it_is():
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}},
    }
    assert _body(OPENAI, response_format=wanted)["response_format"] == wanted


@pytest.mark.parametrize("value", [0, 5, 20])
def test_top_logprobs_go_with_logprobs(value):
    assert _body(OPENAI, logprobs=True, top_logprobs=value)["top_logprobs"] == value


@pytest.mark.parametrize("logprobs", [None, False])
def test_top_logprobs_are_refused_without_logprobs(logprobs, refusal):
    error = refusal(ChatRequest(OPENAI, logprobs=logprobs, top_logprobs=5).user("Hi"))
    assert error.field == "top_logprobs"
    assert "logprobs=True" in str(error)


@pytest.mark.parametrize("value", [-1, 21, 1.5, True])
def test_top_logprobs_are_0_to_20(value, refusal):
    error = refusal(ChatRequest(OPENAI, logprobs=True, top_logprobs=value).user("Hi"))
    assert error.field == "top_logprobs"


def test_any_number_of_stop_texts_goes_in_the_anthropic_dialect():
    assert _body(ANTHROPIC, stop=list("abcdef"))["stop_sequences"] == list("abcdef")


@pytest.mark.parametrize("field", ["stop", "tools", "modalities"])
def test_an_empty_list_is_not_sent(field):
    assert field not in _body(OPENAI, **{field: []})


@pytest.mark.parametrize(
    "request_",
    [
        ChatRequest(),
        ChatRequest(system="S"),
        ChatRequest(messages=[{"role": "system", "content": "S"}]),
        ChatRequest(messages=[{"role": "developer", "content": "S"}]),
    ],
    ids=["nothing", "a system prompt", "a system message", "a developer message"],
)
@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_an_empty_conversation_is_refused(model, request_, refusal):
    error = refusal(request_.options(model=model))
    assert error.field == "messages"
    assert "empty" in str(error)


@pytest.mark.parametrize("texts", [[], [""], [" \n\t"], ["", " "]])
@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_a_message_without_a_word_is_refused(model, texts, refusal):
    assert refusal(ChatRequest(model).user(*texts)).field.startswith("messages[0].content")


@pytest.mark.parametrize("content", ["", "  ", [{"type": "text", "text": " "}]])
@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_a_message_dict_without_a_word_is_refused(model, content, refusal):
    request = ChatRequest(model, messages=[{"role": "user", "content": content}])
    assert refusal(request).field.startswith("messages[0].content")


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_an_assistant_turn_without_a_word_is_refused(model, refusal):
    request = ChatRequest(model).user("Hi").assistant(" ")
    assert refusal(request).field.startswith("messages[1].content")


LONELY = "cut \ud83d here"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"messages": [Message("user", (Text("a"), Text(LONELY)))]}, "messages[0].content[1]"),
        ({"messages": [{"role": "user", "content": LONELY}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "a", LONELY: 1}]}, "messages[0]"),
        ({"system": LONELY}, "system"),
        ({"model": LONELY}, "model"),
        ({"stop": LONELY}, "stop"),
        ({"stop": ["a", LONELY]}, "stop[1]"),
        ({"tools": [Tool("f", description=LONELY)]}, "tools[0].description"),
        ({"tools": [Tool("f", parameters={"title": LONELY})]}, "tools[0].parameters.title"),
    ],
)
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_lone_surrogate_is_refused_where_it_stands(dialect, options, field, refusal):
    request = ChatRequest(**({"model": "x", "dialect": dialect} | options))
    error = refusal(request if "messages" in options else request.user("Hi"))
    assert error.field == field
    assert "surrogate" in str(error)
    str(error).encode()


def test_text_beyond_ascii_is_fine():
    assert _body(OPENAI, system="Grüße 👋")["messages"][0]["content"] == "Grüße 👋"


def _deep(levels):
    value = "x"
    for _ in range(levels):
        value = [value]
    return value


def _wide_and_deep():
    value = []
    value += [value, value]
    return value


@pytest.mark.parametrize("levels", [101, 300, 100_000])
def test_nesting_without_end_is_refused(levels, refusal):
    deep = _deep(levels)
    error = refusal(ChatRequest(OPENAI, extra={"a": deep}).user("Hi"))
    assert error.field == "extra"
    assert "100 levels" in str(error)
    while deep != "x":  # Python takes 100,000 levels apart by recursion otherwise
        deep = deep[0]


def test_a_value_that_holds_itself_is_refused(refusal):
    assert refusal(ChatRequest(OPENAI, extra={"a": _wide_and_deep()}).user("Hi")).field == "extra"


def test_nesting_within_reason_is_fine():
    assert _body(OPENAI, extra={"a": _deep(90)})["a"] == _deep(90)


class Word(str, enum.Enum):  # noqa: UP042 - the older kind, whose str() is another text
    LOW = "low"


class Number(enum.IntEnum):
    ONE = 1


def test_enums_are_sent_as_their_plain_values():
    body = _body(
        OPENAI,
        reasoning_effort=Word.LOW,
        n=Number.ONE,
        extra={"a": [Word.LOW, Number.ONE]},
    )
    assert type(body["reasoning_effort"]) is str
    assert body["reasoning_effort"] == "low"
    assert type(body["n"]) is int
    assert [type(item) for item in body["a"]] == [str, int]


@pytest.mark.parametrize("kind", [Image, Document])
def test_a_part_made_by_hand_without_data_is_refused(kind, refusal):
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
def test_a_tool_result_names_its_call(model, call_id, refusal):
    error = refusal(ChatRequest(model).user("Hi").tool_result(call_id, "x"))
    assert error.field == "messages[1].tool_call_id"


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_a_part_of_an_unknown_type_is_refused(model, refusal):
    error = refusal(ChatRequest(model, messages=[Message("user", ("Hi",))]))
    assert error.field == "messages[0].content[0]"


def test_a_long_value_is_shown_in_part_only(refusal):
    error = refusal(ChatRequest(OPENAI, client_request_id="x" * 10_000).user("Hi"))
    assert len(str(error)) < 300
