"""An assistant turn at the end of a conversation, which the model goes on with."""

import pytest

from aimlchat.completions import Choice, Completion
from aimlchat.request import ChatRequest
from aimlchat.tool_types import ToolCall

OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"
THOUGHT = {"type": "thinking", "thinking": "Hm", "signature": "s"}
USE = {"type": "tool_use", "id": "c", "name": "f", "input": {}}


def _end(content):
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}]
    return ChatRequest(ANTHROPIC, messages=messages)


def _text(text):
    return {"type": "text", "text": text}


BUILT = ChatRequest(ANTHROPIC).user("Hi")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (_end("Well, "), "content"),
        (_end("Well\n"), "content"),
        (_end("Well\u3000"), "content"),
        (_end([_text("Well ")]), "content"),
        (_end([_text("a"), _text("Well ")]), "content[1]"),
        (BUILT.assistant("Well "), "content"),
        (BUILT.assistant(Completion(choices=(Choice(text="Well ", finish_reason="length"),))),
         "content"),
        (_end("Well ").options(system="S", messages=[*_end("Well ").messages,
                                                     {"role": "system", "content": "S"}]),
         "content"),
    ],
)  # fmt: skip
def test_white_space_at_its_end_is_refused_in_the_anthropic_dialect(request_, field, refusal):
    error = refusal(request_)
    assert error.field == f"messages[1].{field}"
    assert ".rstrip()" in str(error)
    assert request_.options(model=OPENAI).payload()


@pytest.mark.parametrize(
    "request_",
    [
        _end("Well,"),
        _end(" Well"),
        _end([_text("Well "), USE]),
        _end("Well ").user("Go on"),
        BUILT.assistant(Completion(choices=(Choice(text="A ", tool_calls=(ToolCall("c", "f"),)),))),
        BUILT.assistant("Well ").tool_result("c", "1"),
    ],
)
def test_white_space_elsewhere_is_sent(request_):
    assert request_.payload()


@pytest.mark.parametrize("request_", [_end("Well"), _end([_text("Well")]), BUILT.assistant("Well")])
def test_thinking_is_refused_before_it(request_, refusal):
    error = refusal(request_.options(thinking=2048))
    assert error.field == "thinking"
    assert "leave thinking out" in str(error)
    assert request_.options(thinking=False).payload()


@pytest.mark.parametrize(
    "request_", [_end("Well").user("Go on"), _end([THOUGHT, USE]), _end([THOUGHT, _text("Well")])]
)
def test_thinking_is_sent_after_the_turn_or_with_the_turns_own_thinking(request_):
    assert request_.options(thinking=2048).payload()["thinking"]["type"] == "enabled"
