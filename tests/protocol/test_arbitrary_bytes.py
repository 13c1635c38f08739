"""Whatever the bytes, the parser returns, or raises what is in the tree; and takes linear time."""

import cProfile
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimlchat import AIMLChatError, StreamParser, ToolCallDelta


def choice(delta, **keys):
    return json.dumps({"choices": [{"index": 0, "delta": delta} | keys]}).encode()


def event(data):
    return b"data: " + data + b"\n\n"


def nested(depth, around=b"null"):
    return b'{"x":' * depth + around + b"}" * depth


# What a stream may be made of: what is right, what is nearly right, and what is not at all.
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
    event(b"[DONE]"),
    event(b'{"error":{"message":"Overloaded","type":"overloaded_error"}}'),
    b'{"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]}',
]
ODD = [
    event(b'{"choices":[{"delta":{"content":"\\ud83e"}}]}'),  # halves of an owl
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
PLACES = st.lists(st.integers(0, 2000), max_size=8)


def pieces_of(body, places):
    ends = sorted({place % (len(body) + 1) for place in places} | {0, len(body)})
    return [body[a:b] for a, b in itertools.pairwise(ends)]


def read(pieces, model):
    """Read as a caller does: return the deltas, the completion and the error."""
    parser = StreamParser(model)
    deltas, error = [], None
    for call in (*(lambda piece=piece: parser.feed(piece) for piece in pieces), parser.close):
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


def told(reading):
    """What has to be the same for any split of the same bytes."""
    deltas, completion, error = reading
    texts, names = {}, {}
    for delta in deltas:
        place = type(delta), delta.choice, getattr(delta, "index", None)
        texts[place] = texts.get(place, "") + delta.text
        if isinstance(delta, ToolCallDelta):
            names[place] = delta.id, delta.name
    result = error.partial if completion is None else completion
    # As text, since what is not a number is never equal to itself.
    return texts, names, type(error), str(error), repr(result), repr(result.raw)


# --- it returns or raises what is in the tree ----------------------------------------------------


def check_splits(body, places, model=""):
    whole = told(read([body], model))
    assert told(read(pieces_of(body, places), model)) == whole
    if len(body) < 3000:
        assert told(read([body[i : i + 1] for i in range(len(body))], model)) == whole


class TestAnySplit:
    """Of the same bytes any split gives the same text and the same end."""

    @given(body=st.binary(max_size=300), places=PLACES, model=MODELS)
    @settings(max_examples=300, deadline=None)
    def test_of_arbitrary_bytes(self, body, places, model):
        check_splits(body, places, model)

    @given(body=BODIES, line_end=LINE_ENDS, places=PLACES, model=MODELS)
    @settings(max_examples=500, deadline=None)
    def test_of_what_is_right_and_what_is_not(self, body, line_end, places, model):
        check_splits(body.replace(b"\n", line_end), places, model)

    @given(parts=st.lists(st.sampled_from(VALID), min_size=1, max_size=12), places=PLACES)
    @settings(max_examples=200, deadline=None)
    def test_of_events_that_are_right_in_any_order(self, parts, places):
        check_splits(b"".join(parts), places, "")

    @given(
        text=st.text(
            st.characters(codec=None) | st.sampled_from("<>/think \n\ud83e\udd89"), max_size=40
        ),
        places=PLACES,
        borders=PLACES,
        model=MODELS,
    )
    @settings(max_examples=200, deadline=None)
    def test_of_any_text_in_any_number_of_deltas(self, text, places, borders, model):
        events = [event(choice({"content": piece})) for piece in pieces_of(text, borders)]
        check_splits(b"".join(events), places, model)

    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["unmarked", "marked"])
    @pytest.mark.parametrize("before", [b"", b"\n", b" "], ids=repr)
    @pytest.mark.parametrize("space", [b"", b"\n", b"\r\n", b" ", b" \n"], ids=repr)
    def test_of_a_stream_behind_a_byte_order_mark_and_white_space(self, before, mark, space):
        body = before + mark + space + VALID[1] + b"data: [DONE]\n\n"
        for place in range(len(before + mark + space) + 9):
            check_splits(body, [place])

    @pytest.mark.parametrize(
        "before", [b"", b"\n \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"], ids=repr
    )
    @pytest.mark.parametrize(
        "body", [b"<!doctype html><title>502 Bad Gateway</title>", VALID[-1], b"{}", b"{", b"[]"]
    )
    def test_of_a_body_that_is_no_stream(self, before, body):
        body = before + body
        for place in range(len(body)):
            check_splits(body, [place])


