import pytest

from aimlchat.completions import Choice, Completion
from aimlchat.content import Audio, Document, Image, Message, Text, ToolCall
from aimlchat.request import ChatRequest

MODEL = "claude-sonnet-4-5"


def _messages(request):
    return request.options(model=MODEL).payload()["messages"]


@pytest.fixture
def user():
    """Give a function that returns the content of one user message."""
    return lambda *parts: _messages(ChatRequest().user(*parts))[0]["content"]


def _said(*calls, text=""):
    return Completion(choices=(Choice(text=text, reasoning="Hm", tool_calls=calls),))


def test_the_system_prompt_stands_beside_the_messages():
    body = ChatRequest(MODEL).system("Be brief.").user("Hi").payload()
    assert body["system"] == "Be brief."
    assert body["messages"] == [{"role": "user", "content": "Hi"}]


def test_all_system_prompts_become_one_in_order():
    messages = [
        {"role": "system", "content": "two"},
        {"role": "user", "content": "Hi"},
        {
            "role": "developer",
            "content": [{"type": "text", "text": "three"}, {"type": "text", "text": "four"}],
        },
        {"role": "system", "content": " "},
    ]
    body = ChatRequest(MODEL, messages=messages, system="one").payload()
    assert body["system"] == "one\n\ntwo\n\nthree\n\nfour"
    assert len(body["messages"]) == 1


def test_several_texts_are_parts(user):
    assert user("a", "b") == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def test_an_image_is_base64(user, png, encoded):
    assert user(Image.from_bytes(png)) == [
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": encoded(png)},
        }
    ]


def test_a_pdf_is_a_base64_document(user, pdf, encoded):
    assert user(Document.from_bytes(pdf)) == [
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": encoded(pdf)},
        }
    ]


def test_a_text_document_is_text(user):
    assert user(Document.from_bytes("Grüße".encode())) == [
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
        }
    ]


@pytest.mark.parametrize(
    ("part", "way_out"),
    [
        (Image.from_url("https://example.com/a.png"), "from_bytes"),
        (Image.from_bytes(b"heic", media_type="image/heic"), "convert"),
        (Document.from_url("https://example.com/a.pdf"), "from_bytes"),
        (Document(data=b"\xff", media_type="text/plain"), "UTF-8"),
        (Document(data=b"x", media_type="text/html"), "PDF"),
        (Audio.from_bytes(b"ID3 audio"), "transcript"),
        (Text(" "), "white space"),
    ],
)
def test_what_cannot_be_said_is_refused_with_the_way_out(part, way_out, refusal):
    error = refusal(ChatRequest(MODEL).user("Look", part))
    assert error.field == "messages[0].content[1]"
    assert way_out in str(error)


@pytest.mark.parametrize(
    ("field", "value", "way_out"),
    [
        ("n", 2, "n times"),
        ("seed", 1, "openai dialect"),
        ("frequency_penalty", 1, "openai dialect"),
        ("presence_penalty", 1, "openai dialect"),
        ("logit_bias", {"1": 1}, "openai dialect"),
        ("logprobs", True, "openai dialect"),
        ("top_logprobs", 5, "openai dialect"),
        ("response_format", {"type": "json_object"}, "tool"),
        ("reasoning_effort", "low", "thinking=2048"),
        ("parallel_tool_calls", False, "disable_parallel_tool_use"),
        ("prediction", {}, "openai dialect"),
        ("modalities", ["text"], "openai dialect"),
        ("audio", {}, "openai dialect"),
        ("web_search_options", {}, "openai dialect"),
    ],
)
def test_a_field_of_the_other_dialect_is_refused_with_the_way_out(field, value, way_out, refusal):
    error = refusal(ChatRequest(MODEL, **{field: value}).user("Hi"))
    assert error.field == field
    assert way_out in str(error)


def test_claude_3_7_loses_those_fields_when_it_thinks(refusal):
    plain = ChatRequest("claude-3.7-sonnet", n=2).user("Hi")
    assert plain.payload()["n"] == 2
    assert refusal(plain.options(thinking=2048)).field == "n"


def test_the_parameters_that_both_dialects_have():
    body = ChatRequest(
        MODEL, max_tokens=9, temperature=0.5, top_p=0.9, top_k=40, metadata={"user_id": "1"}
    )
    assert body.user("Hi").payload() == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "metadata": {"user_id": "1"},
    }


@pytest.mark.parametrize("stop", ["END", ["END"]])
def test_stop_texts_have_another_name(stop):
    body = ChatRequest(MODEL, stop=stop).user("Hi").payload()
    assert body["stop_sequences"] == ["END"]
    assert "stop" not in body


