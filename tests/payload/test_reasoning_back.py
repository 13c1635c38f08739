"""Reasoning in turns that go back: sent to the models that take it, never to others."""

import pytest

from aimlchat import ChatRequest, Completion
from aimlchat.completions import Choice
from aimlchat.tool_types import ToolCall

DETAILS = [{"type": "reasoning.text", "text": "Hm.", "signature": "s"}]
CALL = ToolCall("t1", "f", "{}", extra={"extra_content": {"google": {"thought_signature": "x"}}})
ANSWER = Completion((Choice(0, "Yes.", "Hm.", turn={"reasoning_details": DETAILS}),))
CALLS = Completion((Choice(0, "", "Hm.", None, (CALL,)),))


def send(model, completion, *, as_dict):
    turn = completion.as_message() if as_dict else completion
    request = ChatRequest(model).user("Hi").assistant(turn)
    request = request.tool_result("t1", "1") if completion.tool_calls else request.user("And?")
    return request.payload()["messages"][1]


@pytest.mark.parametrize("as_dict", [True, False])
@pytest.mark.parametrize(
    ("model", "with_answers", "with_calls"),
    [
        ("anthropic/claude-opus-4.8", True, True),
        ("moonshot/kimi-k2-6", True, True),
        ("minimax/m2", True, True),
        ("zhipu/glm-4.6", True, True),
        ("deepseek/deepseek-v4-pro", False, True),
        ("deepseek/deepseek-r1", False, True),
        ("openai/gpt-4o", False, False),
        ("google/gemini-3-flash-preview", False, False),
        ("anthropic/claude-3.7-sonnet", False, False),
        ("anthropic/claude-sonnet-4.5", False, False),
    ],
)
def test_a_model_gets_its_reasoning_back_if_it_takes_it(model, with_answers, with_calls, as_dict):
    answer, calls = (send(model, completion, as_dict=as_dict) for completion in (ANSWER, CALLS))
    assert (answer.get("reasoning_content") == "Hm.") is with_answers
    assert (answer.get("reasoning_details") == DETAILS) is with_answers
    assert (calls.get("reasoning_content") == "Hm.") is with_calls
    assert ("reasoning_content" in answer) is with_answers
    assert ("reasoning_content" in calls) is with_calls


@pytest.mark.parametrize("as_dict", [True, False])
def test_a_call_goes_back_with_all_its_keys(as_dict):
    (call,) = send("google/gemini-3-flash-preview", CALLS, as_dict=as_dict)["tool_calls"]
    assert call["extra_content"] == {"google": {"thought_signature": "x"}}


def test_a_turn_of_nothing_but_reasoning_is_no_message_without_content():
    message = {"role": "assistant", "content": None, "reasoning_content": "Hm."}
    messages = [{"role": "user", "content": "Hi"}, message, {"role": "user", "content": "And?"}]
    sent = ChatRequest("gpt-4o", messages=messages).payload()["messages"][1]
    assert sent == {"role": "assistant", "content": ""}
