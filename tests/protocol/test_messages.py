"""Responses in Claude's own message format (``/v1/messages``), whole and streamed."""

import json
import pickle

import pytest
from message_events import START, STOP, message_event, message_events

from aimlchat import (
    AnswerDelta,
    ChatRequest,
    Cost,
    ProtocolError,
    ReasoningDelta,
    ServerError,
    StreamInterruptedError,
    StreamParser,
    ToolCallDelta,
)
from aimlchat._protocol.whole import parse_completion

SIGNED = {"type": "thinking", "thinking": "Höhe? \U0001f914", "signature": "c2ln+/=="}
SIGNATURE_ONLY = {"type": "thinking", "thinking": "", "signature": "b25seQ=="}
REDACTED = {"type": "redacted_thinking", "data": "cmVk+/=="}
TEXT = {"type": "text", "text": "Let me look."}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"b": 1, "a": [2.5, None, "ü"]}}
SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}}
UNKNOWN = {"type": "hologram", "data": {"layers": [1, {"z": "q"}]}}
CITED = {
    "type": "text",
    "text": "It rains.",
    "citations": [{"type": "char_location", "cited_text": "rain"}],
}
TURNS = {
    "signed": [SIGNED, TEXT],
    "redacted": [REDACTED, TEXT],
    "signature only": [SIGNATURE_ONLY, CALL],
    "interleaved": [SIGNED, TEXT, SIGNATURE_ONLY, CALL, REDACTED, {**CALL, "id": "toolu_2"}, CITED],
    "unknown": [SIGNED, UNKNOWN, SEARCH, TEXT],
}
each_turn = pytest.mark.parametrize("blocks", TURNS.values(), ids=TURNS)


def read(data, size=None):
    """Parse a stream in pieces of this size; return the completion and the deltas."""
    parser, deltas = StreamParser("claude-sonnet-4.5"), []
    for start in range(0, len(data), size or len(data)):
        deltas += parser.feed(data[start : start + (size or len(data))])
    deltas += parser.close()
    return parser.completion, deltas


def blocks_of(completion):
    return completion.as_message()["content_blocks"]


@each_turn
@pytest.mark.parametrize("size", [1, 3, 50, 211, None])
def test_a_turn_is_equal_after_any_split(blocks, size):
    completion, deltas = read(message_events(blocks), size)
    assert blocks_of(completion) == blocks
    assert (completion, deltas) == read(message_events(blocks))


@each_turn
def test_a_cut_anywhere_changes_nothing(blocks):
    data = message_events(blocks)
    expected = read(data)[0]
    for cut in range(1, len(data), 17):
        parser = StreamParser("claude-sonnet-4.5")
        parser.feed(data[:cut])
        parser.feed(data[cut:])
        parser.close()
        assert parser.completion == expected


@each_turn
def test_a_turn_survives_pickle_and_json(blocks):
    completion = read(message_events(blocks))[0]
    copied = pickle.loads(pickle.dumps(completion))
    assert copied == completion
    assert blocks_of(copied) == blocks
    message = completion.as_message()
    assert json.loads(json.dumps(message)) == message


@each_turn
def test_a_whole_message_keeps_the_same_turn(blocks):
    body = START | {"content": blocks, "stop_reason": "end_turn"}
    completion = parse_completion(json.dumps(body).encode())
    assert completion.choices[0] == read(message_events(blocks))[0].choices[0]
    assert completion.raw == body
    assert completion.is_complete


def test_completions_with_other_signatures_are_not_equal():
    turns = [[SIGNED, TEXT], [SIGNED | {"signature": "x"}, TEXT]]
    first, second = (read(message_events(turn))[0] for turn in turns)
    assert first != second


def test_changing_a_message_does_not_change_the_completion():
    completion = read(message_events([SIGNED, TEXT]))[0]
    completion.as_message()["content_blocks"][0]["signature"] = "x"
    assert blocks_of(completion) == [SIGNED, TEXT]


def test_a_turn_of_text_and_calls_needs_no_blocks():
    message = read(message_events([TEXT, CALL]))[0].as_message()
    arguments = json.dumps(CALL["input"])
    function = {"name": "f", "arguments": arguments}
    assert message == {
        "role": "assistant",
        "content": TEXT["text"],
        "tool_calls": [{"id": "toolu_1", "type": "function", "function": function}],
    }


