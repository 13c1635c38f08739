"""Base64 with white space: taken wherever a request holds base64, and sent without."""

import base64

import pytest

from aimlchat.content import Audio, Document, Image
from aimlchat.request import ChatRequest

OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
PDF = b"%PDF-1.7 " + b"x" * 100
WAV = b"RIFF\0\0\0\0WAVEfmt " + b"\0" * 100


def _encode(data):
    return base64.b64encode(data).decode()


def _break_by(separator):
    def break_lines(data):
        encoded = _encode(data)
        return separator.join(encoded[start : start + 76] for start in range(0, len(encoded), 76))

    return break_lines


def _surround(data):
    return f" \n{_encode(data)}\r\n"


BREAKS = pytest.mark.parametrize(
    "break_lines",
    [
        lambda data: base64.encodebytes(data).decode(),
        *(_break_by(separator) for separator in ("\r\n", "\r", " ", "\t", "\f", "\v", "\n\n  ")),
        _surround,
    ],
    ids=["MIME", "CR LF", "CR", "space", "tab", "FF", "VT", "indented", "around"],
)


def _image_url(data):
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def _file(data):
    return {"type": "file", "file": {"file_data": data, "filename": "a.pdf"}}


def _file_uri(data):
    return _file(f"data:application/pdf;base64,{data}")


def _input_audio(data):
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}


def _image(data):
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


def _document(data):
    source = {"type": "base64", "media_type": "application/pdf", "data": data}
    return {"type": "document", "source": source}


def _tool_result(data):
    return {"type": "tool_result", "tool_use_id": "c", "content": [_image(data)]}


FORMS = [
    (_image_url, PNG),
    (_file, PDF),
    (_file_uri, PDF),
    (_input_audio, WAV),
    (_image, PNG),
    (_document, PDF),
    (_tool_result, PNG),
]
CASES = [
    (model, build_part, data)
    for model in (OPENAI, ANTHROPIC)
    for build_part, data in FORMS
    if (model, build_part) != (ANTHROPIC, _input_audio)
]


def _build_messages(model, part):
    messages = [{"role": "user", "content": [{"type": "text", "text": "Look"}, part]}]
    return ChatRequest(model, messages=messages).payload()["messages"]


@BREAKS
@pytest.mark.parametrize(("model", "build_part", "data"), CASES)
def test_a_message_dict_is_sent_without_the_white_space_of_its_base64(
    model, build_part, data, break_lines
):
    broken, whole = build_part(break_lines(data)), build_part(_encode(data))

    assert broken != whole
    assert _build_messages(model, broken) == _build_messages(model, whole)


@BREAKS
def test_a_message_dict_of_the_caller_keeps_its_white_space(break_lines):
    part = _image_url(break_lines(PNG))
    messages = [{"role": "user", "content": [part]}]

    ChatRequest(OPENAI, messages=messages).payload()

    assert part == _image_url(break_lines(PNG))


@BREAKS
@pytest.mark.parametrize(
    ("media_class", "media_type", "data"),
    [
        (Image, "image/png", PNG),
        (Document, "application/pdf", PDF),
        (Audio, "audio/wav", WAV),
    ],
)
def test_a_part_from_a_data_uri_is_sent_without_its_white_space(
    media_class, media_type, data, break_lines
):
    part = media_class.from_url(f"data:{media_type};base64,{break_lines(data)}")

    assert part.data == data
    assert part.data_uri() == f"data:{media_type};base64,{_encode(data)}"


def test_the_header_of_a_data_uri_may_be_broken_into_lines_too():
    uri = f"data:image/\npng;base64,{_encode(PNG)}"

    assert Image.from_url(uri).data == PNG
    (message,) = _build_messages(OPENAI, {"type": "image_url", "image_url": {"url": uri}})
    assert message["content"][1] == _image_url(_encode(PNG))


def test_the_parameters_of_a_data_uri_are_sent():
    uri = f"data:text/plain;charset=utf-8;base64,{_encode(b'Some notes')}"

    (message,) = _build_messages(OPENAI, _file(uri))

    assert message["content"][1] == _file(uri)


def test_white_space_in_a_remote_url_is_sent_as_it_is():
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a b.png"}}

    (message,) = _build_messages(OPENAI, part)

    assert message["content"][1] == part


@pytest.mark.parametrize("data", ["", " ", "\n", "%", "A\nA", "AA=\nA", "aGk\n=\n=x", "é"])
@pytest.mark.parametrize(
    ("build_part", "field"),
    [
        (_image_url, "image_url.url"),
        (_file, "file.file_data"),
        (_file_uri, "file.file_data"),
        (_input_audio, "input_audio.data"),
        (_image, "source.data"),
        (_document, "source.data"),
        (_tool_result, "content[0].source.data"),
    ],
)
@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_empty_or_broken_base64_is_refused_by_its_path(model, build_part, field, data, refusal):
    error = refusal(ChatRequest(model, messages=[{"role": "user", "content": [build_part(data)]}]))

    assert error.field == f"messages[0].content[0].{field}"
    assert "the base64 data is" in str(error)
