"""`request_from_ui` and `ui_message`: the messages of `useChat`."""

import base64
import functools
import json
import re

import pytest
from posted_messages import GPT, assistant, call, messages_of, payload_of, text, user

from aimlchat import (
    ChatRequest,
    Choice,
    Completion,
    Cost,
    InvalidRequestError,
    ToolCall,
    Usage,
)
from aimlchat.relay import request_from_ui, ui_message

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 16).decode()
PDF = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.7 x").decode()
NOTES = "data:text/markdown;base64," + base64.b64encode(b"Buy milk.").decode()
NESTED = functools.reduce(lambda inner, _: [inner], range(5000), [])


def test_a_conversation_of_text_becomes_its_turns():
    assert messages_of(user(text("Hi")), assistant(text("Hello.")), user(text("Why?"))) == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Why?"},
    ]


def test_reasoning_sources_and_data_are_left_out():
    turn = assistant(
        {"type": "step-start"},
        {"type": "reasoning", "text": "Hm.", "state": "done"},
        {"type": "source-url", "sourceId": "s", "url": "https://a.example/"},
        {"type": "data-weather", "data": {"text": "no"}},
        text("Blue."),
    )
    assert messages_of(user(text("Why?")), turn)[1] == {"role": "assistant", "content": "Blue."}


def test_a_call_goes_back_with_its_result_and_then_the_next_step():
    turn = assistant(
        {"type": "step-start"},
        text("Let me see."),
        call("output-available", output={"found": True}),
        {"type": "step-start"},
        text("Found."),
    )
    called, result, answer = messages_of(user(text("Find 1")), turn)[1:]
    assert called["content"] == "Let me see."
    assert called["tool_calls"][0]["id"] == "c1"
    assert called["tool_calls"][0]["function"] == {"name": "find", "arguments": '{"q": 1}'}
    assert result == {"role": "tool", "tool_call_id": "c1", "content": '{"found": true}'}
    assert answer == {"role": "assistant", "content": "Found."}


@pytest.mark.parametrize(
    "output",
    [
        [{"type": "file", "name": "a.txt"}],
        [{"type": "file", "mediaType": "application/zip", "url": "https://host/a.zip"}],
        [{"type": "text", "text": "a", "size": 3}],
        [{"type": "text", "text": ["a"]}],
        [{"type": "text"}],
        [{"type": ["text"], "text": "a"}],
        [],
    ],
)
def test_json_that_looks_like_texts_and_files_stays_json(output):
    request = request_from_ui([assistant(call("output-available", output=output))])
    result = request.options(model="openai/gpt-4o").payload()["messages"][-1]

    assert json.loads(result["content"]) == output


def test_a_blank_text_of_a_result_goes_back():
    request = request_from_ui(
        [assistant(call("output-available", output=[{"type": "text", "text": ""}]))]
    )

    assert request.options(model="openai/gpt-4o").payload()["messages"][-1]["content"] == ""


def test_a_dynamic_tool_and_a_text_as_its_output():
    turn = assistant(call("output-available", type="dynamic-tool", toolName="look", output="Yes."))
    called, result = messages_of(user(text("Look")), turn)[1:]
    assert called["tool_calls"][0]["function"]["name"] == "look"
    assert result["content"] == "Yes."


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (call("output-error", errorText="It broke."), "It broke."),
        (call("output-error", input=None, rawInput="[", errorText="Bad."), "Bad."),
        (call("output-denied"), "denied"),
    ],
)
def test_a_call_that_failed_goes_back_as_an_error(part, told):
    claude = ChatRequest("anthropic/claude-sonnet-4.5", max_tokens=10)
    result = messages_of(user(text("Find")), assistant(part), base=claude)[-1]["content"][0]
    assert result["is_error"] is True
    assert told in str(result["content"])


@pytest.mark.parametrize(
    "state", ["input-streaming", "input-available", "approval-requested", "approval-responded"]
)
def test_a_call_without_a_result_is_left_out_with_its_empty_turn(state):
    assert messages_of(user(text("Find")), assistant(call(state)), user(text("Well?"))) == [
        {"role": "user", "content": "Find"},
        {"role": "user", "content": "Well?"},
    ]


@pytest.mark.parametrize("model", [GPT, "google/gemini-2.5-pro"])
@pytest.mark.parametrize("state", ["output-error", "output-denied"])
def test_a_call_that_failed_goes_back_to_a_model_that_knows_no_mark_for_it(model, state):
    part = call(state, errorText="It broke.")
    result = messages_of(user(text("Find")), assistant(part), base=ChatRequest(model))[-1]
    assert (result["role"], result["tool_call_id"]) == ("tool", "c1")
    assert ("It broke." if state == "output-error" else "denied") in result["content"]


