"""Message dicts in OpenAI's form, for models of either dialect."""

import base64

import pytest

from aimlchat.request import ChatRequest

OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"
BOTH = pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 16).decode()
PDF = base64.b64encode(b"%PDF-1.7 x").decode()
CACHED = {"cache_control": {"type": "ephemeral"}}


def _user(*parts):
    return {"role": "user", "content": list(parts)}


def _translate(*messages):
    return ChatRequest(ANTHROPIC, messages=messages).payload()["messages"]


def _translate_parts(*parts):
    return _translate(_user(*parts))[0]["content"]


def _build_call(arguments='{"x": 1}', **keys):
    function = {"name": "f", "arguments": arguments}
    return {"id": "c1", "type": "function", "function": function} | keys


def test_an_image_in_a_data_uri_becomes_base64():
    part = {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"},
    }
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    assert _translate_parts(part) == [{"type": "image", "source": source}]
    assert _translate_parts(part | CACHED) == [{"type": "image", "source": source} | CACHED]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        "data:image/heic;base64,aGVpYw==",
        f"data:image/jpeg;base64,{PNG}",
        f"data:text/plain;base64,{PNG}",
    ],
    ids=["remote", "unknown type", "wrong type", "no image"],
)
def test_an_image_that_the_anthropic_dialect_does_not_take_is_refused(url, refusal):
    request = ChatRequest(
        ANTHROPIC, messages=[_user({"type": "image_url", "image_url": {"url": url}})]
    )
    assert refusal(request).field == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize("data", [f"data:application/pdf;base64,{PDF}", PDF])
def test_a_file_becomes_a_document(data):
    part = {"type": "file", "file": {"file_data": data, "filename": "a.pdf"}} | CACHED
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    assert _translate_parts(part) == [{"type": "document", "source": source} | CACHED]


def test_a_file_of_plain_text_becomes_a_text_document():
    data = "data:text/plain;charset=utf-8;base64," + base64.b64encode("Grüße".encode()).decode()
    assert _translate_parts({"type": "file", "file": {"file_data": data}})[0]["source"] == {
        "type": "text",
        "media_type": "text/plain",
        "data": "Grüße",
    }


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "file", "file": {"file_id": "f"}}, "file"),
        ({"type": "file", "file": {"file_data": PNG}}, "file.file_data"),
        ({"type": "input_audio", "input_audio": {"data": PDF, "format": "wav"}}, ""),
        ({"type": "image", "source": {"type": "url", "url": "https://example.com"}}, "source"),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "x", "data": PNG}},
            "source.media_type",
        ),
    ],
)
def test_a_part_that_the_anthropic_dialect_does_not_take_is_refused(part, field, refusal):
    request = ChatRequest(ANTHROPIC, messages=[_user({"type": "text", "text": "Hi"}, part)])
    assert refusal(request).field == f"messages[0].content[1].{field}".rstrip(".")


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": "Hi"} | CACHED,
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": PNG},
        },
        {"type": "document", "source": {"type": "text", "data": "x"}, "title": "T"},
        {"type": "tool_use", "id": "c", "name": "f", "input": {}},
        {"type": "tool_result", "tool_use_id": "c", "content": "x", "is_error": True},
        {"type": "tool_result", "tool_use_id": "c"},
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "something_new", "with": [1, 2]},
    ],
    ids=lambda part: part["type"],
)
@BOTH
def test_a_part_in_anthropics_form_or_of_an_unknown_type_passes_unchanged(model, part):
    messages = [_user({"type": "text", "text": "Hi"}, part)]
    assert ChatRequest(model, messages=messages).payload()["messages"] == messages


def test_parts_inside_a_tool_result_are_translated_too():
    inner = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    (part,) = _translate_parts({"type": "tool_result", "tool_use_id": "c", "content": [inner]})
    assert part["content"][0]["type"] == "image"


def test_tool_calls_become_parts_after_the_text():
    assistant = {"role": "assistant", "content": "Well", "tool_calls": [_build_call()]}
    assert _translate(assistant) == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Well"},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}},
            ],
        }
    ]


@pytest.mark.parametrize("content", [None, ""])
def test_tool_calls_need_no_text(content):
    (message,) = _translate(
        {"role": "assistant", "content": content, "tool_calls": [_build_call("")]}
    )
    assert message["content"] == [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]


def test_a_refusal_becomes_text():
    refusals = [
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    ]
    assert {message["content"] for message in _translate(*refusals)} == {"No."}


def test_an_assistant_message_can_be_sent_back_as_it_came():
    message = {
        "role": "assistant",
        "content": "Well",
        "refusal": None,
        "reasoning_content": "Hm",
        "annotations": [],
        "audio": None,
        "tool_calls": None,
        "function_call": None,
    }
    assert _translate(message) == [{"role": "assistant", "content": "Well"}]


def test_tool_results_become_parts_of_one_user_message():
    messages = _translate(
        {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "1", "is_error": True},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "2"}]},
        {"role": "user", "content": "And now?", "new_key": 1},
    )
    assert messages == [
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "1", "is_error": True},
                {
                    "type": "tool_result",
                    "tool_use_id": "c2",
                    "content": [{"type": "text", "text": "2"}],
                },
                {"type": "text", "text": "And now?"},
            ],
            "new_key": 1,
        }
    ]


