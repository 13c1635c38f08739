"""A tool call that the model did not get to finish is not usable."""

import json

import pytest

from aimlchat import ProtocolError
from aimlchat._protocol.whole import parse_completion

CUTS = ["length", "max_tokens", "content_filter", "refusal", "pause_turn"]
NOT_WHOLE = ["", None, " ", "{}", '{"a"', '{"a":1', '{"a":[1,2]', "[]"]


@pytest.fixture(params=["stream", "whole completion", "function_call"])
def call_of(request, read, chunk):
    """Return a function that returns the call of a completion with these arguments."""

    def build(arguments, finish, **keys):
        function = {"name": "delete_files", "arguments": arguments}
        call = {"index": 0, "id": "x", "type": "function", "function": function} | keys
        message = {"tool_calls": [call]}
        if request.param == "whole completion":
            body = {"choices": [{"message": message, "finish_reason": finish}]}
            completion = parse_completion(json.dumps(body).encode())
        else:
            if request.param == "function_call" and not keys:
                message = {"function_call": function}
            completion = read(chunk(message), chunk(finish=finish)).completion
        return completion.tool_calls[0]

    return build


@pytest.mark.parametrize("finish", CUTS)
@pytest.mark.parametrize("arguments", NOT_WHOLE)
def test_arguments_that_were_cut_cannot_be_read(call_of, finish, arguments):
    call = call_of(arguments, finish)
    assert not call.complete
    assert call.raw_arguments == (arguments or "")
    with pytest.raises(ProtocolError, match="'delete_files' was cut off"):
        call.arguments  # noqa: B018 - reading it is the test


@pytest.mark.parametrize("finish", CUTS)
@pytest.mark.parametrize("arguments", ['{"a":1}', ' {"a":\n1} ', '{"a":"\t"}'])
def test_whole_arguments_can_be_read_although_the_answer_was_cut(call_of, finish, arguments):
    assert call_of(arguments, finish).arguments.keys() == {"a"}


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "end_turn"])
def test_a_call_without_arguments_is_usable_if_the_model_ended_it(call_of, finish):
    for arguments in ("", None, "{}"):
        assert call_of(arguments, finish).arguments == {}


def test_the_input_of_a_custom_tool_that_was_cut_is_marked(call_of):
    custom = {"type": "custom", "function": None, "custom": {"name": "python", "input": "del"}}
    assert not call_of(None, "length", **custom).complete
    assert call_of(None, "stop", **custom).complete


def test_only_the_call_that_was_cut_is_marked(read, chunk):
    calls = [
        {"index": index, "id": id_, "function": {"name": "f", "arguments": arguments}}
        for index, (id_, arguments) in enumerate([("a", '{"a":1}'), ("b", '{"b"'), ("c", "")])
    ]
    reading = read(chunk({"tool_calls": calls}), chunk(finish="length"))
    assert [call.complete for call in reading.completion.tool_calls] == [True, False, False]


def test_each_choice_has_its_own_finish_reason(read, chunk):
    call = {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]}
    reading = read(
        chunk(call, finish="length"), chunk(call, index=1, finish="tool_calls")
    ).completion
    assert [choice.tool_calls[0].complete for choice in reading.choices] == [False, True]
