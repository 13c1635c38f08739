"""The records of a call, and the reports of them to the hooks and the tracer of its session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from aimlchat.errors import AIMLChatError, APIError, Attempt, detach
from aimlchat.records import CallRecord, RetryRecord

from . import hooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.completions import Completion
    from aimlchat.records import CallOutcome

    from .prepare import PreparedRequest
    from .stream_times import StreamTimes
    from .tracing import CallTrace

__all__ = ["report_call", "report_retry"]


def report_call(
    request: PreparedRequest,
    outcome: CallOutcome,
    attempts: tuple[Attempt, ...],
    hook: Callable[[CallRecord], object] | None,
    trace: CallTrace | None,
    *,
    duration: float,
    received: Completion[Any] | None,
    error: AIMLChatError | None,
    times: StreamTimes | None,
) -> None:
    """Report how a call ended.

    An attempt in progress ended with the call, unless the call is complete. ``received`` is None if
    nothing was received besides the partial completion of the error.
    """
    if error is not None:
        attempts = error.attempts
    elif outcome != "complete" and attempts and attempts[-1].cause is None:
        attempts = (*attempts[:-1], attrs.evolve(attempts[-1], cause=outcome))
    if received is None and error is not None:
        received = error.partial
    record = CallRecord(
        outcome=outcome,
        model=request.model,
        client_request_id=request.client_request_id,
        inference_id=(received and received.inference_id) or _find_inference_id(error),
        duration=duration,
        first_reasoning=None if times is None else times.first_reasoning,
        first_answer=None if times is None else times.first_answer,
        deltas=times.deltas if times is not None else 0,
        usage=received.usage if received else None,
        cost=received.cost if received else None,
        attempts=attempts,
        error=error and detach(error),
    )
    if trace is not None:  # first, since the hook may raise a KeyboardInterrupt
        trace.end(record, received if error is None else error.partial)
    hooks.report_call(hook, record)


def report_retry(
    request: PreparedRequest,
    hook: Callable[[RetryRecord], object] | None,
    trace: CallTrace | None,
    **facts: Any,
) -> None:
    """Report an attempt that another one follows; ``facts`` are fields of `RetryRecord`."""
    record = RetryRecord(model=request.model, client_request_id=request.client_request_id, **facts)
    hooks.report_retry(hook, record)
    if trace is not None:
        trace.retry(record)


def _find_inference_id(error: AIMLChatError | None) -> str | None:
    if isinstance(error, APIError):
        return error.inference_id
    return error.partial.inference_id if error is not None else None
