"""Whether to make another attempt: the rules, and the budget that prevents a retry storm."""

from __future__ import annotations

import re
from collections import deque

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

# 408 and 425 ask for another attempt; 409 is a conflict with a concurrent request; 429 is a rate
# limit.
_RETRYABLE_STATUSES = frozenset((408, 409, 425, 429))
# An exhausted free tier is a 429 too; only the message differs, and retrying is useless. The
# pattern is compiled when it is first needed.
_OUT_OF_CREDITS = (
    r"free[ -]?tier|billing|top up|insufficient[ _](?:credit|quota|balance|fund)"
    r"|(?:out of|no|more|add) credits?|credits? (?:are|is|have been|has been) (?:exhausted|used)"
)
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
        if isinstance(error, InsufficientCreditsError):
            return False
        if error.status == 429 and _is_out_of_credits(error):  # noqa: PLR2004 - a status
            return False
        return error.status in _RETRYABLE_STATUSES or error.status in SERVER_ERRORS
    if isinstance(error, RequestTimeoutError):
        return error.phase == "connect" or (is_stream and error.phase in ("first_token", "idle"))
    if isinstance(error, ConnectionFailedError):
        return True
    return is_stream and isinstance(error, StreamInterruptedError)


def _is_out_of_credits(error: APIError) -> bool:
    return re.search(_OUT_OF_CREDITS, error.message, re.IGNORECASE) is not None


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
            self._failures -= self._outcomes[0]
        self._outcomes.append(failed)
        self._failures += failed

    @property
    def is_exhausted(self) -> bool:
        """Whether more than half of these attempts have failed."""
        count = len(self._outcomes)
        return count >= _MIN_ATTEMPTS and self._failures > count * _MAX_FAILURE_SHARE
