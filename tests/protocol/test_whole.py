"""Whole completions from bodies of every shape."""

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from soak import examples

from aimlchat import (
    AIMLChatError,
    BadRequestError,
    Cost,
    ProtocolError,
    RateLimitError,
    ToolCall,
    Usage,
)
from aimlchat._protocol.whole import parse_completion


def build_body(message=None, **rest):
    choice = {
        "index": 0,
        "message": {"role": "assistant"} | (message or {}),
        "finish_reason": "stop",
    }
    return {"id": "c-1", "model": "m-1", "created": 1750000000, "choices": [choice]} | rest


def complete(message=None, *, model="openai/gpt-4o", **rest):
    return parse_completion(json.dumps(build_body(message, **rest)).encode(), model)


class TestMessages:
    def test_the_body_is_kept_as_it_came(self):
        body = build_body({"content": "a"}, service_tier="default", usage={"total_tokens": 3})
        assert parse_completion(json.dumps(body).encode()).raw == body

    def test_bodies_of_equal_value_make_equal_completions(self):
        body = build_body({"content": "a"}, usage={"total_tokens": 3})
        tight, wide = json.dumps(body, separators=(",", ":")), json.dumps(body, indent=2)
        completion = parse_completion(tight.encode())
        assert completion == parse_completion(wide.encode())
        assert pickle.loads(pickle.dumps(completion)) == copy.deepcopy(completion) == completion

    def test_id_model_and_time_are_read(self):
        completion = complete({"content": "a"})
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
    def test_reasoning_under_several_names_counts_once(self, message):
        completion = complete(message | {"content": "yes"})
        assert (completion.reasoning, completion.text) == ("hm", "yes")

    def test_parts_are_split_by_their_type(self):
        parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"}]
        completion = complete({"content": parts})
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
    def test_tags_are_reasoning_for_models_that_use_them(self, content, reasoning, text):
        completion = complete({"content": content}, model="minimax/m3")
        assert (completion.reasoning, completion.text) == (reasoning, text)
        assert complete({"content": content}, model="anthropic/claude-3.7-sonnet").text == content

    @pytest.mark.parametrize("model", ["claude-3.7-sonnet", "qwen3-32b"])
    def test_the_text_is_not_trimmed(self, model):
        assert complete({"content": "\n a \n"}, model=model).text == "\n a \n"

    def test_without_content_the_text_is_empty(self):
        for message in ({"content": None}, {}, {"content": ""}):
            completion = complete(message)
            assert (completion.text, completion.reasoning) == ("", "")
            assert completion.refusal is None

    def test_audio_may_come_with_null_content(self):
        audio = {"id": "au-1", "data": "UklGRg==", "transcript": "Ding", "expires_at": 1}
        choice = complete({"content": None, "audio": audio}).choices[0]
        assert choice.audio == audio
        assert choice.text == ""

    def test_a_refusal_is_kept(self):
        assert complete({"content": None, "refusal": "No."}).refusal == "No."

    def test_annotations_and_log_probabilities_are_kept(self):
        body = build_body({"content": "a", "annotations": [{"url": "u"}]})
        body["choices"][0]["logprobs"] = {"content": [{"token": "a"}]}
        choice = parse_completion(json.dumps(body).encode()).choices[0]
        assert choice.annotations == [{"url": "u"}]
        assert choice.logprobs == {"content": [{"token": "a"}]}

    def test_a_delta_beside_the_message_is_ignored(self):
        body = build_body({"content": "a"})
        body["choices"][0]["delta"] = {"content": "a"}
        assert parse_completion(json.dumps(body).encode()).text == "a"

    def test_lone_surrogates_are_replaced_and_pairs_joined(self):
        assert complete({"content": "a\ud83e"}).text == "a\ufffd"
        assert complete({"content": "\ud83e\udd89"}).text == "\U0001f989"

    def test_choices_are_in_the_order_of_their_index(self):
        body = build_body()
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
    def test_the_finish_reason_is_normalized(self, native, word):
        body = build_body({"content": "a"})
        body["choices"][0]["finish_reason"] = native
        completion = parse_completion(json.dumps(body).encode())
        assert (completion.finish_reason, completion.native_finish_reason) == (word, native)


class TestToolCalls:
    def test_each_call_has_its_id_and_its_arguments(self):
        calls = [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ]
        completion = complete({"content": None, "tool_calls": calls})
        assert [call.arguments for call in completion.tool_calls] == [{"x": 1}, {}]
        assert [call.id for call in completion.tool_calls] == ["a", "b"]

    @pytest.mark.parametrize("numbers", [{}, {"index": 0}, {"index": None}], ids=str)
    def test_each_entry_is_a_call_of_its_own(self, numbers):
        calls = [numbers | {"function": {"name": name}} for name in ("f", "f", "f2")]
        completion = complete({"tool_calls": calls})
        assert [call.name for call in completion.tool_calls] == ["f", "f", "f2"]

    @pytest.mark.parametrize("calls", [None, [], {}, "x", [None]], ids=repr)
    def test_tool_calls_of_another_type_are_ignored(self, calls):
        assert complete({"content": "a", "tool_calls": calls}).tool_calls == ()

    def test_a_function_call_is_a_tool_call(self):
        completion = complete({"function_call": {"name": "f", "arguments": '{"x": 1}'}})
        assert completion.tool_calls == (ToolCall("call_0", "f", '{"x": 1}'),)


