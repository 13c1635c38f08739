"""Turns that another model made, that were cut off, or that were edited."""

import copy

import pytest

from aimlchat import ChatRequest, Completion, InvalidRequestError, Tool
from aimlchat._payload.messages import MessagesPayload
from aimlchat.completions import Choice
from aimlchat.tool_types import ToolCall

CLAUDE, NEWEST = "anthropic/claude-sonnet-4.5", "anthropic/claude-opus-4.8"
GPT, GEMINI = "openai/gpt-4o", "google/gemini-3-flash-preview"
TOOL = Tool("f")
SIGNED = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
REDACTED = {"type": "redacted_thinking", "data": "d"}
TEXT = {"type": "text", "text": "Look."}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
CALLS = (ToolCall("t1", "f", '{"a":1}'), ToolCall("t2", "f", "{}"))
ANY_SIGNATURE = {"google": {"thought_signature": "skip_thought_signature_validator"}}


def build_completion(text, calls=(), blocks=None):
    turn = blocks and {"content_blocks": blocks}
    return Completion((Choice(0, text, tool_calls=calls, turn=turn),), is_complete=True)


def ask(model, **fields):
    return ChatRequest(model, tools=[TOOL], **fields).user("Hi")


def send(model, turn, **fields):
    return ask(model, **fields).assistant(turn).user("And?").payload()["messages"][1]


CLAUDES = build_completion("Look.", CALLS[:1], [SIGNED, TEXT, USE])


def test_claude_without_thinking_gets_text_and_calls():
    request = ask("anthropic/claude-3-haiku").assistant(CLAUDES).tool_result("t1", "1")
    payload = request.payload()
    assert not isinstance(payload, MessagesPayload)
    assert payload["messages"][1].keys() == {"role", "content", "tool_calls"}


@pytest.mark.parametrize(
    "model", [GPT, GEMINI, "deepseek/deepseek-chat", "moonshot/kimi-k2-6", "zhipu/glm-4.5"]
)
def test_thinking_among_the_parts_of_a_message_goes_only_to_claude(model):
    turn = {"role": "assistant", "content": [SIGNED, REDACTED, TEXT]}
    assert send(model, turn)["content"] == [TEXT]
    assert send(model, turn | {"content": [SIGNED]})["content"] == ""
    assert send(CLAUDE, turn)["content"] == turn["content"]


@pytest.mark.parametrize("key", ["content_blocks", "reasoning_content", "reasoning_details"])
def test_a_message_of_nothing_but_reasoning_is_empty_for_another_model(key):
    value = "Hm." if key == "reasoning_content" else [SIGNED]
    turn = {"role": "assistant", "content": None, key: value}
    messages = [{"role": "user", "content": "Hi"}, turn, {"role": "user", "content": "And?"}]
    if key != "reasoning_details":
        del turn["content"]
    sent = ChatRequest(GPT, messages=messages).payload()["messages"][1]
    assert sent == {"role": "assistant", "content": ""}


@pytest.mark.parametrize("as_dict", [True, False])
def test_gemini_is_told_that_a_call_is_of_another_model(as_dict):
    completion = build_completion("", CALLS)
    turn = completion.as_message() if as_dict else completion
    request = ask(GEMINI).assistant(turn).tool_result("t1", "1").tool_result("t2", "2")
    first, second = request.payload()["messages"][1]["tool_calls"]
    assert first["extra_content"] == ANY_SIGNATURE
    assert "extra_content" not in second
    for model in (GPT, "google/gemini-2.5-flash"):
        call = request.options(model=model).payload()["messages"][1]["tool_calls"][0]
        assert "extra_content" not in call


def test_the_signature_of_gemini_itself_stays():
    extra = {"extra_content": {"google": {"thought_signature": "s"}}}
    calls = (ToolCall("t1", "f", "{}", extra=extra), CALLS[1])
    request = ask(GEMINI).assistant(build_completion("", calls))
    first, second = request.payload()["messages"][1]["tool_calls"]
    assert first["extra_content"] == extra["extra_content"]
    assert "extra_content" not in second


def test_other_keys_beside_a_missing_signature_stay():
    calls = (ToolCall("t1", "f", "{}", extra={"extra_content": {"x": 1}}),)
    request = ask(GEMINI).assistant(build_completion("", calls))
    (call,) = request.payload()["messages"][1]["tool_calls"]
    assert call["extra_content"] == {"x": 1} | ANY_SIGNATURE


def test_claude_cannot_begin_to_think_amid_the_calls_of_another_model(refusal):
    turn = build_completion("", CALLS[:1])
    request = ask(CLAUDE, thinking=2048).assistant(turn).tool_result("t1", "1")
    assert refusal(request).field == "thinking"
    assert request.assistant("It rains.").user("Go on.").payload()
    assert request.options(thinking=None).payload()
    assert request.options(model=NEWEST, thinking="adaptive").payload()


def test_calls_without_thinking_may_follow_those_with_it():
    later = build_completion("", (ToolCall("t2", "f", "{}"),))
    request = ask(CLAUDE, thinking=2048).assistant(CLAUDES).tool_result("t1", "1")
    assert request.assistant(later).tool_result("t2", "2").payload()


@pytest.mark.parametrize("dialect", ["anthropic", "messages"])
def test_a_blank_text_before_calls_is_left_out(dialect):
    turn = build_completion("\n\n", CALLS[:1])
    request = ask(CLAUDE, dialect=dialect).assistant(turn).tool_result("t1", "1")
    assert request.payload()["messages"][1]["content"] == [USE]


def test_thinking_at_the_end_of_a_turn_is_left_out_since_the_api_refuses_it():
    turn = build_completion("Look.", (), [SIGNED, TEXT, SIGNED, {"type": "text", "text": " "}])
    assert send(CLAUDE, turn)["content"] == [SIGNED, TEXT]


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_turn_of_nothing_but_thinking_is_refused(text):
    turn = build_completion(text, (), [SIGNED, {"type": "text", "text": text}])
    with pytest.raises(InvalidRequestError, match="leave it out"):
        ask(CLAUDE).assistant(turn)


def edit_text(message):
    message["content"] = "No."


def edit_parts(message):
    message["content"] = [{"type": "text", "text": "No."}]


def edit_arguments(message):
    message["tool_calls"][0]["function"]["arguments"] = '{"a": 2}'


def drop_call(message):
    message["tool_calls"] = [{"id": "t9", "type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (edit_text, "content"),
        (edit_parts, "content"),
        (edit_arguments, "tool_calls"),
        (drop_call, "tool_calls"),
    ],
)
def test_an_edit_that_would_not_be_sent_is_refused(refusal, edit, key):
    message = copy.deepcopy(CLAUDES.as_message())
    edit(message)
    request = ask(CLAUDE).assistant(message).tool_result("t1", "1")
    error = refusal(request)
    assert error.field == f"messages[1].{key}"
    assert "content_blocks" in str(error)
    assert request.options(model=GPT).payload()  # which gets the edited text and calls


def test_an_edit_of_the_blocks_as_well_is_sent():
    message = copy.deepcopy(CLAUDES.as_message())
    message["content"] = message["content_blocks"][1]["text"] = "No."
    assert send(CLAUDE, message)["content"] == [SIGNED, {"type": "text", "text": "No."}, USE]
    del message["content_blocks"]
    assert send(CLAUDE, message)["content"] == [{"type": "text", "text": "No."}, USE]
