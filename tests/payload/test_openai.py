import json

import pytest

from aimlchat.completions import Choice, Completion
from aimlchat.content import Audio, Document, Image, Message, Text, ToolCall
from aimlchat.request import ChatRequest


def _messages(request):
    return request.options(model="gpt-4o").payload()["messages"]


@pytest.fixture
def user():
    """Give a function that returns the content of one user message."""
    return lambda *parts: _messages(ChatRequest().user(*parts))[0]["content"]


def test_the_system_prompt_is_the_first_message():
    messages = [{"role": "system", "content": "later"}]
    assert _messages(ChatRequest(messages=messages).user("Hi").system("first")) == [
        {"role": "system", "content": "first"},
        {"role": "system", "content": "later"},
        {"role": "user", "content": "Hi"},
    ]


@pytest.mark.parametrize("part", ["Hi", Text("Hi")])
def test_a_text_alone_is_a_plain_string(part, user):
    assert user(part) == "Hi"


def test_several_texts_are_parts(user):
    assert user("a", "b") == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def test_an_image_is_a_data_uri(user, png, encoded):
    uri = f"data:image/png;base64,{encoded(png)}"
    assert user("Look", Image.from_bytes(png)) == [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": uri}},
    ]


def test_an_image_may_stay_where_it_is(user):
    url = "https://example.com/a.png"
    assert user(Image.from_url(url)) == [{"type": "image_url", "image_url": {"url": url}}]


def test_an_image_of_any_type_is_taken(user):
    heic = Image.from_bytes(b"heic", media_type="image/heic")
    assert user(heic)[0]["image_url"]["url"].startswith("data:image/heic;base64,")


def test_a_pdf_is_a_file(user, pdf, encoded):
    uri = f"data:application/pdf;base64,{encoded(pdf)}"
    assert user(Document.from_bytes(pdf)) == [
        {"type": "file", "file": {"file_data": uri, "filename": "document.pdf"}}
    ]


def test_a_pdf_keeps_its_name(user, pdf, tmp_path):
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf)
    assert user(Document.from_path(path))[0]["file"]["filename"] == "report.pdf"


@pytest.mark.parametrize(("sound", "form"), [("wav", "wav"), ("mp3", "mp3")])
def test_audio_says_its_format(sound, form, user, encoded, request):
    data = request.getfixturevalue(sound)
    assert user(Audio.from_bytes(data)) == [
        {"type": "input_audio", "input_audio": {"data": encoded(data), "format": form}}
    ]


@pytest.mark.parametrize(
    ("part", "way_out"),
    [
        (Document.from_bytes(b"plain text"), "Text part"),
        (Document.from_url("https://example.com/a.pdf"), "from_bytes"),
        (Audio.from_url("https://example.com/a.wav"), "from_bytes"),
        (Audio(data=b"x", media_type="audio/flac"), "convert"),
    ],
)
def test_what_cannot_be_said_is_refused_with_the_way_out(part, way_out, refusal):
    error = refusal(ChatRequest("gpt-4o").user("Look", part))
    assert error.field == "messages[0].content[1]"
    assert way_out in str(error)


@pytest.mark.parametrize(("field", "value"), [("top_k", 5), ("metadata", {"a": "b"})])
def test_a_field_of_the_other_dialect_is_refused_with_the_way_out(field, value, refusal):
    error = refusal(ChatRequest("gpt-4o", **{field: value}).user("Hi"))
    assert error.field == field
    assert "extra={" in str(error)


def test_a_field_of_the_other_dialect_can_go_by_extra():
    body = ChatRequest("gpt-4o", extra={"top_k": 5}).user("Hi").payload()
    assert body["top_k"] == 5


def test_an_assistant_turn_of_text():
    assert _messages(ChatRequest().user("Hi").assistant("Well"))[1] == {
        "role": "assistant",
        "content": "Well",
    }


def test_an_assistant_turn_from_a_completion_has_its_calls_and_no_reasoning():
    calls = (ToolCall("c1", "f", '{"x": 1}'), ToolCall("c2", "g"))
    said = Completion(choices=(Choice(text="Well", reasoning="Hm", tool_calls=calls),))
    assert _messages(ChatRequest().user("Hi").assistant(said))[1] == {
        "role": "assistant",
        "content": "Well",
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "f", "arguments": '{"x": 1}'},
            },
            {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ],
    }


def test_an_assistant_turn_without_text_has_no_content():
    said = Completion(choices=(Choice(tool_calls=(ToolCall("c1", "f"),)),))
    assert "content" not in _messages(ChatRequest().user("Hi").assistant(said))[1]


def test_a_refusal_is_sent_back():
    said = Completion(choices=(Choice(refusal="No."),))
    assert _messages(ChatRequest().user("Hi").assistant(said))[1] == {
        "role": "assistant",
        "refusal": "No.",
    }


def test_a_call_without_an_id_is_refused(refusal):
    said = Completion(choices=(Choice(tool_calls=(ToolCall(None, "f"),)),))
    error = refusal(ChatRequest("gpt-4o").user("Hi").assistant(said))
    assert error.field == "messages[1].tool_calls[0].id"


def test_a_call_that_was_cut_is_refused(refusal):
    calls = (ToolCall("c", "f", "{", complete=False),)
    error = refusal(ChatRequest("gpt-4o", messages=[Message("assistant", tool_calls=calls)]))
    assert error.field == "messages[0].tool_calls[0]"


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("42", "42"),
        ("", ""),
        (Text("42"), "42"),
        ([Text("a"), "b"], "a\nb"),
        ({"x": ["ü", None]}, '{"x": ["ü", null]}'),
        (["a", "b"], '["a", "b"]'),
        ([], "[]"),
        (5, "5"),
        (None, "null"),
        (True, "true"),
    ],
)
def test_a_tool_result_is_text_or_json(content, sent):
    assert _messages(ChatRequest().tool_result("c1", content)) == [
        {"role": "tool", "tool_call_id": "c1", "content": sent}
    ]


def test_a_failed_tool_cannot_be_said(refusal):
    error = refusal(ChatRequest("gpt-4o").tool_result("c1", "boom", is_error=True))
    assert error.field == "messages[0].is_error"
    assert "content" in str(error)


def test_an_image_in_a_tool_result_is_refused(refusal, png):
    error = refusal(ChatRequest("gpt-4o").tool_result("c1", ["Look", Image.from_bytes(png)]))
    assert error.field == "messages[0].content[1]"


def test_an_image_in_an_assistant_turn_is_refused(refusal, png):
    error = refusal(
        ChatRequest("gpt-4o", messages=[Message("assistant", (Image.from_bytes(png),))])
    )
    assert error.field == "messages[0].content[0]"


def test_a_message_dict_goes_out_as_it_is():
    messages = [
        {"role": "developer", "content": "D", "name": "dev"},
        {
            "role": "user",
            "name": "ann",
            "content": [
                {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}},
                {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
                {
                    "type": "image_url",
                    "image_url": {"url": "https://example.com/a.png", "detail": "low"},
                },
                {"type": "file", "file": {"file_id": "file-1"}},
            ],
            "new_key": [1, 2.5, None],
        },
        {"role": "assistant", "content": None, "audio": {"id": "a1"}},
        {"role": "assistant", "content": "", "reasoning_content": "Hm"},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": ""}]},
    ]
    body = ChatRequest("gpt-4o", messages=messages).payload()
    assert body["messages"] == messages
    assert json.loads(json.dumps(body)) == body
