"""Fragments of tool calls that peers were seen to misread, and the calls that they stand for."""

import json

import pytest

from aimlchat import ToolCallDelta
from aimlchat._protocol.whole import parse_completion


def tc(arguments=None, *, name=None, **keys):
    function = {"name": name, "arguments": arguments}
    function = {key: value for key, value in function.items() if value is not None}
    return keys | ({"function": function} if function else {})


@pytest.fixture(scope="session")
def calls(sse, read_bytes, chunk):
    """Return a function that parses fragments, one in each chunk, at every split alike."""

    def read_calls(*fragments):
        body = sse(*(chunk({"tool_calls": [one]}) for one in fragments), chunk(finish="tool_calls"))
        reading = read_bytes([body])
        assert read_bytes([bytes([byte]) for byte in body]).completion == reading.completion
        found = reading.completion.tool_calls
        for index, call in enumerate(found):
            texts = [delta.text for delta in reading.deltas if delta.index == index]
            assert "".join(texts) == call.raw_arguments
        return [(call.id, call.name, call.raw_arguments) for call in found]

    return read_calls


A, B = '{"a":1}', '{"b":2}'


@pytest.mark.parametrize(
    ("fragments", "expected"),
    [
        pytest.param(
            [tc(A, id="x", name="f", index=0), tc(B, id="x", name="g", index=1)],
            [("x", "f", A), ("x_1", "g", B)],
            id="one id for all calls",
        ),
        pytest.param(
            [tc(A, id="x", name="f", index=0), tc(B, id="x", name="f", index=1)],
            [("x", "f", A), ("x_1", "f", B)],
            id="one id for all calls of one function",
        ),
        pytest.param(
            [
                tc("", id="x", name="f", index=0),
                tc("", id="x", name="g", index=1),
                tc(A, id="x", index=0),
                tc(B, id="x", index=1),
            ],
            [("x", "f", A), ("x_1", "g", B)],
            id="one id for all calls, interleaved",
        ),
        pytest.param(
            [tc(A, id="x", name="f", index=0), tc(B, id="x", name="g", index=0)],
            [("x", "f", A), ("x_1", "g", B)],
            id="one id and one index for all calls",
        ),
        pytest.param(
            [tc(A, id="x", name="f"), tc(B, id="x", name="f")],
            [("x", "f", A), ("x_1", "f", B)],
            id="one id for all calls, and no index",
        ),
        pytest.param(
            [tc(A, id=id_, name="f", index=i) for i, id_ in enumerate(["x", "x", "x_1"])],
            [("x", "f", A), ("x_1", "f", A), ("x_1_1", "f", A)],
            id="an id that was made for a repeated one",
        ),
        pytest.param(
            [tc("", id="x", name="f", index=0), tc(A, id="y", index=0)],
            [("x", "f", A)],
            id="another id with the arguments",
        ),
        pytest.param(
            [
                tc("", id="x", name="f", index=0),
                *(tc(piece, id=piece, index=0) for piece in ('{"a"', ":1", "}")),
            ],
            [("x", "f", A)],
            id="another id with each fragment",
        ),
        pytest.param(
            [
                tc("", id="x", name="f", index=0),
                tc('{"a"', id="y", index=0),
                tc(":1}", id="y", name="f", index=0),
            ],
            [("x", "f", A)],
            id="another id, then the same one with the name",
        ),
        pytest.param(
            [tc("", id="x", name="f", index=0), tc(A, index=1)],
            [("x", "f", A)],
            id="arguments at an index that nothing announced",
        ),
        pytest.param(
            [tc(A, id="x", name="f", index=0), tc(B, index=1), tc(name="g", index=1)],
            [("x", "f", A), ("call_1", "g", B)],
            id="a call that is announced after its arguments",
        ),
        pytest.param(
            [tc(A, id=" ", name="f", index=0), tc(B, id=" ", name="g", index=1)],
            [("call_0", "f", A), ("call_1", "g", B)],
            id="a blank id",
        ),
        pytest.param(
            [tc('{"a"', id="x", name="f", index=0), tc(":1}", id="x", index=1)],
            [("x", "f", A)],
            id="a known id at another index, without a name",
        ),
        pytest.param(
            [tc(A, id="x", name="f", index=0), tc("", index=1), tc(B, name="g", index=1)],
            [("x", "f", A), ("call_1", "g", B)],
            id="an empty fragment before a call",
        ),
    ],
)  # fmt: skip
def test_ids_and_indexes(calls, fragments, expected):
    assert calls(*fragments) == expected


