"""JSON of unexpected types and depths: what is readable in it is read."""

import pytest

from aimlchat._protocol.lenient import read_float, read_int, read_text

INFINITE, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        (0, 0),
        (-7, -7),
        ("7", 7),
        (" 7 ", 7),
        (7.0, 7),
        (7.9, 7),
        ("7.0", None),
        ("seven", None),
        ("", None),
        ("9" * 5000, None),
        (INFINITE, None),
        (NAN, None),
        (True, None),
        (None, None),
        ([7], None),
        ({}, None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_an_integer_is_read_from_a_number_or_a_string_of_digits(value, number):
    assert read_int(value) == number
    assert type(read_int(value)) is type(number)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7.0),
        (0.5, 0.5),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("n/a", None),
        ("", None),
        ("nan", None),
        ("-inf", None),
        (INFINITE, None),
        (NAN, None),
        (10**400, None),
        (False, None),
        (None, None),
        ([0.5], None),
        ({}, None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_float_is_read_from_a_finite_number_or_a_string_of_one(value, number):
    assert read_float(value) == number
    assert type(read_float(value)) is type(number)


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), ("", ""), (7, "7"), (1.5, "1.5"), (True, None), (None, None), ([], None)],
    ids=repr,
)
def test_text_is_read_from_a_string_or_a_number(value, text):
    assert read_text(value) == text


class TestDepthAndEncoding:
    @pytest.mark.parametrize("depth", [60, 200, 900, 950, 970, 990, 1000, 100_000])
    @pytest.mark.parametrize("pair", [b"[]", b'{"a":}'], ids=["lists", "objects"])
    def test_nesting_in_an_unknown_key_does_not_lose_the_text(self, read, pair, depth):
        nested = pair[:-1] * depth + b"1" + pair[-1:] * depth
        reading = read(
            b'{"x":%s,"choices":[{"index":0,"delta":{"content":"a"}}]}' % nested,
            b'{"choices":[{"index":0,"delta":{"y":%s,"content":"b"}}],"x":%s}' % (nested, nested),
            b'{"choices":[{"index":0,"z":%s,"delta":{},"finish_reason":"stop"}]}' % nested,
        )
        assert reading.error is None
        assert reading.completion.text == "ab"

    @pytest.mark.parametrize("depth", [900, 960, 1000, 100_000])
    @pytest.mark.parametrize(
        ("opening", "closing"),
        [
            (b'{"x":1,"event":', b"}"),
            (b'{"state":{},"event":', b"}"),
            (b'{"choices":[{"delta":{"content":[{"type":"thinking","thinking":', b"}]}}]}"),
        ],
    )
    def test_nesting_in_known_keys_does_not_crash(self, read, chunk, opening, closing, depth):
        reading = read(
            chunk({"content": "a"}), opening * depth + b"1" + closing * depth, chunk(finish="stop")
        )
        assert reading.completion.text == "a"

    @pytest.mark.parametrize("depth", [100, 950, 100_000])
    def test_strings_that_look_like_nesting_are_kept(self, read, depth):
        reading = read(
            b'{"x":%s1%s,"choices":[{"delta":{"content":"[{\\"[ ]"},"finish_reason":"stop"}]}'
            % (b"[" * depth, b"]" * depth)
        )
        assert reading.completion.text == '[{"[ ]'

    def test_broken_utf8_becomes_a_replacement_character(self, read, chunk):
        reading = read(
            b'{"choices":[{"index":0,"delta":{"content":"a\xffb\xc3"}}]}', chunk(finish="stop")
        )
        assert reading.completion.text == "a\ufffdb\ufffd"

    def test_broken_utf8_in_an_unknown_key_does_not_lose_the_text(self, read, chunk):
        reading = read(
            b'{"\xff":"\xff","choices":[{"index":0,"delta":{"content":"a","\xc3":1}}]}',
            chunk({"content": "b"}, finish="stop"),
        )
        assert reading.completion.text == "ab"

    def test_surrogates_in_broken_utf8_are_replaced(self, read):
        reading = read(
            b'{"choices":[{"index":0,"delta":{"content":"\xed\xa0\xbe"},"finish_reason":"stop"}]}'
        )
        assert set(reading.completion.text) == {"\ufffd"}

    @pytest.mark.parametrize("blank", [b" ", b"\t ", b"\ndata:\n"])
    def test_an_event_of_white_space_is_skipped(self, read_bytes, sse, chunk, blank):
        first, last = sse(chunk({"content": "a"})), sse(chunk(finish="stop"))
        reading = read_bytes(
            [first + b"data: " + blank.replace(b"\ndata:", b"\ndata:") + b"\n\n" + last]
        )
        assert reading.completion.text == "a"

    @pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
    def test_numbers_outside_the_json_standard_do_not_lose_the_text(self, read, word):
        reading = read(
            b'{"x":%s,"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"total_tokens":%s},'
            b'"meta":{"usage":{"credits_used":%s}}}' % ((word.encode(),) * 3)
        )
        assert reading.completion.text == "a"
        assert reading.completion.usage is None
        assert reading.completion.cost is None
