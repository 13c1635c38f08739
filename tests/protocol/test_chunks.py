"""Chunks of every shape, and the deltas that they become."""

import json

import pytest

from aimlchat import AnswerDelta, ReasoningDelta, RefusalDelta

DONE = b"[DONE]"


class TestText:
    def test_each_chunk_becomes_a_delta_in_the_order_of_the_wire(self, read, chunk):
        reading = read(
            chunk({"reasoning_content": "hm"}),
            chunk({"content": "yes"}),
            chunk({"reasoning_content": " hm"}),
            chunk(finish="stop"),
        )
        assert reading.deltas == [ReasoningDelta("hm"), AnswerDelta("yes"), ReasoningDelta(" hm")]
        assert reading.completion.text == "yes"
        assert reading.completion.reasoning == "hm hm"

    def test_reasoning_comes_first_where_one_chunk_carries_both(self, read, chunk):
        reading = read(chunk({"content": "yes", "reasoning_content": "hm"}, finish="stop"))
        assert reading.deltas == [ReasoningDelta("hm"), AnswerDelta("yes")]

    @pytest.mark.parametrize("delta", [{}, {"content": ""}, {"content": None}, {"refusal": None}])
    def test_an_empty_delta_is_not_returned(self, read, chunk, delta):
        reading = read(chunk(delta), chunk({"content": "a"}, finish="stop"))
        assert reading.deltas == [AnswerDelta("a")]

    def test_white_space_is_never_trimmed(self, read, chunk):
        texts = [" \n", "a ", "\t", " b\n\n"]
        reading = read(*(chunk({"content": text}) for text in texts), chunk(finish="stop"))
        assert [delta.text for delta in reading.deltas] == texts

    def test_text_after_the_finish_reason_still_counts(self, read, chunk):
        reading = read(
            chunk({"content": "a"}, finish="stop"), chunk({"content": "b"}, finish="stop")
        )
        assert reading.completion.text == "ab"

    def test_events_after_done_are_ignored(self, read, chunk):
        reading = read(chunk({"content": "a"}), DONE, chunk({"content": "b"}), b"junk")
        assert reading.completion.text == "a"
        assert reading.completion.finish_reason is None

    @pytest.mark.parametrize(
        ("content", "text"),
        [(7, "7"), (1.5, "1.5"), (True, ""), ({"text": "a"}, "a"), ({"x": 1}, ""), ([], "")],
    )
    def test_content_of_another_type_becomes_text_or_is_ignored(self, read, chunk, content, text):
        reading = read(chunk({"content": content}), chunk(finish="stop"))
        assert reading.completion.text == text

    def test_content_may_be_a_list_of_parts(self, read, chunk):
        parts = [
            {"type": "thinking", "thinking": "a"},
            {"type": "thinking", "thinking": [{"type": "text", "text": "b"}, {"type": "x"}, 7]},
            {"type": "reasoning", "text": "c"},
            {"type": "text", "text": "d"},
            "e",
            {"type": "output_text", "text": "f"},
            {"type": "image", "url": "g"},
            None,
        ]
        reading = read(chunk({"content": parts}, finish="stop"))
        assert reading.deltas == [ReasoningDelta("abc"), AnswerDelta("def")]

    def test_a_refusal_has_its_own_deltas(self, read, chunk):
        reading = read(
            chunk({"refusal": "I would "}), chunk({"refusal": "rather not."}), chunk(finish="stop")
        )
        assert reading.deltas == [RefusalDelta("I would "), RefusalDelta("rather not.")]
        assert reading.completion.refusal == "I would rather not."
        assert reading.completion.text == ""

    def test_without_a_refusal_the_field_is_none(self, read, chunk):
        assert read(chunk({"content": "a"}, finish="stop")).completion.refusal is None


class TestReasoning:
    @pytest.mark.parametrize(
        "delta",
        [
            {"reasoning_content": "hm"},
            {"reasoning": "hm"},
            {"thinking": "hm"},
            {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
            {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
            {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
            {"reasoning": "hm", "reasoning_content": "hm"},
            {
                "reasoning": "hm",
                "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}],
            },
            {"reasoning": "hm", "reasoning_details": ["odd", None, 7]},
            {"content": [{"type": "thinking", "thinking": "hm"}]},
        ],
        ids=json.dumps,
    )
    def test_reasoning_under_several_names_counts_once(self, read, chunk, delta):
        reading = read(chunk(delta), chunk(finish="stop"))
        assert reading.deltas == [ReasoningDelta("hm")]

    def test_encrypted_reasoning_has_no_text(self, read, chunk):
        detail = {"type": "reasoning.encrypted", "data": "Zm9v"}
        assert read(chunk({"reasoning_details": [detail]}, finish="stop")).deltas == []

    def test_reasoning_of_another_type_is_ignored(self, read, chunk):
        delta = {"reasoning": {"effort": 1}, "reasoning_details": "x", "content": "a"}
        assert read(chunk(delta, finish="stop")).deltas == [AnswerDelta("a")]

    def test_the_requested_model_decides_whether_tags_are_reasoning(self, read, chunk):
        chunks = chunk({"content": "<think>hm</think>yes"}, model="gpt-4o"), chunk(finish="stop")
        assert read(*chunks, model="qwen3-32b").completion.reasoning == "hm"
        assert read(*chunks, model="claude-3.7-sonnet").completion.text == "<think>hm</think>yes"

    @pytest.mark.parametrize(("echo", "reasoning"), [("qwen3-32b", "hm"), ("gpt-4o", "")])
    def test_without_a_requested_model_the_echoed_one_decides(self, read, chunk, echo, reasoning):
        chunks = chunk({"content": "<think>hm</think>yes"}, model=echo), chunk(finish="stop")
        assert read(*chunks, model="").completion.reasoning == reasoning

    def test_a_finish_reason_in_every_chunk_does_not_break_a_tag(self, read, chunk):
        pieces = ["<th", "ink>hm ", "</thi", "nk> yes"]
        reading = read(*(chunk({"content": p}, finish="stop") for p in pieces), model="qwen3-32b")
        assert (reading.completion.reasoning, reading.completion.text) == ("hm", "yes")

    def test_each_choice_has_tags_of_its_own(self, read, chunk):
        reading = read(
            chunk({"content": "<think>h"}),
            chunk({"content": "no tag"}, index=1),
            chunk({"content": "m</think>yes"}, finish="stop"),
            chunk(index=1, finish="stop"),
            model="qwen3-32b",
        )
        assert [(c.reasoning, c.text) for c in reading.completion.choices] == [
            ("hm", "yes"),
            ("", "no tag"),
        ]
