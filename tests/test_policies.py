"""The values that timeouts, retry policies and limits accept."""

import copy
import pickle

import attrs
import pytest

from aimlchat import ConfigurationError, Limits, RetryPolicy, Timeouts

NOT_NUMBERS = ["1", b"1", True, False, [], object, float("nan"), float("inf"), -float("inf")]


def test_the_defaults_are_those_of_the_contract():
    assert attrs.asdict(Timeouts()) == {
        "queue": None,
        "connect": 10,
        "first_token": 300,
        "next_token": 300,
        "idle": 300,
        "whole": 900,
        "deadline": None,
    }
    assert attrs.asdict(RetryPolicy()) == {
        "attempts": 3,
        "base_delay": 0.5,
        "max_delay": 8.0,
        "max_retry_after": 120.0,
    }
    assert attrs.asdict(Limits()) == {
        "max_connections": 0,
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "concurrency": None,
        "max_answer_bytes": 64 * 1024 * 1024,
    }


@pytest.mark.parametrize("phase", [field.name for field in attrs.fields(Timeouts)])
class TestTimeouts:
    @pytest.mark.parametrize("seconds", [None, 0, 1, 0.001, 86_400])
    def test_it_accepts_seconds_or_none(self, phase, seconds):
        assert getattr(Timeouts(**{phase: seconds}), phase) == seconds

    @pytest.mark.parametrize("seconds", [-1, -0.001, *NOT_NUMBERS], ids=repr)
    def test_it_accepts_nothing_else(self, phase, seconds):
        with pytest.raises(ConfigurationError, match=rf"Timeouts\.{phase} .*None for no limit"):
            Timeouts(**{phase: seconds})


@pytest.mark.parametrize("setting", ["base_delay", "max_delay", "max_retry_after"])
class TestDelays:
    @pytest.mark.parametrize("seconds", [0, 0.5, 30])
    def test_it_accepts_seconds(self, setting, seconds):
        assert getattr(RetryPolicy(**{setting: seconds}), setting) == seconds

    @pytest.mark.parametrize("seconds", [None, -1, *NOT_NUMBERS], ids=repr)
    def test_it_accepts_nothing_else(self, setting, seconds):
        with pytest.raises(ConfigurationError, match=rf"RetryPolicy\.{setting} "):
            RetryPolicy(**{setting: seconds})


@pytest.mark.parametrize("attempts", [1, 2, 100])
def test_attempts_accept_a_whole_number(attempts):
    assert RetryPolicy(attempts=attempts).attempts == attempts


@pytest.mark.parametrize("attempts", [0, -1, 1.0, 2.5, None, *NOT_NUMBERS], ids=repr)
def test_attempts_accept_nothing_else(attempts):
    with pytest.raises(ConfigurationError, match=r"RetryPolicy\.attempts .*whole number.* 1"):
        RetryPolicy(attempts=attempts)


@pytest.mark.parametrize("setting", [field.name for field in attrs.fields(Limits)])
class TestLimits:
    @pytest.mark.parametrize("limit", [None, 0, 1, 10_000])
    def test_it_accepts_a_whole_number_and_0_or_none_for_no_limit(self, setting, limit):
        assert getattr(Limits(**{setting: limit}), setting) == limit

    @pytest.mark.parametrize("limit", [-1, 1.5, 2.0, *NOT_NUMBERS], ids=repr)
    def test_it_accepts_nothing_else(self, setting, limit):
        with pytest.raises(ConfigurationError, match=rf"Limits\.{setting} "):
            Limits(**{setting: limit})


@pytest.mark.parametrize(
    "policy", [Timeouts(idle=5), RetryPolicy(attempts=1), Limits(concurrency=4)]
)
class TestEveryPolicy:
    def test_it_is_immutable(self, policy):
        for field in attrs.fields(type(policy)):
            with pytest.raises(AttributeError):
                setattr(policy, field.name, 1)

    def test_it_is_equal_by_value(self, policy):
        assert policy == attrs.evolve(policy)
        assert policy != type(policy)()
        assert hash(policy) == hash(attrs.evolve(policy))

    def test_it_is_equal_when_pickled_or_copied(self, policy):
        assert pickle.loads(pickle.dumps(policy)) == policy
        assert copy.deepcopy(policy) == policy

    def test_attrs_evolve_checks_its_values(self, policy):
        name = attrs.fields(type(policy))[0].name
        with pytest.raises(ConfigurationError):
            attrs.evolve(policy, **{name: -1})
