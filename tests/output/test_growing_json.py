"""`GrowingJson`: JSON that is read while its text arrives."""

import copy
import itertools
import json
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aimlchat._output.growing_json import GrowingJson

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ROOTS = st.lists(VALUES, max_size=4) | st.dictionaries(st.text(), VALUES, max_size=4)


def drafts_of(pieces, **options):
    growing = GrowingJson(**options)
    drafts = [growing.draft() for piece in pieces if growing.feed(piece)]
    return drafts + [growing.draft() for _ in range(1) if growing.end()]


def extends(later, earlier):
    """Return whether a draft extends an earlier one, as the module defines it."""
    if type(later) is not type(earlier):
        return False
    if isinstance(earlier, str):
        return later.startswith(earlier)
    if isinstance(earlier, dict):
        *closed, last = list(earlier) or [None]
        return (
            list(later)[: len(earlier)] == list(earlier)
            and all(same(later[key], earlier[key]) for key in closed)
            and (not earlier or extends(later[last], earlier[last]))
        )
    if isinstance(earlier, list):
        return (
            len(later) >= len(earlier)
            and all(map(same, later, earlier[:-1]))
            and (not earlier or extends(later[len(earlier) - 1], earlier[-1]))
        )
    return same(later, earlier)


def same(one, other):
    return json.dumps(one) == json.dumps(other)


def split(text, cuts):
    marks = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(marks)]


@given(
    ROOTS,
    st.lists(st.integers(0, 10_000), max_size=30),
    st.sampled_from([None, 2]),
    st.sampled_from(["ascii", "utf-8"]),
    st.sampled_from([("", ""), ("\ufeff \n", "\n"), ("```json\n", "\n```")]),
)
@example({"a": ["\U0001f600"]}, list(range(40)), None, "ascii", ("", ""))
@example({"": {"": "x"}}, [], 2, "utf-8", ("Here it is: ", " That is all."))
def test_drafts_grow_to_the_value_at_every_split(value, cuts, indent, charset, around):
    text = json.dumps(value, indent=indent, ensure_ascii=charset == "ascii")
    text = around[0] + text + around[1]

    for pieces in (split(text, cuts), list(text), [text]):
        drafts = drafts_of(pieces)

        assert same(drafts[-1], value)
        assert all(map(extends, drafts[1:], drafts))
        assert not any(map(same, drafts[1:], drafts))


def test_a_draft_that_was_handed_out_never_changes():
    growing, seen = GrowingJson(), []
    for character in '{"a": [{"b": "cd"}, [1, 2]], "e": "f"}':
        if growing.feed(character):
            draft = growing.draft()
            seen.append((draft, copy.deepcopy(draft)))

    assert all(draft == copied for draft, copied in seen)
    assert len(seen) == 10


def test_strings_grow_and_everything_else_is_shown_whole():
    drafts = drafts_of('{"ab": "xy", "n": -12.5, "t": true, "l": [10, 2]}')

    assert drafts == [
        {"ab": ""},
        {"ab": "x"},
        {"ab": "xy"},
        {"ab": "xy", "n": -12.5},
        {"ab": "xy", "n": -12.5, "t": True},
        {"ab": "xy", "n": -12.5, "t": True, "l": []},
        {"ab": "xy", "n": -12.5, "t": True, "l": [10]},
        {"ab": "xy", "n": -12.5, "t": True, "l": [10, 2]},
    ]


@pytest.mark.parametrize(
    ("text", "strings"),
    [
        (r'["\ud83d\ude00!"]', ["", "😀", "😀!"]),
        (r'["\u00e9"]', ["", "é"]),
        (r'["\\n\n"]', ["", "\\", "\\n", "\\n\n"]),
        (r'["\ud83dx"]', ["", "\ud83dx"]),
        (r'["\ud83d\u0041"]', ["", "\ud83dA"]),
        (r'["\ud83d"]', ["", "\ud83d"]),
        ('["a\nb"]', ["", "a", "a\n", "a\nb"]),
    ],
)
def test_an_escape_or_a_surrogate_pair_is_never_half(text, strings):
    assert drafts_of(text) == [[string] for string in strings]


@pytest.mark.parametrize(
    "text",
    [
        'Sure [see {name}], as in [1]:\n{"a": 1}',
        '```json\n{"a": 1}\n```\nThat is {"b": 2} else.',
        '\ufeff\n {"a": 1,}',
        'A set {1, 2} and [a](link) and {"a": 1}',
    ],
)
def test_text_around_the_value_is_skipped(text):
    for pieces in (list(text), [text]):
        assert drafts_of(pieces) == [{"a": 1}]


