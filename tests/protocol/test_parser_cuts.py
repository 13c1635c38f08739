"""Any split of the same bytes gives the same result, and no bytes crash the parser."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from soak import examples, sample

from aimlchat import (
    AnswerDelta,
    ReasoningDelta,
    RefusalDelta,
    StreamInterruptedError,
    StreamParser,
    ToolCallDelta,
)

FOLDER = Path(__file__).parent.parent / "data" / "wire"
STREAMS = [
    pytest.param((FOLDER / entry["file"]).read_bytes(), entry["model"], id=Path(entry["file"]).stem)
    for entry in json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    if entry["file"].startswith("streams/")
]
KINDS = AnswerDelta, ReasoningDelta, RefusalDelta, ToolCallDelta


def cut(body, positions):
    ends = sorted({position % (len(body) + 1) for position in positions} | {0, len(body)})
    return [body[a:b] for a, b in itertools.pairwise(ends)]


def joined(deltas, kind, choice):
    return "".join(d.text for d in deltas if type(d) is kind and d.choice == choice)


def check_text(reading):
    """Check that the deltas add up to the completion or partial, and that they are printable."""
    result = reading.completion or reading.error.partial
    assert result is not None
    assert isinstance(result.raw, dict)
    seen = {delta.choice for delta in reading.deltas}
    for choice in result.choices:
        seen.discard(choice.index)
        assert joined(reading.deltas, AnswerDelta, choice.index) == choice.text
        assert joined(reading.deltas, ReasoningDelta, choice.index) == choice.reasoning
        assert joined(reading.deltas, RefusalDelta, choice.index) == (choice.refusal or "")
        arguments = "".join(call.raw_arguments for call in choice.tool_calls)
        calls = [d for d in reading.deltas if type(d) is ToolCallDelta and d.choice == choice.index]
        # A stable sort brings together the fragments of each call.
        fragments = "".join(d.text for d in sorted(calls, key=lambda d: d.index))
        assert arguments == fragments
    assert not seen
    for delta in reading.deltas:
        delta.text.encode()
        if isinstance(delta, ToolCallDelta):
            f"{delta.id}{delta.name}".encode()
    f"{result.id}{result.model}".encode()
    for choice in result.choices:
        f"{choice.text}{choice.reasoning}{choice.refusal}{choice.native_finish_reason}".encode()


@pytest.mark.parametrize(("body", "model"), STREAMS)
class TestOwnStreams:
    def test_single_bytes_give_the_same_deltas_and_completion(self, read_bytes, body, model):
        whole = read_bytes([body], model)
        single = read_bytes([body[i : i + 1] for i in range(len(body))], model)
        assert whole.error is None
        assert single.deltas == whole.deltas
        assert single.completion == whole.completion
        check_text(whole)

    @pytest.mark.sampled
    def test_any_pieces_give_the_same_deltas_and_completion(self, read_bytes, body, model):
        whole = read_bytes([body], model)

        @given(st.lists(st.integers(0, 10_000), max_size=30))
        @examples(30)
        def check(positions):
            pieces = read_bytes(cut(body, positions), model)
            assert pieces.deltas == whole.deltas
            assert pieces.completion == whole.completion

        check()

    def test_line_ends_of_all_kinds_give_the_same_deltas_and_completion(
        self, read_bytes, body, model
    ):
        plain = body.replace(b"\r\n", b"\n")
        whole = read_bytes([plain], model)
        for end in (b"\r\n", b"\r"):
            other = plain.replace(b"\n", end)
            assert read_bytes([other], model).completion == whole.completion
            for position in range(0, len(other), 7):
                reading = read_bytes([other[:position], other[position:]], model)
                assert reading.deltas == whole.deltas

    @pytest.mark.sampled
    def test_a_stream_that_is_cut_at_any_byte_is_complete_or_interrupted(
        self, read_bytes, body, model
    ):
        whole = read_bytes([body], model)
        for end in sample(range(len(body)), 100):
            reading = read_bytes([body[:end]], model)
            assert reading.fed == whole.deltas[: len(reading.fed)]
            check_text(reading)
            if reading.error is not None:
                assert type(reading.error) is StreamInterruptedError
                continue
            choices = reading.completion.choices
            assert [c.text for c in choices] == [c.text for c in whole.completion.choices]
            assert all(choice.finish_reason for choice in choices)

    def test_half_a_stream_is_interrupted(self, read_bytes, body, model):
        half = read_bytes([body[: len(body) // 2]], model)
        assert type(half.error) is StreamInterruptedError

    def test_trailing_bytes_do_not_change_the_text(self, read_bytes, body, model):
        whole = read_bytes([body], model).completion
        for tail in (b"\n", b"\n\n", b"\r\n\r\n", b"\n\n: bye", b"\n\ndata: jun", b"\n\n\0"):
            assert read_bytes([body, tail], model).completion.text == whole.text


def check_pieces(body, pieces, read_bytes, model):
    reading = read_bytes(pieces, model)
    check_text(reading)
    whole = read_bytes([body], model)
    assert reading.end == whole.end
    assert reading.deltas == whole.deltas


@given(
    body=st.binary(max_size=200),
    positions=st.lists(st.integers(0, 300), max_size=6),
    model=st.sampled_from(["", "gpt-4o", "qwen3-32b"]),
)
@examples(400)
def test_arbitrary_bytes_do_not_crash(read_bytes, body, positions, model):
    check_pieces(body, cut(body, positions), read_bytes, model)


@given(
    events=st.lists(st.binary(max_size=40), max_size=6),
    positions=st.lists(st.integers(0, 300), max_size=6),
)
@examples(300)
def test_arbitrary_events_do_not_crash(read_bytes, events, positions):
    body = b"".join(b"data: %s\n\n" % event for event in events)
    check_pieces(body, cut(body, positions), read_bytes, "")


@given(data=st.data(), positions=st.lists(st.integers(0, 5000), max_size=4))
@examples(600)
def test_mutated_streams_do_not_crash(read_bytes, data, positions):
    body, model = data.draw(st.sampled_from(STREAMS)).values
    mutated = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(mutated) - 1))
        size = data.draw(st.integers(0, 9))
        mutated[start : start + size] = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b'"', b"{}", b"[]", b"null", b"7", b'"x":', b"\\ud83e", b"\n", b","])
        )
    check_pieces(bytes(mutated), cut(bytes(mutated), positions), read_bytes, model)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats()
    | st.sampled_from(
        ["", "a", "<think>", "</think>", " ", "\ud83e", "\udd89", "0", "stop", "text"]
    )
    | st.sampled_from(["thinking", "error", '{"x":', "1}", "\0", "x" * 5000]),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(sorted({"text", "type", "usage", "message", "x"})), children, max_size=3
        )
    ),
    max_leaves=6,
)


def mapping(**known):
    """Build dictionaries with some of these keys, whose values are as documented or anything."""
    return st.fixed_dictionaries({}, optional={key: value | VALUES for key, value in known.items()})


FUNCTION = mapping(
    name=st.sampled_from(["f", "g", "fg"]), arguments=st.sampled_from(["{", "}", '{"x":1}', ""])
)
MESSAGE = mapping(
    content=st.text(max_size=5),
    reasoning_content=st.text(max_size=3),
    reasoning=st.text(max_size=3),
    reasoning_details=st.lists(mapping(text=st.text(max_size=3), summary=VALUES), max_size=2),
    thinking=st.text(max_size=3),
    refusal=st.text(max_size=3),
    tool_calls=st.lists(
        mapping(index=st.integers(0, 2), id=st.sampled_from("ab"), function=FUNCTION), max_size=3
    ),
    function_call=FUNCTION,
    audio=mapping(data=st.text(max_size=3), transcript=st.text(max_size=3), id=VALUES),
    annotations=st.lists(VALUES, max_size=2),
)
CHUNK = mapping(
    id=st.text(max_size=3),
    model=st.sampled_from(["gpt-4o", "qwen3-32b"]),
    created=st.integers(),
    choices=st.lists(
        mapping(
            index=st.integers(0, 2),
            delta=MESSAGE,
            message=MESSAGE,
            finish_reason=st.sampled_from(["stop", None]),
            logprobs=mapping(content=st.lists(VALUES, max_size=2), refusal=VALUES),
        ),
        max_size=3,
    ),
    usage=mapping(prompt_tokens=st.integers(), completion_tokens_details=VALUES),
    meta=mapping(usage=mapping(credits_used=st.floats(), usd_spent=st.floats())),
    x=VALUES,
)
EVENTS = (
    CHUNK
    | mapping(
        event=CHUNK,
        state=mapping(
            usage=mapping(input_tokens=st.integers(0, 9), output_tokens=st.integers(0, 9))
        ),
    )
    | mapping(error=VALUES, message=VALUES, statusCode=VALUES, choices=VALUES)
)


@given(events=st.lists(EVENTS, max_size=6), model=st.sampled_from(["", "gpt-4o", "qwen3-32b"]))
@examples(300)
def test_chunks_with_any_value_in_any_key_do_not_crash(read, events, model):
    check_text(read(*events, model=model))


@given(body=CHUNK)
@examples(200)
def test_a_whole_body_with_any_value_in_any_key_does_not_crash(read_bytes, body):
    reading = read_bytes([json.dumps(body).encode()], "")
    check_text(reading)


@given(body=CHUNK)
@examples(150)
def test_the_fast_and_the_lenient_path_agree_on_a_whole_body(read_bytes, body):
    fast = read_bytes([json.dumps(body).encode()], "")
    lenient = read_bytes([json.dumps(body | {"created": [0]}).encode()], "")
    assert fast.deltas == lenient.deltas
    assert type(fast.error) is type(lenient.error)
    if fast.completion:
        assert fast.completion.choices == lenient.completion.choices
        assert fast.completion.cost == lenient.completion.cost


@given(chunks=st.lists(CHUNK.filter(lambda body: not body.get("error")), max_size=5))
@examples(200)
def test_the_fast_and_the_lenient_path_agree_on_a_stream(read, chunks):
    fast = read(*chunks, b"[DONE]", model="gpt-4o")
    # The fast decoder rejects a time that is not a number, and the lenient path ignores it.
    lenient = read(*(body | {"created": [0]} for body in chunks), b"[DONE]", model="gpt-4o")
    assert fast.deltas == lenient.deltas
    assert type(fast.error) is type(lenient.error)
    if fast.completion:
        assert fast.completion.choices == lenient.completion.choices
        assert fast.completion.usage == lenient.completion.usage


TAGS = st.sampled_from(["<think>", "</think>", "<", "think>", " "])
TEXT = st.fixed_dictionaries(
    {}, optional={"content": st.text(max_size=5) | TAGS, "reasoning_content": st.text(max_size=3)}
)
CHOICE = st.fixed_dictionaries({"index": st.integers(0, 2), "delta": TEXT | MESSAGE})
PLAIN = st.fixed_dictionaries({"choices": st.tuples(CHOICE)})


@given(
    chunks=st.lists(PLAIN | CHUNK.filter(lambda body: not body.get("error")), max_size=25),
    model=st.sampled_from(["gpt-4o", "qwen3-32b"]),
)
@examples(300)
def test_the_plain_and_the_lenient_path_agree_on_chunks_read_one_by_one(
    sse, read_bytes, chunk, chunks, model
):
    # Once both choices have begun, and id and model are known, plain chunks are tried first.
    opening = chunk({"content": "a"}), chunk({"content": "b"}, index=1)
    fast = read_bytes([sse(*opening), *map(sse, chunks), sse(b"[DONE]")], model)
    lenient = [sse(body | {"created": [0]}) for body in (*opening, *chunks)]
    lenient = read_bytes([*lenient, sse(b"[DONE]")], model)
    assert fast.deltas == lenient.deltas
    assert type(fast.error) is type(lenient.error)
    if fast.completion:
        assert fast.completion.choices == lenient.completion.choices
        assert fast.completion.usage == lenient.completion.usage


def test_reading_the_partial_changes_nothing(read_bytes):
    body, model = STREAMS[0].values
    parser = StreamParser(model)
    deltas = []
    for i in range(len(body)):
        deltas += parser.feed(body[i : i + 1])
        assert parser.partial.text == joined(deltas, AnswerDelta, 0)
    parser.close()
    assert parser.completion == read_bytes([body], model).completion
