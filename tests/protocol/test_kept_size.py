"""The limit of a stream: what is kept of it counts, and the JSON around that does not."""

import json

import pytest

from aimlchat import ProtocolError, StreamParser
from aimlchat._protocol import kept_size, tool_calls
from aimlchat._protocol.kept_size import TextPieces, measure_json

LIMIT = 2000
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def event(delta=None, *, top=None, **choice):
    chunk = {"choices": [{"index": 0, "delta": delta or {}} | choice]} | (top or {})
    return b"data: %s\n\n" % json.dumps(chunk).encode()


def call(text, **keys):
    function = {"name": "f", "arguments": text}
    return {"tool_calls": [{"index": 0, "id": "c", "function": function} | keys]}


def read(data, *, size=100, limit=LIMIT, model="gpt-4o"):
    """Return a parser that has read this in pieces of a size, up to a fault or the end."""
    parser = StreamParser(model, max_answer_bytes=limit)
    for start in range(0, len(data), size):
        if parser.fault is None:
            parser.feed(data[start : start + size])
    parser.end()
    return parser


X = "x" * 100
KEPT = {
    "answer": event({"content": X}),
    "reasoning": event({"reasoning_content": X}),
    "reasoning in details": event({"reasoning_details": [{"type": "reasoning.text", "text": X}]}),
    "refusal": event({"refusal": X}),
    "arguments": event(call(X)),
    "input of a custom tool": event(
        {"tool_calls": [{"index": 0, "type": "custom", "custom": {"name": "f", "input": X}}]}
    ),
    "unknown keys of a tool call": event(call("", extra_content={"signature": X})),
    "audio data": event({"audio": {"data": X}}),
    "transcripts": event({"audio": {"transcript": X}}),
    "annotations": event({"annotations": [{"url": X}]}),
    "images": event({"images": [{"url": X}]}),
    "log probabilities": event(logprobs={"content": [{"token": X}]}),
    "text of two bytes a character": event({"content": "é" * 50}),
    "white space that may have to be dropped": event({"content": " " * 100}),
}


@pytest.mark.parametrize("piece", KEPT.values(), ids=KEPT)
def test_all_that_is_kept_counts(piece):
    model = "qwen3" if b"    " in piece else "gpt-4o"
    assert read(piece * 14 + STOP, model=model).fault is None

    parser = read(piece * 25 + STOP, model=model)
    assert type(parser.fault) is ProtocolError
    assert "2,000 bytes" in str(parser.fault)
    assert "Limits(max_answer_bytes=...)" in str(parser.fault)


NOT_KEPT = {
    "comments": b": ping\n\n" * 10,
    "framing": event({}, top={"id": X, "model": X, "object": X}),
    "usage": event(top={"usage": {"prompt_tokens": 1, "details": X}}),
    "unknown keys": event(top={"obfuscation": X}),
    "unknown keys of a choice": event(odd=X),
    "ids of calls": event(call("")),
    "an audio id": event({"audio": {"id": X}}),
}


@pytest.mark.parametrize("piece", NOT_KEPT.values(), ids=NOT_KEPT)
def test_nothing_else_counts(piece):
    parser = read(event({"content": "x" * 1500}) + piece * 500 + STOP)
    assert parser.fault is None
    assert len(parser.completion.text) == 1500


@pytest.mark.parametrize("limit", [1, 10, 1000, 2000, 100_000])
def test_the_limit_is_exact_at_the_end(limit):
    pieces = [event({"content": "x" * min(100, limit - at)}) for at in range(0, limit, 100)]
    assert read(b"".join(pieces) + STOP, limit=limit).fault is None
    parser = read(b"".join(pieces) + event({"content": "x"}) + STOP, limit=limit)
    assert "bytes" in str(parser.fault)
    assert parser.partial.text == "x" * (limit + 1)


@pytest.mark.parametrize("limit", [0, None])
def test_there_may_be_no_limit(limit):
    assert read(event({"content": X}) * 100 + STOP, limit=limit).fault is None


@pytest.mark.parametrize("is_plain", [True, False])
def test_every_split_gives_the_same_text_and_the_same_fault(is_plain):
    top = {"id": "c", "model": "m"} if is_plain else {}
    data = event({"content": X}, top=top) * 60 + STOP
    sizes = [1, 7, len(event({"content": X}, top=top)), 500, 4000, len(data)]
    parsers = [read(data, size=size) for size in sizes]
    assert len({parser.partial.text for parser in parsers}) == 1
    assert len({str(parser.fault) for parser in parsers}) == 1
    assert LIMIT < len(parsers[0].partial.text) < 2 * LIMIT


