"""A wait that the server names makes a refusal transient, and is the least that is waited."""

import contextlib

import pytest
from clockwork import Clockwork, session_on

from aimlchat import (
    APIError,
    InsufficientCreditsError,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
)

BILLING = "Limit reached. Need more? Upgrade at https://example.com/billing"
GOOGLE = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota, please check your plan and billing details.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "RetryInfo", "retryDelay": "13s"}],
    }
}


@pytest.fixture
def clock():
    return Clockwork()


@pytest.fixture
async def session(emulator, clock):
    async with session_on(clock, emulator.base_url) as opened:
        yield opened


def error_body(message, **fields):
    return {"error": {"message": message, **fields}}


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        ({"message": BILLING, "headers": {"Retry-After": "1"}}, 1),
        ({"message": BILLING, "headers": {"retry-after-ms": "1500"}}, 1.5),
        ({"message": BILLING, "headers": {"X-RateLimit-Reset-Requests": "2s"}}, 2),
        ({"body": GOOGLE}, 13),
        ({"message": f"{BILLING}. Please retry in 1.2s."}, 1.2),
        ({"body": error_body(BILLING, code="insufficient_quota", retry_after=3)}, 3),
        ({"message": "You have run out of credits.", "headers": {"Retry-After": "1"}}, 1),
    ],
    ids=str,
)
async def test_a_429_that_names_a_wait_is_retried_after_it(session, emulator, clock, fault, wait):
    emulator.fail(status=429, **fault)

    completion = await session.complete("Hi")

    assert len(completion.attempts) == 2
    assert clock.sleeps[0] == pytest.approx(wait + 0.25)


@pytest.mark.parametrize("status", [403, 503, 529])
async def test_other_statuses_that_name_a_wait_are_retried_after_it(
    session, emulator, clock, status
):
    emulator.fail(status=status, message="The quota per minute is used up; retry in 2 seconds.")

    completion = await session.complete("Hi")

    assert len(completion.attempts) == 2
    assert clock.sleeps == [2.25]


async def test_a_wait_that_is_too_long_is_not_waited(session, emulator, clock):
    emulator.fail(status=429, message="Please try again in 2h0m0s.")

    with pytest.raises(RateLimitError) as caught:
        await session.complete("Hi", retry=RetryPolicy(max_retry_after=3600))

    assert caught.value.retry_after == 7200
    assert (len(emulator.requests), clock.sleeps) == (1, [])


@pytest.mark.parametrize(
    ("body", "attempts"),
    [
        (error_body("Slow down", code="rate_limit_exceeded"), 2),
        (error_body("Slow down", code="rate_limit_exceeded", type="insufficient_quota"), 2),
        (error_body("Slow down", code="insufficient_quota", type="rate_limit_error"), 1),
        (error_body("Slow down", code="billing_hard_limit_reached"), 1),
        (error_body(BILLING, code="rate_limit_exceeded"), 1),
        (error_body(BILLING), 1),
    ],
    ids=str,
)
async def test_a_429_without_a_wait_is_final_if_its_code_or_its_words_are_about_money(
    session, emulator, body, attempts
):
    emulator.fail(status=429, body=body)

    with contextlib.suppress(RateLimitError):
        await session.complete("Hi")

    assert len(emulator.requests) == attempts


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (error_body("Add funds", code="insufficient_user_quota"), InsufficientCreditsError),
        (error_body(BILLING, code="rate_limit_exceeded"), PermissionDeniedError),
        (error_body(BILLING), InsufficientCreditsError),
        (error_body("You have no credits left, retry in 1s"), InsufficientCreditsError),
    ],
    ids=str,
)
async def test_a_403_is_about_money_by_its_code_or_else_its_words(session, emulator, body, kind):
    emulator.fail(status=403, body=body)

    with pytest.raises(APIError) as caught:
        await session.complete("Hi")

    assert type(caught.value) is kind
    assert len(emulator.requests) == 1


async def test_a_402_that_names_a_wait_is_final_and_has_it(session, emulator):
    emulator.fail(status=402, message="Payment required; try again in 5 seconds")

    with pytest.raises(InsufficientCreditsError) as caught:
        await session.complete("Hi")

    assert caught.value.retry_after == 5
    assert len(emulator.requests) == 1


async def test_an_error_event_about_a_quota_that_names_a_wait_is_a_rate_limit(
    session, emulator, clock
):
    event = error_body("Quota used up. Please retry in 3s", code="insufficient_quota")
    emulator.reply(events=[event])
    emulator.reply("Hello")

    stream = session.stream("Hi")
    completion = await stream.collect()

    assert completion.text == "Hello"
    assert "status 429" in completion.attempts[0].cause
    assert clock.sleeps[0] == 3.25


async def test_an_error_event_about_a_quota_without_a_wait_is_final(session, emulator):
    emulator.reply(events=[error_body("Quota used up", code="insufficient_quota")])

    with pytest.raises(InsufficientCreditsError):
        await session.stream("Hi").collect()

    assert len(emulator.requests) == 1
