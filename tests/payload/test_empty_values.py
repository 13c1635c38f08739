"""Values that ask for nothing: empty keys of messages, parts and tools, and options at defaults."""

import pytest

from aimlchat.content import Image
from aimlchat.request import ChatRequest
from aimlchat.tool_types import Tool

OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"
BOTH = pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
USER = {"role": "user", "content": "Hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "1"}
USE = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
# All keys of an assistant message, as SDKs write them.
NOTHING = {
    "refusal": None,
    "audio": None,
    "function_call": None,
    "tool_calls": None,
    "annotations": [],
    "name": None,
    "reasoning_content": None,
    "provider_specific_fields": None,
}


def _send(model, *messages):
    return ChatRequest(model, messages=messages).payload()["messages"]


@pytest.mark.parametrize("nothing", [NOTHING, {"tool_calls": []}, {"thinking_blocks": []}], ids=str)
@BOTH
def test_keys_without_a_value_are_not_sent_beside_text(model, nothing):
    text = {"role": "assistant", "content": "Well"}
    assert _send(model, USER, text | nothing, USER) == [USER, text, USER]


@pytest.mark.parametrize(
    "content", [{"content": None}, {"content": []}, {"content": ""}, {}], ids=str
)
@pytest.mark.parametrize("nothing", [NOTHING, {}], ids=["all keys", "no other key"])
def test_content_without_a_value_is_nothing_beside_tool_calls(content, nothing):
    message = {"role": "assistant", **content} | nothing | {"tool_calls": [CALL]}
    sent = _send(OPENAI, USER, message, RESULT)[1]
    assert sent.keys() == {"role", "tool_calls", *content}
    assert not sent.get("content")
    assert sent.get("content") != []
    assert _send(ANTHROPIC, USER, message, RESULT)[1] == {"role": "assistant", "content": [USE]}


def test_a_blank_text_before_tool_calls_is_left_out_in_the_anthropic_dialect():
    parts = [{"type": "text", "text": ""}]
    message = {"role": "assistant", "content": parts, "tool_calls": [CALL]}
    assert _send(ANTHROPIC, USER, message, RESULT)[1]["content"] == [USE]
    message = {"role": "assistant", "content": [*parts, USE]}
    assert _send(ANTHROPIC, USER, message, RESULT)[1]["content"] == [USE]


def test_a_blank_text_in_a_tool_result_is_left_out_in_the_anthropic_dialect():
    for parts, sent in (([""], ""), (["", "1"], [{"type": "text", "text": "1"}])):
        content = [{"type": "text", "text": text} for text in parts]
        (message,) = _send(ANTHROPIC, RESULT | {"content": content})
        assert message["content"][0]["content"] == sent


def test_a_blank_text_beside_another_part_is_left_out_in_the_anthropic_dialect():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    built = ChatRequest(ANTHROPIC).user(" ", Image.from_bytes(b"hi", "image/png")).payload()
    (message,) = _send(
        ANTHROPIC, {"role": "user", "content": [{"type": "text", "text": ""}, image]}
    )
    for content in (message["content"], built["messages"][0]["content"]):
        assert [part["type"] for part in content] == ["image"]


@BOTH
def test_the_result_of_a_tool_that_returned_nothing_is_an_empty_text(model):
    sent = _send(model, RESULT | {"content": []})[0]
    assert (sent["content"] if model == OPENAI else sent["content"][0]["content"]) == ""


@BOTH
@pytest.mark.parametrize("nothing", [{}, {"arguments": None}])
def test_a_call_without_arguments_has_none(model, nothing):
    call = {"id": "c1", "type": None, "function": {"name": "f"} | nothing}
    sent = _send(model, USER, {"role": "assistant", "content": "", "tool_calls": [call]}, RESULT)[1]
    if model == OPENAI:
        assert sent["tool_calls"] == [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]
    else:
        assert sent["content"] == [USE]


@pytest.mark.parametrize("key", ["reasoning", "images", "refusal"])
def test_a_response_without_text_goes_back_in_the_openai_dialect(key):
    message = {"role": "assistant", "content": None, key: "x"}
    assert _send(OPENAI, USER, message, USER)[1] == message


@BOTH
def test_an_assistant_message_with_nothing_at_all_is_refused(model, refusal):
    for content in (None, []):
        messages = [USER, {"role": "assistant", "content": content} | NOTHING]
        assert refusal(ChatRequest(model, messages=messages)).field == "messages[1].content"


def test_a_user_message_has_no_keys_without_a_value():
    assert _send(OPENAI, USER | {"name": None, "metadata": []}) == [USER]
    assert _send(ANTHROPIC, USER | {"name": None, "metadata": []}) == [USER]


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (
            {"type": "text", "text": "Hi", "image_url": None, "cache_control": None},
            {"type": "text", "text": "Hi"},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://e.com", "detail": None}},
            {"type": "image_url", "image_url": {"url": "https://e.com"}},
        ),
        (
            {"type": "file", "file": {"file_id": "f", "file_data": None, "filename": None}},
            {"type": "file", "file": {"file_id": "f"}},
        ),
        ({"type": "new", "x": None}, {"type": "new", "x": None}),
    ],
    ids=lambda part: part["type"],
)
def test_a_part_of_a_known_type_has_no_nulls(part, sent):
    (message,) = _send(OPENAI, {"role": "user", "content": [part]})
    assert message["content"] == [sent]


