"""The running total over many calls."""

import pytest

from aimlchat import Cost, Usage
from aimlchat._client.tally import Tally, count_tokens


@pytest.fixture
def tally():
    return Tally()


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, None),
        (Usage(), None),
        (Usage(1, 2, 9), 9),
        (Usage(1, 2), 3),
        (Usage(1, 2, 0), 3),
        (Usage(prompt_tokens=1), 1),
        (Usage(completion_tokens=2), 2),
        (Usage(0, 0), 0),
        (Usage(reasoning_tokens=5, cached_tokens=5), None),
    ],
)
def test_tokens_are_the_total_or_else_the_sum_of_prompt_and_completion(usage, tokens):
    assert count_tokens(usage) == tokens


def test_a_new_tally_is_empty(tally):
    assert (tally.done, tally.failed, tally.tokens, tally.usd) == (0, 0, 0, 0)
    assert tally.errors == {}
    assert tally.cost == Cost(usd=0, credits=0)
    assert set(tally.usage.as_dict().values()) == {0}


def test_each_count_is_the_sum_over_all_calls(tally):
    tally.add(usage=Usage(1, 2, 3, 4, 5, 6))
    tally.add(usage=Usage(10, 20, 30, 40, 50, 60))

    assert list(tally.usage.as_dict().values()) == [11, 22, 33, 44, 55, 66]
    assert tally.tokens == 33


def test_a_count_that_the_server_left_out_counts_as_nothing(tally):
    tally.add(usage=Usage(prompt_tokens=1))
    tally.add(usage=Usage(2, 3))

    assert tally.usage == Usage(3, 3, 0, 0, 0, 0)
    assert tally.tokens == 6


def test_what_the_server_charged_is_added_up(tally):
    tally.add(cost=Cost(usd=0.25, credits=500_000))
    tally.add(cost=None)
    tally.add(cost=Cost(usd=0.5, credits=1_000_000))

    assert tally.cost == Cost(usd=0.75, credits=1_500_000)
    assert tally.usd == 0.75


def test_errors_are_counted_by_their_class(tally):
    for error in ("ServerError", None, "RateLimitError", "ServerError"):
        tally.add(error=error)

    assert tally.errors == {"ServerError": 2, "RateLimitError": 1}
    assert (tally.done, tally.failed) == (4, 3)


def test_a_failed_call_may_have_used_tokens_and_cost_something(tally):
    tally.add(error="ServerError", usage=Usage(1, 2, 3), cost=Cost(usd=0.5, credits=1e6))

    assert (tally.failed, tally.tokens, tally.usd) == (1, 3, 0.5)


def test_the_errors_and_the_usage_are_copies(tally):
    tally.add(error="ServerError", usage=Usage(1, 2, 3))
    errors, usage = tally.errors, tally.usage
    tally.add(error="ServerError", usage=Usage(1, 2, 3))

    assert errors == {"ServerError": 1}
    assert usage.total_tokens == 3
