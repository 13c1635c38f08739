"""Tool calls out of fragments, however the wire numbers them."""

import pytest

from aimlchat import ProtocolError, StreamInterruptedError, ToolCallDelta


def fragment(arguments=None, *, name=None, **keys):
    function = {}
    if name is not None:
        function["name"] = name
    if arguments is not None:
        function["arguments"] = arguments
    return keys | ({"function": function} if function else {})


@pytest.fixture(scope="session")
def calls(read, chunk):
    """Return a function that reads fragments, one to a chunk, to calls."""

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
            id="as promised",
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
            id="the same index, told apart by their ids",
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
            id="arguments parsed",
        ),
    ],
)
def test_two_calls_are_put_together(calls, fragments):
    found = [(i, name, arguments.replace(" ", "")) for i, name, arguments in calls(*fragments)]
    assert found == TWO


def test_two_calls_of_one_function_without_ids_are_told_apart(calls):
    found = calls(
        fragment('{"x"', name="tide", index=0),
        fragment(":1}", name="tide", index=0),
        fragment('{"x"', name="tide", index=0),
        fragment(":2}", name="tide", index=0),
    )
    assert found == [("call_0", "tide", '{"x":1}'), ("call_1", "tide", '{"x":2}')]


def test_a_nested_object_is_no_new_call(calls):
    pieces = ['{"x":', '{"y":1}', ",", '"z":', '{"y":2}', "}"]
    found = calls(*(fragment(piece, name="tide", index=0) for piece in pieces))
    assert found == [("call_0", "tide", "".join(pieces))]


def test_a_call_without_arguments_has_none(calls, read, chunk):
    assert calls(fragment(id="a", name="tide", index=0)) == [("a", "tide", "")]


def test_fragments_of_one_chunk_are_taken_in_their_order(read, chunk):
    both = [fragment('{"x":1}', id="a", name="tide"), fragment('{"y":2}', id="b", name="wind")]
    reading = read(chunk({"tool_calls": both}), chunk(finish="tool_calls"))
    assert [(c.id, c.name, c.raw_arguments) for c in reading.completion.tool_calls] == TWO


@pytest.mark.parametrize(
    "odd", [{}, None, [], "x", {"function": {}}, {"function": 7}, {"index": 0}], ids=repr
)
def test_what_says_nothing_announces_no_call(read, chunk, odd):
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


def test_the_first_delta_of_a_call_announces_it(read, chunk):
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


def test_the_arguments_of_a_cut_stream_cannot_be_used(read, chunk):
    reading = read(chunk({"tool_calls": [fragment('{"x":1}', id="a", name="tide", index=0)]}))
    assert isinstance(reading.error, StreamInterruptedError)
    (call,) = reading.error.partial.tool_calls
    assert call.raw_arguments == '{"x":1}'
    with pytest.raises(ProtocolError, match=r"tide.*cut off"):
        call.arguments  # noqa: B018 - reading it is the test
    with pytest.raises(ProtocolError, match=r"tide.*cut off"):
        reading.error.partial.as_message()