def test_each_entry_of_a_whole_completion_is_a_call():
    entries = [tc(A, id="x", name="f"), tc(B, id="x", name="f"), tc(B, id="x"), tc(B)]
    body = {"choices": [{"message": {"tool_calls": entries}, "finish_reason": "tool_calls"}]}
    found = parse_completion(json.dumps(body).encode()).tool_calls
    assert [(call.id, call.arguments) for call in found] == [
        ("x", {"a": 1}),
        ("x_1", {"b": 2}),
        ("x_2", {"b": 2}),
        ("call_3", {"b": 2}),
    ]


def test_an_id_that_two_choices_share_is_used_once(read, chunk):
    reading = read(
        chunk({"tool_calls": [tc("{", id="x", name="f", index=0)]}),
        chunk({"tool_calls": [tc("{", id="x", name="f", index=0)]}, index=1),
        *(chunk({"tool_calls": [tc("}", index=0)]}, index=i, finish="tool_calls") for i in (0, 1)),
    )
    assert [choice.tool_calls[0].id for choice in reading.completion.choices] == ["x", "x_1"]
    assert [delta.id for delta in reading.deltas] == ["x", "x_1", "x", "x_1"]


@pytest.mark.parametrize(
    "fragments",
    [
        [tc("", name="put_a", index=0), tc(name="way_file", index=0), tc(A, index=0)],
        [tc("", id="x", name="put_a", index=0), tc("", id="x", name="way_file", index=0),
         tc(A, index=0)],
        [tc("", id="x", name="put_a"), tc("", name="way_file"), tc(A)],
        [tc(name="put", index=0), tc(name="_away", index=0), tc(A, name="_file", index=0)],
        [tc('{"a"', name="put_a", index=0), tc(":1}", name="way_file", index=0)],
        [tc(name="put_a", index=0), tc(name="put_away_file", index=0), tc(A, index=0)],
        [tc('{"a"', name="put_away_file", index=0), tc(":1}", name="put_away_file", index=0)],
    ],
)  # fmt: skip
def test_a_name_may_arrive_in_pieces_grow_or_be_repeated(calls, fragments):
    ((_, name, arguments),) = calls(*fragments)
    assert (name, arguments) == ("put_away_file", A)


@pytest.mark.parametrize("keys", [{"index": 0}, {}], ids=["one index", "no index"])
def test_another_name_after_whole_arguments_begins_a_call(calls, keys):
    found = calls(tc(A, name="f", **keys), tc(B, name="g", **keys), tc("{}", name="h", **keys))
    assert [(name, text) for _, name, text in found] == [("f", A), ("g", B), ("h", "{}")]


def test_calls_without_arguments_and_without_an_index_are_kept_apart(calls):
    assert [name for _, name, _ in calls(tc("", name="f"), tc("", name="g"))] == ["f", "g"]


def test_an_endless_name_is_cut(read, chunk):
    pieces = [chunk({"tool_calls": [tc(name=piece, index=0)]}) for piece in "ab" * 300]
    (call,) = read(*pieces, chunk(finish="stop")).completion.tool_calls
    assert len(call.name) == 256


def test_a_function_call_in_pieces_is_one_call(read, chunk):
    pieces = [{"name": "put_a"}, {"name": "way_file", "arguments": '{"a"'}, {"arguments": ":1}"}]
    reading = read(*(chunk({"function_call": piece}) for piece in pieces), chunk(finish="stop"))
    (call,) = reading.completion.tool_calls
    assert (call.name, call.arguments) == ("put_away_file", {"a": 1})


def test_a_call_that_is_sent_under_both_names_is_one_call(read, chunk):
    call = tc(A, id="x", name="f", index=0)
    delta = {"tool_calls": [call], "function_call": call["function"]}
    found = read(chunk(delta, finish="tool_calls")).completion.tool_calls
    assert [(call.id, call.raw_arguments) for call in found] == [("x", A)]