def test_the_deltas_have_the_kinds_of_the_blocks():
    _, deltas = read(message_events([SIGNED, REDACTED, TEXT, CALL]))
    texts = {
        kind: "".join(delta.text for delta in deltas if isinstance(delta, kind))
        for kind in (ReasoningDelta, AnswerDelta, ToolCallDelta)
    }
    assert texts[ReasoningDelta] == SIGNED["thinking"]
    assert texts[AnswerDelta] == TEXT["text"]
    assert json.loads(texts[ToolCallDelta]) == CALL["input"]
    announced = next(delta for delta in deltas if isinstance(delta, ToolCallDelta))
    assert announced == ToolCallDelta("", 0, 0, "toolu_1", "f")
    assert all(delta.text for delta in deltas if delta is not announced)


def test_the_prompt_includes_what_the_cache_read_and_wrote():
    completion, _ = read(message_events([TEXT]))
    usage = completion.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (1320, 40, 1360)
    assert (usage.cached_tokens, usage.cache_write_tokens) == (1000, 300)
    assert usage.raw["input_tokens"] == 20


def test_the_fields_of_the_message_are_those_of_the_completion():
    meta = {"usage": {"credits_used": 2000, "usd_spent": 0.001}}
    completion, _ = read(message_events([TEXT], stop="stop_sequence", end=STOP | {"meta": meta}))
    assert (completion.id, completion.model) == ("msg_1", "claude-sonnet-4-5")
    assert completion.cost == Cost(0.001, 2000)
    assert (completion.finish_reason, completion.native_finish_reason) == ("stop", "stop_sequence")
    assert completion.raw["type"] == "message_stop"


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
    ],
)
def test_a_stop_reason_is_normalized(stop, reason):
    assert read(message_events([TEXT], stop=stop))[0].finish_reason == reason


def test_a_stream_without_message_stop_is_cut():
    data = message_events([SIGNED, TEXT])
    parser = StreamParser()
    parser.feed(data[: data.index(b"event: message_stop")])
    assert parser.finished_choices == 0
    with pytest.raises(StreamInterruptedError, match="message_stop") as caught:
        parser.close()
    partial = caught.value.partial
    assert partial.text == TEXT["text"]
    assert partial.finish_reason == "stop"
    assert not partial.is_complete


def test_every_cut_before_the_end_is_a_fault():
    data = message_events([SIGNED, CALL])
    for cut in range(0, len(data) - 2, 5):
        parser = StreamParser()
        parser.feed(data[:cut])
        parser.end()
        assert isinstance(parser.fault, StreamInterruptedError)
        assert not any(call.complete for call in parser.partial.tool_calls)


def test_a_stream_is_done_at_message_stop():
    parser = StreamParser()
    parser.feed(message_events([TEXT]))
    assert parser.done
    assert parser.feed(message_events([TEXT])) == []
    assert parser.close() == []
    assert parser.completion.text == TEXT["text"]


def test_done_is_no_end_of_a_message():
    parser = StreamParser()
    parser.feed(message_events([TEXT]).split(b"event: message_stop")[0] + b"data: [DONE]\n\n")
    with pytest.raises(StreamInterruptedError):
        parser.close()


@pytest.mark.parametrize("blocks", [[TEXT, SIGNED], [SIGNED, SEARCH, TEXT]])
def test_only_the_text_of_a_turn_that_was_cut_off_is_sent_back(blocks):
    data = message_events(blocks)
    parser = StreamParser()
    parser.feed(data[: data.rindex(b"content_block_stop")])
    assert parser.partial.reasoning
    assert parser.partial.as_message() == {
        "role": "assistant",
        "content": TEXT["text"],
        "reasoning_content": parser.partial.reasoning,
    }


def test_an_error_event_is_the_error_that_it_stands_for():
    data = message_events([TEXT]).split(b"event: message_delta")[0]
    error = {"type": "overloaded_error", "message": "Overloaded"}
    parser = StreamParser()
    parser.feed(data + message_event({"type": "error", "error": error}))
    with pytest.raises(ServerError, match="Overloaded") as caught:
        parser.close()
    assert caught.value.status == 529
    assert caught.value.partial.text == TEXT["text"]


def test_an_error_after_the_stop_reason_is_raised_too():
    data = message_events([TEXT]).split(b"event: message_stop")[0]
    parser = StreamParser()
    parser.feed(data + message_event({"type": "error", "error": {"message": "No."}}))
    with pytest.raises(ServerError):
        parser.close()


def test_unknown_events_are_passed_over():
    unknown = message_event({"type": "weather_report", "index": 0, "sky": "blue"})
    events = message_events([SIGNED, TEXT]).split(b"event: ")
    data = unknown.join(b"event: " + event for event in events[1:])
    assert blocks_of(read(data)[0]) == [SIGNED, TEXT]


