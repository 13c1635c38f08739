"""Tool calls that are sent back: their arguments, their unknown keys, and calls of custom tools."""

import json

import pytest

from aimlchat import ChatRequest
from aimlchat.completions import Choice, Completion
from aimlchat.content import Message
from aimlchat.tool_types import ToolCall

OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"
BOTH = pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
EXTRA = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
SENT = {"id": "c", "type": "custom", "custom": {"name": "python", "input": "print(1)"}, "k": 1}
BROKEN = ["{", '{"x": 1', "x", "[]", '"x"', '{"x": NaN}', '{"x": 1}{"x": 1}', '"{"']


def completion_of(*calls):
    return Completion(choices=(Choice(tool_calls=calls),))


def as_completion(arguments):
    completion = completion_of(ToolCall("c", "tide", arguments))
    return lambda request: request.assistant(completion)


def as_message(arguments):
    message = completion_of(ToolCall("c", "tide", arguments)).as_message()
    return lambda request: request.options(messages=[*request.messages, message])


def as_tool_call(arguments):
    message = Message("assistant", tool_calls=(ToolCall("c", "tide", arguments),))
    return lambda request: request.options(messages=[*request.messages, message])


EACH_WAY = pytest.mark.parametrize("way", [as_completion, as_message, as_tool_call])


@BOTH
@EACH_WAY
@pytest.mark.parametrize("arguments", BROKEN)
def test_broken_arguments_are_refused(model, way, arguments, refusal):
    error = refusal(way(arguments)(ChatRequest(model).user("Hi")))
    assert error.field.startswith("messages[1].tool_calls[0].function.arguments")
    if "NaN" not in arguments:
        assert "'tide'" in str(error)


@EACH_WAY
@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ('{"x": 1}', '{"x": 1}'),
        (' {"x":1}\n', ' {"x":1}\n'),
        ('{"x": "\\ud83d"}', '{"x": "\\ud83d"}'),
        ("", "{}"),
        (" \n", "{}"),
        ("null", "{}"),
        ('{"x": "a\n\tb"}', '{"x": "a\\n\\tb"}'),
        ('"{\\"x\\": 1}"', '{"x": 1}'),
    ],
)
def test_arguments_are_sent_as_strict_json(way, arguments, sent):
    request = way(arguments)(ChatRequest(OPENAI).user("Hi"))
    (call,) = request.payload()["messages"][1]["tool_calls"]
    assert call["function"] == {"name": "tide", "arguments": sent}
    assert isinstance(json.loads(sent), dict)


@EACH_WAY
def test_line_breaks_in_arguments_reach_the_anthropic_dialect(way):
    request = way('{"x": "a\n\tb"}')(ChatRequest(ANTHROPIC).user("Hi"))
    (part,) = request.payload()["messages"][1]["content"]
    assert part["input"] == {"x": "a\n\tb"}


@BOTH
def test_the_arguments_of_a_function_call_are_checked_too(model, refusal):
    message = {"role": "assistant", "function_call": {"name": "tide", "arguments": "{"}}
    error = refusal(ChatRequest(model, messages=[{"role": "user", "content": "Hi"}, message]))
    assert error.field == "messages[1].function_call.arguments"
    assert "'tide'" in str(error)


class TestUnknownKeys:
    CALL = ToolCall("c", "f", '{"x": 1}', extra=EXTRA | {"function": {"parsed": True}})

    def test_they_are_sent_back_in_the_openai_dialect(self):
        expected = {
            "id": "c",
            "type": "function",
            "function": {"name": "f", "arguments": '{"x": 1}', "parsed": True},
        }
        completion = completion_of(self.CALL)
        request = ChatRequest(OPENAI).user("Hi").assistant(completion)
        assert request.payload()["messages"][1]["tool_calls"] == [expected | EXTRA]
        assert completion.as_message()["tool_calls"] == [expected | EXTRA]

    def test_the_anthropic_dialect_has_no_place_for_them(self):
        request = ChatRequest(ANTHROPIC).user("Hi").assistant(completion_of(self.CALL))
        (part,) = request.payload()["messages"][1]["content"]
        assert part == {"type": "tool_use", "id": "c", "name": "f", "input": {"x": 1}}

    def test_they_cannot_replace_the_id_the_type_and_the_name(self):
        extra = {"id": "other", "type": "other", "function": {"name": "other"}}
        request = (
            ChatRequest(OPENAI).user("Hi").assistant(completion_of(ToolCall("c", "f", extra=extra)))
        )
        (call,) = request.payload()["messages"][1]["tool_calls"]
        function = {"name": "f", "arguments": "{}"}
        assert call == {"id": "c", "type": "function", "function": function}

    def test_changing_them_afterwards_changes_no_request(self):
        extra = {"k": [1]}
        request = (
            ChatRequest(OPENAI).user("Hi").assistant(completion_of(ToolCall("c", "f", extra=extra)))
        )
        extra["k"].append(2)
        assert request.payload()["messages"][1]["tool_calls"][0]["k"] == [1]

    def test_those_that_are_no_json_are_refused(self, refusal):
        call = ToolCall("c", "f", extra={"k": {1}})
        error = refusal(ChatRequest(OPENAI).user("Hi").assistant(completion_of(call)))
        assert error.field == "messages[1].tool_calls[0].extra.k"


class TestCustomTools:
    CALL = ToolCall("c", "python", "print(1)", type="custom", extra={"k": 1})

    def test_a_call_is_sent_back_in_its_own_form(self):
        completion = completion_of(self.CALL)
        request = ChatRequest(OPENAI).user("Hi").assistant(completion)
        assert request.payload()["messages"][1]["tool_calls"] == [SENT]
        assert completion.as_message()["tool_calls"] == [SENT]

    @pytest.mark.parametrize("way", ["completion", "message"])
    def test_the_anthropic_dialect_refuses_a_call(self, way, refusal):
        completion = completion_of(self.CALL)
        request = ChatRequest(ANTHROPIC).user("Hi")
        if way == "completion":
            request = request.assistant(completion)
        else:
            request = request.options(messages=[*request.messages, completion.as_message()])
        error = refusal(request)
        assert error.field == "messages[1].tool_calls[0].type"
        assert "'custom'" in str(error)


def test_a_call_keeps_the_type_that_the_server_sent():
    call = ToolCall("c", "$web_search", "{}", type="builtin_function")
    request = ChatRequest(OPENAI).user("Hi").assistant(completion_of(call))
    assert request.payload()["messages"][1]["tool_calls"][0]["type"] == "builtin_function"