class TestPlaceholders:
    @pytest.mark.parametrize("empty", ["{}", "{ }", " {\n} "])
    @pytest.mark.parametrize(
        "pieces", [[A], ["{", '"a"', ":1}"], [" ", A], [" " + A], ["", A]], ids=str
    )
    @pytest.mark.parametrize("repeated", [{}, {"id": "x"}, {"name": "f"}], ids=str)
    def test_arguments_replace_an_empty_object_before_them(self, calls, empty, pieces, repeated):
        fragments = (tc(piece, index=0, **repeated) for piece in pieces)
        found = calls(tc(empty, id="x", name="f", index=0), *fragments)
        assert [(id_, name, text.strip()) for id_, name, text in found] == [("x", "f", A)]

    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_an_empty_object_alone_stays(self, calls, count):
        more = [tc("{}", index=0)] * (count - 1)
        assert calls(tc("{}", id="x", name="f", index=0), *more) == [("x", "f", "{}")]

    def test_an_empty_object_after_the_arguments_is_ignored(self, calls):
        fragments = tc(A, id="x", name="f", index=0), tc("{}", index=0)
        assert calls(*fragments) == [("x", "f", A)]

    def test_an_empty_object_is_handed_out_at_the_end(self, read, chunk):
        reading = read(
            chunk({"tool_calls": [tc("{}", id="x", name="f", index=0)]}),
            chunk({"tool_calls": [tc("{}", id="y", name="g", index=1)]}),
            chunk({"tool_calls": [tc(A, index=1)]}, finish="tool_calls"),
        )
        assert reading.fed == [
            ToolCallDelta("", 0, 0, "x", "f"),
            ToolCallDelta("", 0, 1, "y", "g"),
            ToolCallDelta(A, 0, 1, "y", "g"),
        ]
        assert reading.closed == [ToolCallDelta("{}", 0, 0, "x", "f")]

    def test_a_partial_completion_has_an_empty_object_too(self, read, chunk):
        reading = read(chunk({"tool_calls": [tc("{}", id="x", name="f", index=0)]}))
        assert reading.error.partial.tool_calls[0].raw_arguments == "{}"


class TestRepeatedArguments:
    @pytest.mark.parametrize("again", [A, '{ "a": 1 }', '{\n  "a": 1\n}'], ids=repr)
    @pytest.mark.parametrize("repeated", [{}, {"id": "x"}, {"id": "x", "name": "f"}], ids=str)
    def test_whole_arguments_after_their_pieces_count_once(self, calls, again, repeated):
        found = calls(
            tc("", id="x", name="f", index=0),
            tc('{"a"', index=0),
            tc(":1}", index=0),
            tc(again, index=0, **repeated),
        )
        assert found == [("x", "f", A)]

    def test_an_object_within_the_arguments_is_no_repetition(self, calls):
        pieces = ['{"x":', "{}", ',"y":', "{}", ',"z":"', "{}", '"}']
        ((_, _, text),) = calls(*(tc(piece, name="f", index=0) for piece in pieces))
        assert text == "".join(pieces)

    def test_equal_calls_without_an_id_and_an_index_are_two_calls(self, calls):
        assert len(calls(tc(A, name="roll"), tc(A, name="roll"))) == 2


@pytest.mark.parametrize(
    "fragment",
    [
        {"id": "x", "name": "f", "arguments": A},
        {"id": "x", "name": "f", "arguments": {"a": 1}},
        {"id": "x", "function": {"name": "f"}, "arguments": A},
        {"id": "x", "type": None, "function": {"name": "f", "arguments": {"a": 1}}},
        {"id": "x", "type": "", "index": "0", "function": {"name": "f", "arguments": A}},
        {"id": "x", "function": {"name": "f", "arguments": json.dumps(A)}},
        {"id": "x", "function": {"name": "f", "parameters": {"a": 1}}},
        {"id": "x", "function": {"name": "f", "arguments": None, "input": {"a": 1}}},
        {"id": "x", "function": {"name": "f", "arguments": "", "args": A}},
        {"id": "x", "function": {"name": "f"}, "parameters": A},
        {"id": "x", "type": "tool_use", "name": "f", "input": {"a": 1}},
    ],
    ids=str,
)
@pytest.mark.parametrize("wrap", [list, lambda calls: calls[0]], ids=["list", "object"])
def test_keys_and_types_of_another_form_are_read(read, chunk, fragment, wrap):
    entries = wrap([fragment])
    whole = {"choices": [{"message": {"tool_calls": entries}, "finish_reason": "tool_calls"}]}
    for completion in (
        read(chunk({"tool_calls": entries}, finish="tool_calls")).completion,
        parse_completion(json.dumps(whole).encode()),
    ):
        (call,) = completion.tool_calls
        assert (call.id, call.name, call.type) == ("x", "f", "function")
        assert call.arguments == {"a": 1}
        assert not call.extra


