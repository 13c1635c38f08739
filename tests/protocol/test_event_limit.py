"""The limit of 16 MiB holds for an event of any form, however the stream is split into reads."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from soak import examples

from aimlchat import AIMLChatError, ProtocolError, StreamParser
from aimlchat._protocol import kept_size, sse
from aimlchat._protocol.sse import EventDecoder

LIMIT = 2**12  # in place of 16 MiB, so that reads of one byte do not take minutes
LINE = b"x" * 100
LINES_OF_DATA = LIMIT // (len(LINE) + 1)
REST = LIMIT - LINES_OF_DATA * (len(LINE) + 1)


@pytest.fixture
def low_limit(monkeypatch):
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", LIMIT)
    monkeypatch.setattr(sse, "_MAX_LINES", 1000)


def of_one_line(size):
    return b"data: " + b"x" * size


def of_many_lines(size):
    lines = [b"data: " + LINE] * LINES_OF_DATA
    return b"\n".join([*lines, b"data: " + b"x" * (REST + size - LIMIT)])


def without_field_name(size):
    return b'{"' + b"x" * (size - 2)


def with_name_and_comments(size):
    comment = b": " + b"c" * 5_000 + b"\n"
    return (
        b"event: message\n"
        + comment
        + of_one_line(size - 10)
        + b"\n"
        + comment
        + b"data:  12345678"
    )


FORMS = [of_one_line, of_many_lines, without_field_name, with_name_and_comments]


def decode(body, size, position=0):
    """Decode a body in reads of this size, after a first one of ``position`` bytes."""
    decoder = EventDecoder()
    events = decoder.feed(body[:position])
    for start in range(position, len(body), size):
        events += decoder.feed(body[start : start + size])
    events += decoder.close()
    return events, str(decoder.fault)


@pytest.mark.usefixtures("low_limit")
@pytest.mark.parametrize("end", [b"\n\n", b"\n", b""], ids=["blank line", "line end", "no end"])
@pytest.mark.parametrize("form", FORMS)
class TestEveryForm:
    @pytest.mark.parametrize("size", [2**26, 1])
    def test_an_event_of_the_largest_size_is_accepted(self, form, end, size):
        events, fault = decode(b"data: a\n\n" + form(LIMIT) + end, size)
        assert fault == "None"
        assert [len(event) for event in events] == [1, LIMIT]

    @pytest.mark.parametrize("size", [2**26, 1])
    def test_one_byte_more_is_a_fault(self, form, end, size):
        events, fault = decode(b"data: a\n\n" + form(LIMIT + 1) + end, size)
        assert events == [b"a"]
        assert "4,096 bytes" in fault


@pytest.mark.usefixtures("low_limit")
@pytest.mark.parametrize("line", [b"id: ", b"event: ", b"x: ", b"  ", b"x"])
@pytest.mark.parametrize("end", [b"\ndata: b\n\n", b""])
def test_a_line_that_is_not_data_may_not_be_longer_either(line, end):
    body = line + b"y" * (LIMIT + 6) + end
    for size in (2**26, 700, 1):
        events, fault = decode(body, size)
        assert events == []
        assert "4,096 bytes" in fault


def test_short_lines_without_data_take_no_memory_whatever_stands_before_them():
    decoder = EventDecoder()
    decoder.feed(b"data: {\n")
    for _ in range(300):
        decoder.feed(b": still here\nid: 1\nevent: x\n" * 10)
        assert len(decoder._buffer) < 5000
    assert decoder.feed(b"data: }\n\n") == [b"{\n}"]


def read_all(pieces):
    """Return the deltas, and how the stream ended."""
    # How often the size is checked is cached for each limit, so this one is used only here.
    parser = StreamParser("gpt-4o", max_answer_bytes=123)
    deltas = []
    try:
        for piece in pieces:
            deltas += parser.feed(piece)
        deltas += parser.close()
        end = parser.completion
    except AIMLChatError as error:
        end = (type(error), str(error), error.partial)
    return deltas, end


TEXT = b'{"choices":[{"delta":{"content":"a"}}]}'
STOP = b'{"choices":[{"delta":{},"finish_reason":"stop"}]}'
PIECES = [
    b"data: " + TEXT,
    b"data: " + STOP,
    b"data:",
    b"data: [DONE]",
    b"[DONE]",
    TEXT,
    STOP,
    b"\n",
    b"\n\n",
]
PIECES += [b"\r\n", b"\r", b" ", b" " * 30, b" " * 60, b"{", b"}", b"[", b"]", b'"', b"x" * 61]
PIECES += [b": " + b"c" * 60, b": c", b"id: " + b"1" * 60, b"event: error", b"error: e", b"<", b","]
BODIES = st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join)


@given(body=BODIES, positions=st.lists(st.integers(0, 300), max_size=10))
@example(body=TEXT + b"\n" + b" " * 90 + TEXT, positions=[])
@example(body=b"data: " + TEXT + b"\ndata:" + b" " * 30, positions=[])
@example(body=b"data: " + TEXT + b"\n\n: " + b"c" * 90 + b"\n\ndata: " + STOP, positions=[])
@examples(600)
def test_any_split_gives_the_same_result_at_the_limit(body, positions):
    ends = sorted({min(position, len(body)) for position in positions} | {0, len(body)})
    pieces = [body[start:end] for start, end in itertools.pairwise(ends)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "MAX_EVENT_BYTES", 60)
        patch.setattr(sse, "_MAX_LINES", 20)
        patch.setattr(kept_size, "_MIN_CHECK_BYTES", 50)
        patch.setattr(kept_size, "_MAX_CHECK_BYTES", 50)
        whole = read_all([body])
        assert read_all([body[i : i + 1] for i in range(len(body))]) == whole
        assert read_all(pieces) == whole


@pytest.mark.parametrize("first", [b"", b'{"x":1}\n', b"data: {}\n\n", b": c\n\n"])
def test_a_body_of_any_kind_is_limited(first):
    parser = StreamParser(max_answer_bytes=16 * 2**20)
    parser.feed(first)
    for _ in range(17):
        parser.feed(b'{"x": "' + b"y" * 2**20) if not parser.fault else None
    with pytest.raises(ProtocolError, match="16,777,216 bytes"):
        parser.close()
