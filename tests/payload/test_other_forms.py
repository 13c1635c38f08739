"""Forms that some servers take, beside OpenAI's own: sent as they are in the openai dialect."""

import base64

import pytest

from aimlchat.request import ChatRequest

OPENAI, ANTHROPIC = "gpt-4o", "claude-sonnet-4-5"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 16).decode()
WAV = base64.b64encode(b"RIFF\0\0\0\0WAVEfmt ").decode()
SOUND = {"data": f"data:audio/wav;base64,{WAV}", "format": "wav"}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        {"type": "image_url", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
        {"type": "image", "image": "https://example.com/a.png"},
        {"type": "file", "file": {"file_data": "https://example.com/a.pdf", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": "gs://bucket/a.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "https://e.com/a.mp3", "format": "mp3"}},
        {"type": "input_audio", "input_audio": SOUND},
        {"type": "input_audio", "input_audio": {"url": "https://example.com/a.mp3"}},
        {"type": "audio_url", "audio_url": {"url": "https://example.com/a.mp3"}},
        {"type": "video_url", "video_url": "https://example.com/a.mp4"},
        {"type": "input_text", "text": "Hi"},
    ],
    ids=str,
)
def test_a_part_in_the_form_of_another_server_is_sent_as_it_is(part):
    messages = [{"role": "user", "content": [part]}]
    assert ChatRequest(OPENAI, messages=messages).payload()["messages"] == messages


def test_white_space_is_removed_from_a_data_uri_in_the_plain_form():
    part = {"type": "image_url", "image_url": f"data:image/png;base64,\n{PNG[:8]}\n{PNG[8:]}"}
    (message,) = ChatRequest(OPENAI, messages=[{"role": "user", "content": [part]}]).payload()[
        "messages"
    ]
    assert message["content"][0]["image_url"] == f"data:image/png;base64,{PNG}"


def test_a_data_uri_in_the_plain_form_is_translated_for_the_anthropic_dialect():
    part = {"type": "image_url", "image_url": f"data:image/png;base64,{PNG}"}
    (message,) = ChatRequest(ANTHROPIC, messages=[{"role": "user", "content": [part]}]).payload()[
        "messages"
    ]
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    assert message["content"] == [{"type": "image", "source": source}]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"file_data": "https://example.com/a.pdf"}},
        {"type": "file", "file": {"file_id": "file-1", "file_data": None}},
        {"type": "input_audio", "input_audio": SOUND},
    ],
    ids=str,
)
def test_what_the_anthropic_dialect_lacks_is_refused_there_with_the_way_out(part, refusal):
    error = refusal(ChatRequest(ANTHROPIC, messages=[{"role": "user", "content": [part]}]))
    assert error.field.startswith("messages[0].content[0]")
    assert "give " in str(error)
