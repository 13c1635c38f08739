"""Payloads in the anthropic dialect."""

import pytest

from aimlchat.completions import Choice, Completion
from aimlchat.content import Audio, Document, Image, Message
from aimlchat.request import ChatRequest
from aimlchat.tool_types import ToolCall

MODEL = "claude-sonnet-4-5"


def _messages(request):
    return request.options(model=MODEL).payload()["messages"]


@pytest.fixture
def user():
    """Give a function that returns the content of one user message."""
    return lambda *parts: _messages(ChatRequest().user(*parts))[0]["content"]


def _build_completion(*calls, text=""):
    return Completion(choices=(Choice(text=text, reasoning="Hm", tool_calls=calls),))


def test_the_system_prompt_is_a_key_beside_the_messages():
    payload = ChatRequest(MODEL).system("Be brief.").user("Hi").payload()
    assert payload["system"] == "Be brief."
    assert payload["messages"] == [{"role": "user", "content": "Hi"}]


def test_all_system_prompts_are_joined_in_order():
    messages = [
        {"role": "system", "content": "two"},
        {"role": "user", "content": "Hi"},
        {
            "role": "developer",
            "content": [{"type": "text", "text": "three"}, {"type": "text", "text": "four"}],
        },
        {"role": "system", "content": " "},
    ]
    payload = ChatRequest(MODEL, messages=messages, system="one").payload()
    assert payload["system"] == "one\n\ntwo\n\nthree\n\nfour"
    assert len(payload["messages"]) == 1


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
    ("part", "advice"),
    [
        (Image.from_url("https://example.com/a.png"), "from_bytes"),
        (Image.from_bytes(b"heic", media_type="image/heic"), "convert"),
        (Document.from_url("https://example.com/a.pdf"), "from_bytes"),
        (Document(data=b"\xff", media_type="text/plain"), "UTF-8"),
        (Document(data=b"x", media_type="text/html"), "PDF"),
        (Audio.from_bytes(b"ID3 audio"), "transcript"),
    ],
)
def test_a_part_that_the_dialect_lacks_is_refused_with_advice(part, advice, refusal):
    error = refusal(ChatRequest(MODEL).user("Look", part))
    assert error.field == "messages[0].content[1]"
    assert advice in str(error)


@pytest.mark.parametrize(
    ("field", "value", "advice"),
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
        ("modalities", ["audio"], "openai dialect"),
        ("audio", {}, "openai dialect"),
        ("web_search_options", {}, "openai dialect"),
    ],
)
def test_a_field_of_the_openai_dialect_is_refused_with_advice(field, value, advice, refusal):
    error = refusal(ChatRequest(MODEL, **{field: value}).user("Hi"))
    assert error.field == field
    assert advice in str(error)


def test_claude_3_7_takes_fields_of_the_openai_dialect_unless_it_thinks(refusal):
    plain = ChatRequest("claude-3.7-sonnet", n=2).user("Hi")
    assert plain.payload()["n"] == 2
    assert refusal(plain.options(thinking=2048)).field == "n"


def test_the_parameters_of_this_dialect_are_sent():
    payload = ChatRequest(
        MODEL, max_tokens=9, temperature=0.5, top_p=0.9, top_k=40, metadata={"user_id": "1"}
    )
    assert payload.user("Hi").payload() == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "metadata": {"user_id": "1"},
    }


@pytest.mark.parametrize("stop", ["END", ["END"]])
def test_stop_is_sent_as_stop_sequences(stop):
    payload = ChatRequest(MODEL, stop=stop).user("Hi").payload()
    assert payload["stop_sequences"] == ["END"]
    assert "stop" not in payload


def test_a_tool_call_is_sent_back_as_a_part_with_parsed_arguments():
    completion = _build_completion(
        ToolCall("c1", "f", '{"x": 1}'), ToolCall("c2", "g"), text="Well"
    )
    assert _messages(ChatRequest().user("Hi").assistant(completion))[1] == {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "Well"},
            {"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}},
            {"type": "tool_use", "id": "c2", "name": "g", "input": {}},
        ],
    }


def test_a_refusal_is_sent_back_as_text():
    completion = Completion(choices=(Choice(refusal="No."),))
    assert _messages(ChatRequest().user("Hi").assistant(completion))[1] == {
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
def test_broken_arguments_are_refused_by_their_path(arguments, refusal):
    error = refusal(
        ChatRequest(MODEL).user("Hi").assistant(_build_completion(ToolCall("c", "f", arguments)))
    )
    assert error.field.startswith("messages[1].tool_calls[0].function.arguments")


@pytest.mark.parametrize("call_id", ["", " ", None])
def test_a_tool_call_without_an_id_is_refused(call_id, refusal):
    completion = _build_completion(ToolCall(call_id, "f"))
    error = refusal(ChatRequest(MODEL).user("Hi").assistant(completion))
    assert error.field == "messages[1].tool_calls[0].id"
    assert "is not the id of a tool call" in str(error)


def test_a_tool_result_is_a_part_of_a_user_message():
    assert _messages(ChatRequest().tool_result("c1", {"x": 1})) == [
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c1", "content": '{"x": 1}'}],
        }
    ]


def test_the_result_of_a_failed_tool_has_is_error():
    (message,) = _messages(ChatRequest().tool_result("c1", "boom", is_error=True))
    assert message["content"][0]["is_error"] is True


@pytest.mark.parametrize("content", ["", " "])
def test_a_tool_result_may_be_blank(content):
    (message,) = _messages(ChatRequest().tool_result("c1", content))
    assert message["content"][0]["content"] == content


def test_a_tool_result_may_hold_an_image(png, encoded):
    (message,) = _messages(ChatRequest().tool_result("c1", ["Look", Image.from_bytes(png)]))
    source = {"type": "base64", "media_type": "image/png", "data": encoded(png)}
    assert message["content"][0]["content"] == [
        {"type": "text", "text": "Look"},
        {"type": "image", "source": source},
    ]


def test_a_document_in_a_tool_result_is_refused(pdf, refusal):
    error = refusal(ChatRequest(MODEL).tool_result("c1", Document.from_bytes(pdf)))
    assert error.field == "messages[0].content[0]"


def test_parallel_results_and_the_next_user_message_become_one_message():
    request = (
        ChatRequest()
        .user("Hi")
        .assistant(_build_completion(ToolCall("c1", "f"), ToolCall("c2", "g")))
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


def test_an_image_after_a_result_joins_its_message(png):
    request = ChatRequest().tool_result("c1", "1").user("Look", Image.from_bytes(png))
    (message,) = _messages(request)
    assert [part["type"] for part in message["content"]] == ["tool_result", "text", "image"]


def test_results_before_and_after_an_assistant_message_stay_apart():
    call = _build_completion(ToolCall("c1", "f"))
    request = ChatRequest().tool_result("c0", "0").assistant(call).tool_result("c1", "1")
    assert [message["role"] for message in _messages(request)] == ["user", "assistant", "user"]


def test_a_result_after_a_user_message_begins_a_new_one():
    request = ChatRequest().user("Hi").tool_result("c0", "0")
    assert len(_messages(request)) == 2


def test_a_tool_call_that_was_cut_off_is_refused(refusal):
    calls = (ToolCall("c", "f", "{}", complete=False),)
    error = refusal(ChatRequest(MODEL, messages=[Message("assistant", tool_calls=calls)]))
    assert error.field == "messages[0].tool_calls[0].function.arguments"
