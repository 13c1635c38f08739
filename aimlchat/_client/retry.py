"""Whether to make another attempt: the rules, and the budget that prevents a retry storm."""

from __future__ import annotations

import re
from collections import deque

from aimlchat._protocol.api_errors import is_out_of_credits
from aimlchat.errors import (
    SERVER_ERRORS,
    AIMLChatError,
    APIError,
    ConnectionFailedError,
    InsufficientCreditsError,
    RequestTimeoutError,
    StreamInterruptedError,
)

__all__ = ["RetryBudget", "is_retryable"]

# A 403 that names a wait is a rate limit, as GitHub sends it.
_FORBIDDEN, _TOO_MANY_REQUESTS = 403, 429
# 408 and 425 ask for another attempt; 409 is a conflict with a concurrent request.
_RETRYABLE_STATUSES = frozenset((408, 409, 425))
# OpenAI's 429 for one request that has more tokens than its limit allows in a minute.
_TOO_LARGE = re.compile("request too large|tokens must be reduced", re.IGNORECASE)
_WINDOW = 100
_MIN_ATTEMPTS = 20
_MAX_FAILURE_SHARE = 0.5


def is_retryable(error: AIMLChatError, *, is_stream: bool) -> bool:
    """Return whether another attempt may succeed, and cannot be billed twice.

    ``is_stream`` is whether the error ended a stream before its first delta. A whole response that
    was cut, or that came too late, is not requested again: the model has generated it, and the
    account has been charged.
    """
    if isinstance(error, APIError):
        return _is_transient(error)
    if isinstance(error, RequestTimeoutError):
        return error.phase == "connect" or (is_stream and error.phase in ("first_token", "idle"))
    if isinstance(error, ConnectionFailedError):
        return True
    return is_stream and isinstance(error, StreamInterruptedError)


def _is_transient(error: APIError) -> bool:
    if isinstance(error, InsufficientCreditsError):
        return False
    if error.status == _FORBIDDEN:
        return error.retry_after is not None
    if error.status == _TOO_MANY_REQUESTS:
        return not is_out_of_credits(error) and not _TOO_LARGE.search(error.message)
    return error.status in _RETRYABLE_STATUSES or error.status in SERVER_ERRORS


class RetryBudget:
    """Stops retries while most attempts of a session fail, to prevent a retry storm.

    It considers the last hundred attempts, and allows all retries before there are twenty.
    """

    def __init__(self) -> None:
        self._outcomes: deque[bool] = deque(maxlen=_WINDOW)  # True for a failure
        self._failures = 0

    def record(self, *, failed: bool) -> None:
        """Count an attempt."""
        if len(self._outcomes) == _WINDOW:
            if not (failed or self._failures):
                return  # none has failed, and none fails now
            self._failures -= self._outcomes[0]
        self._outcomes.append(failed)
        self._failures += failed

    @property
    def is_exhausted(self) -> bool:
        """Whether more than half of these attempts have failed."""
        count = len(self._outcomes)
        return count >= _MIN_ATTEMPTS and self._failures > count * _MAX_FAILURE_SHARE