def test_a_call_in_the_history_is_a_part_with_parsed_arguments():
    said = _said(ToolCall("c1", "f", '{"x": 1}'), ToolCall("c2", "g"), text="Well")
    assert _messages(ChatRequest().user("Hi").assistant(said))[1] == {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "Well"},
            {"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}},
            {"type": "tool_use", "id": "c2", "name": "g", "input": {}},
        ],
    }


def test_a_refusal_is_sent_back_as_text():
    said = Completion(choices=(Choice(refusal="No."),))
    assert _messages(ChatRequest().user("Hi").assistant(said))[1] == {
        "role": "assistant",
        "content": "No.",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        '{"x": ',
        "[1]",
        '"x"',
        '{"x": NaN}',
        '{"x": 1e999}',
        '{"x": "\\ud800"}',
        '{"x": 1' + "0" * 30 + "}",
        '{"x": 1' + "0" * 5000 + "}",
        "[" * 100_000,
        '{"x": ' + "[" * 500 + "]" * 500 + "}",
    ],
    ids=["cut", "list", "text", "nan", "inf", "surrogate", "wide", "huge", "deep", "nested"],
)
def test_broken_arguments_are_refused_by_name(arguments, refusal):
    error = refusal(ChatRequest(MODEL).user("Hi").assistant(_said(ToolCall("c", "f", arguments))))
    assert error.field.startswith("messages[1].tool_calls[0].function.arguments")


def test_a_call_without_an_id_is_refused(refusal):
    error = refusal(ChatRequest(MODEL).user("Hi").assistant(_said(ToolCall(None, "f"))))
    assert error.field == "messages[1].tool_calls[0].id"


def test_a_tool_result_is_the_users():
    assert _messages(ChatRequest().tool_result("c1", {"x": 1})) == [
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c1", "content": '{"x": 1}'}],
        }
    ]


def test_a_failed_tool_is_marked():
    (message,) = _messages(ChatRequest().tool_result("c1", "boom", is_error=True))
    assert message["content"][0]["is_error"] is True


@pytest.mark.parametrize("content", ["", " "])
def test_a_tool_may_have_nothing_to_say(content):
    (message,) = _messages(ChatRequest().tool_result("c1", content))
    assert message["content"][0]["content"] == content


def test_a_tool_result_may_hold_an_image(png, encoded):
    (message,) = _messages(ChatRequest().tool_result("c1", ["Look", Image.from_bytes(png)]))
    source = {"type": "base64", "media_type": "image/png", "data": encoded(png)}
    assert message["content"][0]["content"] == [
        {"type": "text", "text": "Look"},
        {"type": "image", "source": source},
    ]


def test_a_tool_result_holds_no_document(pdf, refusal):
    error = refusal(ChatRequest(MODEL).tool_result("c1", Document.from_bytes(pdf)))
    assert error.field == "messages[0].content[0]"


def test_parallel_results_and_what_the_user_says_next_are_one_message():
    request = (
        ChatRequest()
        .user("Hi")
        .assistant(_said(ToolCall("c1", "f"), ToolCall("c2", "g")))
        .tool_result("c1", "1")
        .tool_result("c2", "2")
        .user("And now?")
        .user("Well?")
    )
    messages = _messages(request)
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "user"]
    assert messages[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": "1"},
        {"type": "tool_result", "tool_use_id": "c2", "content": "2"},
        {"type": "text", "text": "And now?"},
    ]


def test_an_image_that_follows_a_result_is_joined_too(png):
    request = ChatRequest().tool_result("c1", "1").user("Look", Image.from_bytes(png))
    (message,) = _messages(request)
    assert [part["type"] for part in message["content"]] == ["tool_result", "text", "image"]


def test_results_of_different_turns_stay_apart():
    call = _said(ToolCall("c1", "f"))
    request = ChatRequest().tool_result("c0", "0").assistant(call).tool_result("c1", "1")
    assert [message["role"] for message in _messages(request)] == ["user", "assistant", "user"]


def test_a_result_after_what_the_user_said_begins_a_message():
    request = ChatRequest().user("Hi").tool_result("c0", "0")
    assert len(_messages(request)) == 2


def test_a_call_that_was_cut_is_refused(refusal):
    calls = (ToolCall("c", "f", "{}", complete=False),)
    error = refusal(ChatRequest(MODEL, messages=[Message("assistant", tool_calls=calls)]))
    assert error.field == "messages[0].tool_calls[0].function.arguments"
