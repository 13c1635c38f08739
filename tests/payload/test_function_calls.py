"""OpenAI's deprecated ``function_call`` and role ``function``, in either dialect."""

import pytest

from aimlchat.request import ChatRequest

OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"
USER = {"role": "user", "content": "Hi"}


def _call(name="f", arguments='{"x": 1}', **keys):
    call = {"name": name, "arguments": arguments}
    return {"role": "assistant", "content": None, "function_call": call} | keys


def _result(name="f", content="42"):
    return {"role": "function", "name": name, "content": content}


@pytest.mark.parametrize("content", ["42", "", None])
def test_both_are_sent_as_they_are_in_the_openai_dialect(content):
    sent = {"role": "function", "name": "f", "content": content}
    messages = [USER, _call(), sent]
    assert ChatRequest(OPENAI, messages=messages).payload()["messages"] == messages


def test_they_become_a_tool_call_and_its_result_in_the_anthropic_dialect():
    messages = [USER, _call(), _result(), _call("g", "{}", content="Now"), _result("g", None)]
    assert ChatRequest(ANTHROPIC, messages=messages).payload()["messages"] == [
        USER,
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "function_call_1", "name": "f", "input": {"x": 1}}
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "function_call_1", "content": "42"}],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Now"},
                {"type": "tool_use", "id": "function_call_3", "name": "g", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "function_call_3", "content": ""}],
        },
    ]


def test_a_call_that_a_server_sent_in_both_forms_is_translated_once():
    tool_call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "c1", "content": "1"}
    messages = [USER, _call(tool_calls=[tool_call]), result]
    sent = ChatRequest(ANTHROPIC, messages=messages).payload()["messages"][1]
    assert [part["id"] for part in sent["content"]] == ["c1"]


def test_a_call_beside_calls_of_other_tools_is_refused_in_the_anthropic_dialect(refusal):
    tool_call = {"id": "c1", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    error = refusal(ChatRequest(ANTHROPIC, messages=[USER, _call(tool_calls=[tool_call])]))
    assert error.field == "messages[1].function_call"
    assert "'f'" in str(error)


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([USER, _result()], "messages[1].name"),
        ([USER, _call("g"), _result("f")], "messages[2].name"),
        ([USER, _call(), _result(), _result()], "messages[3].name"),
        ([USER, {"role": "function", "content": "1"}], "messages[1].name"),
    ],
)
def test_a_result_without_its_call_is_refused_there(messages, field, refusal):
    error = refusal(ChatRequest(ANTHROPIC, messages=messages))
    assert error.field == field
    assert "tool_call_id" in str(error)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ("f", ""),
        ({"arguments": "{}"}, ".name"),
        ({"name": "f", "arguments": {}}, ".arguments"),
        ({"name": "f", "arguments": '{"x'}, ".arguments"),
    ],
)
@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_a_broken_call_is_refused_in_both_dialects(model, call, field, refusal):
    messages = [USER, {"role": "assistant", "content": None, "function_call": call}]
    error = refusal(ChatRequest(model, messages=messages))
    assert error.field == f"messages[1].function_call{field}"
