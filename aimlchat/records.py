"""What a session tells those who watch over a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from .completions import Cost, Usage
    from .errors import AIMLChatError, Attempt

__all__ = ["CallRecord", "RetryRecord"]

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
      where none came, and for whole answers.
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
