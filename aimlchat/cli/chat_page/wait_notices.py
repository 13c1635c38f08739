"""Notices for a page that waits for an answer: a retry, or a question held back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs

from aimlchat.errors import APIError

from .error_details import describe_error

if TYPE_CHECKING:
    from aimlchat.records import RetryRecord

__all__ = ["WaitNotice"]


@attrs.frozen
class WaitNotice:
    """Why an answer does not begin, and until when, on the clock of the event loop."""

    kind: str
    until: float
    facts: dict[str, Any]

    @classmethod
    def of_retry(cls, record: RetryRecord, max_attempts: int) -> WaitNotice:
        """Build the notice of an attempt that failed and is followed by another one."""
        error, number = record.error, record.attempt + 1
        facts = {
            "attempt": number,
            # An attempt that was made on a dead connection does not count in the policy.
            "attempts": max(number, max_attempts),
            "asked_to_wait": error.retry_after if isinstance(error, APIError) else None,
            "error": describe_error(error),
        }
        return cls("retry", asyncio.get_running_loop().time() + record.delay, facts)

    @classmethod
    def of_queue(cls, seconds: float) -> WaitNotice:
        """Build the notice of a question that is held back after a rate limit of its model."""
        return cls("queue", asyncio.get_running_loop().time() + seconds, {})

    def to_frame(self) -> dict[str, Any]:
        """Return the frame for a page that joins now."""
        seconds = max(self.until - asyncio.get_running_loop().time(), 0.0)
        return {
            "type": f"data-{self.kind}",
            "data": self.facts | {"seconds": seconds},
            "transient": True,
        }
