"""Finish reasons, token counts, the cost, the models, and what identifies a completion."""

import json

import attrs
import pytest

from aimlchat import Cost, ProtocolError, StreamInterruptedError, Usage
from aimlchat._protocol.metadata import parse_cost, parse_usage
from aimlchat._protocol.model_list import parse_models
from aimlchat._protocol.whole import parse_completion

DONE = b"[DONE]"


class TestFinishReason:
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
            *[(word, "stop") for word in ("eos", "eos_token", "end", "COMPLETE", "stop_string")],
            *[(word, "length") for word in ("model_length", "max_output_tokens", "max-tokens")],
            ("model_context_window_exceeded", "length"),
            *[(word, "tool_calls") for word in ("tool-calls", "TOOL_CALL", "Tool_Use")],
            *[(word, "content_filter") for word in ("SAFETY", "RECITATION", "BLOCKLIST", "SPII")],
            *[(word, "content_filter") for word in ("PROHIBITED_CONTENT", "ERROR_TOXIC")],
            *[(word, "content_filter") for word in ("content-filter", "guardrail_intervened")],
            *[(word, word) for word in ("OTHER", "pause_turn", "MALFORMED")],
        ],
    )
    def test_a_finish_reason_is_normalized_and_kept_as_it_came(self, read, chunk, native, word):
        completion = read(chunk({"content": "a"}, finish=native)).completion
        assert (completion.finish_reason, completion.native_finish_reason) == (word, native)

    @pytest.mark.parametrize(
        "word", ["", " ", "null", "NULL", "None", "none ", "undefined", "FINISH_REASON_UNSPECIFIED"]
    )
    def test_a_word_that_means_nothing_is_no_finish_reason(self, read, chunk, word):
        interrupted = read(chunk({"content": "a"}, finish=word))
        assert type(interrupted.error) is StreamInterruptedError
        later = read(chunk({"content": "a"}, finish=word), chunk(finish="stop")).completion
        assert (later.finish_reason, later.native_finish_reason) == ("stop", "stop")
        whole = json.dumps(
            {"choices": [{"message": {"content": "a"}, "finish_reason": word}]}
        ).encode()
        completion = parse_completion(whole)
        assert (completion.finish_reason, completion.native_finish_reason) == (None, None)

    def test_the_first_finish_reason_of_a_choice_counts(self, read, chunk):
        assert (
            read(chunk(finish="length"), chunk(finish="stop")).completion.finish_reason == "length"
        )

    @pytest.mark.parametrize("finish", ["", None, [], {}, False], ids=repr)
    def test_an_empty_finish_reason_counts_as_absent(self, read, chunk, finish):
        reading = read(chunk({"content": "a"}, finish=finish), DONE)
        assert reading.completion.finish_reason is None


class TestMetadataOfAStream:
    def test_the_last_usage_with_a_count_above_zero_counts(self, read, chunk):
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
    def test_usage_of_another_type_is_ignored(self, read, chunk, usage):
        reading = read(chunk({"content": "a"}, usage=usage), chunk(finish="stop"))
        assert reading.completion.text == "a"
        assert reading.completion.usage is None

    def test_the_cost_may_come_in_an_event_of_its_own(self, read, chunk):
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
    def test_a_meta_without_a_cost_is_ignored(self, read, chunk, meta):
        assert read(chunk({"content": "a"}, finish="stop", meta=meta)).completion.cost is None