class TestMetadata:
    def test_usage_and_cost_are_read(self):
        completion = complete(
            {"content": "a"}, usage={"total_tokens": 3}, meta={"usage": {"credits_used": 2000}}
        )
        assert completion.usage == Usage(total_tokens=3, raw={"total_tokens": 3})
        assert completion.cost == Cost(0.001, 2000)

    @pytest.mark.parametrize("value", [None, {}, [], "x", 7], ids=repr)
    def test_usage_and_meta_of_another_type_do_not_lose_the_text(self, value):
        completion = complete({"content": "a"}, usage=value, meta=value)
        assert (completion.text, completion.usage, completion.cost) == ("a", None, None)

    @pytest.mark.parametrize("value", [None, [], "x", 7, {"credits_used": "n/a"}], ids=repr)
    def test_a_cost_of_another_type_does_not_lose_the_text(self, value):
        completion = complete({"content": "a"}, meta={"usage": value})
        assert (completion.text, completion.cost) == ("a", None)


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

    def test_an_error_with_status_200_has_the_class_that_it_implies(self):
        body = {"error": {"message": "Slow down.", "type": "rate_limit_error"}}
        with pytest.raises(RateLimitError, match="Slow down"):
            parse_completion(json.dumps(body).encode())

    def test_the_vendors_own_error_body_with_status_200_is_an_error(self):
        with pytest.raises(BadRequestError, match="No such role"):
            parse_completion(b'{"message": "No such role.", "statusCode": 400}')

    @pytest.mark.parametrize("depth", [900, 960, 1000, 100_000])
    def test_deep_nesting_does_not_lose_the_text(self, depth):
        nested = b"[" * depth + b"]" * depth
        body = b'{"x":%s,"choices":[{"message":{"content":"a"},"x":%s}],"usage":{"x":%s}}'
        completion = parse_completion(body % (nested, nested, nested))
        assert completion.text == "a"
        assert completion.raw["choices"][0]["message"]["content"] == "a"

    @pytest.mark.parametrize("depth", [900, 960, 1000, 100_000])
    def test_deep_nesting_in_a_key_that_is_skipped_does_not_lose_raw(self, depth):
        nested = b"[" * depth + b"]" * depth
        completion = parse_completion(b'{"choices":[{"message":{"content":"a","x":%s}}]}' % nested)
        assert completion.text == "a"
        assert completion.raw["choices"][0]["message"]["content"] == "a"

    def test_a_number_of_thousands_of_digits_does_not_lose_the_text_or_raw(self):
        for template in (
            b'"x":%s,"choices":[{"message":{"content":"a"}}]',
            b'"choices":[{"message":{"content":"a","x":%s}}]',
        ):
            completion = parse_completion(b"{%s}" % (template % (b"1" * 5000)))
            assert completion.text == "a"
            assert completion.raw["choices"][0]["message"]["content"] == "a"

    def test_broken_utf8_does_not_lose_the_text(self):
        body = b'\xef\xbb\xbf{"choices":[{"message":{"content":"a\xff"}}],"\xff":1}'
        completion = parse_completion(body)
        assert completion.text == "a\ufffd"
        assert completion.raw["\ufffd"] == 1

    def test_broken_utf8_in_a_key_that_is_skipped_does_not_lose_raw(self):
        completion = parse_completion(b'{"choices":[{"message":{"content":"a","x":"\xff"}}]}')
        assert completion.text == "a"
        assert completion.raw["choices"][0]["message"]["x"] == "\ufffd"

    @given(st.binary(max_size=100) | st.text(max_size=50).map(str.encode))
    @examples(500)
    def test_arbitrary_bytes_do_not_crash(self, body):
        try:
            completion = parse_completion(body)
        except AIMLChatError:
            return
        assert completion.choices
        assert isinstance(completion.raw, dict)

    @given(st.data())
    @examples(500)
    def test_mutated_bodies_do_not_crash(self, data):
        calls = [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]
        whole = build_body(
            {"content": "<think>a</think>b\U0001f989", "tool_calls": calls},
            usage={"total_tokens": 3},
        )
        mutated = bytearray(json.dumps(whole).encode())
        for _ in range(data.draw(st.integers(1, 4))):
            start = data.draw(st.integers(0, len(mutated) - 1))
            size = data.draw(st.integers(0, 5))
            mutated[start : start + size] = data.draw(
                st.binary(max_size=2) | st.sampled_from([b"null", b"[]", b"{}", b'"', b"1e999"])
            )
        try:
            completion = parse_completion(bytes(mutated))
        except AIMLChatError:
            return
        f"{completion.text}{completion.reasoning}{completion.id}".encode()
        assert isinstance(completion.raw, dict)