def test_text_that_never_ends_after_the_finish_reason_is_limited_too():
    parser = read(event({"content": "x"}, finish_reason="stop") + event({"content": X}) * 100)
    assert "2,000 bytes" in str(parser.fault)


def test_a_body_that_is_not_a_stream_is_limited_by_its_bytes():
    body = json.dumps({"choices": [{"message": {"content": "x"}}], "odd": "x" * 3000}).encode()
    assert read(body, limit=len(body)).fault is None
    assert "the response body exceeds" in str(read(body, limit=len(body) - 1).fault)


# --- what has no text of its own ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda n: b'data: {"choices":[%s{}]}\n\n' % (b"{}," * n), "choices"),
        (lambda n: b"".join(event({}, index=i) for i in range(n + 1)), "choices"),
        (lambda n: event({"tool_calls": [{"id": str(i)} for i in range(n + 1)]}), "tool calls"),
    ],
)
def test_choices_and_tool_calls_are_limited_in_number(make, what, monkeypatch):
    monkeypatch.setattr(kept_size, "MAX_PARTS", 100)
    assert "100" not in str(read(make(99), limit=None).fault)
    parser = read(make(100), limit=None)
    assert str(parser.fault) == f"the response has more than 100 {what}"
    assert type(parser.fault) is ProtocolError
    with pytest.raises(ProtocolError, match=what):
        parser.feed(b"")


def test_the_unknown_keys_of_a_stream_are_limited_in_number_and_size():
    parser = StreamParser()
    for start in range(0, 3000, 100):
        parser.feed(event(top={f"k{i}": i for i in range(start, start + 100)}))
    parser.feed(event(top={"k0": "latest"}))
    raw = parser.partial.raw
    assert len(raw) <= 1002
    assert raw["k0"] == "latest"

    parser = StreamParser()
    large = event(top={"k": "x" * 2**20})
    for index in range(24):
        if parser.fault is None:
            parser.feed(large.replace(b'"k"', b'"k%d"' % index))
    assert "unknown keys of the stream exceed 16,777,216 bytes" in str(parser.fault)


def test_a_call_whose_index_or_id_changes_all_the_time_takes_a_limited_memory(monkeypatch):
    monkeypatch.setattr(tool_calls, "MAX_PARTS", 100)
    parser = StreamParser()
    parser.feed(event(call("")))
    calls = parser._content._choices[0].tool_calls
    for index in range(200):
        for fragment in ({"index": index}, {"index": 0, "id": f"c{index}"}):
            parser.feed(event({"tool_calls": [fragment | {"function": {"arguments": " "}}]}))
    assert len(calls._calls) == 1
    assert len(calls._by_id) == len(calls._by_wire_index) == 100


# --- pieces ---------------------------------------------------------------------------------------


def test_pieces_are_joined_when_they_are_measured():
    pieces = TextPieces()
    for text in ("a", "é", "\U0001f600", ""):
        pieces.append(text)
    assert pieces.measure() == 7
    assert list(pieces) == ["aé\U0001f600"]
    pieces += ["b", "c"]
    assert pieces.measure() == pieces.measure() == 9
    assert list(pieces) == ["aé\U0001f600", "bc"]
    assert len(pieces) + pieces.joined == 6


def test_joined_pieces_change_nothing():
    pieces = ['{"a": "', *["x"] * 3000, '"}', "{}", '{"a": "' + "x" * 3000 + '"}']
    data = b"".join(event(call(piece)) for piece in pieces) + event(call('{"b": 1}', id="d"))
    data += event({"content": "end"}) * 3000 + STOP
    often, never = read(data, limit=20_000), read(data, limit=None)
    assert often.completion == never.completion
    assert [len(call.raw_arguments) for call in often.completion.tool_calls] == [3009, 8]
    assert len(often._content._choices[0].tool_calls._calls[0].arguments) < 1000


@pytest.mark.parametrize(
    ("value", "size"),
    [("abc", 5), ([1, 2], 32), ({}, 32), ([{}] * 10, 32 * 11), ("x" * 100, 102)],
)
def test_a_json_value_counts_as_json_but_its_containers_as_more(value, size):
    assert measure_json(value) == size


@pytest.mark.parametrize("value", ["\ud83e" * 100, {"a": ["\ud83e" * 100]}], ids=ascii)
def test_a_lone_surrogate_can_be_measured(value):
    assert measure_json(value) >= 100


def test_a_value_that_is_nested_deep_can_be_measured():
    value = "x" * 1000
    for _ in range(50_000):
        value = [value]
    assert measure_json(value) > 50_000