class TestUsage:
    @pytest.mark.parametrize(
        ("body", "usage"),
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
    def test_counts_are_reported_as_they_came(self, body, usage):
        assert parse_usage(body) == attrs.evolve(usage, raw=body)

    @pytest.mark.parametrize(
        "body",
        [None, {}, {"prompt_tokens": None, "cost": 1}, {"reasoning_tokens": 5}, [], "x", 7],
        ids=repr,
    )
    def test_usage_without_a_count_is_none(self, body):
        assert parse_usage(body) is None


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
    def test_the_cost_is_what_the_server_reported(self, usage, cost):
        found = parse_cost({"usage": usage})
        assert found == cost
        if cost:
            assert type(found.usd) is type(found.credits) is float

    @pytest.mark.parametrize("meta", [None, {}], ids=repr)
    def test_a_meta_without_usage_has_no_cost(self, meta):
        assert parse_cost(meta) is None

    @pytest.mark.parametrize(
        ("headers", "cost"),
        [
            (
                {"x-aimlapi-credits-used": "344", "x-aimlapi-usd-spent": "0.000172"},
                Cost(0.000172, 344),
            ),
            ({"x-aimlapi-credits-used": "2e6"}, Cost(1.0, 2_000_000)),
            ({"x-aimlapi-usd-spent": "n/a"}, None),
            ({}, None),
        ],
        ids=str,
    )
    def test_the_headers_give_the_cost_where_the_body_gives_none(self, headers, cost):
        assert parse_cost(None, headers) == cost
        assert parse_cost({"usage": {"tokens_used": 5}}, headers) == cost
        assert parse_cost({"usage": {"credits_used": 0}}, headers) == Cost(0, 0)


class TestModels:
    ENTRY = {  # noqa: RUF012 - nothing writes to it
        "id": "m-1",
        "aliases": ["m", 7],
        "type": "openai/chat-completions",
        "info": {"name": "M", "developer": "D", "contextLength": "8000", "outputMax": 4000.0},
        "capabilities": ["tools", None],
    }

    @pytest.mark.parametrize("body", [[ENTRY], {"data": [ENTRY]}], ids=["list", "object"])
    def test_an_entry_becomes_a_model(self, body):
        (model,) = parse_models(body)
        assert (model.id, model.aliases, model.name, model.developer) == ("m-1", ("m",), "M", "D")
        assert (model.context_length, model.max_output) == (8000, 4000)
        assert (model.type, model.capabilities) == ("openai/chat-completions", ("tools",))
        assert model.raw == self.ENTRY

    def test_an_entry_without_an_id_is_left_out(self):
        entries = [{"id": "m-1"}, {}, {"id": None}, {"id": ""}, None, "m-2", []]
        assert [model.id for model in parse_models(entries)] == ["m-1"]

    @pytest.mark.parametrize("body", [None, {}, {"data": None}, {"data": {}}, "x", 7], ids=repr)
    def test_a_body_without_a_list_is_a_protocol_error(self, body):
        with pytest.raises(ProtocolError, match="no list of models"):
            parse_models(body)


class TestEnvelope:
    @staticmethod
    def enveloped(chunk, *, usage=None, **state):
        return {"event": chunk, "state": {"usage": usage or {}} | state}

    def test_the_input_is_the_first_count_and_the_output_the_last(self, read, chunk):
        reading = read(
            self.enveloped(chunk(), usage={"input_tokens": 12, "output_tokens": 1}),
            self.enveloped(chunk({"content": "a"}), usage={"input_tokens": 0, "output_tokens": 0}),
            self.enveloped(chunk(), usage={"input_tokens": 99, "output_tokens": 7}),
            self.enveloped(chunk(finish="stop"), usage={"input_tokens": 0, "output_tokens": 0}),
        )
        usage = reading.completion.usage
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (12, 7, 19)

    def test_without_a_count_there_is_no_usage(self, read, chunk):
        assert read(self.enveloped(chunk(finish="stop"))).completion.usage is None

    @pytest.mark.parametrize(
        "state", [None, [], "x", {"usage": "x"}, {"usage": [1]}, {"usage": None}], ids=repr
    )
    def test_a_state_of_another_type_does_not_lose_the_text(self, read, chunk, state):
        reading = read({"event": chunk({"content": "a"}, finish="stop"), "state": state})
        assert reading.completion.text == "a"

    def test_a_finish_reason_in_the_state_does_not_end_the_stream(self, read, chunk):
        reading = read(self.enveloped(chunk({"content": "a"}), finishReason="end_turn"))
        assert reading.completion is None

    @pytest.mark.parametrize("event", ["ping", 7, [], None], ids=repr)
    def test_an_event_of_another_type_is_ignored(self, read, chunk, event):
        assert read({"event": event}, chunk({"content": "a"}, finish="stop")).completion.text == "a"

    def test_unknown_keys_inside_an_envelope_are_kept(self, read, chunk):
        reading = read(
            self.enveloped(chunk({"content": "a"}, hop=1)), self.enveloped(chunk(finish="stop"))
        )
        assert reading.completion.text == "a"
        assert reading.completion.raw["hop"] == 1


class TestIdentity:
    def test_the_first_id_model_and_time_are_kept(self, read, chunk):
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
    def test_the_first_time_is_kept_whichever_chunk_has_it(self, read, chunk, times, created):
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
    def test_an_id_model_or_time_of_another_type_does_not_lose_the_text(
        self, read, chunk, field, came, kept
    ):
        completion = read(chunk({"content": "a"}, finish="stop", **{field: came})).completion
        assert completion.text == "a"
        assert getattr(completion, field) == kept

    def test_a_number_of_thousands_of_digits_does_not_lose_the_text(self, read):
        digits = b"1" * 5000
        delta = b'{"content":"a","y":%s}' % digits
        choice = b'{"index":0,"delta":%s,"finish_reason":"stop"}' % delta
        completion = read(b'{"id":%s,"x":%s,"choices":[%s]}' % (digits, digits, choice)).completion
        assert completion.text == "a"

    def test_control_characters_in_strings_are_accepted(self, read):
        completion = read(
            b'{"choices":[{"index":0,"delta":{"content":"a\tb\x00"},"finish_reason":"stop"}]}'
        ).completion
        assert completion.text == "a\tb\0"
