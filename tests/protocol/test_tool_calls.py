"""Tool calls assembled from fragments, however the wire numbers them."""

import json

import pytest

from aimlchat import ProtocolError, StreamInterruptedError, ToolCallDelta
from aimlchat._protocol.whole import parse_completion


def fragment(arguments=None, *, name=None, **keys):
    function = {}
    if name is not None:
        function["name"] = name
    if arguments is not None:
        function["arguments"] = arguments
    return keys | ({"function": function} if function else {})


@pytest.fixture(scope="session")
def calls(read, chunk):
    """Return a function that parses fragments, one in each chunk, to calls."""

    def read_calls(*fragments):
        chunks = [chunk({"tool_calls": [one]}) for one in fragments]
        reading = read(*chunks, chunk(finish="tool_calls"))
        return [(c.id, c.name, c.raw_arguments) for c in reading.completion.tool_calls]

    return read_calls


TWO = [("a", "tide", '{"x":1}'), ("b", "wind", '{"y":2}')]


@pytest.mark.parametrize(
    "fragments",
    [
        pytest.param(
            [
                fragment("", id="a", name="tide", index=0),
                fragment('{"x"', index=0),
                fragment(":1}", index=0),
                fragment("", id="b", name="wind", index=1),
                fragment('{"y":2}', index=1),
            ],
            id="as documented",
        ),
        pytest.param(
            [
                fragment("", id="a", name="tide", index=0),
                fragment("", id="b", name="wind", index=1),
                fragment('{"x"', index=0),
                fragment('{"y"', index=1),
                fragment(":1}", index=0),
                fragment(":2}", index=1),
            ],
            id="interleaved",
        ),
        pytest.param(
            [
                fragment('{"x"', id="a", name="tide"),
                fragment(":1}"),
                fragment('{"y"', id="b", name="wind"),
                fragment(":2}"),
            ],
            id="index missing",
        ),
        pytest.param(
            [
                fragment('{"x"', id="a", name="tide", index=1),
                fragment(":1}", index=1),
                fragment('{"y":2}', id="b", name="wind", index=2),
            ],
            id="index from 1",
        ),
        pytest.param(
            [
                fragment('{"x":1}', id="a", name="tide", index=7),
                fragment('{"y":2}', id="b", name="wind", index=3),
            ],
            id="index falling",
        ),
        pytest.param(
            [
                fragment('{"x"', id="a", name="tide", index=0),
                fragment(":1}", index=0),
                fragment('{"y"', id="b", name="wind", index=0),
                fragment(":2}", index=0),
            ],
            id="index the same for all",
        ),
        pytest.param(
            [
                fragment('{"x"', id="a", name="tide", index=0),
                fragment('{"y"', id="b", name="wind", index=0),
                fragment(":1}", id="a", index=0),
                fragment(":2}", id="b", index=0),
            ],
            id="index the same for all, ids repeated",
        ),
        pytest.param(
            [
                fragment("", name="tide", index=0),
                fragment('{"x"', index=0),
                fragment(":1}", id="a", index=0),
                fragment('{"y"', name="wind", index=1),
                fragment(":2}", index=1),
                fragment("", id="b", index=1),
            ],
            id="id late",
        ),
        pytest.param(
            [
                fragment('{"x"', id="a", name="tide", index=0),
                fragment(":1", id="a", name="tide", index=0),
                fragment("}", id="a", name="tide", index=0),
                fragment('{"y"', id="b", name="wind", index=1),
                fragment(":2}", id="b", name="wind", index=1),
            ],
            id="id and name repeated",
        ),
        pytest.param(
            [
                fragment('{"x"', id="a", name="tide", index=0),
                fragment(":1}", name="tide", index=0),
                fragment('{"y"', id="b", name="wind", index=1),
                fragment(":2}", name="wind", index=1),
            ],
            id="name repeated",
        ),
        pytest.param(
            [
                fragment('{"x":1}', id="a", name="tide", index="0"),
                fragment('{"y"', id="b", name="wind", index="1"),
                fragment(":2}", index="1.0"[:1]),
            ],
            id="index a string",
        ),
        pytest.param(
            [
                fragment(id="a", index=0, type="function"),
                fragment(name="ti", index=0),
                fragment('{"x":1}', name="tide", index=0),
                fragment(id="b", index=1, type="function"),
                fragment('{"y":2}', name="wind", index=1),
            ],
            id="name late and growing",
        ),
        pytest.param(
            [fragment({"x": 1}, id="a", name="tide"), fragment({"y": 2}, id="b", name="wind")],
            id="arguments as JSON",
        ),
    ],
)
def test_two_calls_are_assembled(calls, fragments):
    found = [(i, name, arguments.replace(" ", "")) for i, name, arguments in calls(*fragments)]
    assert found == TWO