@BOTH
def test_a_tool_has_no_nulls(model):
    for tool in (
        {"type": "function", "function": {"name": "f", "description": None, "strict": None}},
        {"name": "f", "description": None, "input_schema": {}, "cache_control": None},
    ):
        payload = ChatRequest(model, tools=[tool]).user("Hi").payload()
        assert "None" not in repr(payload["tools"])


DEFAULTS = {
    "n": [1],
    "logprobs": [False],
    "top_logprobs": [0],
    "logit_bias": [{}],
    "frequency_penalty": [0, 0.0],
    "presence_penalty": [0, 0.0],
    "parallel_tool_calls": [True],
    "response_format": [{"type": "text"}, {"type": "text", "json_schema": None}],
    "modalities": [["text"], ("text",)],
    "stop": [[]],
    "tools": [[]],
    "tool_choice": ["auto", "none", {"type": "auto"}],
}


@pytest.mark.parametrize("field", DEFAULTS)
def test_an_option_at_its_default_is_left_out_where_the_dialect_lacks_it(field):
    plain = ChatRequest(ANTHROPIC).user("Hi")
    for value in DEFAULTS[field]:
        assert plain.options(**{field: value}).payload() == plain.payload()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("n", True),
        ("logprobs", True),
        ("logprobs", 0),
        ("top_logprobs", 1),
        ("logit_bias", {"1": 1}),
        ("frequency_penalty", 0.1),
        ("frequency_penalty", False),
        ("parallel_tool_calls", False),
        ("parallel_tool_calls", 1),
        ("response_format", {"type": "json_object"}),
        ("modalities", ["text", "audio"]),
        ("web_search_options", {}),
    ],
)
def test_any_other_value_is_refused_there(field, value, refusal):
    assert refusal(ChatRequest(ANTHROPIC, **{field: value}).user("Hi")).field == field


def test_what_the_openai_dialect_lacks_is_left_out_there_too():
    plain = ChatRequest(OPENAI).user("Hi")
    assert plain.options(metadata={}).payload() == plain.payload()
    assert plain.options(top_logprobs=0).payload() == plain.payload()
    assert plain.options(tool_choice="auto").payload() == plain.payload()
    assert plain.options(tool_choice="none").payload() == plain.payload()


@pytest.mark.parametrize("choice", ["auto", "none"])
@BOTH
def test_the_choice_is_kept_where_extra_has_the_tools(model, choice):
    request = ChatRequest(model, tool_choice=choice, extra={"tools": [{"type": "x"}]}).user("Hi")
    assert "tool_choice" in request.payload()


@pytest.mark.parametrize(
    "tool",
    [
        Tool("f", strict=False),
        {"type": "function", "function": {"name": "f", "strict": False}},
        {"name": "f", "input_schema": {}, "strict": False},
    ],
    ids=["Tool", "openai", "anthropic"],
)
def test_strict_false_is_left_out_in_the_anthropic_dialect(tool):
    payload = ChatRequest(ANTHROPIC, tools=[tool]).user("Hi").payload()
    assert payload["tools"] == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]


def test_strict_true_is_refused_there_with_the_way_out(refusal):
    error = refusal(ChatRequest(ANTHROPIC, tools=[Tool("f", strict=True)]).user("Hi"))
    assert error.field == "tools[0].strict"
    assert "leave strict out" in str(error)
    assert "openai dialect" in str(error)
