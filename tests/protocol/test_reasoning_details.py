"""The ``reasoning_details`` of a message, which go back to the model as they came."""

import json

from aimlchat._protocol.whole import parse_completion

ENCRYPTED = {"type": "reasoning.encrypted", "data": "cmVk", "id": "r1", "format": "x", "index": 1}
TEXT = {"type": "reasoning.text", "text": "Hm, so.", "signature": "s", "index": 0}


def details_of(completion):
    return completion.as_message()["reasoning_details"]


def test_those_of_a_whole_completion_are_kept_as_they_came():
    details = [TEXT, ENCRYPTED, ENCRYPTED, {"type": "reasoning.summary", "summary": "a"}]
    message = {"role": "assistant", "content": "Yes.", "reasoning_details": details}
    body = {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    completion = parse_completion(json.dumps(body).encode())
    assert details_of(completion) == details
    assert completion.reasoning == "Hm, so.a"


def test_the_pieces_of_a_stream_are_joined(read, chunk):
    pieces = [
        {"type": "reasoning.text", "text": "Hm,", "index": 0},
        {"type": "reasoning.text", "text": " so.", "index": 0, "signature": None},
        {"type": "reasoning.text", "signature": "s", "index": 0},
        ENCRYPTED,
    ]
    chunks = [chunk({"reasoning_details": [piece]}) for piece in pieces]
    completion = read(*chunks, chunk({"content": "Yes."}, finish="stop")).completion
    assert details_of(completion) == [TEXT, ENCRYPTED]
    assert completion.reasoning == "Hm, so."


def test_pieces_with_another_index_are_details_of_their_own(read, chunk):
    pieces = [
        {"type": "reasoning.text", "text": text, "index": index} for index, text in enumerate("ab")
    ]
    completion = read(chunk({"reasoning_details": pieces}), chunk({"content": "c"}, finish="stop"))
    assert details_of(completion.completion) == pieces


def test_a_completion_without_details_has_none_in_its_message(read, chunk):
    message = read(chunk({"content": "Yes."}, finish="stop")).completion.as_message()
    assert message == {"role": "assistant", "content": "Yes."}
