"""Nothing that a server sends stays in memory once its stream is forgotten."""

import gc
import json
import tracemalloc
from contextlib import suppress

import pytest

from aimlchat import AIMLChatError, StreamParser
from aimlchat._protocol.api_errors import error_from_response
from aimlchat._protocol.chunks import build_chunk_decoder
from aimlchat._protocol.model_list import parse_models
from aimlchat._protocol.whole import parse_completion

SIZE = 256 * 1024
COUNT = 12


def stream(*chunks):
    parser = StreamParser()
    with suppress(AIMLChatError):
        for chunk in chunks:
            parser.feed(b"data: %s\n\n" % json.dumps(chunk).encode())
        parser.close()
    return parser.partial.raw


def chunk(content="a", finish=None, **keys):
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return {"id": "c", "model": "m", "created": 1, "choices": [choice]} | keys


def call(**keys):
    return chunk() | {"choices": [{"delta": {"tool_calls": [{"index": 0} | keys]}}]}


# What a server may fill with text, in a stream or in a body.
PLACES = {
    "an unknown key": lambda text: stream(
        chunk(**{text: 1}), chunk(**{text: 2}), chunk(finish="stop")
    ),
    "many unknown keys": lambda text: stream(
        *[
            chunk(**{f"{text[:9]}{n}-{i}{text[: SIZE // 100]}": 1 for i in range(10)})
            for n in range(10)
        ]
    ),
    "the model": lambda text: stream(chunk(model=text), chunk(finish="stop")),
    "the model of a body with tags": lambda text: parse_completion(
        json.dumps(
            {"model": text, "choices": [{"message": {"content": "<think>a</think>b"}}]}
        ).encode()
    ),
    "the finish reason": lambda text: stream(chunk(finish=text)),
    "a tool call": lambda text: stream(call(id=text, function={"name": text}, **{text: 1})),
    "an error": lambda text: stream({"error": {"message": text, "code": text, "type": text}}),
    "the field of an error": lambda text: error_from_response(
        422, json.dumps({"detail": [{"loc": [text], "msg": "Field required"}]}).encode(), {}, 0.0
    ),
    "the wait of an error": lambda text: error_from_response(
        429, b"{}", {"retry-after": text, "x-ratelimit-reset": text}, 0.0
    ),
    "a page": lambda text: error_from_response(502, f"<title>{text}".encode(), {}, 0.0),
    "a model": lambda text: parse_models([{"id": text, "type": text, text: text}]),
}


@pytest.mark.parametrize("place", PLACES)
def test_text_of_any_place_is_forgotten(place):
    read = PLACES[place]
    read("warm" + "x" * SIZE)  # fills the caches that have a fixed size
    tracemalloc.start()
    try:
        for number in range(COUNT):
            read(f"{number}" + "x" * SIZE)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < SIZE


def test_the_decoder_for_usual_unknown_keys_is_cached():
    build_chunk_decoder.cache_clear()
    for _ in range(3):
        stream(chunk(service_tier="x"), chunk(obfuscation="x", service_tier="x"))
    assert build_chunk_decoder.cache_info().misses == 3  # without keys, with one, with both


def test_a_long_unknown_key_is_read_in_each_chunk():
    key = "k" * 1000
    raw = stream(chunk(**{key: 1}), chunk(**{key: 2}), chunk(finish="stop"))
    assert raw[key] == 2
