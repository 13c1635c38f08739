"""Decides what follows the failed attempts of one call: another attempt, and after which delay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimlchat.errors import APIError, RateLimitError

from .retry import is_retryable
from .run_control import is_overload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aimlchat.completions import Completion
    from aimlchat.errors import AIMLChatError
    from aimlchat.policies import RetryPolicy

    from .attempts import AttemptLog
    from .context import CallContext
    from .prepare import PreparedRequest
    from .run_control import RunCall

__all__ = ["Retries"]


class Retries:
    """Decides after each failed attempt of one call whether another one follows, and when.

    Created by the first failure, since most calls have none. ``observer`` is that of the run to
    which the call belongs, if any.
    """

    __slots__ = ("_context", "_delays", "_log", "_observer", "_policy")

    def __init__(
        self,
        context: CallContext,
        policy: RetryPolicy,
        log: AttemptLog,
        observer: RunCall | None,
    ) -> None:
        self._context = context
        self._policy = policy
        self._log = log
        self._observer = observer
        self._delays: Iterator[float] | None = None

    def delay_after(
        self, error: AIMLChatError, request: PreparedRequest
    ) -> tuple[float | None, bool]:
        """Record a failed attempt; return the delay before the next one, None if it is final.

        The second value is whether the run puts the request back, so that the attempt does not
        count.
        """
        # While a model waits for its turn, another one can respond at once.
        falls_back = request.fallback is not None and is_overload(error)
        if self._observer is not None:
            self._observer.attempt_failed(error, falls_back=falls_back)
        delay = None
        if not falls_back:
            delay = self._put_back_delay(error, request)
            if delay is not None:
                return delay, True
            delay = self._retry_delay(error, request)
        self._log.record(error, delay or 0.0)
        return delay, False

    def _put_back_delay(self, error: AIMLChatError, request: PreparedRequest) -> float | None:
        observer, context = self._observer, self._context
        if observer is None or not self._log.is_open or context.transport.is_closed:
            return None
        delay = observer.put_back(error, self._policy, context.scheduler.clock.random)
        if delay is not None:
            self._log.put_back(error)
            if isinstance(error, APIError) and delay:
                context.limiter.cool_down(request.model, delay)
        return delay

    def _retry_delay(self, error: AIMLChatError, request: PreparedRequest) -> float | None:
        retryable = is_retryable(error, is_stream=request.is_stream)
        retryable = retryable and not _has_answer(error.partial)  # that was billed
        context = self._context
        if self._log.is_open:
            context.retry_budget.record(failed=retryable)
        retry_after = error.retry_after if isinstance(error, APIError) else None
        if not retryable or context.transport.is_closed:
            return None
        if retry_after is not None and retry_after > self._policy.max_retry_after:
            return None
        if self._delays is None:
            self._delays = self._policy.delays(context.scheduler.clock.random)
        jitter = next(self._delays, None)
        if isinstance(error, RateLimitError):
            cooldown = jitter if retry_after is None else retry_after
            if cooldown is not None:
                context.limiter.cool_down(request.model, cooldown)
        if jitter is None:
            return None
        if context.retry_budget.is_exhausted:
            error.add_note("not retried: most of this session's recent attempts have failed")
            return None
        return (retry_after or 0.0) + jitter


def _has_answer(partial: Completion) -> bool:
    return any(choice.text or choice.reasoning or choice.tool_calls for choice in partial.choices)
