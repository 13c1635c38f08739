"""The messages dialect: when it is used, and what it takes that the others do not."""

import pytest

from aimlchat import ChatRequest, Completion, Image, Tool
from aimlchat._payload.messages import MessagesPayload
from aimlchat.completions import Choice
from aimlchat.tool_types import ToolCall

CLAUDE = "anthropic/claude-sonnet-4.5"
NEWEST = "anthropic/claude-opus-4.8"
TOOL = Tool("f")
SIGNED = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
REDACTED = {"type": "redacted_thinking", "data": "d"}
TEXT = {"type": "text", "text": "Look."}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
TURN = [SIGNED, TEXT, REDACTED, USE]
CALLS = (ToolCall("t1", "f", '{"a":1}'),)
COMPLETION = Completion(
    (Choice(0, "Look.", "Hm.", None, CALLS, turn={"content_blocks": TURN}),), is_complete=True
)
FORMS = {"completion": COMPLETION, "message": COMPLETION.as_message()}
each_form = pytest.mark.parametrize("turn", FORMS.values(), ids=FORMS)


def uses_messages(request):
    return isinstance(request.payload(), MessagesPayload)


def ask(model=CLAUDE, **fields):
    return ChatRequest(model, **fields).user("Hi")


@pytest.mark.parametrize("model", [CLAUDE, NEWEST, "claude-3-7-sonnet", "claude-sonnet-4"])
def test_thinking_together_with_tools_takes_it(model):
    assert uses_messages(ask(model, thinking=2048, tools=[TOOL]))
    assert not uses_messages(ask(model, thinking=2048))
    assert not uses_messages(ask(model, tools=[TOOL]))
    assert not uses_messages(ask(model, thinking=False, tools=[TOOL]))


def test_adaptive_thinking_with_tools_takes_it():
    payload = ask(NEWEST, thinking="adaptive", tools=[TOOL]).payload()
    assert isinstance(payload, MessagesPayload)
    assert payload["thinking"] == {"type": "adaptive"}
    assert payload["max_tokens"] == 16_384


@each_form
def test_signed_thinking_in_the_conversation_takes_it(turn):
    request = ask().assistant(turn).tool_result("t1", "1")
    assert uses_messages(request)
    assert not uses_messages(request.options(model="openai/gpt-4o"))


@pytest.mark.parametrize("block", [SIGNED, REDACTED])
def test_signed_thinking_among_the_parts_of_a_message_takes_it(block):
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [block, TEXT]},
        {"role": "user", "content": "And?"},
    ]
    payload = ChatRequest(CLAUDE, messages=messages).payload()
    assert isinstance(payload, MessagesPayload)
    assert payload["messages"] == messages


def test_thinking_without_a_signature_does_not_take_it():
    part = {"type": "thinking", "thinking": "Hm."}
    request = ask().assistant({"role": "assistant", "content": [part, TEXT]}).user("And?")
    assert not uses_messages(request)


def test_a_request_may_ask_for_it():
    assert uses_messages(ask(dialect="messages"))
    assert uses_messages(ask("my-alias", dialect="messages", thinking=2048))


def test_a_request_may_ask_for_another_dialect(refusal):
    assert not uses_messages(ask(dialect="anthropic", thinking=2048, tools=[TOOL]))
    request = ask(NEWEST, dialect="openai", thinking=2048, tools=[TOOL])
    assert not uses_messages(request)


@each_form
def test_a_turn_goes_back_as_it_came(turn):
    request = ask(tools=[TOOL]).assistant(turn).tool_result("t1", "1", is_error=True)
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "1", "is_error": True}
    assert request.payload()["messages"][1:] == [
        {"role": "assistant", "content": TURN},
        {"role": "user", "content": [result]},
    ]


@each_form
def test_other_dialects_take_the_text_and_the_calls(turn):
    request = ask(tools=[TOOL]).assistant(turn).tool_result("t1", "1")
    sent = request.options(dialect="anthropic").payload()["messages"][1]
    assert sent == {"role": "assistant", "content": [TEXT, USE]}
    sent = request.options(model="openai/gpt-4o").payload()["messages"][1]
    call = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    assert sent == {"role": "assistant", "content": "Look.", "tool_calls": [call]}


def test_blank_texts_of_a_turn_are_left_out_since_the_api_refuses_them():
    turn = {
        "role": "assistant",
        "content": None,
        "content_blocks": [SIGNED, TEXT | {"text": "\n"}, USE],
    }
    sent = ask().assistant(turn).tool_result("t1", "1").payload()["messages"][1]
    assert sent["content"] == [SIGNED, USE]


def test_thinking_that_nobody_has_signed_is_left_out():
    blocks = [SIGNED | {"signature": ""}, SIGNED, TEXT]
    turn = {"role": "assistant", "content": "Look.", "content_blocks": blocks}
    sent = ask(dialect="messages").assistant(turn).user("And?").payload()["messages"][1]
    assert sent["content"] == [SIGNED, TEXT]


def test_a_call_whose_input_is_no_object_is_refused(refusal):
    blocks = [SIGNED, USE | {"input": "[1"}]
    turn = {"role": "assistant", "content": "", "content_blocks": blocks}
    error = refusal(ask().assistant(turn).tool_result("t1", "1"))
    assert error.field == "messages[1].content_blocks[1].input"


@pytest.mark.parametrize("blocks", ["x", [1], [{"text": "a"}]])
def test_blocks_that_are_none_are_refused(blocks, refusal):
    turn = {"role": "assistant", "content": "a", "content_blocks": blocks}
    error = refusal(ChatRequest("gpt-4o").user("Hi").assistant(turn))
    assert error.field.startswith("messages[1].content_blocks")


def test_only_a_turn_of_the_assistant_is_added_by_assistant(refusal):
    for message in ({"role": "user", "content": "Hi"}, 7):
        with pytest.raises(ValueError, match="messages"):
            ask().assistant(message)


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_a_parameter_that_the_endpoint_lacks_is_refused(name, refusal):
    error = refusal(ask(dialect="messages", **{name: 0}))
    assert error.field == name
    assert f"extra={{{name!r}: ...}}" in str(error)


def test_a_parameter_at_its_default_is_left_out():
    assert "temperature" not in ask(dialect="messages", temperature=1).payload()


def test_max_tokens_is_always_sent():
    assert ask(dialect="messages").payload()["max_tokens"] == 4096
    assert ask(dialect="messages", max_tokens=9).payload()["max_tokens"] == 9
    assert ask(thinking=2048, tools=[TOOL]).payload()["max_tokens"] == 2048 + 4096


@pytest.mark.parametrize("choice", ["required", "f"])
def test_a_forced_call_with_thinking_is_refused(choice, refusal):
    error = refusal(ask(thinking=2048, tools=[TOOL], tool_choice=choice))
    assert error.field == "tool_choice"


def test_the_rest_is_that_of_the_anthropic_dialect(png):
    request = ChatRequest(CLAUDE, tools=[TOOL], stop="x").system("Be brief.")
    request = request.user("Look", Image.from_bytes(png))
    messages = request.options(dialect="messages").payload(stream=True)
    assert messages == request.payload(stream=True) | {"max_tokens": 4096}
