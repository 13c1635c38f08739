"""Whether to try again: pure rules, and the budget that ends a storm."""

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

__all__ = ["RetryBudget", "may_retry"]

# 408 and 425 ask for it, 409 is a lock that somebody else holds; a 429 says when.
_AGAIN = frozenset((408, 409, 425, 429))
# The free tier's exhaustion is a 429 like any other but for its words, and waiting cures it not.
_USED_UP = re.compile(
    r"free[ -]?tier|billing|top up|insufficient[ _](?:credit|quota|balance|fund)"
    r"|(?:out of|no|more|add) credits?|credits? (?:are|is|have been|has been) (?:exhausted|used)",
    re.IGNORECASE,
)
_RECENT = 100
_FEW = 20
_TOO_MANY = 0.5


def may_retry(error: AIMLChatError, *, streamed: bool) -> bool:
    """Return whether the same request may fare better, and sending it again is no double bill.

    ``streamed`` is whether it is a stream's failure before its first delta. A whole answer that was
    cut, or too slow, is not asked for again: the model has written it, and it was billed.
    """
    if isinstance(error, APIError):
        if isinstance(error, InsufficientCreditsError):
            return False
        if error.status == 429 and _USED_UP.search(error.message):  # noqa: PLR2004 - its name
            return False
        return error.status in _AGAIN or error.status in SERVER_ERRORS
    if isinstance(error, RequestTimeoutError):
        return error.phase == "connect" or (streamed and error.phase in ("first_token", "idle"))
    if isinstance(error, ConnectionFailedError):
        return True
    return streamed and isinstance(error, StreamInterruptedError)


class RetryBudget:
    """Refuses retries while most of what is tried fails, so that a session starts no storm.

    It looks at the last hundred attempts, and says nothing before there are twenty.
    """

    def __init__(self) -> None:
        self._failed: deque[bool] = deque(maxlen=_RECENT)
        self._failures = 0

    def note(self, *, failed: bool) -> None:
        """Count an attempt."""
        if len(self._failed) == _RECENT:
            self._failures -= self._failed[0]
        self._failed.append(failed)
        self._failures += failed

    @property
    def is_spent(self) -> bool:
        """Whether more than half of the attempts failed."""
        count = len(self._failed)
        return count >= _FEW and self._failures > count * _TOO_MANY
