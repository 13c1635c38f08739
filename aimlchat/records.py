"""What a session tells: of each call to its hooks, and of many calls to who asked for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

from .errors import detach

if TYPE_CHECKING:
    from .completions import Completion, Cost, Usage
    from .errors import AIMLChatError, Attempt

__all__ = ["CallRecord", "Outcome", "Progress", "RetryRecord"]

_Outcome = Literal["complete", "error", "cancelled", "abandoned"]


@attrs.frozen
class RetryRecord:
    """What ``on_retry`` gets before the wait: a try has failed, and another one follows.

    ``attempt`` is the number of the one that failed, counted from 1, ``error`` what ended it, and
    ``delay`` the seconds until the next one.
    """

    model: str
    client_request_id: str
    attempt: int
    delay: float
    error: AIMLChatError


@attrs.frozen
class CallRecord:
    """What ``on_finish`` gets, once for each call, however it ended; times are in seconds.

    - ``outcome``: ``complete``; ``error``; ``cancelled``, with its task; ``abandoned``, by leaving
      a stream early.
    - ``duration``: from the start of the call, its queue and its retries included, to its end.
    - ``first_reasoning``, ``first_answer``: from that start to the first token of each kind; None
      where none came (of reasoning: before the answer), and for whole answers.
    - ``deltas``: how many came. ``usage``, ``cost``: what the server said, None if nothing.
    - ``attempts``: the tries. ``error``: what was raised, None if nothing was.
    """

    outcome: _Outcome
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
class Outcome:
    """What became of one of many requests; exactly one of ``completion`` and ``error`` is set.

    ``index`` is its place among the requests, from 0, and ``request`` the object that came in.
    """

    index: int
    request: Any
    completion: Completion | None = None
    error: AIMLChatError | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse an outcome that is neither or both."""
        if (self.completion is None) is (self.error is None):
            msg = "an outcome has either a completion or an error"
            raise ValueError(msg)

    def unwrap(self) -> Completion:
        """Return the completion, or raise the error."""
        if self.completion is not None:
            return self.completion
        error: Any = self.error
        raise detach(error)


@attrs.frozen
class Progress:
    """How far many calls have come; what ``on_progress`` gets after each of them.

    ``done`` counts those that ended, the ``failed`` ones too; ``tokens`` and ``usd`` are what the
    server said; ``rate`` is in calls a second; ``seconds_left`` is None where the number of
    requests is not known.
    """

    done: int
    failed: int
    in_flight: int
    tokens: int
    usd: float
    rate: float
    seconds_left: float | None
