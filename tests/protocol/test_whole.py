"""Whole completions out of bodies of every shape, and what can be done with them."""

import copy
import json
import pickle

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimlchat import (
    AIMLChatError,
    AnswerDelta,
    BadRequestError,
    Choice,
    Completion,
    Cost,
    ProtocolError,
    RateLimitError,
    ReasoningDelta,
    RefusalDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from aimlchat._protocol.whole import parse_completion


def body_of(message=None, **rest):
    choice = {
        "index": 0,
        "message": {"role": "assistant"} | (message or {}),
        "finish_reason": "stop",
    }
    return {"id": "c-1", "model": "m-1", "created": 1750000000, "choices": [choice]} | rest


def completed(message=None, *, asked="openai/gpt-4o", **rest):
    return parse_completion(json.dumps(body_of(message, **rest)).encode(), asked)


class TestMessages:
    def test_the_body_is_kept_as_it_came(self):
        body = body_of({"content": "a"}, service_tier="default", usage={"total_tokens": 3})
        assert parse_completion(json.dumps(body).encode()).raw == body

    def test_bodies_of_equal_value_make_equal_completions(self):
        body = body_of({"content": "a"}, usage={"total_tokens": 3})
        tight, wide = json.dumps(body, separators=(",", ":")), json.dumps(body, indent=2)
        completion = parse_completion(tight.encode())
        assert completion == parse_completion(wide.encode())
        assert pickle.loads(pickle.dumps(completion)) == copy.deepcopy(completion) == completion

    def test_the_head_is_read(self):
        completion = completed({"content": "a"})
        assert (completion.id, completion.model, completion.created) == ("c-1", "m-1", 1750000000)

    @pytest.mark.parametrize(
        "message",
        [
            {"reasoning_content": "hm"},
            {"reasoning": "hm"},
            {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
            {"reasoning_details": [{"type": "reasoning.text", "text": "h"}, {"text": "m"}]},
            {"reasoning_content": "", "reasoning": "hm"},
            {"reasoning": None, "reasoning_content": "hm"},
            {"thinking": "hm"},
        ],
        ids=json.dumps,
    )
    def test_reasoning_counts_once_whatever_its_names(self, message):
        completion = completed(message | {"content": "yes"})
        assert (completion.reasoning, completion.text) == ("hm", "yes")

    def test_parts_are_told_apart_by_their_type(self):
        parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"}]
        completion = completed({"content": parts})
        assert (completion.reasoning, completion.text) == ("hm", "yes")

    @pytest.mark.parametrize(
        ("content", "reasoning", "text"),
        [
            ("<think>\nhm\n</think>\n\nyes", "hm", "yes"),
            ("\n<think>hm", "hm", ""),
            ("yes</think>", "", "yes"),
            ("\n yes ", "", "\n yes "),
        ],
    )
    def test_tags_count_for_models_that_use_them(self, content, reasoning, text):
        completion = completed({"content": content}, asked="minimax/m3")
        assert (completion.reasoning, completion.text) == (reasoning, text)
        assert completed({"content": content}, asked="anthropic/claude-3.7-sonnet").text == content

    @pytest.mark.parametrize("asked", ["claude-3.7-sonnet", "qwen3-32b"])
    def test_nothing_is_trimmed(self, asked):
        assert completed({"content": "\n a \n"}, asked=asked).text == "\n a \n"

    def test_without_content_the_text_is_empty(self):
        for message in ({"content": None}, {}, {"content": ""}):
            completion = completed(message)
            assert (completion.text, completion.reasoning) == ("", "")
            assert completion.refusal is None

    def test_audio_comes_beside_null_content(self):
        audio = {"id": "au-1", "data": "UklGRg==", "transcript": "Ding", "expires_at": 1}
        choice = completed({"content": None, "audio": audio}).choices[0]
        assert choice.audio == audio
        assert choice.text == ""

    def test_a_refusal_is_kept(self):
        assert completed({"content": None, "refusal": "No."}).refusal == "No."

    def test_annotations_and_log_probabilities_are_kept(self):
        body = body_of({"content": "a", "annotations": [{"url": "u"}]})
        body["choices"][0]["logprobs"] = {"content": [{"token": "a"}]}
        choice = parse_completion(json.dumps(body).encode()).choices[0]
        assert choice.annotations == [{"url": "u"}]
        assert choice.logprobs == {"content": [{"token": "a"}]}

    def test_a_delta_besides_the_message_does_not_count(self):
        body = body_of({"content": "a"})
        body["choices"][0]["delta"] = {"content": "a"}
        assert parse_completion(json.dumps(body).encode()).text == "a"

    def test_halves_of_a_character_are_replaced(self):
        assert completed({"content": "a\ud83e"}).text == "a\ufffd"
        assert completed({"content": "\ud83e\udd89"}).text == "\U0001f989"

    def test_all_choices_are_there_in_the_order_of_their_index(self):
        body = body_of()
        body["choices"] = [
            {"index": index, "message": {"content": text}, "finish_reason": "stop"}
            for index, text in ((2, "c"), (0, "a"), (1, "b"))
        ]
        completion = parse_completion(json.dumps(body).encode())
        assert [choice.text for choice in completion.choices] == ["a", "b", "c"]
        assert completion.text == "a"

    @pytest.mark.parametrize(
        ("native", "word"),
        [("end_turn", "stop"), ("max_tokens", "length"), ("tool_use", "tool_calls"), (None, None)],
    )
    def test_the_finish_reason_is_normalised(self, native, word):
        body = body_of({"content": "a"})
        body["choices"][0]["finish_reason"] = native
        completion = parse_completion(json.dumps(body).encode())
        assert (completion.finish_reason, completion.native_finish_reason) == (word, native)


class TestToolCalls:
    def test_calls_are_whole(self):
        calls = [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ]
        completion = completed({"content": None, "tool_calls": calls})
        assert [call.arguments for call in completion.tool_calls] == [{"x": 1}, {}]
        assert [call.id for call in completion.tool_calls] == ["a", "b"]

    @pytest.mark.parametrize("numbers", [{}, {"index": 0}, {"index": None}], ids=str)
    def test_each_entry_is_a_call_of_its_own(self, numbers):
        calls = [numbers | {"function": {"name": name}} for name in ("f", "f", "f2")]
        completion = completed({"tool_calls": calls})
        assert [call.name for call in completion.tool_calls] == ["f", "f", "f2"]

    @pytest.mark.parametrize("calls", [None, [], {}, "x", [None]], ids=repr)
    def test_no_calls_are_none(self, calls):
        assert completed({"content": "a", "tool_calls": calls}).tool_calls == ()

    def test_a_function_call_is_a_tool_call(self):
        completion = completed({"function_call": {"name": "f", "arguments": '{"x": 1}'}})
        assert completion.tool_calls == (ToolCall("call_0", "f", '{"x": 1}'),)


class TestUsage:
    @pytest.mark.parametrize(
        ("came", "read"),
        [
            (
                {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 30},
                Usage(1, 2, 30),
            ),
            ({"input_tokens": 1, "output_tokens": 2}, Usage(1, 2)),
            (
                {
                    "prompt_tokens": 9,
                    "completion_tokens": 2,
                    "total_tokens": 11,
                    "prompt_tokens_details": {"cached_tokens": 5},
                    "completion_tokens_details": {"reasoning_tokens": 7},
                },
                Usage(9, 2, 11, 7, 5),
            ),
            (
                {"total_tokens": 3, "prompt_tokens_details": None, "completion_tokens_details": {}},
                Usage(total_tokens=3),
            ),
            ({"input_tokens": 1, "cache_read_input_tokens": 4}, Usage(1, cached_tokens=4)),
            ({"total_tokens": 3, "reasoning_tokens": 2}, Usage(total_tokens=3, reasoning_tokens=2)),
            (
                {"prompt_tokens": "5", "total_tokens": 6.0, "completion_tokens": "x"},
                Usage(5, None, 6),
            ),
            ({"prompt_tokens": 0, "completion_tokens": 2}, Usage(0, 2)),
        ],
        ids=str,
    )
    def test_what_came_is_reported(self, came, read):
        usage = completed({"content": "a"}, usage=came).usage
        assert usage == attrs.evolve(read, raw=came)

    @pytest.mark.parametrize(
        "came",
        [None, {}, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, [], "x", 7],
        ids=repr,
    )
    def test_where_nothing_was_counted_it_is_none(self, came):
        assert completed({"content": "a"}, usage=came).usage is None


class TestCost:
    @pytest.mark.parametrize(
        ("usage", "cost"),
        [
            ({"credits_used": 27222, "usd_spent": 0.013611}, Cost(0.013611, 27222)),
            ({"credits_used": 344}, Cost(0.000172, 344)),
            ({"usd_spent": 0.5}, Cost(0.5, 1_000_000)),
            ({"credits_used": 0}, Cost(0, 0)),
            ({"credits_used": "344", "usd_spent": None}, Cost(0.000172, 344)),
            ({"tokens_used": 5}, None),
            ({"credits_used": True, "usd_spent": "much"}, None),
            ({"credits_used": float("inf"), "usd_spent": float("nan")}, None),
            ({}, None),
            (None, None),
            ([], None),
        ],
        ids=str,
    )
    def test_it_is_what_the_server_said(self, usage, cost):
        completion = completed({"content": "a"}, meta={"usage": usage})
        assert completion.cost == cost
        if cost:
            assert type(completion.cost.usd) is type(completion.cost.credits) is float

    @pytest.mark.parametrize("meta", [None, {}, [], "x"], ids=repr)
    def test_without_a_word_of_it_it_is_none(self, meta):
        assert completed({"content": "a"}, meta=meta).cost is None


class TestFaults:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"7",
            b'"text"',
            b"{}",
            b"<html></html>",
            b"data: {}\n\n",
            b'{"choices": []}',
            b'{"choices": null}',
            b'{"choices": [null]}',
            b'{"choices": "a"}',
            b'{"choices": [{"message": {"content": "a"}}]',
            b'{"choices": [{"message": {"content": "a"}}]} x',
        ],
    )
    def test_a_body_without_a_choice_is_a_protocol_error(self, body):
        with pytest.raises(ProtocolError) as caught:
            parse_completion(body)
        assert type(caught.value) is ProtocolError
        assert repr(body[:20].decode())[1:-1] in str(caught.value)

    def test_an_error_in_a_200_is_what_it_stands_for(self):
        body = {"error": {"message": "Slow down.", "type": "rate_limit_error"}}
        with pytest.raises(RateLimitError, match="Slow down"):
            parse_completion(json.dumps(body).encode())

    def test_the_vendors_error_body_in_a_200_is_one_too(self):
        with pytest.raises(BadRequestError, match="No such role"):
            parse_completion(b'{"message": "No such role.", "statusCode": 400}')

    @pytest.mark.parametrize("depth", [900, 960, 1000, 100_000])
    def test_nesting_does_not_lose_the_text(self, depth):
        nested = b"[" * depth + b"]" * depth
        body = b'{"x":%s,"choices":[{"message":{"content":"a"},"x":%s}],"usage":{"x":%s}}'
        completion = parse_completion(body % (nested, nested, nested))
        assert completion.text == "a"
        assert completion.raw["choices"][0]["message"]["content"] == "a"

    @pytest.mark.parametrize("depth", [900, 960, 1000, 100_000])
    def test_nesting_where_nobody_looks_does_not_lose_the_body(self, depth):
        nested = b"[" * depth + b"]" * depth
        completion = parse_completion(b'{"choices":[{"message":{"content":"a","x":%s}}]}' % nested)
        assert completion.text == "a"
        assert completion.raw["choices"][0]["message"]["content"] == "a"

    def test_a_number_of_thousands_of_digits_does_not_lose_the_body(self):
        for place in (
            b'"x":%s,"choices":[{"message":{"content":"a"}}]',
            b'"choices":[{"message":{"content":"a","x":%s}}]',
        ):
            completion = parse_completion(b"{%s}" % (place % (b"1" * 5000)))
            assert completion.text == "a"
            assert completion.raw["choices"][0]["message"]["content"] == "a"

    def test_broken_utf8_does_not_lose_the_text(self):
        body = b'\xef\xbb\xbf{"choices":[{"message":{"content":"a\xff"}}],"\xff":1}'
        completion = parse_completion(body)
        assert completion.text == "a\ufffd"
        assert completion.raw["\ufffd"] == 1

    def test_broken_utf8_where_nobody_looks_does_not_lose_the_body(self):
        completion = parse_completion(b'{"choices":[{"message":{"content":"a","x":"\xff"}}]}')
        assert completion.text == "a"
        assert completion.raw["choices"][0]["message"]["x"] == "\ufffd"

    @given(st.binary(max_size=100) | st.text(max_size=50).map(str.encode))
    @settings(max_examples=500, deadline=None)
    def test_arbitrary_bytes_are_no_crash(self, body):
        try:
            completion = parse_completion(body)
        except AIMLChatError:
            return
        assert completion.choices
        assert isinstance(completion.raw, dict)

    @given(st.data())
    @settings(max_examples=500, deadline=None)
    def test_mutated_bodies_are_no_crash(self, data):
        calls = [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]
        whole = body_of(
            {"content": "<think>a</think>b\U0001f989", "tool_calls": calls},
            usage={"total_tokens": 3},
        )
        mutated = bytearray(json.dumps(whole).encode())
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(mutated) - 1))
            size = data.draw(st.integers(0, 5))
            mutated[place : place + size] = data.draw(
                st.binary(max_size=2) | st.sampled_from([b"null", b"[]", b"{}", b'"', b"1e999"])
            )
        try:
            completion = parse_completion(bytes(mutated))
        except AIMLChatError:
            return
        f"{completion.text}{completion.reasoning}{completion.id}".encode()
        assert isinstance(completion.raw, dict)


