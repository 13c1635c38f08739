"""The messages of the anthropic dialect, where test_anthropic.py and test_message_dicts.py end."""

import pytest

from aimlchat import InvalidRequestError
from aimlchat._payload.anthropic_messages import build_messages
from aimlchat.content import Message, Text


def built(*messages):
    return build_messages(messages)[0]


def refused(*messages):
    with pytest.raises(InvalidRequestError) as caught:
        build_messages(messages)
    return caught.value


def call(**keys):
    return {"id": "c", "function": {"name": "f", "arguments": "{}"}} | keys


# --- system messages ------------------------------------------------------------------------------


def test_system_prompts_are_returned_beside_the_messages_in_their_order():
    messages, prompts = build_messages(
        [
            {"role": "system", "content": "one"},
            {"role": "user", "content": "Hi"},
            {"role": "developer", "content": [{"type": "text", "text": "two"}]},
        ]
    )

    assert messages == [{"role": "user", "content": "Hi"}]
    assert prompts == [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]


@pytest.mark.parametrize("content", ["", " \n", [{"type": "text", "text": " "}]])
def test_a_blank_system_message_gives_no_prompt(content):
    assert build_messages([{"role": "system", "content": content}]) == ([], [])


def test_a_system_prompt_with_an_image_is_refused_by_the_path_of_the_image():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}
    error = refused({"role": "system", "content": [image]})

    assert error.field == "messages[0].content[0]"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"role": "system", "content": "Hi", "name": "me"}, "messages[0].name"),
        (
            {
                "role": "system",
                "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "x"}}],
            },
            "messages[0].content[0].cache_control",
        ),
    ],
)
def test_a_key_that_a_system_prompt_cannot_carry_is_refused_by_its_path(message, field):
    error = refused(message)

    assert error.field == field
    assert "extra=" in str(error)


def test_a_key_of_null_beside_a_system_prompt_is_left_out():
    message = {"role": "system", "content": "Hi", "name": None}

    assert build_messages([message]) == ([], [{"type": "text", "text": "Hi"}])


# --- tool results ---------------------------------------------------------------------------------


def test_results_and_the_users_text_after_them_are_one_message():
    result = {"role": "tool", "tool_call_id": "a", "content": "1"}
    (message,) = built(result, {"role": "user", "content": "And?"})

    assert [part["type"] for part in message["content"]] == ["tool_result", "text"]


def test_a_further_message_of_the_user_is_one_of_its_own():
    result = {"role": "tool", "tool_call_id": "a", "content": "1"}
    messages = built(result, {"role": "user", "content": "b"}, {"role": "user", "content": "c"})

    assert [message["role"] for message in messages] == ["user", "user"]
    assert messages[1]["content"] == "c"


def test_results_before_and_after_a_system_message_are_one_message():
    results = [{"role": "tool", "tool_call_id": i, "content": "1"} for i in "ab"]
    (message,) = built(results[0], {"role": "system", "content": "Hm"}, results[1])

    assert [part["tool_use_id"] for part in message["content"]] == ["a", "b"]


def test_two_messages_of_the_user_stay_apart():
    assert len(built({"role": "user", "content": "a"}, {"role": "user", "content": "b"})) == 2


def test_the_name_of_a_tool_is_left_out_of_its_result_and_other_keys_stay():
    message = {"role": "tool", "tool_call_id": "a", "content": "1", "name": "f", "is_error": True}
    (part,) = built(message)[0]["content"]

    assert part == {"type": "tool_result", "tool_use_id": "a", "content": "1", "is_error": True}


# --- assistant messages ---------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["audio", "refusal", "name", "function_call", "unknown"])
def test_a_key_of_null_is_left_out_of_an_assistant_message(key):
    message = {"role": "assistant", "content": "Well.", key: None}

    assert built(message) == [{"role": "assistant", "content": "Well."}]


@pytest.mark.parametrize(
    "key", ["reasoning_content", "reasoning", "reasoning_details", "annotations"]
)
def test_what_only_responses_have_is_left_out_of_an_assistant_message(key):
    message = {"role": "assistant", "content": "Well.", key: ["Hm."]}

    assert built(message) == [{"role": "assistant", "content": "Well."}]


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"audio": {"id": "a"}}, "messages[0].audio"),
        ({"name": "me"}, "messages[0].name"),
        ({"refusal": 1}, "messages[0].refusal"),
        ({"tool_calls": [call(type="custom")]}, "messages[0].tool_calls[0].type"),
    ],
)
def test_what_an_assistant_message_cannot_carry_is_refused_by_its_path(keys, field):
    assert refused({"role": "assistant", "content": "Well."} | keys).field == field


@pytest.mark.parametrize("type_", [{}, {"type": None}, {"type": "function"}])
def test_a_tool_call_may_leave_out_its_type(type_):
    (message,) = built({"role": "assistant", "content": None, "tool_calls": [call(**type_)]})

    assert message["content"] == [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]


# --- messages of another role ---------------------------------------------------------------------


def test_a_message_of_an_unknown_role_is_refused_by_its_position():
    error = refused(Message("user", (Text("Hi"),)), Message("owner", (Text("Hi"),)))

    assert error.field == "messages[1].role"


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_a_message_without_parts_is_refused(role):
    assert refused(Message(role, ())).field == "messages[0].content"
