"""What a tracer of calls has to offer: see `aimlchat.otel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aimlchat.completions import Completion
    from aimlchat.records import CallRecord, RetryRecord

    from .prepare import PreparedRequest

__all__ = ["CallTrace", "Tracing"]


class CallTrace(Protocol):
    """The trace of one call. No method raises, and none is called after `end`."""

    def retry(self, record: RetryRecord) -> None:
        """Note an attempt that has failed and that another one follows."""

    def first_delta(self, seconds: float) -> None:
        """Note the first delta of a stream, this long after the start of the call."""

    def end(self, record: CallRecord, received: Completion | None) -> None:
        """Note how the call ended, and what was received."""


class Tracing(Protocol):
    """Traces the calls of a session."""

    def start(self, request: PreparedRequest) -> CallTrace | None:
        """Begin the trace of a call, which may add headers to its request; never raises."""