def test_a_call_among_the_parts_of_content_is_read(read, chunk):
    parts = [
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "x", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "y", "name": "f", "input": {}},
    ]
    whole = {"choices": [{"message": {"content": parts}, "finish_reason": "tool_use"}]}
    for completion in (
        read(chunk({"content": parts}, finish="tool_use")).completion,
        read(*(chunk({"content": [part]}) for part in parts), chunk(finish="tool_use")).completion,
        parse_completion(json.dumps(whole).encode()),
    ):
        found = [(call.id, call.type, call.arguments) for call in completion.tool_calls]
        assert found == [("x", "function", {"a": 1}), ("y", "function", {})]
        assert completion.text == "Hi"


def test_a_call_among_the_parts_of_content_that_repeats_one_is_not_read_twice(read, chunk):
    part = {"type": "tool_use", "id": "x", "name": "f", "input": {"a": 1}}
    delta = {"content": [part], "tool_calls": [tc(A, id="x", name="f", index=0)]}
    assert len(read(chunk(delta, finish="tool_calls")).completion.tool_calls) == 1


class TestNewIdsAndTheSameName:
    """Fragments of one index, each with another id and with the name."""

    @pytest.mark.parametrize("pieces", [['{"a"', ":1}"], ["", '{"a"', ":", "1}"], ["{", '"a":1}']])
    def test_pieces_of_the_arguments_are_of_one_call(self, calls, pieces):
        fragments = [tc(p, id=f"x{i}", name="f", index=0) for i, p in enumerate(pieces)]
        assert calls(*fragments) == [("x0", "f", A)]

    def test_an_object_inside_the_arguments_is_too(self, calls):
        pieces = ['{"a":', '{"b":1}', "}"]
        fragments = [tc(p, id=f"x{i}", name="f", index=0) for i, p in enumerate(pieces)]
        assert calls(*fragments) == [("x0", "f", "".join(pieces))]

    @pytest.mark.parametrize("text", [A, B, "{}", ""])
    def test_behind_whole_arguments_another_call_begins(self, calls, text):
        found = calls(*(tc(t, id=i, name="f", index=0) for i, t in (("x", A), ("y", text))))
        assert found == [("x", "f", A), ("y", "f", text)]

    def test_two_announcements_are_two_calls(self, calls):
        assert len(calls(*(tc("", id=i, name="f", index=0) for i in "xy"))) == 2


class TestNull:
    @pytest.mark.parametrize("fragments", [["null"], ["nu", "ll"], ["", " null "]])
    def test_null_stands_for_no_arguments(self, read, chunk, fragments):
        first, *others = fragments
        opening = chunk({"tool_calls": [tc(first, id="x", name="f", index=0)]})
        pieces = [chunk({"tool_calls": [tc(piece, index=0)]}) for piece in others]
        (call,) = read(opening, *pieces, chunk(finish="tool_calls")).completion.tool_calls
        assert call.arguments == {}

    def test_null_before_the_arguments_is_left_out(self, calls):
        assert calls(tc("null", id="x", name="f", index=0), tc(A, index=0)) == [("x", "f", A)]

    def test_null_inside_the_arguments_stays(self, calls):
        pieces = ['{"a":', "null", "}"]
        ((_, _, text),) = calls(*(tc(p, id="x", name="f", index=0) for p in pieces))
        assert text == '{"a":null}'

    def test_a_call_that_was_cut_behind_null_is_not_whole(self, read, chunk):
        cut = chunk({"tool_calls": [tc("null", id="x", name="f", index=0)]}, finish="length")
        assert not read(cut).completion.tool_calls[0].complete
