"""Chunks of every shape, and what they become."""

import json

import pytest

from aimlchat import (
    AnswerDelta,
    Cost,
    ReasoningDelta,
    RefusalDelta,
    StreamParser,
    ToolCallDelta,
)

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
    def test_an_empty_delta_is_not_handed_out(self, read, chunk, delta):
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

    def test_nothing_counts_after_done(self, read, chunk):
        reading = read(chunk({"content": "a"}), DONE, chunk({"content": "b"}), b"junk")
        assert reading.completion.text == "a"
        assert reading.completion.finish_reason is None

    @pytest.mark.parametrize(
        ("content", "text"), [(7, "7"), (1.5, "1.5"), (True, ""), ({"text": "a"}, ""), ([], "")]
    )
    def test_content_of_another_type_is_a_text_or_nothing(self, read, chunk, content, text):
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

    def test_without_a_refusal_it_is_none(self, read, chunk):
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
    def test_reasoning_counts_once_whatever_its_names(self, read, chunk, delta):
        reading = read(chunk(delta), chunk(finish="stop"))
        assert reading.deltas == [ReasoningDelta("hm")]

    def test_encrypted_reasoning_is_no_text(self, read, chunk):
        detail = {"type": "reasoning.encrypted", "data": "Zm9v"}
        assert read(chunk({"reasoning_details": [detail]}, finish="stop")).deltas == []

    def test_reasoning_of_other_types_is_read_over(self, read, chunk):
        delta = {"reasoning": {"effort": 1}, "reasoning_details": "x", "content": "a"}
        assert read(chunk(delta, finish="stop")).deltas == [AnswerDelta("a")]

    def test_the_model_that_was_asked_for_decides_about_tags(self, read, chunk):
        chunks = chunk({"content": "<think>hm</think>yes"}, model="gpt-4o"), chunk(finish="stop")
        assert read(*chunks, model="qwen3-32b").completion.reasoning == "hm"
        assert read(*chunks, model="claude-3.7-sonnet").completion.text == "<think>hm</think>yes"

    @pytest.mark.parametrize(("echo", "reasoning"), [("qwen3-32b", "hm"), ("gpt-4o", "")])
    def test_without_one_the_echoed_model_decides(self, read, chunk, echo, reasoning):
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

    def test_a_missing_index_is_the_place_in_the_chunk(self, read):
        choices = [{"delta": {"content": text}, "finish_reason": "stop"} for text in "ab"]
        reading = read({"choices": choices})
        assert reading.deltas == [AnswerDelta("a", 0), AnswerDelta("b", 1)]

    @pytest.mark.parametrize("index", ["1", 1.0, "1.0", None, "one", True, {}, []], ids=repr)
    def test_an_index_of_another_type_does_not_lose_the_text(self, read, index):
        reading = read(
            {"choices": [{"index": index, "delta": {"content": "a"}, "finish_reason": "stop"}]}
        )
        assert [choice.text for choice in reading.completion.choices] == ["a"]

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_null_choices_are_read_over(self, read, chunk, place):
        chunks = [chunk({"content": "a"}), chunk({"content": "b"}, finish="stop")]
        chunks.insert(place, {"id": "c-1", "choices": None})
        assert read(*chunks).completion.text == "ab"

    @pytest.mark.parametrize(
        "choices", [{}, "none", 7, [None], ["a"], [[]], [{}], [7, None]], ids=repr
    )
    def test_choices_of_another_type_are_read_over(self, read, chunk, choices):
        reading = read(chunk({"content": "a"}), {"choices": choices}, chunk(finish="stop"))
        assert reading.completion.text == "a"

    @pytest.mark.parametrize("delta", [None, "a", 7, [], ["a"]], ids=repr)
    def test_a_delta_of_another_type_is_read_over(self, read, chunk, delta):
        odd = {"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}
        assert read(chunk({"content": "a"}), odd).completion.text == "a"

    def test_a_message_that_repeats_all_deltas_is_read_over(self, read, chunk):
        last = {"choices": [{"index": 0, "message": {"content": "ab"}, "finish_reason": "stop"}]}
        reading = read(chunk({"content": "a"}), chunk({"content": "b"}), last)
        assert reading.completion.text == "ab"

    def test_log_probabilities_grow(self, read, chunk):
        def with_logprobs(logprobs, **rest):
            made = chunk({"content": "a"}, **rest)
            made["choices"][0]["logprobs"] = logprobs
            return made

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

    def test_audio_comes_in_pieces(self, read, chunk):
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


class TestFinish:
    @pytest.mark.parametrize(
        ("native", "word"),
        [
            ("stop", "stop"),
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("STOP", "stop"),
            ("length", "length"),
            ("max_tokens", "length"),
            ("MAX_TOKENS", "length"),
            ("tool_calls", "tool_calls"),
            ("tool_use", "tool_calls"),
            ("function_call", "tool_calls"),
            ("content_filter", "content_filter"),
            ("refusal", "content_filter"),
            ("SAFETY", "SAFETY"),
            ("eos", "eos"),
        ],
    )
    def test_finish_reasons_are_normalised_and_kept(self, read, chunk, native, word):
        completion = read(chunk({"content": "a"}, finish=native)).completion
        assert (completion.finish_reason, completion.native_finish_reason) == (word, native)

    def test_the_first_finish_reason_of_a_choice_counts(self, read, chunk):
        assert (
            read(chunk(finish="length"), chunk(finish="stop")).completion.finish_reason == "length"
        )

    @pytest.mark.parametrize("finish", ["", None, [], {}, False], ids=repr)
    def test_an_empty_finish_reason_is_none(self, read, chunk, finish):
        reading = read(chunk({"content": "a"}, finish=finish), DONE)
        assert reading.completion.finish_reason is None


class TestUsageAndCost:
    def test_the_last_usage_with_a_count_in_it_counts(self, read, chunk):
        reading = read(
            chunk(usage={"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}),
            chunk(
                usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}, finish="stop"
            ),
            chunk(usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
            chunk(usage=None),
        )
        assert reading.completion.usage.completion_tokens == 2

    @pytest.mark.parametrize("usage", [[], "x", 7, {}, {"prompt_tokens": "many"}], ids=repr)
    def test_usage_of_another_type_is_read_over(self, read, chunk, usage):
        reading = read(chunk({"content": "a"}, usage=usage), chunk(finish="stop"))
        assert reading.completion.text == "a"
        assert reading.completion.usage is None

    def test_the_cost_comes_in_an_event_of_its_own(self, read, chunk):
        reading = read(
            chunk({"content": "a"}, finish="stop"),
            {"meta": {"usage": {"credits_used": 3000, "usd_spent": 0.0015}}},
        )
        assert reading.completion.cost == Cost(usd=0.0015, credits=3000)

    def test_the_cost_may_stand_beside_an_envelope(self, read, chunk):
        reading = read(
            {"event": chunk({"content": "a"}, finish="stop"), "state": {}},
            {"event": {"choices": []}, "meta": {"usage": {"credits_used": 3000}}},
        )
        assert reading.completion.cost == Cost(usd=0.0015, credits=3000)

    @pytest.mark.parametrize(
        "meta", [[], "x", {"usage": 7}, {"usage": {"tokens_used": 5}}, {}], ids=repr
    )
    def test_a_meta_without_a_cost_is_read_over(self, read, chunk, meta):
        assert read(chunk({"content": "a"}, finish="stop", meta=meta)).completion.cost is None


class TestEnvelope:
    @staticmethod
    def enveloped(chunk, *, usage=None, **state):
        return {"event": chunk, "state": {"usage": usage or {}} | state}

    def test_input_is_the_first_count_and_output_the_last(self, read, chunk):
        reading = read(
            self.enveloped(chunk(), usage={"input_tokens": 12, "output_tokens": 1}),
            self.enveloped(chunk({"content": "a"}), usage={"input_tokens": 0, "output_tokens": 0}),
            self.enveloped(chunk(), usage={"input_tokens": 99, "output_tokens": 7}),
            self.enveloped(chunk(finish="stop"), usage={"input_tokens": 0, "output_tokens": 0}),
        )
        usage = reading.completion.usage
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (12, 7, 19)

    def test_without_any_count_there_is_no_usage(self, read, chunk):
        assert read(self.enveloped(chunk(finish="stop"))).completion.usage is None

    @pytest.mark.parametrize(
        "state", [None, [], "x", {"usage": "x"}, {"usage": [1]}, {"usage": None}], ids=repr
    )
    def test_a_state_of_another_type_does_not_lose_the_text(self, read, chunk, state):
        reading = read({"event": chunk({"content": "a"}, finish="stop"), "state": state})
        assert reading.completion.text == "a"

    def test_the_reason_in_the_state_does_not_end_the_stream(self, read, chunk):
        reading = read(self.enveloped(chunk({"content": "a"}), finishReason="end_turn"))
        assert reading.completion is None

    @pytest.mark.parametrize("event", ["ping", 7, [], None], ids=repr)
    def test_an_event_of_another_type_is_read_over(self, read, chunk, event):
        assert read({"event": event}, chunk({"content": "a"}, finish="stop")).completion.text == "a"

    def test_unknown_keys_inside_an_envelope_are_kept(self, read, chunk):
        reading = read(
            self.enveloped(chunk({"content": "a"}, hop=1)), self.enveloped(chunk(finish="stop"))
        )
        assert reading.completion.text == "a"
        assert reading.completion.raw["hop"] == 1


class TestHead:
    def test_the_first_id_model_and_time_count(self, read, chunk):
        completion = read(
            chunk(id="", model="", created=None),
            chunk(id="c-1", model="m-1", created=1),
            chunk(id="", model="m-2", created=2, finish="stop"),
        ).completion
        assert (completion.id, completion.model, completion.created) == ("c-1", "m-1", 1)

    @pytest.mark.parametrize(
        ("times", "created"),
        [
            ((None, None, 2), 2),
            ((None, 2, None), 2),
            ((None, 2, 3), 2),
            ((0, 2, 3), 2),
            ((0, None, None), 0),
            ((None, 0, None), 0),
            ((None, None, None), None),
        ],
    )
    def test_the_first_time_is_kept_whichever_chunk_says_it(self, read, chunk, times, created):
        first, second, last = times
        completion = read(
            chunk({"content": "a"}, created=first),
            chunk({"content": "b"}, created=second),
            chunk(created=last, finish="stop"),
        ).completion
        assert completion.created == created

    @pytest.mark.parametrize(
        ("field", "came", "kept"),
        [
            ("id", 4711, "4711"),
            ("id", None, ""),
            ("id", [1], ""),
            ("id", "\ud83e", "\ufffd"),
            ("model", 5, "5"),
            ("model", {"a": 1}, ""),
            ("created", "1750000000", 1750000000),
            ("created", 1750000000.0, 1750000000),
            ("created", "yesterday", None),
            ("created", True, None),
            ("created", 1e999, None),
        ],
    )
    def test_a_head_of_another_type_does_not_lose_the_text(self, read, chunk, field, came, kept):
        completion = read(chunk({"content": "a"}, finish="stop", **{field: came})).completion
        assert completion.text == "a"
        assert getattr(completion, field) == kept

    def test_a_number_of_thousands_of_digits_does_not_lose_the_text(self, read):
        digits = b"1" * 5000
        delta = b'{"content":"a","y":%s}' % digits
        choice = b'{"index":0,"delta":%s,"finish_reason":"stop"}' % delta
        completion = read(b'{"id":%s,"x":%s,"choices":[%s]}' % (digits, digits, choice)).completion
        assert completion.text == "a"

    def test_control_characters_in_strings_are_taken(self, read):
        completion = read(
            b'{"choices":[{"index":0,"delta":{"content":"a\tb\x00"},"finish_reason":"stop"}]}'
        ).completion
        assert completion.text == "a\tb\0"


class TestRaw:
    def test_it_is_the_last_chunk(self, read, chunk):
        last = chunk(finish="stop", usage={"total_tokens": 3})
        assert read(chunk({"content": "a"}), last).completion.raw == last

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_unknown_top_level_keys_of_any_chunk_are_kept(self, read, chunk, place):
        chunks = [chunk({"content": "a"}), chunk({"content": "b"}), chunk(finish="stop")]
        chunks[place]["service_tier"] = "default"
        completion = read(*chunks).completion
        assert completion.text == "ab"
        assert completion.raw["service_tier"] == "default"

    def test_the_last_value_of_an_unknown_key_is_kept(self, read, chunk):
        chunks = [chunk({"content": str(i)}, hop=i, fee={"n": i}) for i in range(5)]
        completion = read(*chunks, chunk(finish="stop")).completion
        assert completion.text == "01234"
        assert (completion.raw["hop"], completion.raw["fee"]) == (4, {"n": 4})

    def test_a_new_unknown_key_in_every_chunk_loses_nothing(self, read, chunk):
        chunks = [chunk({"content": "a"}, **{f"key_{i}": i}) for i in range(40)]
        completion = read(*chunks, chunk(finish="stop")).completion
        assert completion.text == "a" * 40
        assert [completion.raw[f"key_{i}"] for i in range(40)] == list(range(40))

    @pytest.mark.parametrize(
        "key",
        ["", "\0", '"', "\\", "\ud800", "é", "a b", "\u2028", "extra_0", "__init__", "x-y"],
        ids=ascii,
    )
    def test_an_unknown_key_may_have_any_name(self, read, chunk, key):
        chunks = [chunk({"content": str(i)}, **{key: i, "extra_1": "x"}) for i in range(3)]
        completion = read(*chunks, chunk(finish="stop")).completion
        assert completion.text == "012"
        assert completion.raw[key] == 2

    def test_a_partial_has_the_last_chunk_so_far(self, sse, chunk):
        parser = StreamParser()
        parser.feed(sse(chunk({"content": "a"}, hop=1), chunk({"content": "b"})))
        assert parser.partial.raw["hop"] == 1
        assert parser.partial.raw["choices"][0]["delta"] == {"content": "b"}


class TestHalfCharacters:
    OWL = "\U0001f989"
    FIRST, SECOND = "\ud83e", "\udd89"

    @pytest.mark.parametrize(
        "field", ["content", "reasoning_content", "reasoning", "thinking", "refusal"]
    )
    @pytest.mark.parametrize(
        ("pieces", "text"),
        [
            (["a" + FIRST, SECOND + "b"], f"a{OWL}b"),
            ([FIRST, SECOND], OWL),
            ([FIRST, "", SECOND], OWL),
            (["a" + FIRST, "b"], "a\ufffdb"),
            (["a" + FIRST], "a\ufffd"),
            ([SECOND + "a"], "\ufffda"),
            (["a" + FIRST + "b"], "a\ufffdb"),
            ([FIRST, FIRST, SECOND], f"\ufffd{OWL}"),
            ([SECOND, FIRST], "\ufffd\ufffd"),
            ([FIRST + SECOND], OWL),
        ],
        ids=ascii,
    )
    def test_halves_are_joined_and_lone_ones_replaced(self, read, chunk, field, pieces, text):
        reading = read(*(chunk({field: piece}) for piece in pieces), chunk(finish="stop"))
        assert "".join(delta.text for delta in reading.deltas) == text

    def test_halves_of_two_choices_do_not_meet(self, read, chunk):
        reading = read(
            chunk({"content": self.FIRST}),
            chunk({"content": "b"}, index=1, finish="stop"),
            chunk({"content": self.SECOND}, finish="stop"),
        )
        assert [choice.text for choice in reading.completion.choices] == [self.OWL, "b"]

    def test_halves_of_reasoning_and_answer_do_not_meet(self, read, chunk):
        reading = read(
            chunk({"reasoning_content": self.FIRST}), chunk({"content": self.SECOND}, finish="stop")
        )
        assert reading.joined(ReasoningDelta) == reading.joined(AnswerDelta) == "\ufffd"

    def test_halves_under_repeated_names_are_joined_once(self, read, chunk):
        def both(text):
            return {"reasoning": text, "reasoning_details": [{"text": text}]}

        reading = read(chunk(both(self.FIRST)), chunk(both(self.SECOND)), chunk(finish="stop"))
        assert reading.joined(ReasoningDelta) == self.OWL

    def test_halves_in_reasoning_details_are_joined(self, read, chunk):
        pieces = [{"reasoning_details": [{"text": half}]} for half in (self.FIRST, self.SECOND)]
        reading = read(
            *map(chunk, pieces), chunk({"reasoning_details": [{"text": "\ud83e"}]}, finish="stop")
        )
        assert reading.joined(ReasoningDelta) == self.OWL + "\ufffd"

    def test_halves_in_tool_calls_are_joined(self, read, chunk):
        def call(text):
            return {
                "tool_calls": [
                    {"index": 0, "id": "t", "function": {"name": "f", "arguments": text}}
                ]
            }

        reading = read(
            chunk(call('{"a":"' + self.FIRST)),
            chunk(call(self.SECOND + '"}')),
            chunk(finish="stop"),
        )
        assert reading.completion.tool_calls[0].arguments == {"a": self.OWL}

    def test_halves_in_a_function_call_are_joined(self, read, chunk):
        def call(text):
            return {"function_call": {"name": "f", "arguments": text}}

        reading = read(
            chunk(call('{"a":"' + self.FIRST)),
            chunk(call(self.SECOND + '"}')),
            chunk(finish="stop"),
        )
        assert reading.completion.tool_calls[0].arguments == {"a": self.OWL}

    def test_halves_in_a_transcript_are_joined(self, read, chunk):
        reading = read(
            chunk({"audio": {"transcript": self.FIRST}}),
            chunk({"audio": {"transcript": self.SECOND}}),
            chunk({"audio": {"transcript": self.FIRST}}, finish="stop"),
        )
        assert reading.completion.choices[0].audio["transcript"] == self.OWL + "\ufffd"

    def test_a_lone_half_in_a_name_is_replaced(self, read, chunk):
        call = {"tool_calls": [{"index": 0, "id": "\ud83e", "function": {"name": "f\udd89"}}]}
        reading = read(chunk(call, finish="odd\ud83e"))
        assert reading.deltas == [ToolCallDelta("", 0, 0, "\ufffd", "f\ufffd")]
        assert reading.completion.finish_reason == "odd\ufffd"


class TestHostileShapes:
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
    def test_nesting_of_known_keys_is_no_crash(self, read, chunk, opening, closing, depth):
        reading = read(
            chunk({"content": "a"}), opening * depth + b"1" + closing * depth, chunk(finish="stop")
        )
        assert reading.completion.text == "a"

    @pytest.mark.parametrize("depth", [100, 950, 100_000])
    def test_strings_that_look_like_nesting_stay_as_they_are(self, read, depth):
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

    def test_surrogates_in_broken_utf8_do_not_come_through(self, read):
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
    def test_numbers_that_json_does_not_know_do_not_lose_the_text(self, read, word):
        reading = read(
            b'{"x":%s,"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"total_tokens":%s},'
            b'"meta":{"usage":{"credits_used":%s}}}' % ((word.encode(),) * 3)
        )
        assert reading.completion.text == "a"
        assert reading.completion.usage is None
        assert reading.completion.cost is None