def test_a_call_whose_approval_was_refused_goes_back_as_denied():
    part = call("approval-responded", approval={"id": "a", "approved": False})
    called, result = messages_of(user(text("Find")), assistant(part))[1:]
    assert called["tool_calls"][0]["id"] == result["tool_call_id"] == "c1"
    assert "denied" in result["content"]


def test_the_text_for_a_custom_tool_goes_back_as_it_was():
    turn = assistant(call("output-available", input="print(1)", output="1"))
    called, _ = messages_of(user(text("Run")), turn)[1:]
    assert called["tool_calls"][0]["custom"] == {"name": "find", "input": "print(1)"}


@pytest.mark.parametrize("model", [GPT, "anthropic/claude-sonnet-4.5"])
@pytest.mark.parametrize("fields", [{"input": '{"n":'}, {"input": None, "rawInput": '{"n":'}])
def test_a_call_with_broken_arguments_goes_back_as_one_of_a_function(model, fields):
    turn = assistant(call("output-error", errorText="No JSON.", **fields))
    payload = payload_of(user(text("Go")), turn, base=ChatRequest(model, max_tokens=10))

    called = payload["messages"][1]
    if model == GPT:
        assert called["tool_calls"][0]["function"] == {"name": "find", "arguments": "{}"}
    else:
        assert called["content"] == [{"type": "tool_use", "id": "c1", "name": "find", "input": {}}]


@pytest.mark.parametrize("model", [GPT, "anthropic/claude-sonnet-4.5"])
def test_calls_with_the_same_id_get_ids_of_their_own(model):
    parts = [call("output-available", output=f"result {number}") for number in range(3)]
    step = {"type": "step-start"}
    turns = [assistant(step, parts[0], step, parts[1]), user(text("And?")), assistant(parts[2])]

    payload = payload_of(user(text("Go")), *turns, base=ChatRequest(model, max_tokens=10))

    called = re.findall(r'"id": "(\w+)"', json.dumps(payload))
    results = re.findall(
        r'"(?:tool_call_id|tool_use_id)": "(\w+)", "content": "(result \d)"', json.dumps(payload)
    )
    assert called[0] == "c1"
    assert len(set(called)) == 3
    assert results == [(id_, f"result {number}") for number, id_ in enumerate(called)]


@pytest.mark.parametrize(
    "output",
    [[{"type": "file", "name": "a.txt"}], [{"type": "text", "label": "a"}], [{"type": []}]],
)
def test_an_output_that_only_looks_like_parts_goes_back_as_json(output):
    turn = assistant(call("output-available", output=output))
    assert json.loads(messages_of(user(text("List")), turn)[-1]["content"]) == output


@pytest.mark.parametrize("name", ["functions.find", "find it", "é" * 100, "\ud800"])
def test_a_name_that_a_model_made_up_and_no_model_takes_is_adapted(name):
    turn = assistant(call("output-error", type="dynamic-tool", toolName=name, errorText="No."))
    called = messages_of(user(text("Find")), turn)[1]["tool_calls"][0]
    assert re.fullmatch("[A-Za-z0-9_-]{1,64}", called["function"]["name"])


def test_turns_without_content_are_skipped():
    empty = [assistant(), assistant(text(" ")), user(), user(text(""))]
    assert messages_of(user(text("Hi")), *empty) == [{"role": "user", "content": "Hi"}]


def test_files_keep_their_kind_and_their_place():
    parts = [
        text("Look:"),
        {"type": "file", "mediaType": "image/png", "url": PNG},
        {"type": "file", "mediaType": "application/pdf", "url": PDF, "filename": "a.pdf"},
        {"type": "file", "mediaType": "text/markdown", "url": NOTES, "filename": "notes.md"},
        {"type": "file", "mediaType": "image/png", "url": "https://a.example/b.png"},
    ]
    [message] = messages_of(user(*parts))
    kinds = [part["type"] for part in message["content"]]
    assert kinds == ["text", "image_url", "file", "text", "image_url"]
    assert message["content"][2]["file"]["filename"] == "a.pdf"
    assert message["content"][3]["text"] == "notes.md:\n\nBuy milk."
    assert message["content"][4]["image_url"]["url"] == "https://a.example/b.png"


def test_a_posted_system_message_stands_behind_the_own_prompt():
    base = ChatRequest(GPT, system="Be brief.")
    posted = {"id": "s", "role": "system", "parts": [text("Be rude."), text("Be loud.")]}
    first, _ = messages_of(posted, user(text("Hi")), base=base)
    assert first == {"role": "system", "content": "Be brief.\n\nBe rude.\n\nBe loud."}


