"""The reports of a session: calls and retries, progress, and the outcomes of many calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal

import attrs

from .completions import Completion, T_co
from .errors import detach

if TYPE_CHECKING:
    from .completions import Cost, Usage
    from .errors import AIMLChatError, Attempt

__all__ = ["CallOutcome", "CallRecord", "Outcome", "Progress", "RetryRecord"]

CallOutcome = Literal["complete", "error", "cancelled", "abandoned"]


@attrs.frozen
class RetryRecord:
    """Passed to ``on_retry`` when an attempt has failed, before the wait for the next one.

    Attributes:
        model: the model of the request.
        client_request_id: the ``X-Client-Request-Id`` that was sent.
        attempt: the number of the attempt that failed, counted from 1.
        delay: the seconds until the next attempt.
        error: what ended the attempt.
        is_put_back: whether a run of many calls has put the request back, after a rate limit, an
            overload or a lost connection. Such an attempt does not count: the next one has the same
            number, and starts after ``delay`` at the earliest, at the pace that the server accepts.
    """

    model: str
    client_request_id: str
    attempt: int
    delay: float
    error: AIMLChatError
    is_put_back: bool = False


@attrs.frozen
class CallRecord:
    """Passed to ``on_finish`` once for each call, however it ended; times are in seconds.

    Attributes:
        outcome: ``complete``; ``error``; ``cancelled``: its task was cancelled; or ``abandoned``: a
            stream was left early.
        model: the requested model; of several, the model of the last attempt.
        client_request_id: the ``X-Client-Request-Id`` that was sent.
        inference_id: the vendor's id of the response, None if there was none.
        duration: from the start of the call to its end, including the queue and all retries.
        first_reasoning: from the start of the call to the first token of reasoning. None if there
            was none, if it came only after the answer had begun, and for non-streaming calls.
        first_answer: from the start of the call to the first token of the answer. None if there was
            none, and for non-streaming calls.
        deltas: how many deltas arrived.
        usage: the tokens that the server reported, None if it reported none.
        cost: the amount that the server reported as charged, None if it reported none.
        attempts: all attempts, the last one included.
        error: the exception that was raised, None if none was; of a stream also the `OutputError`
            that `DeltaStream.output` raises.
    """

    outcome: CallOutcome
    model: str
    client_request_id: str
    inference_id: str | None
    duration: float
    first_reasoning: float | None
    first_answer: float | None
    deltas: int
    usage: Usage | None
    cost: Cost | None
    attempts: tuple[Attempt, ...]
    error: AIMLChatError | None


@attrs.frozen
class Outcome(Generic[T_co]):
    """How one of many requests ended; exactly one of ``completion`` and ``error`` is set.

    Attributes:
        index: the request's position among the requests, counted from 0.
        request: the object that was passed in.
        completion: the whole completion, None if the call failed.
        error: what the call raised, None if it succeeded.
    """

    index: int
    request: Any
    completion: Completion[T_co] | None = None
    error: AIMLChatError | None = None

    def __attrs_post_init__(self) -> None:
        """Check that exactly one of ``completion`` and ``error`` is set."""
        if (self.completion is None) is (self.error is None):
            msg = "an outcome has either a completion or an error"
            raise ValueError(msg)

    def unwrap(self) -> Completion[T_co]:
        """Return the completion, or raise the error.

        Raises:
            AIMLChatError: the call failed.
        """
        if self.completion is not None:
            return self.completion
        error: Any = self.error
        raise detach(error)


@attrs.frozen
class Progress:
    """The progress of many calls; passed to ``on_progress`` after each call.

    Attributes:
        done: how many calls have ended, the failed ones included.
        failed: how many of them have failed.
        in_flight: how many calls are running.
        tokens: the total number of tokens that the server reported.
        usd: the total amount that the server reported as charged, in US dollars.
        rate: calls per second.
        seconds_left: an estimate; None if the number of requests is unknown, or none has ended.
    """

    done: int
    failed: int
    in_flight: int
    tokens: int
    usd: float
    rate: float
    seconds_left: float | None
