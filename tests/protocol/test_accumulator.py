"""The accumulator: from decoded chunks to deltas, and to the completion."""

import json

import pytest

from aimlchat import AnswerDelta, ReasoningDelta, Usage
from aimlchat._protocol.accumulator import Accumulator
from aimlchat._protocol.chunks import decode_chunk, decode_plain_chunk

IDENTITY = {"id": "c-1", "model": "m-1", "created": 5}


def chunk_of(delta=None, *, index=0, finish=None, **top):
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return json.dumps({"choices": [choice]} | IDENTITY | top).encode()


class Adding:
    """An accumulator, and the deltas of the chunks that were added to it."""

    def __init__(self, model="openai/gpt-4o") -> None:
        self.content = Accumulator(model)
        self.deltas = []

    def add(self, *chunks):
        for chunk in chunks:
            self.content.add(decode_chunk(chunk), self.deltas)

    def add_plain(self, chunk):
        return self.content.add_plain(decode_plain_chunk(chunk), self.deltas)

    def build(self, *, complete=True, **fields):
        return self.content.build(complete=complete, raw={}, **fields)


@pytest.fixture
def adding():
    return Adding()


# --- when a stream is finished --------------------------------------------------------------------


def test_nothing_was_received_at_first(adding):
    assert (adding.content.has_chunk, adding.content.finished_choices) == (False, 0)
    assert adding.build().choices == ()


def test_an_event_without_choices_is_no_chunk(adding):
    adding.add(b'{"usage": {"total_tokens": 3}}')

    assert not adding.content.has_chunk


def test_an_empty_list_of_choices_makes_a_chunk(adding):
    adding.add(b'{"choices": []}')

    assert adding.content.has_chunk


def test_choices_count_as_finished_once_all_that_began_are(adding):
    counts = []
    for chunk in (
        chunk_of({"content": "a"}, index=0),
        chunk_of({"content": "b"}, index=1),
        chunk_of(index=0, finish="stop"),
        chunk_of(index=1, finish="length"),
    ):
        adding.add(chunk)
        counts.append(adding.content.finished_choices)

    assert counts == [0, 0, 0, 2]


def test_a_choice_that_begins_late_is_waited_for(adding):
    adding.add(chunk_of(index=0, finish="stop"))
    assert adding.content.finished_choices == 1
    adding.add(chunk_of({"content": "b"}, index=1))

    assert adding.content.finished_choices == 0


def test_a_repeated_finish_reason_counts_once(adding):
    adding.add(chunk_of({"content": "b"}, index=1))
    for _ in range(3):
        adding.add(chunk_of(index=0, finish="stop"))

    assert adding.content.finished_choices == 0


# --- plain chunks ---------------------------------------------------------------------------------


def test_it_is_settled_once_id_and_model_are_known(adding):
    assert not adding.content.is_settled
    adding.add(chunk_of({"content": "a"}, id="", model=""))
    assert not adding.content.is_settled
    adding.add(chunk_of({"content": "a"}))

    assert adding.content.is_settled


def test_half_a_character_unsettles_it(adding):
    adding.add(chunk_of({"content": "a"}))
    chunk = decode_chunk(chunk_of())
    chunk.choices[0].delta.content = "\ud83e"
    adding.content.add(chunk, adding.deltas, lenient=True)

    assert not adding.content.is_settled


def test_a_plain_chunk_of_a_choice_that_has_not_begun_is_not_added(adding):
    adding.add(chunk_of({"content": "a"}))

    assert not adding.add_plain(chunk_of({"content": "b"}, index=1))
    assert len(adding.deltas) == 1
    assert len(adding.build().choices) == 1


