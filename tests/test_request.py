import copy
import pickle

import attrs
import pytest

from aimlchat import ChatRequest, Thinking
from aimlchat._payload.models import DEFAULT_MODEL
from aimlchat.completions import Choice, Completion
from aimlchat.content import Image, Text, Tool, ToolCall
from aimlchat.errors import InvalidRequestError

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16


def test_a_request_without_a_model_asks_claude_3_7():
    assert ChatRequest().user("Hi").payload() == {
        "model": "anthropic/claude-3.7-sonnet",
        "messages": [{"role": "user", "content": "Hi"}],
    }
    assert DEFAULT_MODEL == "anthropic/claude-3.7-sonnet"


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        ("system", ["Be brief."]),
        ("user", ["More"]),
        ("assistant", ["Well"]),
        ("tool_result", ["call_1", "42"]),
    ],
)
def test_each_method_returns_a_new_request_and_leaves_the_old_one(change, arguments):
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


def test_an_unknown_option_is_a_type_error():
    with pytest.raises(TypeError, match="temprature"):
        ChatRequest().options(temprature=1)


def test_fields_cannot_be_set():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ChatRequest().model = "o3"


@pytest.mark.parametrize("name", ["metadata", "extra", "response_format", "logit_bias"])
def test_what_a_request_holds_cannot_be_changed_in_place(name):
    request = ChatRequest(**{name: {"a": "b"}})
    held = getattr(request, name)
    for change in (
        lambda: held.__setitem__("a", 1),
        lambda: held.__delitem__("a"),
        lambda: held.update(a=1),
        lambda: held.pop("a"),
        held.clear,
        lambda: held.setdefault("c", 1),
    ):
        with pytest.raises(TypeError, match="options"):
            change()


def test_messages_given_as_dicts_cannot_be_changed_in_place():
    request = ChatRequest(messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}])
    with pytest.raises(TypeError):
        request.messages[0]["content"][0]["text"] = "Bye"


def test_the_second_system_prompt_replaces_the_first():
    body = ChatRequest("gpt-4o").system("One").user("Hi").system("Two").payload()
    assert body["messages"] == [
        {"role": "system", "content": "Two"},
        {"role": "user", "content": "Hi"},
    ]


