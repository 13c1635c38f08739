"""Events from bytes, by the rules of the WHATWG standard."""

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from soak import examples

from aimlchat import ProtocolError
from aimlchat._protocol.sse import MAX_EVENT_BYTES, EventDecoder


def decoded(*pieces):
    decoder = EventDecoder()
    events = [event for piece in pieces for event in feed(decoder, piece)]
    events += decoder.close()
    assert decoder.fault is None
    return events


def feed(decoder, piece):
    """Decode a piece as a single event if it is one, as the parser does."""
    event = decoder.decode_single(piece)
    return [event] if event else decoder.feed(piece)


def by_the_standard(body):
    """Decode a whole body line by line; skip events with empty data.

    Unlike the standard, keep a last event without its blank line.
    """
    lines = re.split(rb"\r\n|\r|\n", body.removeprefix(b"\xef\xbb\xbf"))
    events, data = [], []
    for line in [*lines, b""]:
        if not line:
            if event := b"\n".join(data):
                events.append(event)
            data = []
            continue
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
    return events


def cut(body, positions):
    ends = sorted({min(position, len(body)) for position in positions} | {0, len(body)})
    return [body[a:b] for a, b in itertools.pairwise(ends)]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
def test_each_kind_of_line_end_separates_lines_and_events(end):
    body = end.join([b"data: a", b"data: b", b"", b"data: c", b"", b""])
    assert decoded(body) == [b"a\nb", b"c"]


@pytest.mark.parametrize("end", [b"\n\r", b"\r\r\n", b"\n\r\n", b"\r\n\n", b"\r\n\r"])
def test_line_ends_of_different_kinds_make_a_blank_line(end):
    assert decoded(b"data: a" + end + b"data: b\n\n") == [b"a", b"b"]


def test_a_crlf_is_one_line_end_wherever_it_is_cut():
    assert decoded(b"data: a\r", b"\ndata: b\r", b"", b"\n\r", b"\n") == [b"a\nb"]


def test_a_cr_ends_its_line_without_waiting_for_what_follows():
    assert EventDecoder().feed(b"data: a\r\r") == [b"a"]


def test_an_event_is_returned_with_the_byte_that_completes_it():
    decoder = EventDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [b"a"]


def test_an_event_of_one_line_is_decoded_as_a_single_event():
    decoder = EventDecoder()
    assert decoder.decode_single(b"data: a\n\n") == b""  # a byte order mark may still come
    assert decoder.feed(b"data: a\n\n") == [b"a"]
    assert decoder.decode_single(b"data: b\n\n") == b"b"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"data: \n\n",
        b"data: b",
        b"data: b\n",
        b"data: b\nx",
        b"data: b\r\n\r\n",
        b"data: b\r\r",
        b"data: b\rc\n\n",
        b"data:b\n\n",
        b"data: b\ndata: c\n\n",
        b"data: b\n\ndata: c\n\n",
        b"event: b\n\n",
    ],
)
def test_bytes_of_another_form_are_not_a_single_event(data):
    decoder = EventDecoder()
    decoder.feed(b"data: a\n\n")
    assert decoder.decode_single(data) == b""


def test_an_event_that_is_too_large_is_not_a_single_event_nor_are_those_after_it():
    decoder = EventDecoder()
    decoder.feed(b"data: a\n\n")
    large = b"data: " + b"b" * (MAX_EVENT_BYTES + 1) + b"\n\n"
    assert decoder.decode_single(large) == b""
    assert decoder.feed(large) == []
    assert decoder.decode_single(b"data: c\n\n") == b""


@pytest.mark.parametrize("before", [b"data: a", b"data: a\r", b":"])
def test_bytes_that_continue_an_event_are_not_a_single_event(before):
    decoder = EventDecoder()
    decoder.feed(b"data: a\n\n" + before)
    assert decoder.decode_single(b"data: b\n\n") == b""


@pytest.mark.parametrize("position", range(4))
def test_a_byte_order_mark_is_dropped_wherever_it_is_cut(position):
    body = b"\xef\xbb\xbfdata: a\n\n"
    assert decoded(body[:position], body[position:]) == [b"a"]


