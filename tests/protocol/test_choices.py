"""The choices of a stream: interleaved, of unexpected types, and with more than text."""

import pytest

from aimlchat import AnswerDelta


class TestChoices:
    def test_interleaved_choices_are_kept_apart(self, read, chunk):
        reading = read(
            chunk({"content": "b"}, index=1),
            chunk({"content": "a"}),
            chunk({"content": "B"}, index=1, finish="length"),
            chunk({"content": "A"}, finish="stop"),
        )
        assert reading.deltas == [
            AnswerDelta("b", 1),
            AnswerDelta("a", 0),
            AnswerDelta("B", 1),
            AnswerDelta("A", 0),
        ]
        assert [choice.text for choice in reading.completion.choices] == ["aA", "bB"]
        assert [choice.index for choice in reading.completion.choices] == [0, 1]
        assert [c.finish_reason for c in reading.completion.choices] == ["stop", "length"]
        assert reading.completion.text == "aA"

    def test_one_chunk_may_carry_several_choices(self, read):
        choices = [{"index": i, "delta": {"content": t}} for i, t in enumerate("abc")]
        ends = [{"index": i, "finish_reason": "stop"} for i in range(3)]
        reading = read({"choices": choices}, {"choices": ends})
        assert [choice.text for choice in reading.completion.choices] == ["a", "b", "c"]

    def test_a_missing_index_is_the_position_in_the_chunk(self, read):
        choices = [{"delta": {"content": text}, "finish_reason": "stop"} for text in "ab"]
        reading = read({"choices": choices})
        assert reading.deltas == [AnswerDelta("a", 0), AnswerDelta("b", 1)]

    @pytest.mark.parametrize("index", ["1", 1.0, "1.0", None, "one", True, {}, []], ids=repr)
    def test_an_index_of_another_type_does_not_lose_the_text(self, read, index):
        reading = read(
            {"choices": [{"index": index, "delta": {"content": "a"}, "finish_reason": "stop"}]}
        )
        assert [choice.text for choice in reading.completion.choices] == ["a"]

    @pytest.mark.parametrize("position", [0, 1, 2])
    def test_null_choices_are_ignored(self, read, chunk, position):
        chunks = [chunk({"content": "a"}), chunk({"content": "b"}, finish="stop")]
        chunks.insert(position, {"id": "c-1", "choices": None})
        assert read(*chunks).completion.text == "ab"

    @pytest.mark.parametrize(
        "choices", [{}, "none", 7, [None], ["a"], [[]], [{}], [7, None]], ids=repr
    )
    def test_choices_of_another_type_are_ignored(self, read, chunk, choices):
        reading = read(chunk({"content": "a"}), {"choices": choices}, chunk(finish="stop"))
        assert reading.completion.text == "a"

    @pytest.mark.parametrize("delta", [None, "a", 7, [], ["a"]], ids=repr)
    def test_a_delta_of_another_type_is_ignored(self, read, chunk, delta):
        odd = {"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}
        assert read(chunk({"content": "a"}), odd).completion.text == "a"

    def test_a_final_message_that_repeats_all_deltas_is_ignored(self, read, chunk):
        last = {"choices": [{"index": 0, "message": {"content": "ab"}, "finish_reason": "stop"}]}
        reading = read(chunk({"content": "a"}), chunk({"content": "b"}), last)
        assert reading.completion.text == "ab"

    def test_log_probabilities_of_all_chunks_are_joined(self, read, chunk):
        def with_logprobs(logprobs, **rest):
            body = chunk({"content": "a"}, **rest)
            body["choices"][0]["logprobs"] = logprobs
            return body

        reading = read(
            with_logprobs({"content": None, "refusal": None}),
            with_logprobs({"content": [{"token": "a"}]}),
            with_logprobs(None),
            with_logprobs({"content": [{"token": "b"}], "refusal": None, "version": 2}),
            with_logprobs({"content": None}, finish="stop"),
        )
        assert reading.completion.choices[0].logprobs == {
            "content": [{"token": "a"}, {"token": "b"}],
            "refusal": None,
            "version": 2,
        }

    def test_pieces_of_audio_are_joined(self, read, chunk):
        reading = read(
            chunk({"audio": {"id": "au-1", "data": None, "transcript": None}}),
            chunk({"audio": {"transcript": "Ding"}}),
            chunk({"audio": {"data": "UklG", "transcript": ", dong"}}),
            chunk({"audio": {"data": "Rg==", "id": None, "channels": [1, 2]}}),
            chunk({"audio": {"expires_at": 1750000060}}, finish="stop"),
        )
        assert reading.completion.choices[0].audio == {
            "id": "au-1",
            "data": "UklGRg==",
            "transcript": "Ding, dong",
            "channels": [1, 2],
            "expires_at": 1750000060,
        }

    def test_annotations_are_collected(self, read, chunk):
        reading = read(
            chunk({"annotations": [{"url": "a"}]}),
            chunk({"annotations": None}),
            chunk({"annotations": []}),
            chunk({"annotations": [{"url": "b"}]}, finish="stop"),
        )
        assert reading.completion.choices[0].annotations == [{"url": "a"}, {"url": "b"}]


@pytest.mark.parametrize("cut", ["length", "MAX_TOKENS", "content_filter", "SAFETY"])
def test_a_finish_reason_that_says_that_the_answer_was_cut_replaces_another(read, chunk, cut):
    words = [chunk({"content": word}, finish="stop") for word in "ab"]
    completion = read(*words, chunk({"content": "c"}, finish=cut), chunk(finish="stop")).completion
    assert (completion.text, completion.native_finish_reason) == ("abc", cut)
    assert completion.finish_reason in ("length", "content_filter")


@pytest.mark.parametrize("other", ["stop", "tool_calls", "null", "content_filter"])
def test_no_other_finish_reason_replaces_the_first(read, chunk, other):
    completion = read(chunk({"content": "a"}, finish="length"), chunk(finish=other)).completion
    assert completion.finish_reason == "length"


def test_a_delta_has_the_index_of_its_choice(read, chunk):
    reading = read(chunk({"content": "a"}, index=1), chunk(index=1, finish="stop"))
    assert [(delta.choice, delta.text) for delta in reading.deltas] == [(1, "a")]
    assert [(choice.index, choice.text) for choice in reading.completion.choices] == [(1, "a")]
    assert reading.completion.text == "a"