@pytest.mark.parametrize("nothing", ["", "  ", None])
def test_a_blank_system_prompt_is_none(nothing):
    body = ChatRequest("gpt-4o", system="One").system(nothing).user("Hi").payload()
    assert body["messages"] == [{"role": "user", "content": "Hi"}]


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
    "duplicate",
    [copy.copy, copy.deepcopy, lambda request: pickle.loads(pickle.dumps(request))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_duplicate_is_equal_and_sends_the_same(duplicate):
    request = _full_request()
    twin = duplicate(request)
    assert twin == request
    assert twin.payload() == request.payload()
    with pytest.raises(TypeError):
        twin.extra["deep"] = 1


def test_requests_are_equal_by_value():
    assert _full_request() == _full_request()
    assert _full_request() != _full_request().options(seed=1)
    assert ChatRequest(stop=["a"]) == ChatRequest(stop=("a",))


def test_changing_what_was_given_changes_no_request():
    messages = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    schema = {"type": "object", "properties": {"x": {"type": "string"}}}
    tools = [Tool("f", parameters=schema), {"name": "g", "input_schema": schema}]
    choice = {"type": "function", "function": {"name": "f"}}
    given = {
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
    request = ChatRequest("gpt-4o", **given)
    before = copy.deepcopy(request.payload())
    messages[0]["content"][0]["text"] = "Bye"
    messages.append({"role": "user", "content": "More"})
    schema["properties"]["x"]["type"] = "integer"
    tools.append(Tool("h"))
    choice["function"]["name"] = "h"
    given["stop"].append("b")
    given["logit_bias"][1] = 3
    given["response_format"]["json_schema"]["name"] = "m"
    given["prediction"]["content"].append("y")
    given["modalities"].append("audio")
    given["audio"]["voice"] = "echo"
    given["web_search_options"]["user_location"]["type"] = "exact"
    given["extra"]["deep"][0]["er"].append(2)
    assert request.payload() == before


def test_changing_metadata_that_was_given_changes_no_request():
    metadata = {"user_id": "1"}
    request = ChatRequest("claude-sonnet-4-5", metadata=metadata).user("Hi")
    metadata["user_id"] = "2"
    assert request.payload()["metadata"] == {"user_id": "1"}


def test_changing_a_payload_changes_no_request():
    request = _full_request()
    body = request.payload()
    body["messages"][0]["content"] = "gone"
    body["tools"][0]["function"]["parameters"]["properties"].clear()
    body["deep"][0]["er"].clear()
    assert request.payload() != body
    assert request.payload()["deep"] == [{"er": [1]}]


def test_changing_a_tool_result_that_was_given_changes_no_request():
    found = {"rows": [1]}
    request = ChatRequest("gpt-4o").tool_result("c", found)
    found["rows"].append(2)
    assert request.payload()["messages"][0]["content"] == '{"rows": [1]}'


def test_messages_may_be_any_iterable():
    turns = ({"role": "user", "content": text} for text in "ab")
    assert len(ChatRequest("gpt-4o", messages=turns).payload()["messages"]) == 2


def test_nothing_given_for_a_list_is_an_empty_list():
    assert ChatRequest(messages=None, tools=None) == ChatRequest()


def test_the_repr_shows_what_was_set_only():
    assert repr(ChatRequest("o3", seed=1, system="S")) == (
        "ChatRequest(model='o3', system='S', seed=1)"
    )


def test_a_request_is_made_from_a_model_and_keywords():
    with pytest.raises(TypeError):
        ChatRequest("gpt-4o", [])
    assert ChatRequest(thinking=Thinking(2048)) == ChatRequest(thinking=Thinking(2048))


@pytest.mark.parametrize("part", [5, None, b"bytes", ["Hi"], {"type": "text", "text": "Hi"}])
def test_a_part_of_another_type_is_refused_at_once(part):
    with pytest.raises(InvalidRequestError) as caught:
        ChatRequest().user("Hi").user("Look", part)
    assert caught.value.field == "messages[1].content[1]"


@pytest.mark.parametrize("turn", [5, None, Text("Hi")])
def test_an_assistant_turn_is_a_text_or_a_completion(turn):
    with pytest.raises(InvalidRequestError) as caught:
        ChatRequest().user("Hi").assistant(turn)
    assert caught.value.field == "messages[1].content"


def test_a_completion_with_a_call_that_was_cut_is_refused():
    cut = Completion(choices=(Choice(tool_calls=(ToolCall("c", "f", "{", complete=False),)),))
    with pytest.raises(InvalidRequestError, match="cut off") as caught:
        ChatRequest().user("Hi").assistant(cut)
    assert caught.value.field == "messages[1].tool_calls"


def test_a_completion_with_nothing_in_it_is_refused():
    with pytest.raises(InvalidRequestError, match="neither text") as caught:
        ChatRequest().user("Hi").assistant(Completion(choices=(Choice(reasoning="Hm"),)))
    assert caught.value.field == "messages[1].content"


@pytest.mark.parametrize("content", [{1, 2}, {"x": float("nan")}, [b"x"], {"x": {3: "y"}}])
def test_a_tool_result_that_json_cannot_hold_is_refused_at_once(content):
    with pytest.raises(InvalidRequestError) as caught:
        ChatRequest().user("Hi").tool_result("c", content)
    assert caught.value.field.startswith("messages[1].content")


def test_whether_a_tool_failed_is_true_or_false():
    with pytest.raises(InvalidRequestError) as caught:
        ChatRequest().tool_result("c", "x", is_error="yes")
    assert caught.value.field == "messages[0].is_error"


@pytest.mark.parametrize("messages", ["Hi", 5, {"role": "user", "content": "Hi"}, b"Hi"])
def test_messages_that_are_no_list_are_refused(messages, refusal):
    assert refusal(ChatRequest(messages=messages)).field == "messages"
    with pytest.raises(InvalidRequestError):
        ChatRequest(messages=messages).user("Hi")


def test_a_stream_in_the_openai_dialect_asks_for_usage():
    body = ChatRequest("gpt-4o").user("Hi").payload(stream=True)
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


def test_a_stream_in_the_anthropic_dialect_needs_no_asking():
    body = ChatRequest("claude-sonnet-4-5").user("Hi").payload(stream=True)
    assert body["stream"] is True
    assert "stream_options" not in body


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet-4-5"])
def test_a_plain_request_does_not_mention_streams(model):
    assert "stream" not in ChatRequest(model).user("Hi").payload()


def test_extra_is_merged_into_the_body_last():
    body = ChatRequest("gpt-4o", seed=1, n=2, extra={"seed": 7, "new": {"a": [1]}, "n": None})
    assert body.user("Hi").payload() == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hi"}],
        "seed": 7,
        "new": {"a": [1]},
    }


def test_a_none_in_extra_for_a_key_that_is_not_there_does_nothing():
    assert "x" not in ChatRequest("gpt-4o", extra={"x": None}).user("Hi").payload()


@pytest.mark.parametrize("value", [True, False, None])
def test_extra_cannot_say_whether_to_stream(value, refusal):
    assert refusal(ChatRequest(extra={"stream": value}).user("Hi")).field == "extra"


def test_the_client_request_id_is_not_part_of_the_body():
    request = ChatRequest("gpt-4o", client_request_id="a.b_c:d-1").user("Hi")
    assert request.payload() == ChatRequest("gpt-4o").user("Hi").payload()


@pytest.mark.parametrize("given", ["", "a b", "é", "x" * 129, "a\n", 5, b"a"])
def test_a_client_request_id_that_would_be_dropped_is_refused(given, refusal):
    error = refusal(ChatRequest(client_request_id=given).user("Hi"))
    assert error.field == "client_request_id"
    assert "128" in str(error)


@pytest.mark.parametrize("given", ["x", "x" * 128])
def test_a_client_request_id_may_have_1_to_128_characters(given):
    assert ChatRequest(client_request_id=given).user("Hi").payload()


@pytest.mark.parametrize("model", ["", " ", 5, ["gpt-4o"]])
def test_a_model_that_is_no_name_is_refused(model, refusal):
    assert refusal(ChatRequest(model).user("Hi")).field == "model"


@pytest.mark.parametrize("dialect", ["OpenAI", "", 5, ["openai"]])
def test_an_unknown_dialect_is_refused(dialect, refusal):
    error = refusal(ChatRequest(dialect=dialect).user("Hi"))
    assert error.field == "dialect"
    assert "'anthropic'" in str(error)
