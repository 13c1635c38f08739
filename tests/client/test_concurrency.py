"""How many calls may be in flight: a fixed limit, and one that follows the server."""

import pytest

from aimlchat import ConfigurationError
from aimlchat._client.concurrency import AdaptiveConcurrency, FixedConcurrency


def run_rounds(concurrency, rounds, seconds=1.0):
    """Let as many calls as the limit allows succeed, so many times; return the limits."""
    limits = []
    for _ in range(rounds):
        for _ in range(concurrency.limit):
            concurrency.succeeded(concurrency.epoch, seconds)
        limits.append(concurrency.limit)
    return limits


# --- a fixed limit --------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, -1, 1.0, True, False, None, "1", "auto"])
def test_a_fixed_limit_is_a_whole_number_of_at_least_1(limit):
    with pytest.raises(ConfigurationError, match="concurrency"):
        FixedConcurrency(limit)


def test_a_fixed_limit_never_changes():
    concurrency = FixedConcurrency(3)
    concurrency.succeeded(0, 0.001)
    concurrency.congested(0, 3)

    assert (concurrency.limit, concurrency.epoch) == (3, 0)


# --- growth ---------------------------------------------------------------------------------------


def test_an_adaptive_limit_begins_with_8():
    assert AdaptiveConcurrency().limit == 8


def test_it_begins_with_less_where_the_session_allows_less():
    assert AdaptiveConcurrency(3).limit == 3


def test_it_grows_by_half_in_each_round_until_the_first_congestion():
    assert run_rounds(AdaptiveConcurrency(), 4) == [12, 18, 27, 40]


def test_it_never_exceeds_the_limit_of_the_session():
    assert max(run_rounds(AdaptiveConcurrency(20), 50)) == 20


# --- congestion -----------------------------------------------------------------------------------


def congested_at(in_flight):
    concurrency = AdaptiveConcurrency()
    while concurrency.limit < in_flight:
        concurrency.succeeded(concurrency.epoch, 1.0)
    concurrency.congested(concurrency.epoch, in_flight)
    return concurrency


def test_congestion_puts_it_a_tenth_below_what_was_too_much():
    assert congested_at(101).limit == 90


def test_after_congestion_it_grows_by_about_one_in_each_round():
    limits = run_rounds(congested_at(101), 6)

    assert limits == [*range(limits[0], limits[0] + 6)]


def test_it_stays_just_below_the_ceiling_for_many_rounds():
    concurrency = congested_at(101)
    run_rounds(concurrency, 12)

    assert set(run_rounds(concurrency, 8)) <= {99, 100}


def test_it_probes_beyond_the_ceiling_after_a_while():
    assert max(run_rounds(congested_at(101), 100)) > 101


def test_a_single_call_in_flight_stays_allowed_whatever_happens():
    concurrency = AdaptiveConcurrency()
    for _ in range(100):
        concurrency.congested(concurrency.epoch, 1)

    assert concurrency.limit == 1


def test_the_ceiling_is_at_most_the_limit_itself():
    concurrency = AdaptiveConcurrency()
    concurrency.congested(concurrency.epoch, 1000)

    assert concurrency.limit <= 8


# --- epochs ---------------------------------------------------------------------------------------


def test_each_decrease_begins_an_epoch():
    concurrency = AdaptiveConcurrency()
    epochs = [concurrency.epoch]
    for _ in range(2):
        concurrency.congested(concurrency.epoch, 8)
        epochs.append(concurrency.epoch)

    assert epochs == [0, 1, 2]


def test_the_calls_of_an_earlier_epoch_signal_the_same_congestion_only_once():
    concurrency = AdaptiveConcurrency()
    for _ in range(8):
        concurrency.congested(0, 8)

    assert (concurrency.limit, concurrency.epoch) == (6, 1)


def test_a_success_of_an_earlier_epoch_does_not_count():
    concurrency = AdaptiveConcurrency()
    concurrency.congested(0, 8)
    before = concurrency.limit
    for _ in range(100):
        concurrency.succeeded(0, 1.0)

    assert concurrency.limit == before


# --- slowness -------------------------------------------------------------------------------------


def slow_down(concurrency):
    """Let calls take five times as long until that is taken for congestion."""
    run_rounds(concurrency, 4, seconds=1.0)
    before = concurrency.limit
    for _ in range(before):
        if concurrency.epoch:
            break
        before = concurrency.limit
        concurrency.succeeded(0, 5.0)
    return before


def test_calls_that_take_more_than_twice_as_long_are_congestion():
    concurrency = AdaptiveConcurrency()
    before = slow_down(concurrency)

    assert concurrency.epoch == 1
    assert before * 0.85 < concurrency.limit < before


def test_after_slowness_it_grows_by_half_again_since_no_ceiling_is_known():
    concurrency = AdaptiveConcurrency()
    slow_down(concurrency)
    before = concurrency.limit
    run_rounds(concurrency, 1, seconds=5.0)

    assert before * 1.45 < concurrency.limit < before * 1.55


def test_a_single_slow_call_is_no_congestion():
    concurrency = AdaptiveConcurrency()
    run_rounds(concurrency, 4, seconds=1.0)
    concurrency.succeeded(concurrency.epoch, 5.0)

    assert concurrency.epoch == 0


def test_differences_of_milliseconds_are_noise():
    concurrency = AdaptiveConcurrency()
    run_rounds(concurrency, 4, seconds=0.001)
    run_rounds(concurrency, 4, seconds=0.09)

    assert concurrency.epoch == 0


def test_the_first_calls_of_an_epoch_are_not_compared():
    concurrency = AdaptiveConcurrency()
    concurrency.succeeded(0, 0.1)
    for _ in range(18):
        concurrency.succeeded(0, 100.0)

    assert concurrency.epoch == 0