@pytest.mark.parametrize("model", ["openai/gpt-4o", "deepseek/deepseek-r1"])
@pytest.mark.parametrize(
    "deltas",
    [
        [{"content": "One"}, {"content": " two"}],
        [{"reasoning_content": "Hm."}, {"content": "One"}],
        [{"reasoning_content": "Hm.", "content": "One"}],
        [{"content": ""}, {"content": None}, {}],
        [{"content": "<thi"}, {"content": "nk>Hm.</think>"}, {"content": "One"}],
        [{"content": "<thi"}, {"content": "s"}],
    ],
)
def test_a_plain_chunk_adds_what_any_chunk_adds(model, deltas):
    usual, plain = Adding(model), Adding(model)
    for side in (usual, plain):
        side.add(chunk_of({"role": "assistant"}))
    for delta in deltas:
        usual.add(chunk_of(delta))
        assert plain.add_plain(chunk_of(delta))
    for side in (usual, plain):
        side.content.close(side.deltas)

    assert plain.deltas == usual.deltas
    assert plain.build() == usual.build()


def test_a_plain_chunk_may_bring_the_time_that_was_missing(adding):
    adding.add(chunk_of({"content": "a"}, created=0))
    adding.add_plain(chunk_of({"content": "b"}, created=7))
    adding.add_plain(chunk_of({"content": "c"}, created=8))

    assert adding.build().created == 7


# --- the end --------------------------------------------------------------------------------------


def test_what_may_be_the_start_of_a_tag_is_text_at_the_end():
    adding = Adding("deepseek/deepseek-r1")
    adding.add(chunk_of({"content": "<thi"}))
    assert adding.deltas == []
    adding.content.close(adding.deltas)

    assert adding.deltas == [AnswerDelta("<thi", 0)]


def test_reasoning_without_an_end_tag_stays_reasoning():
    adding = Adding("deepseek/deepseek-r1")
    adding.add(chunk_of({"content": "<think>Hm"}), chunk_of({"content": "."}))
    adding.content.close(adding.deltas)

    assert {type(delta) for delta in adding.deltas} == {ReasoningDelta}
    assert adding.build().reasoning == "Hm."


# --- the completion -------------------------------------------------------------------------------


def test_the_choices_are_in_the_order_of_their_index(adding):
    for index in (2, 0, 1):
        adding.add(chunk_of({"content": str(index)}, index=index))

    assert [choice.text for choice in adding.build().choices] == ["0", "1", "2"]


def test_a_completion_does_not_change_with_later_chunks(adding):
    adding.add(
        chunk_of({"content": "a", "annotations": [{"n": 1}]}),
        json.dumps({"choices": [{"index": 0, "logprobs": {"content": [1]}}]}).encode(),
    )
    early = adding.build(complete=False)
    adding.add(
        chunk_of({"content": "b", "annotations": [{"n": 2}]}),
        json.dumps({"choices": [{"index": 0, "logprobs": {"content": [2]}}]}).encode(),
    )

    (choice,) = early.choices
    assert (choice.text, choice.annotations, choice.logprobs) == ("a", [{"n": 1}], {"content": [1]})
    assert adding.build().choices[0].logprobs == {"content": [1, 2]}


def test_only_the_tool_calls_of_a_complete_stream_are_complete(adding):
    call = {"index": 0, "id": "t", "function": {"name": "f", "arguments": '{"x": 1}'}}
    adding.add(chunk_of({"tool_calls": [call]}))

    assert [adding.build(complete=c).tool_calls[0].complete for c in (False, True)] == [False, True]


def test_the_usage_of_a_chunk_wins_over_that_of_envelopes(adding):
    event = {"choices": [{"index": 0, "delta": {"content": "a"}}]}
    state = {"usage": {"input_tokens": 5, "output_tokens": 2}}
    adding.add(json.dumps({"event": event, "state": state}).encode())
    counts = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert adding.build().usage == Usage(5, 2, 7, raw=counts)

    adding.add(chunk_of(usage={"prompt_tokens": 1, "total_tokens": 9}))
    assert adding.build().usage.total_tokens == 9


def test_the_fields_that_the_body_does_not_hold_are_passed_on(adding):
    completion = adding.build(inference_id="i-1", headers={"x-aimlapi-usd-spent": "0.5"})

    assert completion.inference_id == "i-1"
    assert completion.cost.usd == 0.5