def test_an_event_that_is_no_json_is_a_fault():
    parser = StreamParser()
    parser.feed(message_events([TEXT]).split(b"event: message_delta")[0] + b"data: {no\n\n")
    with pytest.raises(ProtocolError):
        parser.close()


def test_unknown_deltas_are_kept_in_their_block():
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "compaction"}}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "c_delta", "content": text}}
        for text in ("Earl", "ier")
    ]
    stop = {"type": "content_block_stop", "index": 0}
    events = message_events([]).split(b"event: message_delta")
    data = events[0] + b"".join(map(message_event, [start, *deltas, stop]))
    completion, _ = read(data + b"event: message_delta" + events[1])
    assert blocks_of(completion) == [{"type": "compaction", "content": "Earlier"}]


def test_the_input_of_a_call_may_come_with_its_beginning():
    start = {"type": "content_block_start", "index": 0, "content_block": CALL}
    stop = {"type": "content_block_stop", "index": 0}
    events = message_events([], stop="tool_use").split(b"event: message_delta")
    data = events[0] + message_event(start) + message_event(stop)
    completion, deltas = read(data + b"event: message_delta" + events[1])
    assert completion.tool_calls[0].arguments == CALL["input"]
    assert "".join(delta.text for delta in deltas) == completion.tool_calls[0].raw_arguments


def test_a_call_that_was_stopped_is_not_usable():
    call = CALL | {"input": {}}
    data = message_events([call], stop="max_tokens")
    with pytest.raises(ProtocolError, match="cut off"):
        _ = read(data)[0].tool_calls[0].arguments


def test_the_end_of_nothing_is_no_answer():
    parser = StreamParser()
    parser.feed(message_event(STOP))
    with pytest.raises(StreamInterruptedError):
        parser.close()


@pytest.mark.parametrize("is_stream", [True, False])
def test_half_of_a_character_does_not_keep_a_turn_from_going_back(is_stream):
    cited = {"type": "x", "cited_text": "HALF", "more": [{"HALF": "a"}]}
    blocks = [{**SIGNED, "thinking": "HALF"}, {"type": "text", "text": "HALF"}, cited]
    body = json.dumps(START | {"content": blocks, "stop_reason": "end_turn"}).encode()
    data = message_events(blocks) if is_stream else body
    data = data.replace(b'"HA"', b'"\\ud83d"').replace(b'"LF"', b'""')
    completion = read(data.replace(b"HALF", b"\\ud83d"))[0]
    ChatRequest("claude-sonnet-4.5").user("Hi").assistant(completion).user("And?").payload()
    assert completion.text == "\ufffd"


def test_halves_of_a_character_in_two_deltas_are_joined():
    data = message_events([TEXT | {"text": "ab"}]).replace(b'"text": "ab"', b'"text": "a\\ud83d"')
    second = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}}
    second["delta"]["text"] = "X"
    piece = message_event(second).replace(b'"X"', b'"\\ude00b"')
    before, after = data.split(b"event: content_block_stop")
    completion, deltas = read(before + piece + b"event: content_block_stop" + after)
    assert completion.text == "a\U0001f600b" == "".join(delta.text for delta in deltas)


def test_what_is_kept_is_limited():
    parser = StreamParser(max_answer_bytes=10_000)
    block = SIGNED | {"signature": "s" * 20_000}
    parser.feed(message_events([block]))
    with pytest.raises(ProtocolError, match="exceeds"):
        parser.close()


def test_a_whole_message_in_place_of_a_stream_is_obeyed():
    body = START | {"content": [SIGNED, TEXT], "stop_reason": "end_turn"}
    completion, deltas = read(json.dumps(body).encode(), 5)
    assert blocks_of(completion) == [SIGNED, TEXT]
    assert deltas == [ReasoningDelta(SIGNED["thinking"]), AnswerDelta(TEXT["text"])]


def test_a_message_without_content_is_an_empty_answer():
    body = START | {"stop_reason": "end_turn"}
    assert parse_completion(json.dumps(body).encode()).text == ""


def test_nothing_is_nested_deeper_than_other_values():
    deep = "[" * 90 + "]" * 90
    body = START | {
        "content": [{"type": "text", "text": "a"}, {"type": "x", "v": json.loads(deep)}]
    }
    kept = repr(blocks_of(parse_completion(json.dumps(body).encode())))
    assert kept.count("[") < 70
