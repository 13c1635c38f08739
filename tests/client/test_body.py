"""The body of a request is its payload as JSON, however large the files in it."""

import os

import msgspec
import pytest

from aimlchat import Audio, ChatRequest, Document, Image
from aimlchat._client.body import encode_request

PNG = b"\x89PNG\r\n\x1a\n"
CLAUDE = "anthropic/claude-opus-4"


def image(size):
    return Image.from_bytes(PNG + os.urandom(size))


def encoded_body(request):
    _, body = encode_request(request, stream=False)
    data = b"".join(body.pieces())
    assert len(data) == len(body)
    return data


@pytest.mark.parametrize("model", ["gpt-4o", CLAUDE])
@pytest.mark.parametrize("size", [10, 500_000, 500_001, 500_002, 1_500_000])
def test_a_large_image_is_encoded_like_the_payload(model, size):
    request = ChatRequest(model).user("What is this?", image(size), "And why?")

    assert encoded_body(request) == msgspec.json.encode(request.payload())


def test_several_files_keep_their_order():
    pdf = Document.from_bytes(b"%PDF-1.7\n" + os.urandom(600_000))
    wav = Audio.from_bytes(b"RIFF\x00\x00\x00\x00WAVE" + os.urandom(600_000))
    request = (
        ChatRequest("gpt-4o")
        .user("One", image(700_000), image(10), pdf)
        .assistant("Well.")
        .user(wav, "Two", image(800_000))
    )

    assert encoded_body(request) == msgspec.json.encode(request.payload())


def test_a_file_that_occurs_twice_is_sent_twice():
    one = image(500_000)
    request = ChatRequest("gpt-4o").user(one, one)

    assert encoded_body(request) == msgspec.json.encode(request.payload())


def test_a_large_image_in_a_tool_result_is_sent():
    request = (
        ChatRequest(CLAUDE)
        .user("Look.")
        .tool_result("call-1", [image(500_000)])
        .user("And this?", image(600_000))
    )

    assert encoded_body(request) == msgspec.json.encode(request.payload())


def test_a_large_text_document_is_encoded_like_the_payload():
    request = ChatRequest(CLAUDE).user(Document.from_bytes(b"words " * 100_000), "Sum it up.")

    assert encoded_body(request) == msgspec.json.encode(request.payload())


def test_no_piece_of_a_large_body_is_large():
    _, body = encode_request(ChatRequest("gpt-4o").user(image(5_000_000)), stream=True)

    assert body.is_large
    assert max(map(len, body.pieces())) <= 400_000
    assert len(body.texts) == 2


def test_a_small_body_is_one_piece():
    _, body = encode_request(ChatRequest("gpt-4o").user("Hi"), stream=False)

    assert not body.is_large
    assert body.whole() == msgspec.json.encode(ChatRequest("gpt-4o").user("Hi").payload())
