"""Token counts: under every name, in every place where upstreams were seen to send them."""

import json

import attrs
import pytest

from aimlchat import StreamParser, Usage
from aimlchat._protocol.metadata import parse_usage
from aimlchat._protocol.whole import parse_completion

COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
KNOWN = Usage(3, 2, 5, raw=COUNTS)
DONE = b"[DONE]"


def complete(body):
    return parse_completion(json.dumps(body).encode())


def body_of(*, choice=None, **top):
    message = {"message": {"content": "a"}, "finish_reason": "stop"} | (choice or {})
    return {"id": "c", "model": "m", "choices": [message]} | top


class TestNames:
    @pytest.mark.parametrize(
        ("body", "usage"),
        [
            ({**COUNTS, "cached_tokens": 4}, Usage(3, 2, 5, cached_tokens=4)),
            (
                {**COUNTS, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 1},
                Usage(3, 2, 5, cached_tokens=4),
            ),
            (
                {
                    "input_tokens": 3,
                    "output_tokens": 2,
                    "cache_read_input_tokens": 4,
                    "cache_creation_input_tokens": 6,
                    "cache_creation": {"ephemeral_5m_input_tokens": 6},
                },
                Usage(3, 2, cached_tokens=4, cache_write_tokens=6),
            ),
            ({**COUNTS, "cache_write_tokens": 6}, Usage(3, 2, 5, cache_write_tokens=6)),
            (
                {**COUNTS, "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 6}},
                Usage(3, 2, 5, cached_tokens=0, cache_write_tokens=6),
            ),
            (
                {**COUNTS, "prompt_tokens_details": {"cache_creation_tokens": 6}},
                Usage(3, 2, 5, cache_write_tokens=6),
            ),
            (
                {**COUNTS, "prompt_tokens_details": {"cached_creation_tokens": 6}},
                Usage(3, 2, 5, cache_write_tokens=6),
            ),
            (
                {
                    "input_tokens": 3,
                    "output_tokens": 2,
                    "total_tokens": 5,
                    "input_tokens_details": {"cached_tokens": 1},
                    "output_tokens_details": {"reasoning_tokens": 1},
                },
                Usage(3, 2, 5, 1, 1),
            ),
            (
                {
                    "promptTokenCount": 3,
                    "candidatesTokenCount": 2,
                    "totalTokenCount": 9,
                    "thoughtsTokenCount": 4,
                    "cachedContentTokenCount": 1,
                    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
                },
                Usage(3, 2, 9, 4, 1),
            ),
            ({"prompt_token_count": 3, "candidates_token_count": 2}, Usage(3, 2)),
            (
                {
                    "inputTokens": 3,
                    "outputTokens": 2,
                    "totalTokens": 5,
                    "cacheReadInputTokens": 1,
                    "cacheWriteInputTokens": 6,
                },
                Usage(3, 2, 5, None, 1, 6),
            ),
            ({"promptTokens": 3, "completionTokens": 2}, Usage(3, 2)),
            (
                {"inputTokenCount": 3, "outputTokenCount": 2, "invocationLatency": 9},
                Usage(3, 2),
            ),
            # Gateways fill in the names of two APIs, and zeros under those that they do not know.
            ({**COUNTS, "input_tokens": 0, "output_tokens": 0}, Usage(3, 2, 5)),
            ({**ZEROS, "input_tokens": 3, "output_tokens": 2}, Usage(3, 2, 0)),
            ({**COUNTS, "prompt_tokens": None, "input_tokens": 3}, Usage(3, 2, 5)),
            (
                {**COUNTS, "prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": 1},
                Usage(3, 2, 5, cached_tokens=1),
            ),
        ],
        ids=str,
    )
    def test_every_name_of_a_count_is_known(self, body, usage):
        assert parse_usage(body) == attrs.evolve(usage, raw=body)

    @pytest.mark.parametrize("value", [3, 3.0, "3", "3.0", " 3 "], ids=repr)
    def test_a_count_may_be_a_float_or_text(self, value):
        body = {**COUNTS, "prompt_tokens": value, "cached_tokens": value}
        usage = parse_usage(body)
        assert (usage.prompt_tokens, usage.cached_tokens) == (3, 3)
        assert {type(usage.prompt_tokens), type(usage.cached_tokens)} == {int}

    @pytest.mark.parametrize("value", ["x", "", True, [3], {}, 1e999, "inf", "nan"], ids=repr)
    def test_what_is_no_count_is_left_out(self, value):
        assert parse_usage({**COUNTS, "prompt_tokens": value}).prompt_tokens is None

    def test_a_total_that_did_not_come_is_not_computed(self):
        assert parse_usage({"prompt_tokens": 3, "completion_tokens": 2}).total_tokens is None


PLACES = [
    {"usage": COUNTS},
    {"choice": {"usage": COUNTS}},
    {"usage": None, "choice": {"usage": COUNTS}},
    {"x_groq": {"id": "r", "usage": COUNTS}},
    {"usage": None, "x_groq": {"usage": COUNTS}},
    {"usage": {}, "x_groq": {"usage": COUNTS}},
    {"usageMetadata": COUNTS},
    {"usage_metadata": COUNTS},
    {"amazon-bedrock-invocationMetrics": COUNTS},
    {"x_vendor": {"usage": {"n": 1}}, "x_other": {"usage": COUNTS}},
]


class TestPlacesInAWholeCompletion:
    @pytest.mark.parametrize("place", PLACES, ids=str)
    def test_every_place_is_known(self, place):
        assert complete(body_of(**place)).usage == KNOWN

    def test_the_choices_usage_is_read_on_the_lenient_path_too(self):
        assert complete(body_of(service_tier="x", choice={"usage": COUNTS})).usage == KNOWN

    def test_usage_of_the_whole_wins_over_that_of_a_choice(self):
        other = {**COUNTS, "prompt_tokens": 1}
        assert complete(body_of(usage=COUNTS, choice={"usage": other})).usage == KNOWN

    def test_usage_of_one_of_several_choices_is_not_that_of_the_whole(self):
        body = body_of(choice={"usage": COUNTS})
        for top in ({}, {"x": 1}):
            several = body | {
                "choices": [c | {"index": i} for i, c in enumerate(body["choices"] * 2)]
            }
            assert complete(several | top).usage is None
            assert complete(several | top | {"usage": COUNTS}).usage == KNOWN

    def test_zeros_stay_zeros(self):
        assert complete(body_of(usage=ZEROS)).usage == Usage(0, 0, 0, raw=ZEROS)
        assert complete(body_of(usage=ZEROS, x=1)).usage == Usage(0, 0, 0, raw=ZEROS)

    @pytest.mark.parametrize("usage", [None, {}, [], "x", {"cost": 0}], ids=repr)
    def test_usage_without_counts_is_none(self, usage):
        assert complete(body_of(usage=usage)).usage is None


class TestPlacesInAStream:
    @pytest.mark.parametrize("is_plain", [False, True])
    @pytest.mark.parametrize("place", PLACES, ids=str)
    def test_every_place_is_known(self, read, chunk, place, is_plain):
        place = dict(place)
        last = chunk({"content": "c"} if is_plain else {}, finish=None if is_plain else "stop")
        last["choices"][0] |= place.pop("choice", {})
        reading = read(
            chunk({"role": "assistant", "content": "a"}, x_groq={"id": "r"}),
            chunk({"content": "b"}),
            last | place,
            chunk(finish="stop"),
            DONE,
        )
        assert reading.completion.usage == KNOWN

    def test_usage_in_a_plain_chunk_of_a_stream_without_other_keys_is_read(self, read, chunk):
        last = chunk({"content": "c"})
        last["choices"][0]["usage"] = COUNTS
        reading = read(*[chunk({"content": "a"})] * 3, last, chunk(finish="stop"))
        assert (reading.completion.text, reading.completion.usage) == ("aaac", KNOWN)

    def test_the_last_of_cumulative_counts_is_kept(self, read, chunk):
        chunks = [
            chunk({"content": "a"}, usage={**COUNTS, "completion_tokens": count})
            for count in range(5)
        ]
        assert read(*chunks, DONE).completion.usage.completion_tokens == 4

    def test_zeros_stay_zeros_if_nothing_else_came(self, read, chunk):
        reading = read(chunk({"content": "a"}, usage=ZEROS), chunk(finish="stop", usage=None))
        assert reading.completion.usage == Usage(0, 0, 0, raw=ZEROS)

    @pytest.mark.parametrize("order", [(COUNTS, ZEROS), (ZEROS, COUNTS)], ids=str)
    def test_zeros_do_not_replace_counts(self, read, chunk, order):
        chunks = [chunk({"content": "a"}, usage=usage) for usage in order]
        assert read(*chunks, chunk(finish="stop")).completion.usage == KNOWN

    def test_zeros_of_an_envelope_mean_nothing(self, read, chunk):
        inner = chunk({"content": "a"}, usage=ZEROS, finish="stop")
        assert read({"event": inner, "state": {"usage": ZEROS}}).completion.usage is None
        counts = {"input_tokens": 3, "output_tokens": 2}
        assert read({"event": inner, "state": {"usage": counts}}).completion.usage == KNOWN

    def test_counts_of_the_chunk_in_an_envelope_are_read(self, read, chunk):
        inner = chunk({"content": "a"}, usage=COUNTS, finish="stop")
        assert read({"event": inner, "state": {}}).completion.usage == KNOWN

    @pytest.mark.parametrize("position", [0, 1, 2])
    def test_usage_of_the_whole_wins_over_that_of_a_choice(self, read, chunk, position):
        chunks = [chunk({"content": "a"}), chunk({"content": "b"}), chunk(finish="stop")]
        chunks[1]["choices"][0]["usage"] = {**COUNTS, "prompt_tokens": 1}
        chunks[position]["usage"] = COUNTS
        assert read(*chunks).completion.usage == KNOWN

    def test_usage_of_one_of_several_choices_is_not_that_of_the_whole(self, read, chunk):
        chunks = [chunk({"content": "a"}, index=index, finish="stop") for index in range(2)]
        chunks[1]["choices"][0]["usage"] = COUNTS
        assert read(*chunks).completion.usage is None

    def test_usage_of_a_choice_in_an_error_behind_the_end_is_kept(self, read, chunk):
        late = chunk()
        late["choices"][0] |= {"error": {"message": "late"}, "usage": COUNTS}
        assert read(chunk({"content": "a"}, finish="stop"), late).completion.usage == KNOWN

    @pytest.mark.parametrize(
        "parts",
        [
            ({"input_tokens": 3}, {"output_tokens": 2}),
            ({"input_tokens": 3, "output_tokens": 0}, {"output_tokens": 2}),
            ({"input_tokens": 3, "output_tokens": 1}, {"input_tokens": 0, "output_tokens": 2}),
            ({"prompt_tokens": 3, "total_tokens": None}, {"completion_tokens": 2}),
            ({"completion_tokens": 2}, {"prompt_tokens": 3, "completion_tokens": None}),
        ],
        ids=str,
    )
    def test_counts_in_two_parts_are_merged(self, read, chunk, parts):
        first, second = parts
        chunks = chunk({"content": "a"}, usage=first), chunk(finish="stop", usage=second)
        usage = read(*chunks).completion.usage
        assert (usage.prompt_tokens, usage.completion_tokens) == (3, 2)

    def test_usage_whose_keys_are_data_is_not_merged_for_ever(self, read, chunk):
        chunks = [
            chunk({"content": "a"}, usage={"prompt_tokens": 3, f"k{i}": 1}) for i in range(999)
        ]
        assert len(read(*chunks, DONE).completion.usage.raw) < 200

    def test_a_partial_has_the_counts_so_far(self, sse, chunk):
        parser = StreamParser()
        parser.feed(sse(chunk({"content": "a"}, usage=COUNTS)))
        assert parser.partial.usage == KNOWN
