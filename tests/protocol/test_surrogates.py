"""Characters that were cut into surrogates, within a text and between two pieces of it."""

import pytest

from aimlchat import AnswerDelta, ReasoningDelta, ToolCallDelta


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
    def test_pairs_are_joined_and_lone_surrogates_replaced(self, read, chunk, field, pieces, text):
        reading = read(*(chunk({field: piece}) for piece in pieces), chunk(finish="stop"))
        assert "".join(delta.text for delta in reading.deltas) == text

    def test_surrogates_of_two_choices_are_not_joined(self, read, chunk):
        reading = read(
            chunk({"content": self.FIRST}),
            chunk({"content": "b"}, index=1, finish="stop"),
            chunk({"content": self.SECOND}, finish="stop"),
        )
        assert [choice.text for choice in reading.completion.choices] == [self.OWL, "b"]

    def test_surrogates_of_reasoning_and_answer_are_not_joined(self, read, chunk):
        reading = read(
            chunk({"reasoning_content": self.FIRST}), chunk({"content": self.SECOND}, finish="stop")
        )
        assert reading.joined(ReasoningDelta) == reading.joined(AnswerDelta) == "\ufffd"

    def test_surrogates_in_repeated_reasoning_are_joined_once(self, read, chunk):
        def both(text):
            return {"reasoning": text, "reasoning_details": [{"text": text}]}

        reading = read(chunk(both(self.FIRST)), chunk(both(self.SECOND)), chunk(finish="stop"))
        assert reading.joined(ReasoningDelta) == self.OWL

    def test_surrogates_in_reasoning_details_are_joined(self, read, chunk):
        pieces = [{"reasoning_details": [{"text": half}]} for half in (self.FIRST, self.SECOND)]
        reading = read(
            *map(chunk, pieces), chunk({"reasoning_details": [{"text": "\ud83e"}]}, finish="stop")
        )
        assert reading.joined(ReasoningDelta) == self.OWL + "\ufffd"

    def test_surrogates_in_tool_calls_are_joined(self, read, chunk):
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

    def test_surrogates_in_a_function_call_are_joined(self, read, chunk):
        def call(text):
            return {"function_call": {"name": "f", "arguments": text}}

        reading = read(
            chunk(call('{"a":"' + self.FIRST)),
            chunk(call(self.SECOND + '"}')),
            chunk(finish="stop"),
        )
        assert reading.completion.tool_calls[0].arguments == {"a": self.OWL}

    def test_surrogates_in_a_transcript_are_joined(self, read, chunk):
        reading = read(
            chunk({"audio": {"transcript": self.FIRST}}),
            chunk({"audio": {"transcript": self.SECOND}}),
            chunk({"audio": {"transcript": self.FIRST}}, finish="stop"),
        )
        assert reading.completion.choices[0].audio["transcript"] == self.OWL + "\ufffd"

    def test_a_lone_surrogate_in_an_id_or_a_name_is_replaced(self, read, chunk):
        call = {"tool_calls": [{"index": 0, "id": "\ud83e", "function": {"name": "f\udd89"}}]}
        reading = read(chunk(call, finish="odd\ud83e"))
        assert reading.deltas == [ToolCallDelta("", 0, 0, "\ufffd", "f\ufffd")]
        assert reading.completion.finish_reason == "odd\ufffd"