WHOLE = Completion(
    choices=(
        Choice(
            text="b",
            reasoning="a",
            tool_calls=(ToolCall("t", "f", '{"x": [1]}'),),
            finish_reason="tool_calls",
            native_finish_reason="tool_use",
            logprobs={"content": [{"token": "b"}]},
            audio={"data": "x"},
            annotations=[{"url": "u"}],
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
    def test_a_pickled_or_copied_one_is_equal(self, value):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(value, protocol)) == value
        assert copy.deepcopy(value) == value
        assert copy.copy(value) == value

    def test_it_cannot_be_changed(self, value):
        name = next(
            iter(getattr(value, "__struct_fields__", None) or attrs.fields_dict(type(value)))
        )
        with pytest.raises((AttributeError, TypeError)):
            setattr(value, name, None)

    def test_it_is_equal_by_value_and_type(self, value):
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
    def test_its_facts_are_those_of_choice_0(self):
        assert (WHOLE.text, WHOLE.reasoning, WHOLE.refusal) == ("b", "a", None)
        assert (WHOLE.finish_reason, WHOLE.native_finish_reason) == ("tool_calls", "tool_use")
        assert WHOLE.tool_calls == WHOLE.choices[0].tool_calls

    def test_without_choice_0_there_is_no_text(self):
        completion = Completion(choices=(Choice(index=1, text="b"),))
        assert (completion.text, completion.reasoning, completion.refusal) == ("", "", None)
        assert completion.tool_calls == ()
        assert completion.finish_reason is None

    def test_as_a_message_it_has_no_reasoning(self):
        completion = Completion(choices=(Choice(text="b", reasoning="a"),))
        assert completion.as_message() == {"role": "assistant", "content": "b"}

    def test_as_a_message_it_has_its_tool_calls(self):
        assert WHOLE.as_message() == {
            "role": "assistant",
            "content": "b",
            "tool_calls": [
                {
                    "id": "t",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"x": [1]}'},
                }
            ],
        }

    def test_as_a_message_a_call_without_arguments_has_an_empty_object(self):
        completion = Completion(choices=(Choice(tool_calls=(ToolCall("t", "f"),)),))
        message = completion.as_message()
        assert message["content"] is None
        assert message["tool_calls"][0]["function"]["arguments"] == "{}"

    def test_as_a_message_it_has_its_refusal(self):
        completion = Completion(choices=(Choice(refusal="No."),))
        assert completion.as_message() == {"role": "assistant", "content": None, "refusal": "No."}


class TestArguments:
    @pytest.mark.parametrize(
        ("raw", "arguments"),
        [("", {}), (" \n", {}), ("{}", {}), ('{"x": {"y": [1]}}', {"x": {"y": [1]}})],
    )
    def test_they_are_a_dictionary(self, raw, arguments):
        assert ToolCall("t", "f", raw).arguments == arguments

    def test_they_are_parsed_anew_each_time(self):
        call = ToolCall("t", "f", '{"x": []}')
        call.arguments["x"].append(1)
        assert call.arguments == {"x": []}

    @pytest.mark.parametrize(
        "raw", ["{", '{"x": 1', "x", "{}{}", "[" * 100_000, '{"x": ' + "1" * 5000 + "}"]
    )
    def test_broken_ones_are_a_clear_error(self, raw):
        with pytest.raises(ProtocolError, match="'tide' are not JSON"):
            ToolCall("t", "tide", raw).arguments  # noqa: B018 - reading it is the test

    @pytest.mark.parametrize("raw", ["[]", "null", "7", '"x"'])
    def test_other_json_is_a_clear_error(self, raw):
        with pytest.raises(ProtocolError, match="'tide' are not a JSON object"):
            ToolCall("t", "tide", raw).arguments  # noqa: B018 - reading it is the test

    def test_those_of_a_cut_call_are_a_clear_error(self):
        with pytest.raises(ProtocolError, match="'tide' was cut off"):
            ToolCall("t", "tide", "{}", complete=False).arguments  # noqa: B018