@pytest.mark.parametrize(("text", "value"), [("{}", {}), ("[]", []), ("[{}]", [{}])])
def test_an_empty_root_is_shown_once_it_is_closed(text, value):
    assert drafts_of(text) == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [("42", 42), (' "a b" ', "a b"), ("null", None), ("Here: [1, 2].", [1, 2])],
)
def test_what_is_not_recognized_before_its_end_is_shown_then(text, value):
    assert drafts_of(text) == [value]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1 "b": 2}',
        '{"a": 1, b: 2}',
        '{"a": 1]',
        '{"a": 1, , "b": 2}',
        '{"a": 1, "b": [1 2]}',
        '{"a": 1, "b": tru}',
        '{"a": 1, "b": ["\\x"]}',
        '{"a": 1, 2}',
        '{"a": 1, "b": [,]}',
    ],
)
def test_nothing_grows_from_where_the_text_is_broken_on(text):
    for pieces in (list(text), [text], [text[:9], text[9:]]):
        drafts = drafts_of([*pieces, ' {"c": 3}'])

        assert all(draft["a"] == 1 and "c" not in draft for draft in drafts)


def test_the_wrapper_around_a_value_is_taken_off():
    assert drafts_of('{"value": [1, "a"]}', wrapper="value") == [[], [1], [1, ""], [1, "a"]]
    assert drafts_of('{"value": 7}', wrapper="value") == [7]
    assert drafts_of("[7]", wrapper="value")[-1] == [7]
    assert drafts_of('{"a": 7}', wrapper="value") == [{"a": 7}]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 65 + "1" + "]" * 65])
def test_what_is_nested_too_deeply_stops_the_drafts(text):
    for size in (7, len(text)):
        for draft in drafts_of([text[start : start + size] for start in range(0, 700, size)]):
            copy.deepcopy(draft)
    assert drafts_of(["[" * 64 + "1" + "]" * 64])[0] == json.loads("[" * 64 + "1" + "]" * 64)


def test_a_number_with_too_many_digits_stops_the_drafts():
    digits = "1" * (sys.get_int_max_str_digits() + 1)

    assert drafts_of([f'{{"a": 1, "b": {digits}, "c": 2}}', ' {"c": 3}']) in ([], [{"a": 1}])


def test_a_long_text_makes_fewer_drafts_and_ends_whole():
    value = {"items": [{"id": number, "name": "x" * 40} for number in range(5000)]}
    text = json.dumps(value)
    pieces = [text[start : start + 16] for start in range(0, len(text), 16)]

    drafts = drafts_of(pieces)

    assert drafts[-1] == value
    assert len(drafts) < 2000
    assert all(map(extends, drafts[1:200], drafts))


@example(["[1,", ","])
@example(["[1", ",,2]"])
@example(["[", ",1]"])
@given(
    st.lists(
        st.sampled_from(
            [
                *'{}[],:"\\1- x',
                '"a"',
                '{"a":',
                "[1,",
                "\\ud83d",
                "\\u",
                "tr",
                "ue",
                "null",
                "```json\n",
            ]
        ),
        max_size=30,
    )
)
def test_no_text_breaks_the_parser_and_all_splits_agree(pieces):
    text = "".join(pieces)
    slow, fast = drafts_of(text), drafts_of([text])

    assert all(map(extends, slow[1:], slow))
    assert not any(map(same, slow[1:], slow))
    if fast:
        assert extends(slow[-1], fast[-1])


def test_an_array_of_numbers_is_read_up_to_a_comma_too_many():
    assert drafts_of(["[1, 2,, 3]"]) == [[1, 2]]
    assert drafts_of(["[1, 2, ", ", 3]"]) == [[1, 2]]


STRINGS = ["a,b", ",", '",', '\\",', "]", '["x",', '{"', "\n", "ä", "", "\\", 1, None]


@pytest.mark.parametrize("size", [7, 400, 10**6])
@pytest.mark.parametrize("charset", ["ascii", "utf-8"])
def test_arrays_of_strings_are_read_whatever_the_strings_hold(size, charset):
    value = [text for count in range(len(STRINGS)) for text in [*STRINGS[count:], "y"] * 9]
    text = json.dumps(value, ensure_ascii=charset == "ascii")

    drafts = drafts_of([text[start : start + size] for start in range(0, len(text), size)])

    assert drafts[-1] == value
    assert all(map(extends, drafts[1:], drafts))


def test_an_array_of_strings_is_read_up_to_a_comma_too_many():
    assert drafts_of(['["a", "b",, "c"]']) == [["a", "b"]]


def test_a_long_array_of_strings_and_objects_takes_linear_time():
    def count_characters(items):
        text = FoundText("[" + ", ".join(items * ['"a, b", {"a": 1}']) + "]")
        growing = GrowingJson()
        growing._holders, growing._keys = [[]], [None]
        growing._read(text, 1)
        return text.searched

    assert count_characters(2_000) < 2.2 * count_characters(1_000)


class FoundText(str):
    """A text that counts over how many characters it is searched for others."""

    __slots__ = ("searched",)

    def __init__(self, _):
        self.searched = 0

    def find(self, part, start=0, end=None):
        found = super().find(part, start, len(self) if end is None else end)
        self.searched += (found if found >= 0 else len(self) if end is None else end) - start
        return found

    def rfind(self, part, start=0, end=None):
        end = len(self) if end is None else end
        found = super().rfind(part, start, end)
        self.searched += end - max(found, start)
        return found
