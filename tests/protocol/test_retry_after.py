"""The wait that a server asks for: in response headers, in fields of the body, and in words."""

import pytest
from multidict import CIMultiDict

from aimlchat._protocol.api_errors import error_from_body, error_from_response
from aimlchat._protocol.retry_after import find_retry_after

NOW = 1_750_000_000.0


def wait_of(body=None, headers=None, *, status=429, message="", now=NOW):
    return find_retry_after(status, body, message, CIMultiDict(headers or {}), now)


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please try again in 250ms.", 0.25),
        ("Please try again in 1.2s. Visit our pages.", 1.2),
        ("try again in 6m0s", 360),
        ("Please try again in 1h2m3.5s", 3723.5),
        ("Please try again in 2m59.56s.", 179.56),
        ("Please retry in 34.074824224s.", 34.074824224),
        ("Please retry after 20 seconds.", 20),
        ("Retry your request after 1 minute and 30 seconds", 90),
        ("Retry-After: 5s", 5),
        ("Rate limit reached. Retry-After: 12", 12),
        ("Retry-After: 12. Slow down", 12),
        ("{'retry-after': '1.5', 'server': 'x'}", 1.5),
        ("retry_after=7", 7),
        ("Retry-After: 12abc", None),
        ("retry-after is not supported", None),
        ("retry after 12 attempts", None),
        ("Rate limit is exceeded. Try again in 50 seconds.", 50),
        ("Please wait 12 s before the next request.", 12),
        ("You must wait for at least 2 minutes", 120),
        ("Quota exhausted (reset after 24h)", 86400),
        ("Retrying in about 3 hours", 10800),
        ("please\n  try again\nin 3s", 3),
        ("RETRY IN 3S", 3),
        ("Please try again later.", None),
        ("Retry at most 3 times", None),
        ("The upstream timed out after 600 s; waited 600 s", None),
        ("Timed out waiting for 30 seconds", None),
        ("try again in 5 apples", None),
        ("in 3 s", None),
    ],
)
def test_words_name_a_wait(words, seconds):
    assert wait_of(message=words) == (seconds and pytest.approx(seconds))


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"error": {"details": [{"@type": "QuotaFailure"}, {"retryDelay": "13s"}]}}, 13),
        ({"error": {"details": [{"retryDelay": "2.463586755s"}]}}, 2.463586755),
        ({"error": {"details": [{"retryDelay": {"seconds": 7, "nanos": 0}}]}}, 7),
        ({"error": {"details": [{"metadata": {"quotaResetDelay": "2h57m16.9s"}}]}}, 10636.9),
        ({"message": '429 {"error": {"details": [{"retryDelay": "13s"}]}}'}, 13),
        ({"error": {"metadata": {"raw": '{"details": [{"retryDelay": "13s"}]}'}}}, 13),
        ({"error": {"retry_after": 1.5}}, 1.5),
        ({"retryAfter": "3"}, 3),
        ({"error": {"retry_after_ms": 250}}, 0.25),
        ({"error": {"metadata": {"retry_after_seconds": 9}}}, 9),
        ({"parameters": {"retry_after": 5}}, 5),
        ({"error": "Model is currently loading", "estimated_time": 20.0}, 20),
        ({"retry_after": -1}, None),
        ({"retry_after": True}, None),
        ({"retry_after": "soon"}, None),
        ({"detail": [{"input": {"retry_after": 5}}]}, None),
    ],
    ids=str,
)
def test_fields_of_the_body_name_a_wait(body, seconds):
    assert wait_of(body) == (seconds and pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Reset": "13"}, 13),
        ({"X-RateLimit-Reset": str(int(NOW) + 13)}, 13),
        ({"X-RateLimit-Reset": str(int(NOW * 1000) + 13_000)}, 13),
        ({"X-RateLimit-Reset": str(int(NOW) - 13)}, 0),
        ({"X-RateLimit-Reset": "13", "X-RateLimit-Remaining": "0"}, 13),
        ({"X-RateLimit-Reset": "13", "X-RateLimit-Remaining": "5"}, None),
        ({"RateLimit-Reset": "13", "RateLimit-Remaining": "0"}, 13),
        (
            {
                "x-ratelimit-remaining-requests": "99",
                "x-ratelimit-reset-requests": "2m59.5s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "7.5s",
            },
            7.5,
        ),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 360),
        ({"X-RateLimit-Reset": "soon"}, None),
    ],
    ids=str,
)
def test_the_end_of_an_exhausted_limit_is_a_wait(headers, seconds):
    assert wait_of(headers=headers) == seconds


def test_the_end_of_a_limit_is_no_wait_for_another_failure():
    assert wait_of(headers={"X-RateLimit-Reset": "13"}, status=503) is None


def test_a_retry_after_that_is_a_time_in_seconds_is_read_as_one():
    assert wait_of(headers={"Retry-After": str(int(NOW) + 30)}) == 30


def test_the_headers_of_an_upstream_may_be_in_the_body():
    upstream = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW * 1000) + 9000)}
    assert wait_of({"error": {"metadata": {"headers": upstream}}}) == 9
    assert wait_of({"error": {"metadata": {"headers": {"Retry-After": 4}}}}) == 4


def test_without_a_clock_a_time_is_no_wait():
    body = {"error": {"metadata": {"headers": {"X-RateLimit-Reset": str(int(NOW))}}}}
    assert wait_of(body, now=None) is None
    assert wait_of(headers={"Retry-After": "Tue, 14 Nov 2023 22:14:20 GMT"}, now=None) is None


def test_the_most_explicit_wait_counts():
    sources = [
        {"headers": {"Retry-After": "1"}},
        {"body": {"error": {"retryDelay": "2s"}}},
        {"message": "try again in 3s"},
        {"headers": {"X-RateLimit-Reset": "4"}},
    ]
    for first, expected in enumerate((1, 2, 3, 4)):
        given = {}
        for source in sources[first:]:
            for name, value in source.items():
                given[name] = {**value, **given.get(name, {})} if name == "headers" else value
        assert wait_of(**given) == expected


def test_a_wait_behind_the_part_of_a_message_that_is_shown_is_found():
    text = "You exceeded your quota. " + "See our pages. " * 50 + "Please retry in 34s."
    error = error_from_response(429, text.encode(), {}, NOW)
    assert error.retry_after == 34
    assert len(error.message) == 300


@pytest.mark.parametrize("status", [402, 403, 429, 503, 529])
def test_every_status_has_its_wait(status):
    assert error_from_response(status, b"Please retry in 2s", {}, NOW).retry_after == 2


def test_an_error_event_has_its_wait():
    body = {"error": {"message": "Slow down. Please try again in 250ms", "type": "rate_limit"}}
    error = error_from_body(body)
    assert (error.status, error.retry_after) == (429, 0.25)


def test_a_long_message_is_searched_in_linear_time():
    assert wait_of(message="retry " * 1_000_000) is None
    assert wait_of(message="retry" + " " * 1_000_000) is None
