"""Completions, their parts and the deltas as values, and a completion as a message."""

import copy
import pickle

import attrs
import pytest

from aimlchat import (
    AnswerDelta,
    Choice,
    Completion,
    Cost,
    ProtocolError,
    ReasoningDelta,
    RefusalDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)

WHOLE = Completion(
    choices=(
        Choice(
            text="b",
            reasoning="a",
            tool_calls=(ToolCall("t", "f", '{"x": [1]}', extra={"k": {"l": 1}}),),
            finish_reason="tool_calls",
            native_finish_reason="tool_use",
            logprobs={"content": [{"token": "b"}]},
            audio={"data": "x"},
            annotations=[{"url": "u"}],
            images=[{"image_url": {"url": "u"}}],
        ),
        Choice(index=1, refusal="No."),
    ),
    usage=Usage(1, 2, 3, 4, 5, raw={"prompt_tokens": 1}),
    cost=Cost(0.5, 1_000_000),
    id="c-1",
    model="m-1",
    created=1,
    inference_id="i",
    client_request_id="r",
    headers={"x": "y"},
    raw={"choices": []},
)


@pytest.mark.parametrize(
    "value",
    [
        WHOLE,
        WHOLE.choices[0],
        WHOLE.usage,
        WHOLE.cost,
        WHOLE.tool_calls[0],
        AnswerDelta("a", 1),
        ReasoningDelta("a"),
        RefusalDelta("a", 2),
        ToolCallDelta("{", 1, 2, "t", "f"),
        Completion(),
    ],
    ids=lambda value: type(value).__name__,
)
class TestValues:
    def test_a_pickled_or_copied_value_is_equal(self, value):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(value, protocol)) == value
        assert copy.deepcopy(value) == value
        assert copy.copy(value) == value

    def test_a_value_cannot_be_changed(self, value):
        name = next(
            iter(getattr(value, "__struct_fields__", None) or attrs.fields_dict(type(value)))
        )
        with pytest.raises((AttributeError, TypeError)):
            setattr(value, name, None)

    def test_values_are_equal_by_value_and_type(self, value):
        assert value != "x"
        assert value == copy.deepcopy(value)


def test_deltas_of_different_kinds_are_not_equal():
    assert len({AnswerDelta("a"), ReasoningDelta("a"), RefusalDelta("a"), AnswerDelta("a", 1)}) == 4


def test_deltas_can_be_matched_by_their_text():
    match AnswerDelta("a", 1):
        case ReasoningDelta(_):
            raise AssertionError
        case AnswerDelta(text):
            assert text == "a"


class TestCompletion:
    def test_its_properties_are_those_of_choice_0(self):
        assert (WHOLE.text, WHOLE.reasoning, WHOLE.refusal) == ("b", "a", None)
        assert (WHOLE.finish_reason, WHOLE.native_finish_reason) == ("tool_calls", "tool_use")
        assert WHOLE.tool_calls == WHOLE.choices[0].tool_calls

    def test_without_choice_0_the_text_is_empty(self):
        completion = Completion(choices=(Choice(index=1, text="b"),))
        assert (completion.text, completion.reasoning, completion.refusal) == ("", "", None)
        assert completion.tool_calls == ()
        assert completion.finish_reason is None

    def test_a_message_has_the_reasoning_for_models_that_take_it_back(self):
        completion = Completion(choices=(Choice(text="b", reasoning="a"),))
        message = {"role": "assistant", "content": "b", "reasoning_content": "a"}
        assert completion.as_message() == message

    def test_a_message_has_the_tool_calls(self):
        assert WHOLE.as_message() == {
            "role": "assistant",
            "content": "b",
            "reasoning_content": "a",
            "tool_calls": [
                {
                    "id": "t",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"x": [1]}'},
                    "k": {"l": 1},
                }
            ],
        }

    def test_a_call_without_arguments_has_an_empty_object_in_the_message(self):
        completion = Completion(choices=(Choice(tool_calls=(ToolCall("t", "f"),)),))
        message = completion.as_message()
        assert message["content"] is None
        assert message["tool_calls"][0]["function"]["arguments"] == "{}"

    def test_a_message_has_the_refusal(self):
        completion = Completion(choices=(Choice(refusal="No."),))
        assert completion.as_message() == {"role": "assistant", "content": None, "refusal": "No."}


class TestArguments:
    @pytest.mark.parametrize(
        ("raw", "arguments"),
        [
            ("", {}),
            (" \n", {}),
            (" null ", {}),
            ("{}", {}),
            ('{"x": {"y": [1]}}', {"x": {"y": [1]}}),
            ('{"x": "a\nb\r\n\tc\x00"}', {"x": "a\nb\r\n\tc\x00"}),
            ('"{\\"x\\": 1}"', {"x": 1}),
        ],
    )
    def test_arguments_are_a_dictionary(self, raw, arguments):
        assert ToolCall("t", "f", raw).arguments == arguments

    def test_arguments_are_parsed_anew_at_each_access(self):
        call = ToolCall("t", "f", '{"x": []}')
        call.arguments["x"].append(1)
        assert call.arguments == {"x": []}

    @pytest.mark.parametrize(
        "raw",
        ["{", '{"x": 1', "x", "{}{}", "[" * 100_000, '{"x": ' + "1" * 5000 + "}", '"{"', "{} x"],
    )
    def test_broken_arguments_raise_a_clear_error(self, raw):
        with pytest.raises(ProtocolError, match="'tide' are not JSON"):
            ToolCall("t", "tide", raw).arguments  # noqa: B018 - reading it is the test

    @pytest.mark.parametrize("raw", ["[]", "7", '"x"'])
    def test_arguments_that_are_not_an_object_raise_a_clear_error(self, raw):
        with pytest.raises(ProtocolError, match="'tide' are not a JSON object"):
            ToolCall("t", "tide", raw).arguments  # noqa: B018 - reading it is the test

    def test_the_arguments_of_a_cut_call_raise_a_clear_error(self):
        with pytest.raises(ProtocolError, match="'tide' was cut off"):
            ToolCall("t", "tide", "{}", complete=False).arguments  # noqa: B018

    def test_the_input_of_a_custom_tool_raises_a_clear_error(self):
        with pytest.raises(ProtocolError, match="'tide' is of a custom tool"):
            ToolCall("t", "tide", "{}", type="custom").arguments  # noqa: B018


def test_a_tool_call_can_be_hashed():
    call = ToolCall("t", "f", extra={"k": 1})
    assert len({call, ToolCall("t", "f", extra={"k": 1}), ToolCall("t", "f")}) == 2
