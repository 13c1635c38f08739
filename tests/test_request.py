"""The request builder: immutable, equal by value, and checked."""

import copy
import pickle

import attrs
import pytest

from aimlchat import ChatRequest, Thinking
from aimlchat.completions import Choice, Completion
from aimlchat.content import Image, Text
from aimlchat.errors import InvalidRequestError
from aimlchat.tool_types import Tool, ToolCall

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        ("system", ["Be brief."]),
        ("user", ["More"]),
        ("assistant", ["Well"]),
        ("tool_result", ["call_1", "42"]),
    ],
)
def test_each_method_returns_a_new_request_and_does_not_change_the_old_one(change, arguments):
    base = ChatRequest("gpt-4o").user("Hi")
    before = base.payload()
    changed = getattr(base, change)(*arguments)
    assert changed != base
    assert base.payload() == before


def test_options_return_a_changed_copy():
    base = ChatRequest("gpt-4o", temperature=0.5).user("Hi")
    changed = base.options(temperature=1, model="o3")
    assert (changed.model, changed.temperature) == ("o3", 1)
    assert (base.model, base.temperature) == ("gpt-4o", 0.5)
    assert changed.messages == base.messages


def test_options_can_change_the_system_prompt():
    assert ChatRequest("m").user("Hi").options(system="S") == ChatRequest("m").user("Hi").system(
        "S"
    )


def test_a_field_cannot_be_assigned():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ChatRequest().model = "o3"


@pytest.mark.parametrize("name", ["metadata", "extra", "response_format", "logit_bias"])
def test_a_dict_of_a_request_cannot_be_changed_in_place(name):
    request = ChatRequest(**{name: {"a": "b"}})
    value = getattr(request, name)
    for change in (
        lambda: value.__setitem__("a", 1),
        lambda: value.__delitem__("a"),
        lambda: value.update(a=1),
        lambda: value.pop("a"),
        value.clear,
        lambda: value.setdefault("c", 1),
    ):
        with pytest.raises(TypeError, match="options"):
            change()


def test_messages_given_as_dicts_cannot_be_changed_in_place():
    request = ChatRequest(messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}])
    with pytest.raises(TypeError):
        request.messages[0]["content"][0]["text"] = "Bye"


def test_the_second_system_prompt_replaces_the_first():
    payload = ChatRequest("gpt-4o").system("One").user("Hi").system("Two").payload()
    assert payload["messages"] == [
        {"role": "system", "content": "Two"},
        {"role": "user", "content": "Hi"},
    ]


@pytest.mark.parametrize("nothing", ["", "  ", None])
def test_a_blank_system_prompt_is_not_sent(nothing):
    payload = ChatRequest("gpt-4o", system="One").system(nothing).user("Hi").payload()
    assert payload["messages"] == [{"role": "user", "content": "Hi"}]


def _full_request():
    return (
        ChatRequest(
            "gpt-4o",
            messages=[{"role": "developer", "content": "D"}],
            system="S",
            stop=["a", "b"],
            tools=[Tool("f", parameters={"type": "object", "properties": {"x": {"enum": [1, 2]}}})],
            tool_choice={"type": "function", "function": {"name": "f"}},
            logit_bias={"50256": -100},
            response_format={"type": "json_object"},
            extra={"deep": [{"er": [1]}]},
        )
        .user("Look", Image.from_bytes(PNG))
        .assistant(Completion(choices=(Choice(tool_calls=(ToolCall("c", "f", '{"x": 1}'),)),)))
        .tool_result("c", {"found": [1, 2]})
    )


