"""Payloads in the openai dialect."""

import json

import pytest

from aimlchat.completions import Choice, Completion
from aimlchat.content import Audio, Document, Image, Message, Text
from aimlchat.request import ChatRequest
from aimlchat.tool_types import ToolCall


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


def test_an_image_by_url_is_sent_as_its_url(user):
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


def test_a_pdf_keeps_its_filename(user, pdf, tmp_path):
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf)
    assert user(Document.from_path(path))[0]["file"]["filename"] == "report.pdf"


@pytest.mark.parametrize(("sound", "audio_format"), [("wav", "wav"), ("mp3", "mp3")])
def test_audio_is_sent_with_its_format(sound, audio_format, user, encoded, request):
    data = request.getfixturevalue(sound)
    assert user(Audio.from_bytes(data)) == [
        {"type": "input_audio", "input_audio": {"data": encoded(data), "format": audio_format}}
    ]


@pytest.mark.parametrize(
    ("part", "advice"),
    [
        (Document.from_bytes(b"plain text"), "Text part"),
        (Document.from_url("https://example.com/a.pdf"), "from_bytes"),
        (Audio.from_url("https://example.com/a.wav"), "from_bytes"),
        (Audio(data=b"x", media_type="audio/flac"), "convert"),
    ],
)
def test_a_part_that_the_dialect_lacks_is_refused_with_advice(part, advice, refusal):
    error = refusal(ChatRequest("gpt-4o").user("Look", part))
    assert error.field == "messages[0].content[1]"
    assert advice in str(error)


@pytest.mark.parametrize(("field", "value"), [("top_k", 5), ("metadata", {"a": "b"})])
def test_a_field_of_the_anthropic_dialect_is_refused_with_advice(field, value, refusal):
    error = refusal(ChatRequest("gpt-4o", **{field: value}).user("Hi"))
    assert error.field == field
    assert "extra={" in str(error)


def test_a_field_of_the_anthropic_dialect_can_be_sent_with_extra():
    payload = ChatRequest("gpt-4o", extra={"top_k": 5}).user("Hi").payload()
    assert payload["top_k"] == 5


def test_an_assistant_message_of_text_is_a_plain_string():
    assert _messages(ChatRequest().user("Hi").assistant("Well"))[1] == {
        "role": "assistant",
        "content": "Well",
    }