@pytest.mark.parametrize("part", [*VALID, *ODD], ids=lambda part: repr(part[:40]))
class TestEveryPart:
    """Each part by itself, behind a good event, and behind the finish reason."""

    @pytest.mark.parametrize("before", [b"", VALID[1], VALID[1] + VALID[11]], ids=len)
    def test_it_is_read_or_it_is_an_error_of_the_tree(self, part, before):
        check_splits(before + part, [len(before + part) // 2])

    def test_behind_the_finish_reason_it_undoes_nothing(self, part):
        _, completion, error = read([VALID[1] + VALID[11] + b"\n\n" + part], "openai/gpt-4o")
        if error is None:
            assert completion.text.startswith("One ")
        else:  # another choice began, or the text of an error event came with one
            assert len(error.partial.choices) > 1


# --- it takes linear time -----------------------------------------------------------------------


def calls(pieces, model="qwen3-32b"):
    """Count the function calls, those into C included, that it takes to read these pieces."""
    parser = StreamParser(model)
    profile = cProfile.Profile()
    profile.enable()
    try:
        for piece in pieces:
            parser.feed(piece)
        parser.end()
    finally:
        profile.disable()
    return sum(entry.callcount for entry in profile.getstats())


def in_pieces(body, size):
    return [body[i : i + size] for i in range(0, len(body), size)]


def texts_in_pieces(text, size):
    return [event(choice({"content": piece})) for piece in in_pieces(text, size)]


def fragment(**function):
    return event(choice({"tool_calls": [{"index": 0, "function": function}]}))


LONG = {
    "many small events": lambda n: [event(choice({"content": "word "}))] * n,
    "many small events at once": lambda n: [event(choice({"content": "word "})) * n],
    "many odd events": lambda n: [event(choice({"content": 7, "x": "\ud83e"}))] * n,
    "many unknown keys": lambda n: [event(b'{"k%d":1,"choices":[]}' % i) for i in range(n)],
    "many choices": lambda n: [event(choice({"content": "a"}, index=i)) for i in range(n)],
    "one large event in small pieces": lambda n: in_pieces(
        event(choice({"content": "a" * 16 * n})), 16
    ),
    "one large whole body in small pieces": lambda n: in_pieces(
        b'{"choices":[{"message":{"content":"%s"}}]}' % (b"a" * 16 * n), 16
    ),
    "one event of many lines": lambda n: [b"data: {\n", *[b"data: \n"] * n, b"data: }\n\n"],
    "lines of data without a blank line": lambda n: [b'data: {"x":1}\n'] * n,
    "other lines without a blank line": lambda n: [b"event: x\n"] * n,
    "one line without an end": lambda n: [b"x" * 16] * n,
    "fragments of a tool call": lambda n: [fragment(name="f"), *[fragment(arguments="1,")] * n],
    "fragments that repeat the name": lambda n: [fragment(name="f", arguments='{"a":')] * n,
    "fragments that look like calls": lambda n: [
        fragment(name="f", arguments='{"a":"'),
        *[fragment(name="f", arguments="{}")] * n,
    ],
    "many tool calls": lambda n: [
        event(choice({"tool_calls": [{"id": f"t{i}", "function": {"name": "f"}}]}))
        for i in range(n)
    ],
    "a long thought in tags": lambda n: texts_in_pieces("<think>" + "hm, " * n, 4),
    "white space before a tag": lambda n: texts_in_pieces("    " * n + "<think>", 4),
    "white space in a tag": lambda n: texts_in_pieces("<think>a" + "    " * n + "b", 4),
    "many beginnings of tags": lambda n: texts_in_pieces("<think>" + "</thi" * n, 3),
    "halves of characters": lambda n: [event(choice({"content": "\ud83e"}))] * n,
    "carriage returns": lambda n: [b"\r" * 16] * n,
    "carriage returns and data in turn": lambda n: [b"data: {", *[b"\r", b"data: "] * n],
    "white space only": lambda n: [b" "] * n,
    "comments only": lambda n: [b": ping\n\n"] * n,
    "comments without blank lines": lambda n: [b": ping\n"] * n,
    "one comment without an end": lambda n: [b": ping"] * n,
    "brackets without an end": lambda n: [event(b"[" * 16 * n)],
    "an event nested deep": lambda n: [event(nested(16 * n))],
    "bytes after the end": lambda n: [VALID[1] + b"data: [DONE]\n\n", *[VALID[1]] * n],
    "junk after the finish reason": lambda n: [VALID[1] + VALID[11], *[event(b"junk")] * n],
}


@pytest.mark.parametrize("make", LONG.values(), ids=list(LONG))
def test_twice_as_much_takes_twice_the_work(make):
    size = 500
    calls(make(size))  # what is made once is made now
    once, twice = calls(make(size)), calls(make(2 * size))

    assert twice <= 2.2 * once + 50


@pytest.mark.parametrize("make", LONG.values(), ids=list(LONG))
def test_twice_as_much_is_not_more_than_twice_as_much_json_to_decode(make, monkeypatch):
    # A call into C counts as one however much it reads; decoding is the costly of them.
    decode = json.loads
    sizes = []

    def counted(text, **options):
        sizes.append(len(text))
        return decode(text, **options)

    monkeypatch.setattr(json, "loads", counted)
    work = []
    for size in (1000, 2000):  # so deep that no Python decodes brackets at the first try
        sizes.clear()
        pieces = make(size)
        parser = StreamParser("qwen3-32b")
        for piece in pieces:
            parser.feed(piece)
        parser.end()
        work.append(sum(sizes))

    assert work[1] <= 2.2 * work[0] + 500
