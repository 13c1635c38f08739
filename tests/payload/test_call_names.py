"""Names and ids of calls that a model, or another vendor, wrote in characters the API refuses."""

import re

import pytest

from aimlchat import ChatRequest, Completion, Text
from aimlchat._payload.call_names import build_call_id, build_call_name
from aimlchat.completions import Choice
from aimlchat.tool_types import ToolCall

GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude-sonnet-4.5"
KIMI_ID = "functions.search:0"


def build_turn(name, call_id, blocks=None):
    turn = blocks and {"content_blocks": blocks}
    calls = (ToolCall(call_id, name, "{}"),)
    return Completion((Choice(0, "", tool_calls=calls, turn=turn),), is_complete=True)


def send(model, turn, call_id, **fields):
    request = ChatRequest(model, **fields).user("Hi").assistant(turn).tool_result(call_id, "1")
    return request.payload()["messages"][1:]


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("search", "search"),
        ("functions.search", "functions_search"),
        ("search<|channel|>commentary", "search__channel__commentary"),
        ("größe 2", "gr__e_2"),
        ("", "_"),
        ("x" * 65, "x" * 64),
    ],
)
@pytest.mark.parametrize("is_dict", [False, True])
def test_the_name_of_a_call_goes_back_in_characters_that_the_api_takes(name, sent, is_dict):
    turn = build_turn(name, "t1")
    turn = turn.as_message() if is_dict else turn

    assert send(GPT, turn, "t1")[0]["tool_calls"][0]["function"]["name"] == sent
    assert send(CLAUDE, turn, "t1")[0]["content"][0]["name"] == sent


@pytest.mark.parametrize("dialect", ["anthropic", "messages"])
@pytest.mark.parametrize("is_dict", [False, True])
def test_an_id_of_another_vendor_goes_to_claude_in_characters_that_it_takes(dialect, is_dict):
    turn = build_turn("search", KIMI_ID)
    turn = turn.as_message() if is_dict else turn
    call, result = send(CLAUDE, turn, KIMI_ID, dialect=dialect)

    assert re.fullmatch("functions_search_0_[0-9a-f]{8}", call["content"][0]["id"])
    assert result["content"][0]["tool_use_id"] == call["content"][0]["id"]


def test_an_id_goes_back_to_other_models_as_it_came():
    call, result = send(GPT, build_turn("search", KIMI_ID), KIMI_ID)

    assert call["tool_calls"][0]["id"] == result["tool_call_id"] == KIMI_ID


@pytest.mark.parametrize("is_dict", [False, True])
def test_the_blocks_of_a_turn_have_the_same_names_and_ids(is_dict):
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    use = {"type": "tool_use", "id": "t:1", "name": "web.search", "input": {}}
    turn = build_turn("web.search", "t:1", [thinking, use])
    call, result = send(CLAUDE, turn.as_message() if is_dict else turn, "t:1")

    assert call["content"][0] == thinking
    assert call["content"][1] == use | {"id": build_call_id("t:1", ""), "name": "web_search"}
    assert result["content"][0]["tool_use_id"] == call["content"][1]["id"]


def test_a_name_that_utf_8_cannot_carry_is_adapted_too():
    call = send(GPT, build_turn("\ud800", "t1"), "t1")[0]["tool_calls"][0]

    assert call["function"]["name"] == "_"


def test_ids_that_differ_only_in_such_characters_stay_apart():
    assert build_call_id("f:0", "") != build_call_id("f.0", "")
    assert build_call_name("f.0", "") == build_call_name("f:0", "")


def test_blank_texts_beside_others_are_left_out_of_a_result_for_claude():
    request = ChatRequest(CLAUDE).user("Hi").assistant(build_turn("f", "t1"))
    payload = request.tool_result("t1", [Text(""), Text("a"), Text(" "), Text("b")]).payload()

    texts = [part["text"] for part in payload["messages"][2]["content"][0]["content"]]
    assert texts == ["a", "b"]