def test_unknown_keys_of_a_message_pass_unchanged():
    messages = [
        {"role": "user", "content": "Hi", "new_key": 1},
        {"role": "assistant", "content": "Well", "new_key": 2},
    ]
    assert _translate(*messages) == messages


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"role": "user", "content": "Hi", "name": "ann"}, "name"),
        (
            {"role": "system", "content": [{"type": "text", "text": "S"} | CACHED]},
            "content[0].cache_control",
        ),
        ({"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
         "content[0]"),
        ({"role": "assistant", "content": "", "tool_calls": []}, "content"),
        (_user({"type": "image_url", "image_url": "https://e.com"}), "content[0].image_url"),
        (_user({"type": "file", "file": {"file_data": "https://e.com/a.pdf"}}),
         "content[0].file.file_data"),
        (_user({"type": "image", "image": "https://e.com"}), "content[0].source"),
        ({"role": "assistant", "content": None, "audio": {"id": "a"}}, "audio"),
        ({"role": "assistant", "content": None, "refusal": 5}, "refusal"),
        (
            {"role": "assistant", "tool_calls": [_build_call('{"x"')]},
            "tool_calls[0].function.arguments",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]},
            "tool_calls[0].type",
        ),
    ],
)  # fmt: skip
def test_a_message_that_the_anthropic_dialect_does_not_take_is_refused(message, field, refusal):
    messages = [{"role": "user", "content": "Hi"}, message]
    error = refusal(ChatRequest(ANTHROPIC, messages=messages))
    assert error.field == f"messages[1].{field}"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("Hi", "messages[0]"),
        (5, "messages[0]"),
        (None, "messages[0]"),
        ({}, "messages[0].role"),
        ({"content": "Hi"}, "messages[0].role"),
        ({"role": "robot", "content": "Hi"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": None}, "messages[0].content"),
        ({"role": "user", "content": 5}, "messages[0].content"),
        ({"role": "user", "content": []}, "messages[0].content"),
        ({"role": "user", "content": {"type": "text", "text": "Hi"}}, "messages[0].content"),
        (_user("Hi"), "messages[0].content[0]"),
        (_user({"text": "Hi"}), "messages[0].content[0]"),
        (_user({"type": 5}), "messages[0].content[0]"),
        (_user({"type": "text"}), "messages[0].content[0].text"),
        (_user({"type": "text", "text": 5}), "messages[0].content[0].text"),
        (_user({"type": "image_url"}), "messages[0].content[0].image_url"),
        (_user({"type": "image_url", "image_url": ["https://e.com"]}),
         "messages[0].content[0].image_url"),
        (_user({"type": "image_url", "image_url": "data:image/png;base64,%%"}),
         "messages[0].content[0].image_url"),
        (_user({"type": "image_url", "image_url": {}}), "messages[0].content[0].image_url.url"),
        (_user({"type": "image_url", "image_url": {"url": "data:image/png,x"}}),
         "messages[0].content[0].image_url.url"),
        (_user({"type": "image_url", "image_url": {"url": "data:image/png;base64,%%"}}),
         "messages[0].content[0].image_url.url"),
        (_user({"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}),
         "messages[0].content[0].image_url.url"),
        (_user({"type": "input_audio", "input_audio": {"data": "%", "format": "wav"}}),
         "messages[0].content[0].input_audio.data"),
        (_user({"type": "input_audio", "input_audio": {"data": 5, "format": "wav"}}),
         "messages[0].content[0].input_audio.data"),
        (_user({"type": "input_audio", "input_audio": {"data": PDF}}),
         "messages[0].content[0].input_audio.format"),
        (_user({"type": "file", "file": {"file_data": "é"}}),
         "messages[0].content[0].file.file_data"),
        (_user({"type": "file", "file": {"file_data": 5}}),
         "messages[0].content[0].file.file_data"),
        (_user({"type": "image", "source": {"type": "base64", "data": "%"}}),
         "messages[0].content[0].source.data"),
        (_user({"type": "document", "source": {"type": "base64"}}),
         "messages[0].content[0].source.data"),
        (_user({"type": "image"}), "messages[0].content[0].source"),
        (_user({"type": "tool_use", "id": "c", "name": "f"}), "messages[0].content[0].input"),
        (_user({"type": "tool_result", "content": "x"}), "messages[0].content[0].tool_use_id"),
        (_user({"type": "tool_result", "tool_use_id": "c", "content": 5}),
         "messages[0].content[0].content"),
        (_user({"type": "tool_result", "tool_use_id": "c", "content": ["x"]}),
         "messages[0].content[0].content[0]"),
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "tool", "tool_call_id": "c"}, "messages[0].content"),
        ({"role": "assistant"}, "messages[0].content"),
        ({"role": "assistant", "content": "x", "tool_calls": {}}, "messages[0].tool_calls"),
        ({"role": "assistant", "tool_calls": ["f"]}, "messages[0].tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{"function": {}}]},
         "messages[0].tool_calls[0].id"),
        ({"role": "assistant", "tool_calls": [{"id": "c"}]},
         "messages[0].tool_calls[0].function"),
        ({"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": 5}}]},
         "messages[0].tool_calls[0].function.name"),
        ({"role": "assistant", "tool_calls": [_build_call({"x": 1})]},
         "messages[0].tool_calls[0].function.arguments"),
        ({"role": "user", "content": "Hi", "x": float("nan")}, "messages[0].x"),
        ({"role": "user", "content": "Hi", 5: "x"}, "messages[0]"),
        ({"role": "user", "content": "Hi", "x": {1}}, "messages[0].x"),
    ],
)  # fmt: skip
@BOTH
def test_a_malformed_message_is_refused_by_its_path(model, message, field, refusal):
    assert refusal(ChatRequest(model, messages=[message])).field == field


def test_a_message_may_be_any_mapping():
    class Mine(dict):
        pass

    messages = [Mine(role="user", content=({"type": "text", "text": "Hi"},))]
    assert ChatRequest(OPENAI, messages=messages).payload()["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
    ]