def test_a_completion_is_sent_back_with_its_tool_calls_and_without_reasoning():
    calls = (ToolCall("c1", "f", '{"x": 1}'), ToolCall("c2", "g"))
    completion = Completion(choices=(Choice(text="Well", reasoning="Hm", tool_calls=calls),))
    assert _messages(ChatRequest().user("Hi").assistant(completion))[1] == {
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


def test_an_assistant_message_without_text_has_no_content():
    completion = Completion(choices=(Choice(tool_calls=(ToolCall("c1", "f"),)),))
    assert "content" not in _messages(ChatRequest().user("Hi").assistant(completion))[1]


def test_a_refusal_is_sent_back():
    completion = Completion(choices=(Choice(refusal="No."),))
    assert _messages(ChatRequest().user("Hi").assistant(completion))[1] == {
        "role": "assistant",
        "refusal": "No.",
    }


@pytest.mark.parametrize("call_id", ["", " ", None])
def test_a_tool_call_without_an_id_is_refused(call_id, refusal):
    completion = Completion(choices=(Choice(tool_calls=(ToolCall(call_id, "f"),)),))
    error = refusal(ChatRequest("gpt-4o").user("Hi").assistant(completion))
    assert error.field == "messages[1].tool_calls[0].id"
    assert "is not the id of a tool call" in str(error)


def test_a_tool_call_that_was_cut_off_is_refused(refusal):
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


def test_the_result_of_a_tool_that_failed_says_so():
    assert _messages(ChatRequest().tool_result("c1", "boom", is_error=True)) == [
        {"role": "tool", "tool_call_id": "c1", "content": "Error: boom"}
    ]


def test_a_file_of_a_result_is_in_a_message_behind_the_results(png):
    image = Image.from_bytes(png)
    first = ["A map", image, "and", image]
    request = ChatRequest().system("S").user("Go").tool_result("c1", first)
    request = request.tool_result("c2", "42").tool_result("c3", image, is_error=True)
    turn = ChatRequest().assistant("Thanks").user("Bye").messages

    *_, one, two, three, files, thanks, bye = _messages(
        request.options(messages=(*request.messages, *turn))
    )

    where = "is in the message after the results.)"
    assert one["content"] == f"A map\n(Image 1 {where}\nand\n(Image 2 {where}"
    assert (two["content"], three["content"]) == ("42", f"Error: (Image 1 {where}")
    assert files["role"] == "user"
    names = [part["text"] for part in files["content"][::2]]
    of_one, of_three = "of the result of the tool call c1:", "of the result of the tool call c3:"
    assert names == [f"Image 1 {of_one}", f"Image 2 {of_one}", f"Image 1 {of_three}"]
    sent = {"type": "image_url", "image_url": {"url": image.data_uri()}}
    assert files["content"][1::2] == [sent] * 3
    assert [message["content"] for message in (thanks, bye)] == ["Thanks", "Bye"]


@pytest.mark.parametrize(
    "model", ["deepseek/deepseek-chat", "gpt-3.5-turbo", "zhipu/glm-4.6", "alibaba/qwen3-32b"]
)
def test_an_image_of_a_result_is_left_out_for_a_model_that_takes_none(model, png):
    image, pdf = Image.from_bytes(png), Document.from_bytes(b"%PDF-1.7 ")
    request = ChatRequest(model).user("Go").tool_result("c1", ["A map", image, pdf])

    *_, result, files = request.payload()["messages"]

    assert result["content"] == (
        "A map\n(Image 1 is left out, since this model takes no images.)\n"
        "(Document 2 is in the message after the results.)"
    )
    assert [part["type"] for part in files["content"]] == ["text", "file"]
    only = request.options(messages=()).user("Go").tool_result("c1", image).payload()["messages"]
    assert [message["role"] for message in only] == ["user", "tool"]


@pytest.mark.parametrize("model", ["gpt-4o", "zhipu/glm-4.5v", "alibaba/qwen3-vl-32b", "our-model"])
def test_an_image_of_a_result_goes_to_models_that_may_take_it(model, png):
    request = ChatRequest(model).user("Go").tool_result("c1", Image.from_bytes(png))

    *_, files = request.payload()["messages"]

    assert files["content"][1]["type"] == "image_url"


def test_other_files_of_a_result_are_sent_as_those_of_a_user(refusal):
    pdf, audio = Document.from_bytes(b"%PDF-1.7 "), Audio.from_bytes(b"ID3 ", "audio/mpeg")
    result, files = _messages(ChatRequest().tool_result("c1", [pdf, audio]))
    asked = _messages(ChatRequest().user(pdf, audio))[0]

    assert "Document 1 is in" in result["content"]
    assert "Audio 2 is in" in result["content"]
    assert files["content"][1::2] == asked["content"]
    text = Document.from_bytes(b"Hi", "text/plain")
    error = refusal(ChatRequest("gpt-4o").tool_result("c1", ["Look", text]))
    assert error.field == "messages[0].content[1]"


def test_a_breakpoint_behind_a_result_is_behind_its_file(png):
    request = ChatRequest("claude-opus-4.8").user("Go").tool_result("c1", Image.from_bytes(png))

    *_, result, files = request.cache().payload()["messages"]

    assert isinstance(result["content"], str)
    assert files["content"][1]["cache_control"] == {"type": "ephemeral", "ttl": "5m"}


def test_an_image_in_an_assistant_message_is_refused(refusal, png):
    error = refusal(
        ChatRequest("gpt-4o", messages=[Message("assistant", (Image.from_bytes(png),))])
    )
    assert error.field == "messages[0].content[0]"


def test_a_message_dict_is_sent_as_it_is():
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
        {"role": "assistant", "content": "", "reasoning": "Hm"},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": ""}]},
    ]
    payload = ChatRequest("gpt-4o", messages=messages).payload()
    assert payload["messages"] == messages
    assert json.loads(json.dumps(payload)) == payload