def test_two_calls_of_one_function_without_ids_are_kept_apart(calls):
    found = calls(
        fragment('{"x"', name="tide", index=0),
        fragment(":1}", name="tide", index=0),
        fragment('{"x"', name="tide", index=0),
        fragment(":2}", name="tide", index=0),
    )
    assert found == [("call_0", "tide", '{"x":1}'), ("call_1", "tide", '{"x":2}')]


def test_a_nested_object_does_not_begin_a_new_call(calls):
    pieces = ['{"x":', '{"y":1}', ",", '"z":', '{"y":2}', "}"]
    found = calls(*(fragment(piece, name="tide", index=0) for piece in pieces))
    assert found == [("call_0", "tide", "".join(pieces))]


def test_a_call_may_have_no_arguments(calls, read, chunk):
    assert calls(fragment(id="a", name="tide", index=0)) == [("a", "tide", "")]


def test_fragments_of_one_chunk_are_read_in_their_order(read, chunk):
    both = [fragment('{"x":1}', id="a", name="tide"), fragment('{"y":2}', id="b", name="wind")]
    reading = read(chunk({"tool_calls": both}), chunk(finish="tool_calls"))
    assert [(c.id, c.name, c.raw_arguments) for c in reading.completion.tool_calls] == TWO


@pytest.mark.parametrize(
    "odd", [{}, None, [], "x", {"function": {}}, {"function": 7}, {"index": 0}], ids=repr
)
def test_a_fragment_without_id_name_and_arguments_begins_no_call(read, chunk, odd):
    reading = read(chunk({"tool_calls": [odd], "content": "a"}), chunk(finish="stop"))
    assert reading.completion.text == "a"
    assert reading.completion.tool_calls == ()


@pytest.mark.parametrize("calls", [{}, "x", 7, [], None], ids=repr)
def test_tool_calls_of_another_type_are_read_over(read, chunk, calls):
    reading = read(chunk({"tool_calls": calls, "content": "a"}, finish="stop"))
    assert reading.completion.text == "a"
    assert reading.completion.tool_calls == ()


def test_a_function_call_is_a_tool_call(read, chunk):
    reading = read(
        chunk({"function_call": {"name": "tide", "arguments": ""}}),
        chunk({"function_call": {"arguments": '{"x":1}'}}),
        chunk(finish="function_call"),
    )
    assert [c.arguments for c in reading.completion.tool_calls] == [{"x": 1}]
    assert reading.completion.finish_reason == "tool_calls"


def test_the_first_delta_of_a_call_may_be_empty(read, chunk):
    reading = read(
        chunk({"tool_calls": [fragment("", id="a", name="tide", index=5)]}),
        chunk({"tool_calls": [fragment('{"x":', index=5)]}),
        chunk({"tool_calls": [fragment("", index=5)]}),
        chunk({"tool_calls": [fragment("1}", index=5)]}),
        chunk(finish="tool_calls"),
    )
    assert reading.deltas == [
        ToolCallDelta("", 0, 0, "a", "tide"),
        ToolCallDelta('{"x":', 0, 0, "a", "tide"),
        ToolCallDelta("1}", 0, 0, "a", "tide"),
    ]


def test_a_delta_has_the_best_id_and_name_known_so_far(read, chunk):
    reading = read(
        chunk({"tool_calls": [fragment("{", index=1)]}),
        chunk({"tool_calls": [fragment('"x"', name="tide", index=1)]}),
        chunk({"tool_calls": [fragment(":1}", id="a", index=1)]}),
        chunk(finish="tool_calls"),
    )
    assert [(d.id, d.name) for d in reading.deltas] == [(None, None), (None, "tide"), ("a", "tide")]


def test_calls_of_several_choices_are_kept_apart(read, chunk):
    reading = read(
        chunk({"tool_calls": [fragment('{"x":1}', id="a", name="tide", index=0)]}),
        chunk({"tool_calls": [fragment('{"y":2}', id="b", name="wind", index=0)]}, index=1),
        chunk(finish="tool_calls"),
        chunk(index=1, finish="tool_calls"),
    )
    assert [(d.choice, d.index) for d in reading.deltas] == [(0, 0), (1, 0)]
    assert [c.tool_calls[0].name for c in reading.completion.choices] == ["tide", "wind"]


