"""Damaged streams, drawn from seeds, against what the parser promises for any bytes.

The bytes of a stream on which the parser has failed belong into a file in `tests/data/fuzz`: every
run of the tests reads those again.
"""

import contextlib
import copy
import pickle
import time
from collections import Counter
from pathlib import Path

import pytest
from soak import IS_SOAK, SEED
from stream_fuzzer import MODELS, FuzzedStream, draw_stream

from aimlchat import (
    AIMLChatError,
    AnswerDelta,
    ProtocolError,
    ReasoningDelta,
    RefusalDelta,
    StreamInterruptedError,
    StreamParser,
    ToolCallDelta,
)

COUNT = 25_000 if IS_SOAK else 300
KEPT = sorted(Path(__file__).parent.parent.joinpath("data", "fuzz").glob("*.sse"))


def parse(pieces, model):
    """Parse as a caller does; return the deltas, the completion or partial, and the error."""
    parser = StreamParser(model)
    deltas = []
    try:
        for piece in pieces:
            deltas += parser.feed(piece)
        deltas += parser.close()
        parser.close()  # raises a fault that the first call has put off for its deltas
    except AIMLChatError as error:
        return deltas, error.partial, error
    return deltas, parser.completion, None


def add_up(deltas):
    """Return the text of each kind and choice, and of each tool call, with its name."""
    texts, names = {}, {}
    for delta in deltas:
        key = type(delta), delta.choice, getattr(delta, "index", 0)
        texts[key] = texts.get(key, "") + delta.text
        if type(delta) is ToolCallDelta:
            names[key] = delta.id, delta.name
    return texts, names


def check_sums(deltas, result):
    """Check that the deltas add up to the completion, and that nothing in it is unusable."""
    texts, _ = add_up(deltas)
    for choice in result.choices:
        index = choice.index
        assert texts.pop((AnswerDelta, index, 0), "") == choice.text
        assert texts.pop((ReasoningDelta, index, 0), "") == choice.reasoning
        assert texts.pop((RefusalDelta, index, 0), "") == (choice.refusal or "")
        for number, call in enumerate(choice.tool_calls):
            assert texts.pop((ToolCallDelta, index, number), "") == call.raw_arguments
            assert call.id
            # Arguments that were cut, or are no JSON object, raise an error that says so.
            with contextlib.suppress(ProtocolError):
                assert type(call.arguments) is dict
    assert not any(texts.values())
    repr(result).encode()


def check_error(error):
    """Check that an error can be printed, copied and sent to another process."""
    str(error).encode()
    repr(error).encode()
    for other in (copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert (type(other), str(other)) == (type(error), str(error))
        assert repr(other.partial) == repr(error.partial)


def check_stream(stream: FuzzedStream):
    """Parse a stream whole and in two splits, and check all results; return the error."""
    deltas, result, error = parse([stream.body], stream.model)
    check_sums(deltas, result)
    whole = *add_up(deltas), type(error), str(error), repr(result)
    for cuts in stream.cuts:
        other_deltas, other_result, other = parse(stream.pieces(cuts), stream.model)
        assert (*add_up(other_deltas), type(other), str(other), repr(other_result)) == whole
    if error is not None:
        check_error(error)
    if stream.is_right:
        assert error is None
        assert (result.text, result.reasoning) == (stream.text, stream.reasoning)
        check_cut(stream, result)
    return error


def check_cut(stream, completion):
    """Check that the first half of a right stream is a prefix, and never passes as the whole."""
    half = stream.body[: stream.cuts[0][0]]
    _, result, error = parse([half], stream.model)
    assert completion.text.startswith(result.text)
    if error is not None:
        assert type(error) is StreamInterruptedError
    else:
        assert all(choice.finish_reason for choice in result.choices)


@pytest.mark.sampled
def test_damaged_streams_keep_every_promise_of_the_parser(record_property):
    ends, size, start = Counter(), 0, time.perf_counter()
    for number in range(SEED * COUNT, (SEED + 1) * COUNT):
        stream = draw_stream(number)
        try:
            error = check_stream(stream)
        except Exception as failure:
            failure.add_note(f"draw_stream({number}), {stream.model!r}: {stream.body!r}")
            raise
        ends["complete" if error is None else type(error).__name__] += 1
        size += len(stream.body)

    seconds = time.perf_counter() - start
    assert ends["complete"] > COUNT / 10
    assert ends["StreamInterruptedError"] > COUNT / 20
    record_property(
        "note",
        f"{COUNT:,} streams from seed {SEED}, {size / 1e6:.0f} MB, each parsed whole and in two"
        f" splits, {seconds:.0f} s: {dict(ends.most_common())}",
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_stream_on_which_the_parser_once_failed_keeps_every_promise(path, model):
    body = path.read_bytes()
    cuts = tuple(range(1, len(body))) if len(body) < 10_000 else (len(body) // 2,)
    check_stream(FuzzedStream(0, body, model, ((len(body) // 3,), cuts)))
