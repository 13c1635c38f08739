"""The delays before retries."""

from email.utils import formatdate

import pytest
from clockwork import Clockwork, session_on
from raw_server import serving

from aimlchat import (
    NotFoundError,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    Timeouts,
)
from aimlchat._protocol.retry_after import parse_retry_after


@pytest.fixture
def clock():
    return Clockwork()


@pytest.fixture
async def session(emulator, clock):
    async with session_on(clock, emulator.base_url) as opened:
        yield opened


def test_a_policy_yields_its_delays_up_to_the_maximum():
    policy = RetryPolicy(attempts=6, base_delay=0.5, max_delay=4)

    assert list(policy.delays(lambda: 1.0)) == [0.5, 1, 2, 4, 4]
    assert list(RetryPolicy(attempts=1).delays(lambda: 1.0)) == []


async def test_the_delay_doubles_with_full_jitter(session, emulator, clock):
    for _ in range(4):
        emulator.fail(status=500)

    await session.complete("Hi", retry=RetryPolicy(attempts=5, base_delay=1, max_delay=3))

    assert clock.sleeps == [0.5, 1.0, 1.5, 1.5]


@pytest.mark.parametrize(
    "headers",
    [{"Retry-After": "7"}, {"retry-after-ms": "7000"}],
    ids=["seconds", "milliseconds"],
)
async def test_retry_after_is_the_minimum_delay_plus_jitter(session, emulator, clock, headers):
    emulator.fail(status=503, headers=headers)

    await session.complete("Hi")

    assert clock.sleeps == [7.25]


async def test_retry_after_may_be_a_date(session, emulator, clock):
    date = formatdate(clock.wall_time() + 30, usegmt=True)
    emulator.fail(status=503, headers={"Retry-After": date})

    await session.complete("Hi")

    assert clock.sleeps == [pytest.approx(30.25)]


@pytest.mark.parametrize("zone", ["", " GMT", " -0000", " +0100"])
def test_a_date_without_a_zone_is_in_gmt(zone, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    later = 3600 if zone == " +0100" else 0
    headers = {"retry-after": f"Tue, 14 Nov 2023 22:14:20{zone}"}

    assert parse_retry_after(headers, 1_700_000_000.0 - later) == 60


@pytest.mark.parametrize(("value", "seconds"), [("1s", 1), ("250ms", 0.25), ("1M30S", 90)])
def test_retry_after_may_be_a_duration(value, seconds):
    assert parse_retry_after({"retry-after": value}, 0.0) == seconds


@pytest.mark.parametrize("value", ["1_0", "٣", "-1", "inf", "nan", "soon"])
def test_an_invalid_retry_after_is_ignored(value):
    assert parse_retry_after({"retry-after": value}, 0.0) is None


async def test_a_retry_after_that_is_too_long_fails_at_once(session, emulator, clock):
    emulator.fail(status=429, retry_after=121)

    with pytest.raises(RateLimitError) as caught:
        await session.complete("Hi")

    assert caught.value.retry_after == 121
    assert clock.sleeps == []
    assert len(emulator.requests) == 1


async def test_a_delay_that_would_exceed_the_deadline_fails_at_once(session, emulator, clock):
    emulator.fail(status=503, retry_after=20)

    with pytest.raises(RequestTimeoutError) as caught:
        await session.complete("Hi", timeouts=Timeouts(deadline=10))

    assert caught.value.phase == "deadline"
    assert isinstance(caught.value.__cause__, ServerError)
    assert clock.sleeps == []


async def test_the_delay_is_recorded_in_the_attempts(session, emulator):
    emulator.fail(status=503)

    completion = await session.complete("Hi")

    first, second = completion.attempts
    assert (first.number, first.delay) == (1, 0.25)
    assert "503" in first.cause
    assert (second.number, second.cause, second.delay) == (2, None, 0.0)


@pytest.mark.parametrize("is_stream", [False, True], ids=["complete", "stream"])
async def test_retry_after_counts_for_an_error_with_status_200(clock, is_stream):
    errors = [b'{"error":{"code":503,"message":"slow"}}', b'{"error":{"code":404}}']

    async def respond(_, writer):
        body = errors.pop(0)
        body = b"data: " + body + b"\n\n" if is_stream else body
        headers = b"HTTP/1.1 200 OK\r\nRetry-After: 7\r\nx-inference-id: i\r\nContent-Length: "
        writer.write(headers + b"%d\r\n\r\n" % len(body) + body)

    async with serving(respond) as server, session_on(clock, server.base_url) as session:
        with pytest.raises(NotFoundError) as caught:
            await (session.stream("Hi").collect() if is_stream else session.complete("Hi"))

    assert clock.sleeps == [7.25]
    assert (caught.value.retry_after, caught.value.inference_id) == (7, "i")