def test_only_one_byte_order_mark_is_dropped():
    assert decoded(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n") == [b"b"]


def test_half_a_byte_order_mark_belongs_to_the_first_line():
    assert decoded(b"\xef\xbb", b"data: a\ndata: b\n\n") == [b"b"]


def test_comments_are_ignored():
    assert decoded(b": ping\n\n:\n\ndata: a\n: in between\ndata: b\n\n: bye") == [b"a\nb"]


def test_the_lines_of_data_are_joined_with_a_line_feed():
    assert decoded(b'data: {\ndata: "a"\ndata:: 1}\n\n') == [b'{\n"a"\n: 1}']


@pytest.mark.parametrize(
    ("line", "data"),
    [
        (b"data:a", b"a"),
        (b"data: a", b"a"),
        (b"data:  a", b" a"),
        (b"data:\ta", b"\ta"),
        (b"data: a ", b"a "),
        (b"data: a: b", b"a: b"),
        (b"data: data: a", b"data: a"),
    ],
)
def test_only_one_space_after_the_colon_is_dropped(line, data):
    assert decoded(line + b"\n\n") == [data]


def test_a_line_of_data_without_a_colon_is_an_empty_line_of_data():
    assert decoded(b"data: a\ndata\ndata: b\n\n") == [b"a\n\nb"]


@pytest.mark.parametrize(
    "line", [b"event: ping", b"id: 7", b"retry: 10", b"event", b"x", b"data2: x"]
)
def test_other_fields_are_ignored(line):
    assert decoded(line + b"\n\n" + line + b"\ndata: a\n" + line + b"\n\n") == [b"a"]


@pytest.mark.parametrize(
    "line", [b" data: a", b"Data: a", b"DATA: a", b"data : a", b"dat", b"\tdata:a"]
)
def test_only_a_field_named_exactly_data_counts(line):
    assert decoded(line + b"\n\ndata: b\n\n") == [b"b"]


@pytest.mark.parametrize("empty", [b"data\n\n", b"data:\n\n", b"data: \n\n", b"\n", b"\n\n\n"])
def test_an_event_with_empty_data_is_skipped(empty):
    assert decoded(empty + b"data: a\n\n" + empty + b"data: b\n\n") == [b"a", b"b"]


@pytest.mark.parametrize(
    "separator",
    ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\0"],
    ids=ascii,
)
def test_other_separators_are_part_of_the_data(separator):
    data = f"a{separator}b{separator}{separator}c".encode()
    assert decoded(b"data: " + data + b"\n\n") == [data]


def test_broken_utf8_is_passed_on():
    assert decoded(b"data: \xff\xc3\n\n") == [b"\xff\xc3"]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n"])
def test_the_last_event_may_lack_its_blank_line(end):
    assert decoded(b"data: a\n\ndata: b" + end) == [b"a", b"b"]


def test_nothing_is_left_after_the_close():
    decoder = EventDecoder()
    decoder.feed(b"data: a")
    assert decoder.close() == [b"a"]
    assert decoder.close() == []


def test_an_event_of_the_largest_size_is_accepted_in_pieces():
    data = b"x" * MAX_EVENT_BYTES
    body = b"data: " + data + b"\n\n"
    decoder = EventDecoder()
    events = []
    for start in range(0, len(body), 2**20 - 7):
        events += decoder.feed(body[start : start + 2**20 - 7])
    assert events == [data]


def test_an_event_of_the_largest_size_is_accepted_in_one_piece():
    data = b"x" * MAX_EVENT_BYTES
    assert EventDecoder().feed(b"data: " + data + b"\n\n") == [data]


def test_the_limit_is_not_below_16_mebibytes():
    assert MAX_EVENT_BYTES == 16 * 2**20


@pytest.mark.parametrize("size", [2**20, 2**25], ids=["in pieces", "whole"])
def test_a_larger_event_is_a_fault_that_names_the_limit(size):
    decoder = EventDecoder()
    body = b"data: a\n\ndata: " + b"x" * (MAX_EVENT_BYTES + 1) + b"\n\ndata: b\n\n"
    events = []
    for start in range(0, len(body), size):
        events += decoder.feed(body[start : start + size])
    assert events == [b"a"]
    assert isinstance(decoder.fault, ProtocolError)
    assert "16,777,216 bytes" in str(decoder.fault)


def test_an_endless_event_is_a_fault_before_it_fills_the_memory():
    decoder = EventDecoder()
    decoder.feed(b"data: ")
    for _ in range(17):
        decoder.feed(b"x" * 2**20)
    assert decoder.fault is not None
    assert not decoder._buffer
    assert decoder.feed(b"\n\ndata: a\n\n") == []


@pytest.mark.parametrize(
    "before", [b"", b"\n", b"data: a\n\n\n", b"event: ping\n", b"id: 1\nretry: 2\n"]
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_comments_without_blank_lines_take_no_memory(before, line_end):
    decoder = EventDecoder()
    decoder.feed(before)
    for _ in range(1000):
        decoder.feed(b": still here" + line_end)
    assert len(decoder._buffer) < 5000
    assert decoder.feed(b"data: b\n\n") == [b"b"]


def test_an_endless_comment_takes_no_memory():
    decoder = EventDecoder()
    decoder.feed(b": ")
    for _ in range(17):
        decoder.feed(b"x" * 2**20)
        assert len(decoder._buffer) < 100
    assert decoder.feed(b"\ndata: a\n\n") == [b"a"]
    assert decoder.fault is None


PIECES = [b"\n", b"\r", b"\r\n", b"\n\n", b"data", b"data: ", b"data:", b":", b" ", b"a", b"-{}"]
PIECES += [b"id: 1", b"\xef\xbb\xbf", b"\xef", b"\xe2\x80\xa8", b"dat", b"event: e", b"\0"]
FRAGMENTS = st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join)


# Lines that look like JSON and errors are events too; see test_errors_outside_data.py. Hypothesis
# knows the names of errors, since it takes constants from the source.
BINARY = st.binary(max_size=60).filter(lambda body: not re.search(rb"[{[]|(?i:error)", body))


@given(body=FRAGMENTS | BINARY, positions=st.lists(st.integers(0, 80), max_size=12))
@example(body=b"\xef\xbb\xbf\xef\xbb\xbfdata: a\r\n\r\n", positions=range(30))
@examples(1500)
def test_any_split_gives_the_events_of_the_standard(body, positions):
    assert decoded(*cut(body, positions)) == by_the_standard(body)


@given(body=FRAGMENTS)
@examples(500)
def test_bytes_one_at_a_time_give_the_events_of_the_standard(body):
    assert decoded(*(body[i : i + 1] for i in range(len(body)))) == by_the_standard(body)