@pytest.mark.parametrize(
    "make_copy",
    [copy.copy, copy.deepcopy, lambda request: pickle.loads(pickle.dumps(request))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_is_equal_and_has_the_same_payload(make_copy):
    request = _full_request()
    twin = make_copy(request)
    assert twin == request
    assert twin.payload() == request.payload()
    with pytest.raises(TypeError):
        twin.extra["deep"] = 1


def test_requests_are_equal_by_value():
    assert _full_request() == _full_request()
    assert _full_request() != _full_request().options(seed=1)
    assert ChatRequest(stop=["a"]) == ChatRequest(stop=("a",))


def test_changing_an_argument_afterwards_changes_no_request():
    messages = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    schema = {"type": "object", "properties": {"x": {"type": "string"}}}
    tools = [Tool("f", parameters=schema), {"name": "g", "input_schema": schema}]
    choice = {"type": "function", "function": {"name": "f"}}
    fields = {
        "messages": messages,
        "tools": tools,
        "tool_choice": choice,
        "stop": ["a"],
        "logit_bias": {1: 2},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n"}},
        "prediction": {"type": "content", "content": ["x"]},
        "modalities": ["text"],
        "audio": {"format": "wav", "voice": "alloy"},
        "web_search_options": {"user_location": {"type": "approximate"}},
        "extra": {"deep": [{"er": [1]}]},
    }
    request = ChatRequest("gpt-4o", **fields)
    before = copy.deepcopy(request.payload())
    messages[0]["content"][0]["text"] = "Bye"
    messages.append({"role": "user", "content": "More"})
    schema["properties"]["x"]["type"] = "integer"
    tools.append(Tool("h"))
    choice["function"]["name"] = "h"
    fields["stop"].append("b")
    fields["logit_bias"][1] = 3
    fields["response_format"]["json_schema"]["name"] = "m"
    fields["prediction"]["content"].append("y")
    fields["modalities"].append("audio")
    fields["audio"]["voice"] = "echo"
    fields["web_search_options"]["user_location"]["type"] = "exact"
    fields["extra"]["deep"][0]["er"].append(2)
    assert request.payload() == before


def test_changing_metadata_afterwards_changes_no_request():
    metadata = {"user_id": "1"}
    request = ChatRequest("claude-sonnet-4-5", metadata=metadata).user("Hi")
    metadata["user_id"] = "2"
    assert request.payload()["metadata"] == {"user_id": "1"}


def test_changing_a_payload_changes_no_request():
    request = _full_request()
    payload = request.payload()
    payload["messages"][0]["content"] = "gone"
    payload["tools"][0]["function"]["parameters"]["properties"].clear()
    payload["deep"][0]["er"].clear()
    assert request.payload() != payload
    assert request.payload()["deep"] == [{"er": [1]}]


def test_changing_a_tool_result_afterwards_changes_no_request():
    found = {"rows": [1]}
    request = ChatRequest("gpt-4o").tool_result("c", found)
    found["rows"].append(2)
    assert request.payload()["messages"][0]["content"] == '{"rows": [1]}'


def test_messages_may_be_any_iterable():
    messages = ({"role": "user", "content": text} for text in "ab")
    assert len(ChatRequest("gpt-4o", messages=messages).payload()["messages"]) == 2


def test_none_for_a_list_is_an_empty_list():
    assert ChatRequest(messages=None, tools=None) == ChatRequest()


def test_the_repr_shows_only_the_fields_that_are_set():
    assert repr(ChatRequest("o3", seed=1, system="S")) == (
        "ChatRequest(model='o3', system='S', seed=1)"
    )


def test_only_the_model_is_a_positional_argument():
    with pytest.raises(TypeError):
        ChatRequest("gpt-4o", [])
    assert ChatRequest(thinking=Thinking(2048)) == ChatRequest(thinking=Thinking(2048))


@pytest.mark.parametrize("part", [5, None, b"bytes", ["Hi"], {"type": "text", "text": "Hi"}])
def test_a_part_of_another_type_is_refused_at_once(part):
    with pytest.raises(InvalidRequestError) as caught:
        ChatRequest().user("Hi").user("Look", part)
    assert caught.value.field == "messages[1].content[1]"


@pytest.mark.parametrize("message", [5, None, Text("Hi")])
def test_an_assistant_message_of_another_type_is_refused(message):
    with pytest.raises(InvalidRequestError) as caught:
        ChatRequest().user("Hi").assistant(message)
    assert caught.value.field == "messages[1].content"


def test_a_completion_with_a_tool_call_that_was_cut_off_is_refused():
    cut = Completion(choices=(Choice(tool_calls=(ToolCall("c", "f", "{", complete=False),)),))
    with pytest.raises(InvalidRequestError, match="cut off") as caught:
        ChatRequest().user("Hi").assistant(cut)
    assert caught.value.field == "messages[1].tool_calls"


def test_a_completion_with_nothing_to_send_back_is_refused():
    with pytest.raises(InvalidRequestError, match="neither text") as caught:
        ChatRequest().user("Hi").assistant(Completion(choices=(Choice(reasoning="Hm"),)))
    assert caught.value.field == "messages[1].content"


@pytest.mark.parametrize("content", [{1, 2}, {"x": float("nan")}, [b"x"], {"x": {3: "y"}}])
def test_a_tool_result_that_cannot_be_json_is_refused_at_once(content):
    with pytest.raises(InvalidRequestError) as caught:
        ChatRequest().user("Hi").tool_result("c", content)
    assert caught.value.field.startswith("messages[1].content")


def test_is_error_of_another_type_than_bool_is_refused():
    with pytest.raises(InvalidRequestError) as caught:
        ChatRequest().tool_result("c", "x", is_error="yes")
    assert caught.value.field == "messages[0].is_error"


@pytest.mark.parametrize("messages", ["Hi", 5, {"role": "user", "content": "Hi"}, b"Hi"])
def test_messages_that_are_not_a_list_are_refused(messages, refusal):
    assert refusal(ChatRequest(messages=messages)).field == "messages"
    request = ChatRequest(messages=messages)
    for add in (request.user, request.assistant, lambda text: request.tool_result("c", text)):
        with pytest.raises(InvalidRequestError) as caught:
            add("Hi")
        assert caught.value.field == "messages"
