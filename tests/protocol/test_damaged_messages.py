"""Streams in Claude's own message format from which events are missing, or with foreign ones."""

import json

import pytest
from message_events import START, STOP, message_event

from aimlchat import AnswerDelta, ChatRequest, ProtocolError, StreamParser, Tool
from aimlchat._protocol.whole import parse_completion

BEGIN = {"type": "message_start", "message": START}
CALL = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
CHUNK = {"type": "x", "id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "a"}}]}
END = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}


def begin(block, index=0):
    return {"type": "content_block_start", "index": index, "content_block": block}


def piece(text, index=0):
    delta = {"type": "input_json_delta", "partial_json": text}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def read(*events):
    """Parse the events; return the completion and the deltas."""
    parser = StreamParser("claude-sonnet-4.5")
    deltas = parser.feed(b"".join(map(message_event, events)))
    deltas += parser.close()
    deltas += parser.close()  # which raises a fault behind the last deltas
    return parser.completion, deltas


@pytest.mark.parametrize("before", [[], [begin({"type": "text", "text": "Hi"})]])
def test_a_chunk_with_choices_is_a_fault_in_the_middle_of_a_message(before):
    with pytest.raises(ProtocolError, match="a chunk with choices came in the middle"):
        read(BEGIN, *before, CHUNK, END, STOP)


def test_input_without_the_beginning_of_its_call_is_a_fault():
    with pytest.raises(ProtocolError, match="came without its beginning"):
        read(BEGIN, piece("{}"), END, STOP)


def test_a_call_whose_block_has_no_end_keeps_its_input():
    completion, deltas = read(BEGIN, begin(CALL | {"input": {"a": 1}}), END, STOP)

    assert completion.tool_calls[0].arguments == {"a": 1}
    assert "".join(delta.text for delta in deltas) == '{"a": 1}'


@pytest.mark.parametrize("block", [{}, {"type": None}, {"type": 5, "name": "f"}])
def test_the_deltas_tell_the_type_of_a_block_that_has_none(block):
    delta = {"type": "text_delta", "text": "Hi"}
    event = {"type": "content_block_delta", "index": 0, "delta": delta}
    completion, deltas = read(BEGIN, begin(block), event, END, STOP)

    assert completion.text == "Hi"
    assert deltas == [AnswerDelta("Hi")]


def test_a_turn_goes_back_without_blocks_that_have_no_type():
    content = [{"text": "Hi"}, {"data": "x"}, 5, {"type": "redacted_thinking", "data": "d"}, CALL]
    body = {"type": "message", "role": "assistant", "content": content, "stop_reason": "tool_use"}
    completion = parse_completion(json.dumps(body).encode(), "claude-sonnet-4.5")

    text = {"type": "text", "text": "Hi"}
    assert completion.text == "Hi"
    assert completion.as_message()["content_blocks"] == [text, *content[3:]]
    ChatRequest("claude-sonnet-4-5", tools=[Tool("f")]).user("?").assistant(completion).payload()
