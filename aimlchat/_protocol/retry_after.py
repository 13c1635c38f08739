"""The wait that the server requests: in its response headers, body fields, or message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .error_messages import iterate_objects
from .lenient import read_dict, read_float

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["find_retry_after", "parse_retry_after"]

_TOO_MANY_REQUESTS = 429
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]*)?")
_SECONDS_OF_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_AMOUNT = (
    r"([0-9]{1,9}(?:\.[0-9]{1,20})?) ?"
    r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])"
)
_DURATION = rf"(?:{_AMOUNT}(?:,? (?:and )?)?)+"
# "Please try again in 6m0s", "retry your request after 20 seconds", "Retry-After: 5s", "please wait
# 12 s", "your quota will reset after 1h2m". A duration without such words is not a wait: a timeout
# names one, too.
_WORDS_OF_A_WAIT = (
    rf"\b(?:(?:retry|try|resets?)(?:ing)?(?: (?:again|it|later|request|the|this|your))*"
    rf"[ _-](?:in|after)\b|(?:please|must|should) wait\b)[:=]?"
    rf"(?: (?:for|about|approximately|at least|another))* ?({_DURATION})"
)
# The header, quoted in words: "Retry-After: 12", or in the text of a dictionary.
_QUOTED_HEADER = (
    r"\bretry[-_]after[\"']?(?:[:=] ?| )[\"']?([0-9]{1,9}(?:\.[0-9]{1,20})?)(?![0-9a-z])"
)
_MAX_TEXT_LENGTH = 10_000  # of the message that is searched
# Google's ``RetryInfo`` and ``ErrorInfo``, gateways' own fields, and Hugging Face's for a model
# that is being loaded; each with the seconds in the unit of a plain number.
_UNIT_OF_FIELD = {
    "retrydelay": 1.0,
    "quotaresetdelay": 1.0,
    "retryafterms": 0.001,
    "retryafter": 1.0,
    "retryafterseconds": 1.0,
    "estimatedtime": 1.0,
}
_EPOCH = 1e9  # a number of seconds above this is a time and not a wait
_EPOCH_IN_MILLISECONDS = 1e11


def find_retry_after(
    status: int, body: Any, message: str, headers: Mapping[str, str], now: float | None = None
) -> float | None:
    """Return the wait that the server requests, in seconds, or None if it requests none.

    The first of these counts: that of the headers, as `parse_retry_after` reads them; one in a
    field of the body, such as Google's ``retryDelay``; one in the text of the message, such as "try
    again in 6m0s"; and for a 429, the end of a limit that its ``X-RateLimit-Reset`` gives.

    Args:
        status: the status of the error.
        body: the decoded body. OpenRouter puts the response headers of an upstream into it.
        message: the message of the body, not shortened.
        headers: the response headers, with names in lower case or of any case.
        now: the current time in seconds since the epoch. Without it, a time is ignored.
    """
    wait = parse_retry_after(headers, now)
    objects = list(iterate_objects(body))
    all_headers = [headers]
    for fields in objects:
        if wait is None:
            waits = (_read_wait(fields.get(key), now, unit) for key, unit in _UNIT_OF_FIELD.items())
            wait = next((found for found in waits if found is not None), None)
        if upstream_headers := read_dict(fields.get("headers")):
            lower = {name.lower(): str(value) for name, value in upstream_headers.items()}
            all_headers.append(lower)
            wait = parse_retry_after(lower, now) if wait is None else wait
    if wait is None:
        wait = _find_in_words(message)
    if wait is None and status == _TOO_MANY_REQUESTS:
        waits = (_read_limit_reset(headers, now) for headers in all_headers)
        wait = next((found for found in waits if found is not None), None)
    return wait


def parse_retry_after(headers: Mapping[str, str], now: float | None) -> float | None:
    """Return the wait that the ``Retry-After`` of a response requests, in seconds, or None.

    Reads ``retry-after-ms``, which is not standard but which OpenAI's own client reads first, then
    ``Retry-After`` (RFC 9110, section 10.2.3) as a number of seconds or as a date. Some gateways
    send a duration such as "1s", or a number that can only be a time. A time is compared with
    ``now``, the current time in seconds since the epoch.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip().lower()
        if _NUMBER.fullmatch(value):
            return _seconds_from(float(value) * unit, now)
        if re.fullmatch(_DURATION, value):
            return _parse_duration(value)
    date = headers.get("retry-after")
    return _seconds_until(date, now) if date and now is not None else None


def _seconds_from(number: float, now: float | None) -> float | None:
    """Return a number of seconds, or the seconds until the time that a large number is."""
    if number < _EPOCH:
        return number
    if now is None:
        return None
    return max(number / (1000 if number > _EPOCH_IN_MILLISECONDS else 1) - now, 0.0)


def _seconds_until(date: str, now: float) -> float | None:
    from calendar import timegm  # noqa: PLC0415 - slow to import, and rarely used
    from email.utils import parsedate_tz  # noqa: PLC0415

    try:
        parts = parsedate_tz(date)
        # A date without a zone, as asctime() writes it, is in GMT (RFC 9110, section 5.6.7).
        return max(timegm(parts[:9]) - (parts[9] or 0) - now, 0.0) if parts else None
    except (TypeError, ValueError, OverflowError):
        return None


def _read_wait(value: Any, now: float | None, unit: float = 1.0) -> float | None:
    """Return the seconds of a number, of a duration such as ``"1m2.5s"``, or of Google's object."""
    if isinstance(value, dict):
        value = read_float(value.get("seconds"))
    elif isinstance(value, str) and re.fullmatch(_DURATION, value.strip().lower()):
        return _parse_duration(value)
    number = read_float(value)
    if number is None or number < 0:
        return None
    return _seconds_from(number * unit, now)


def _parse_duration(text: str) -> float:
    return sum(
        float(number) * _SECONDS_OF_UNIT["ms" if unit.startswith(("ms", "milli")) else unit[0]]
        for number, unit in re.findall(_AMOUNT, text.lower())
    )


def _find_in_words(message: str) -> float | None:
    text = " ".join(message[:_MAX_TEXT_LENGTH].lower().split())
    if found := re.search(_WORDS_OF_A_WAIT, text):
        return _parse_duration(found[1])
    found = re.search(_QUOTED_HEADER, text)
    return float(found[1]) if found else None


def _read_limit_reset(headers: Mapping[str, str], now: float | None) -> float | None:
    """Return the wait until every exhausted limit is reset, or None if no header has it.

    ``X-RateLimit-Reset`` is a time at OpenRouter and a number of seconds elsewhere; OpenAI has one
    for requests and one for tokens, as durations. A limit of which something remains is not the one
    that was hit.
    """
    waits: list[float] = []
    for name, value in headers.items():
        if "ratelimit-reset" not in name.lower():
            continue
        remaining = headers.get(name.lower().replace("-reset", "-remaining"))
        if remaining and read_float(remaining):
            continue
        if (wait := _read_wait(value, now)) is not None:
            waits.append(wait)
    return max(waits, default=None)
