"""The records of a call, which the hooks of its session receive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aimlchat.errors import AIMLChatError, APIError, Attempt, detach
from aimlchat.records import CallRecord, RetryRecord

if TYPE_CHECKING:
    from aimlchat.completions import Completion
    from aimlchat.records import CallOutcome

    from .prepare import PreparedRequest

__all__ = ["build_call_record", "build_retry_record"]


def build_call_record(
    request: PreparedRequest,
    outcome: CallOutcome,
    attempts: tuple[Attempt, ...],
    *,
    duration: float,
    received: Completion | None,
    error: AIMLChatError | None,
    first_reasoning: float | None,
    first_answer: float | None,
    deltas: int,
) -> CallRecord:
    """Build the record of how a call ended.

    An attempt in progress ended with the call, unless that is complete. ``received`` is None if
    nothing was received.
    """
    if error is not None:
        attempts = error.attempts
    elif outcome != "complete" and attempts and attempts[-1].cause is None:
        attempts = (*attempts[:-1], attrs.evolve(attempts[-1], cause=outcome))
    return CallRecord(
        outcome=outcome,
        model=request.model,
        client_request_id=request.client_request_id,
        inference_id=received.inference_id if received else _find_inference_id(error),
        duration=duration,
        first_reasoning=first_reasoning,
        first_answer=first_answer,
        deltas=deltas,
        usage=received.usage if received else None,
        cost=received.cost if received else None,
        attempts=attempts,
        error=error and detach(error),
    )


def build_retry_record(
    request: PreparedRequest,
    attempt: int,
    delay: float,
    error: AIMLChatError,
    *,
    is_put_back: bool = False,
) -> RetryRecord:
    """Build the record of an attempt that another one follows."""
    return RetryRecord(
        model=request.model,
        client_request_id=request.client_request_id,
        attempt=attempt,
        delay=delay,
        error=error,
        is_put_back=is_put_back,
    )


def _find_inference_id(error: AIMLChatError | None) -> str | None:
    if isinstance(error, APIError):
        return error.inference_id
    return error.partial.inference_id if error is not None else None