def test_the_base_decides_the_rest_and_is_not_changed():
    base = ChatRequest("anthropic/claude-3.7-sonnet", thinking=2048).user("Earlier.")
    request = request_from_ui([user(text("Hi"))], base=base)
    assert request.thinking == 2048
    assert len(request.messages) == 2
    assert len(base.messages) == 1


@pytest.mark.parametrize(
    ("messages", "field", "told"),
    [
        ("Hi", "messages", "give the list of messages"),
        ({"messages": []}, "messages", "give the list of messages"),
        (["Hi"], "messages[0]", "a message is an object"),
        ([{"role": "user", "content": "Hi"}], "messages[0].parts", "older AI SDK"),
        ([user("Hi")], "messages[0].parts[0]", "an object with a type"),
        ([user({"text": "Hi"})], "messages[0].parts[0]", "an object with a type"),
        ([{"role": "tool", "parts": []}], "messages[0].role", "'tool' is not a role"),
        ([{"role": ["x" * 9999], "parts": []}], "messages[0].role", "an object of type list"),
        ([user({"type": "file"})], "messages[0].parts[0]", "a url and a mediaType"),
        (
            [user(text("a"), {"type": "file", "mediaType": "video/mp4", "url": PNG})],
            "messages[0].parts[1].mediaType",
            "no model takes a file of type 'video/mp4'",
        ),
        (
            [user({"type": "file", "mediaType": "image/png", "url": "blob:x"})],
            "messages[0].parts[0].url",
            "not an http: or https: URL",
        ),
        (
            [user({"type": "file", "mediaType": "text/plain", "url": "https://a.example/"})],
            "messages[0].parts[0].url",
            "nothing is downloaded here",
        ),
        (
            [user({"type": "file", "mediaType": "text/plain", "url": "data:;base64,/w=="})],
            "messages[0].parts[0].url",
            "not UTF-8",
        ),
        *[
            (
                [assistant(call("output-available", **changes))],
                f"messages[0].parts[0].{field}",
                told,
            )
            for changes, field, told in [
                ({"toolCallId": None}, "toolCallId", "not the id of a call"),
                ({"toolCallId": 5}, "toolCallId", "not the id of a call"),
                ({"toolCallId": " "}, "toolCallId", "not the id of a call"),
                ({"type": "dynamic-tool", "toolName": {}}, "toolName", "not the name of a tool"),
                ({"type": "dynamic-tool", "toolName": ""}, "toolName", "not the name of a tool"),
                ({"type": "tool-"}, "type", "not the name of a tool"),
                ({"output": NESTED}, "output", "cannot be written as JSON"),
                ({"output": [10**5000]}, "output", "cannot be written as JSON"),
                ({"input": {"q": NESTED}}, "input", "cannot be written as JSON"),
            ]
        ],
    ],
)
def test_what_is_not_a_message_is_refused_with_its_place(messages, field, told):
    with pytest.raises(InvalidRequestError, match=told) as caught:
        request_from_ui(messages)
    assert caught.value.field == field


def test_a_completion_becomes_the_message_of_its_stream():
    calls = (ToolCall("c1", "find", '{"q":1}'), ToolCall("c2", "look", "[broken"))
    choice = Choice(text="Blue.", reasoning="Think.", tool_calls=calls, finish_reason="tool_calls")
    completion = Completion(
        (choice,), id="m1", usage=Usage(1, 2), cost=Cost(usd=0.5, credits=1e6), is_complete=True
    )
    message = ui_message(completion)
    *parts, broken = message.pop("parts")
    assert message == {
        "id": "m1",
        "role": "assistant",
        "metadata": {
            "finishReason": "tool-calls",
            "usage": {"inputTokens": 1, "outputTokens": 2},
            "cost": {"usd": 0.5, "credits": 1e6},
        },
    }
    assert parts == [
        {"type": "step-start"},
        {"type": "reasoning", "text": "Think.", "state": "done"},
        {"type": "text", "text": "Blue.", "state": "done"},
        {"type": "tool-find", "toolCallId": "c1", "state": "input-available", "input": {"q": 1}},
    ]
    assert (broken["state"], broken["rawInput"]) == ("output-error", "[broken")


def test_the_call_of_a_custom_tool_is_stored_with_its_text():
    call_of_model = ToolCall("c1", "run", "print(1)", type="custom")
    [_, part] = ui_message(Completion((Choice(tool_calls=(call_of_model,)),), id="m"))["parts"]
    assert (part["state"], part["input"]) == ("input-available", "print(1)")


def test_a_stored_turn_can_be_posted_again():
    stored = ui_message(Completion((Choice(text="Blue."),), id="m"), message_id="mine")
    assert stored["id"] == "mine"
    assert messages_of(user(text("Why?")), stored)[1]["content"] == "Blue."
