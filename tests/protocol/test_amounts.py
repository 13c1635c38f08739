"""Amounts of money and counts of tokens: finite and not negative, else unknown."""

import json
import math

import pytest

from aimlchat import Cost, Usage
from aimlchat._client.tally import Tally
from aimlchat._protocol.lenient import read_amount, read_count
from aimlchat._protocol.metadata import parse_cost, parse_usage
from aimlchat._protocol.model_list import parse_models
from aimlchat._protocol.whole import parse_completion

# JSON that is no amount, and no count.
NO_AMOUNTS = [
    *("-1000", "-1", "-0.5", "-1e-9", "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "1e300"),
    *("1" + "0" * 400, "-1" + "0" * 400, "9" * 5000, "true", "false", "null", "[]", "{}", "[5]"),
    *('"-1000"', '"1e999"', '"nan"', '"inf"', '"-inf"', '"abc"', '""', '"$5"', '"5 USD"'),
]
NAMES = ["prompt_tokens", "completion_tokens", "total_tokens"]


@pytest.mark.parametrize(
    ("value", "amount"),
    [(0, 0.0), (7, 7.0), (0.5, 0.5), ("0.5", 0.5), (" 1e3 ", 1000.0), (-0.0, 0.0), ("-0", 0.0)],
    ids=repr,
)
def test_an_amount_is_read_from_a_number_or_a_string_of_one(value, amount):
    assert read_amount(value) == amount
    assert math.copysign(1, read_amount(value)) == 1
    assert read_count(value) == int(amount)
    assert type(read_count(value)) is int


@pytest.mark.parametrize("text", NO_AMOUNTS, ids=lambda text: text[:12])
class TestUnknown:
    def test_it_is_neither_an_amount_nor_a_count(self, text):
        try:
            value = json.loads(text)
        except ValueError:  # more digits than Python converts
            value = text
        assert read_amount(value) is None
        assert read_count(value) is None

    def test_a_whole_completion_has_no_cost_and_no_such_count(self, text):
        for name in NAMES:
            counts = dict.fromkeys(NAMES, 5) | {name: "#"}
            body = {
                "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
                "usage": counts,
                "meta": {"usage": {"usd_spent": "#", "credits_used": "#"}},
            }
            completion = parse_completion(json.dumps(body).replace('"#"', text).encode())
            assert completion.cost is None
            assert getattr(completion.usage, name) is None
            assert [getattr(completion.usage, other) for other in NAMES if other != name] == [5, 5]

    def test_a_stream_has_no_cost_and_no_such_count(self, read_bytes, text):
        for name in NAMES:
            counts = dict.fromkeys(NAMES, 5) | {name: "#"}
            meta = {"usage": {"usd_spent": "#", "credits_used": "#"}}
            last = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
            body = json.dumps(last | {"usage": counts, "meta": meta}).replace('"#"', text)
            completion = read_bytes([f"data: {body}\n\n".encode()]).completion
            assert completion.cost is None
            assert getattr(completion.usage, name) is None

    def test_usage_that_came_before_is_kept(self, read_bytes, text):
        known = {"prompt_tokens": 7, "completion_tokens": 8, "total_tokens": 15}
        first = json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": known})
        for names in (NAMES, NAMES[:1], NAMES[1:2]):
            later = json.dumps({"choices": [], "usage": dict.fromkeys(names, "#")})
            body = f"data: {first}\n\ndata: {later}\n\n".replace('"#"', text).encode()
            assert read_bytes([body]).completion.usage.as_dict() == Usage(7, 8, 15).as_dict()

    def test_another_amount_beside_it_counts(self, text):
        value = json.loads(text) if len(text) < 1000 else text
        assert parse_cost({"usage": {"usd_spent": value, "credits_used": 500}}) == Cost(
            0.00025, 500
        )
        assert parse_cost({"usage": {"usd_spent": 2, "credits_used": value}}) == Cost(2, 4_000_000)
        headers = {"x-aimlapi-usd-spent": text.strip('"'), "x-aimlapi-credits-used": "500"}
        assert parse_cost({"usage": {"usd_spent": value}}, headers) == Cost(0.00025, 500)
        assert parse_cost(None, {"x-aimlapi-usd-spent": text.strip('"')}) is None

    def test_a_model_has_no_such_limits(self, text):
        value = json.loads(text) if len(text) < 1000 else text
        info = {"contextLength": value, "outputMax": value}
        (model,) = parse_models([{"id": "m", "info": info}])
        assert (model.context_length, model.max_output) == (None, None)
        assert model.raw["info"] is info


def test_sums_of_the_largest_amounts_are_finite():
    tally = Tally()
    for _ in range(1000):
        cost = parse_cost({"usage": {"usd_spent": 2**53 - 1}})
        tally.add(cost=cost, usage=parse_usage({"total_tokens": 2**53 - 1}))
    assert math.isfinite(tally.cost.usd)
    assert math.isfinite(tally.cost.credits)
    assert tally.tokens == 1000 * (2**53 - 1)