def test_the_arguments_of_a_cut_stream_cannot_be_read(read, chunk):
    reading = read(chunk({"tool_calls": [fragment('{"x":1}', id="a", name="tide", index=0)]}))
    assert isinstance(reading.error, StreamInterruptedError)
    (call,) = reading.error.partial.tool_calls
    assert call.raw_arguments == '{"x":1}'
    with pytest.raises(ProtocolError, match=r"tide.*cut off"):
        call.arguments  # noqa: B018 - reading it is the test
    with pytest.raises(ProtocolError, match=r"tide.*cut off"):
        reading.error.partial.as_message()


class TestIdsThatTheWireDoesNotGive:
    @pytest.mark.parametrize("id_", [{}, {"id": None}, {"id": ""}], ids=str)
    def test_a_streamed_call_gets_one_from_its_index(self, calls, id_):
        found = calls(
            fragment("{}", name="tide", index=4, **id_), fragment("{}", name="wind", index=7, **id_)
        )
        assert [id_ for id_, _, _ in found] == ["call_0", "call_1"]

    @pytest.mark.parametrize("id_", [{}, {"id": None}, {"id": ""}], ids=str)
    def test_a_call_of_a_whole_completion_gets_one_from_its_index(self, id_):
        body = [{"message": {"tool_calls": [fragment("{}", name=n, **id_) for n in ("f", "g")]}}]
        completion = parse_completion(json.dumps({"choices": body}).encode())
        assert [call.id for call in completion.tool_calls] == ["call_0", "call_1"]

    @pytest.mark.parametrize(
        ("wire_ids", "ids"),
        [
            ((None, "call_0"), ["call_0_1", "call_0"]),
            (("call_1", ""), ["call_1", "call_1_1"]),
            ((None, "call_0", "call_0_1"), ["call_0_2", "call_0", "call_0_1"]),
            (("call_2", None, None), ["call_2", "call_1", "call_2_1"]),
            (("a", None, "b"), ["a", "call_1", "b"]),
        ],
        ids=str,
    )
    def test_an_id_that_the_wire_uses_for_another_call_is_avoided(self, calls, wire_ids, ids):
        fragments = [
            fragment("{}", id=wire_id, name="tide", index=index)
            for index, wire_id in enumerate(wire_ids)
        ]
        assert [id_ for id_, _, _ in calls(*fragments)] == ids
        body = {"choices": [{"message": {"tool_calls": fragments}}]}
        completion = parse_completion(json.dumps(body).encode())
        assert [call.id for call in completion.tool_calls] == ids
        assert [call["id"] for call in completion.as_message()["tool_calls"]] == ids

    def test_ids_are_unique_over_all_choices(self, read, chunk):
        without, with_id = fragment("{}", name="tide"), fragment("{}", id="call_0", name="tide")
        reading = read(
            chunk({"tool_calls": [without]}, finish="tool_calls"),
            chunk({"tool_calls": [with_id]}, index=1, finish="tool_calls"),
            chunk({"tool_calls": [without]}, index=2, finish="tool_calls"),
        )
        ids = [choice.tool_calls[0].id for choice in reading.completion.choices]
        assert ids == ["call_0_1", "call_0", "call_0_2"]

    def test_a_function_call_gets_one_from_its_index(self, read, chunk):
        reading = read(
            chunk({"function_call": fragment("{}", name="f")["function"]}, finish="stop")
        )
        assert [call.id for call in reading.completion.tool_calls] == ["call_0"]

    @pytest.mark.parametrize("empty", [{}, {"id": None}, {"id": ""}], ids=str)
    def test_a_delta_has_none_until_the_wire_gives_one(self, read, chunk, empty):
        reading = read(
            chunk({"tool_calls": [fragment("{", name="tide", index=0, **empty)]}),
            chunk({"tool_calls": [fragment("}", id="a", index=0)]}),
            chunk(finish="tool_calls"),
        )
        assert [delta.id for delta in reading.deltas] == [None, "a"]
        assert [call.id for call in reading.completion.tool_calls] == ["a"]

    def test_a_message_has_the_id_of_the_call(self, read, chunk):
        completion = read(
            chunk({"tool_calls": [fragment("{}", name="tide", index=1)]}),
            chunk({"tool_calls": [fragment("{}", id="call_0", name="wind", index=2)]}),
            chunk(finish="tool_calls"),
        ).completion
        ids = [call["id"] for call in completion.as_message()["tool_calls"]]
        assert ids == [call.id for call in completion.tool_calls] == ["call_0_1", "call_0"]
