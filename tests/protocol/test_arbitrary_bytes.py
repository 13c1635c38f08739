"""Whatever the bytes, the parser returns deltas or raises an error of the exception tree."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from soak import examples

from aimlchat import AIMLChatError, StreamParser, ToolCallDelta


def choice(delta, **keys):
    return json.dumps({"choices": [{"index": 0, "delta": delta} | keys]}).encode()


def event(data):
    return b"data: " + data + b"\n\n"


def nested(depth, around=b"null"):
    return b'{"x":' * depth + around + b"}" * depth


# The parts that a stream is built from: valid ones, and odd ones from nearly valid to junk.
VALID = [
    event(choice({"role": "assistant", "content": ""})),
    event(choice({"content": "One "})),
    event(choice({"content": "<think>a"})),
    event(choice({"content": " </thi"})),
    event(choice({"content": "nk> \n"})),
    event(choice({"reasoning_content": "Hm."})),
    event(choice({"refusal": "No."})),
    event(choice({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f"}}]})),
    event(choice({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]})),
    event(choice({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]})),
    event(choice({"content": "x"}, index=1)),
    event(choice({}, finish_reason="stop")),
    event(choice({}, index=1, finish_reason="length")),
    event(b'{"choices":[],"usage":{"total_tokens":3}}'),
    event(b'{"id":"i","model":"qwen3","meta":{"usage":{"credits_used":2}},"tier":"x"}'),
    event(
        b'{"event":{"choices":[{"delta":{"content":"e"}}]},"state":{"usage":{"input_tokens":1}}}'
    ),
    event(choice({"content": "y"}, finish_reason="stop")),
    event(choice({}, finish_reason="null")),
    event(choice({}, finish_reason="error", error={"code": 502})),
    event(b'{"choices":[{"index":0,"message":{"content":"One two "}}]}'),
    event(b'{"choices":[{"index":0,"text":"t"}]}'),
    event(b"[DONE]"),
    event(b'{"error":{"message":"Overloaded","type":"overloaded_error"}}'),
    b'{"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]}',
]
ODD = [
    event(b'{"choices":[{"delta":{"content":"\\ud83e"}}]}'),  # the two surrogates of an owl
    event(b'{"choices":[{"delta":{"content":"\\udd89"}}]}'),
    event(b'{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"\\ud83e"}}]}}]}'),
    event(b'{"id":"\\udfff","model":"\\ud800","choices":[{"delta":{"reasoning":"\\ud800"}}]}'),
    event(b'{"choices":[{"delta":{"content":"\xff\xc3"}}]}'),  # broken UTF-8
    event(b'{"choices":[{"delta":{"content":"\xed\xa0\x80"}}]}'),
    event(b'{"choices":[{"delta":{"content":"\0\x01\x1b\x7f\t"}}]}'),
    event(b'{"choices":[{"index":1e400,"delta":{"content":7}}],"created":1e999}'),
    event(b'{"choices":[{"index":"' + b"9" * 5000 + b'","delta":[]}]}'),
    event(b'{"choices":{"0":null},"usage":[],"id":7,"' + b"k" * 99 + b'":1}'),
    event(b'{"\\ud800":1,"choices":[null,[],{"delta":{"content":["a",{"type":"text"}]}}]}'),
    *(event(nested(depth)) for depth in (60, 70, 900, 990, 1000, 20_000)),
    event(b"[" * 50_000),
    event(b'{"error":' + nested(3000) + b"}"),
    event(b'{"choices":[{"delta":{"content":' + nested(2000) + b"}}]}"),
    b'error: {"code":500,"message":"slot unavailable"}\n\n',
    b"error: busy\n",
    b"event: error\n",
    b"event: error\n: ping\nid: 1\nevent: chunk\n",
    b'{"error":{"message":"bare","code":429}}\n',
    b'{\n "error": {\n  "message": "several lines"\n }\n}\n',
    choice({"content": "line "}) + b"\n",
    choice({}, finish_reason="stop") + b"\n",
    b"[DONE]\n",
    b"Internal Server Error\n",
    event(b'[{"error":{"code":503}}]'),
    event(b'{"choices":[{"index":0,"content":"unread"}]}'),
    event(b'{"choices":[{"index":3,"delta":{"content":"counted"}}]}'),
    event(b"null"),
    event(b"<html>"),
    event(b"junk"),
    event(b""),
    b"<!doctype html><title>502</title>",
    b"\xef\xbb\xbf",
    b"\xef\xbb",
    b": ping\n\n",
    b":",
    b"event: x\nid: 1\nretry: 5\n",
    b"data",
    b"data:",
    b"data: ",
    b'data: {"choices":\ndata: []}\n\n',
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b" ",
    b"\0",
    b"{",
    b"[",
    b"}",
    b'"',
]
PARTS = st.sampled_from(VALID) | st.sampled_from(ODD) | st.binary(max_size=12)
BODIES = st.lists(PARTS, max_size=10).map(b"".join)
LINE_ENDS = st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])
MODELS = st.sampled_from(["", "openai/gpt-4o", "qwen3-32b"])
POSITIONS = st.lists(st.integers(0, 2000), max_size=8)


def cut(body, positions):
    ends = sorted({position % (len(body) + 1) for position in positions} | {0, len(body)})
    return [body[a:b] for a, b in itertools.pairwise(ends)]


def read(pieces, model):
    """Parse as a caller does; return the deltas, the completion and the error."""
    parser = StreamParser(model)
    deltas, error = [], None
    feeds = [lambda piece=piece: parser.feed(piece) for piece in pieces]
    # The second `close` raises the fault that the first one found behind buffered text.
    for call in (*feeds, parser.close, parser.close):
        try:
            deltas += call()
        except AIMLChatError as raised:
            error = raised
            break
    partial = parser.partial
    assert repr(partial)
    if error is None:
        assert parser.completion == partial
        return deltas, partial, None
    assert error.partial == partial
    with pytest.raises(type(error)):
        _ = parser.completion
    for again in (parser.close, lambda: parser.feed(b"data: {}\n\n")):
        with pytest.raises(type(error)):
            again()
    assert parser.partial == partial
    return deltas, None, error


def summarize(reading):
    """Return what has to be the same for any split of the same bytes."""
    deltas, completion, error = reading
    texts, names = {}, {}
    for delta in deltas:
        key = type(delta), delta.choice, getattr(delta, "index", None)
        texts[key] = texts.get(key, "") + delta.text
        if isinstance(delta, ToolCallDelta):
            names[key] = delta.id, delta.name
    result = error.partial if completion is None else completion
    # As text, since NaN is not equal to itself.
    return texts, names, type(error), str(error), repr(result), repr(result.raw)


def check_splits(body, positions, model=""):
    whole = summarize(read([body], model))
    assert summarize(read(cut(body, positions), model)) == whole
    if len(body) < 3000:
        assert summarize(read([body[i : i + 1] for i in range(len(body))], model)) == whole


class TestAnySplit:
    """Any split of the same bytes gives the same text and the same end."""

    @given(body=st.binary(max_size=300), positions=POSITIONS, model=MODELS)
    @examples(300)
    def test_of_arbitrary_bytes(self, body, positions, model):
        check_splits(body, positions, model)

    @given(body=BODIES, line_end=LINE_ENDS, positions=POSITIONS, model=MODELS)
    @examples(500)
    def test_of_valid_and_odd_parts(self, body, line_end, positions, model):
        check_splits(body.replace(b"\n", line_end), positions, model)

    @given(parts=st.lists(st.sampled_from(VALID), min_size=1, max_size=12), positions=POSITIONS)
    @examples(200)
    def test_of_valid_events_in_any_order(self, parts, positions):
        check_splits(b"".join(parts), positions, "")

    @given(
        text=st.text(
            st.characters(codec=None) | st.sampled_from("<>/think \n\ud83e\udd89"), max_size=40
        ),
        positions=POSITIONS,
        cuts=POSITIONS,
        model=MODELS,
    )
    @examples(200)
    def test_of_any_text_in_any_number_of_deltas(self, text, positions, cuts, model):
        events = [event(choice({"content": piece})) for piece in cut(text, cuts)]
        check_splits(b"".join(events), positions, model)

    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["unmarked", "marked"])
    @pytest.mark.parametrize("before", [b"", b"\n", b" "], ids=repr)
    @pytest.mark.parametrize("space", [b"", b"\n", b"\r\n", b" ", b" \n"], ids=repr)
    def test_of_a_stream_behind_a_byte_order_mark_and_white_space(self, before, mark, space):
        body = before + mark + space + VALID[1] + b"data: [DONE]\n\n"
        for position in range(len(before + mark + space) + 9):
            check_splits(body, [position])

    @pytest.mark.parametrize(
        "before", [b"", b"\n \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"], ids=repr
    )
    @pytest.mark.parametrize(
        "body", [b"<!doctype html><title>502 Bad Gateway</title>", VALID[-1], b"{}", b"{", b"[]"]
    )
    def test_of_a_body_that_is_not_a_stream(self, before, body):
        body = before + body
        for position in range(len(body)):
            check_splits(body, [position])


@pytest.mark.parametrize("part", [*VALID, *ODD], ids=lambda part: repr(part[:40]))
class TestEveryPart:
    """Each part alone, behind a valid event, and behind the finish reason."""

    @pytest.mark.parametrize("before", [b"", VALID[1], VALID[1] + VALID[11]], ids=len)
    def test_a_part_is_read_or_raises_an_error_of_the_tree(self, part, before):
        check_splits(before + part, [len(before + part) // 2])

    def test_a_part_behind_the_finish_reason_undoes_nothing(self, part):
        _, completion, error = read([VALID[1] + VALID[11] + b"\n\n" + part], "openai/gpt-4o")
        if error is None:
            assert completion.text.startswith("One ")
        else:  # the part begins another choice
            assert len(error.partial.choices) > 1
