"""Timeouts, retries and limits of a session."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MAX_ANSWER_BYTES", "Limits", "RetryPolicy", "Timeouts"]

MAX_ANSWER_BYTES = 64 * 2**20
"""The default of ``Limits.max_answer_bytes``, and the limit of a parser without a session."""


def _number(
    *, minimum: float, whole: bool = False, optional: bool = False
) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """Make a validator whose error names the class, the setting and the valid values."""

    def check(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None and optional:
            return
        kinds = (int,) if whole else (int, float)
        fits = isinstance(value, kinds) and not isinstance(value, bool)
        if not fits or not math.isfinite(value) or value < minimum:
            kind = "a whole number" if whole else "a finite number"
            msg = (
                f"{type(instance).__name__}.{attribute.name} is {value!r}; it takes {kind}"
                f" of at least {minimum:g}{' or None for no limit' if optional else ''}"
            )
            raise ConfigurationError(msg)

    return check


_SECONDS = _number(minimum=0, optional=True)
_LIMIT = _number(minimum=0, whole=True, optional=True)


@attrs.frozen
class Timeouts:
    """How long each phase of a call may take, in seconds; None means no limit.

    While the caller processes a delta, every timeout but the deadline pauses. A timeout that
    expires raises `RequestTimeoutError`, whose ``phase`` is its name. The defaults let a model
    think for minutes.

    Attributes:
        queue: the wait until the session's own `Limits` admit the call; by default no limit.
        connect: from the start of an attempt until it has a connection; by default 10.
        first_token: from the start of an attempt until the first delta (for ``complete``: until the
            response headers); by default 300.
        next_token: between two deltas; by default 300. Comments, pings and empty chunks do not
            count, so a gateway that pings forever in front of a dead model is detected.
        idle: between any two bytes of the body; by default 300.
        whole: from the start of an attempt until the last byte of a response that is not a stream
            (``complete``, ``models``, batches), so that a body that trickles in does not keep the
            call waiting forever; by default 900.
        deadline: the whole call, including the queue and all retries; by default no limit.

    Raises:
        ConfigurationError: a value is negative or not a number.
    """

    queue: float | None = attrs.field(default=None, validator=_SECONDS)
    connect: float | None = attrs.field(default=10, validator=_SECONDS)
    first_token: float | None = attrs.field(default=300, validator=_SECONDS)
    next_token: float | None = attrs.field(default=300, validator=_SECONDS)
    idle: float | None = attrs.field(default=300, validator=_SECONDS)
    whole: float | None = attrs.field(default=900, validator=_SECONDS)
    deadline: float | None = attrs.field(default=None, validator=_SECONDS)


@attrs.frozen
class RetryPolicy:
    """How many attempts a call may make, and how long it waits between them, in seconds.

    Attributes:
        attempts: how many in total, the first one included; at least 1, which disables retries. By
            default 3.
        base_delay: the delay before the first retry is random, up to this bound, which doubles with
            each further retry. By default 0.5.
        max_delay: the bound doubles no further than this. By default 8.
        max_retry_after: if the server asks for a longer wait, the call fails instead. A run of many
            calls stops when no call has succeeded for that long. By default 120.

    Raises:
        ConfigurationError: a value is out of range.
    """

    attempts: int = attrs.field(default=3, validator=_number(minimum=1, whole=True))
    base_delay: float = attrs.field(default=0.5, validator=_number(minimum=0))
    max_delay: float = attrs.field(default=8.0, validator=_number(minimum=0))
    max_retry_after: float = attrs.field(default=120.0, validator=_number(minimum=0))

    def delays(self, random: Callable[[], float]) -> Iterator[float]:
        """Yield the delay before each further attempt, in seconds.

        Args:
            random: returns a number from 0 to 1 at each call, as ``random.random`` does.

        Exponential backoff with full jitter. (Exponential Backoff and Jitter, AWS Architecture
        Blog, 2015.)
        """
        bound = min(self.base_delay, self.max_delay)
        for _ in range(self.attempts - 1):
            yield random() * bound
            bound = min(bound * 2, self.max_delay)


@attrs.frozen
class Limits:
    """Limits of a session, for calls of every kind; 0 and None mean no limit.

    All but the last apply to all calls together, and are unlimited by default.

    Attributes:
        max_connections: the size of the connection pool.
        requests_per_minute: how many requests may start in any sixty seconds.
        tokens_per_minute: how many tokens may be used in any sixty seconds. They are estimated when
            a call starts, and corrected once the server has reported them.
        concurrency: how many calls may be in flight.
        max_answer_bytes: the size of one response. A body that is read whole is measured after
            decompression; of a stream, only what is kept counts: text, arguments of tool calls,
            media and log probabilities, but not the JSON around them. By default 64 MiB. A larger
            response raises a `ProtocolError`, and is not requested again.

    Raises:
        ConfigurationError: a value is negative or not a whole number.
    """

    max_connections: int | None = attrs.field(default=0, validator=_LIMIT)
    requests_per_minute: int | None = attrs.field(default=None, validator=_LIMIT)
    tokens_per_minute: int | None = attrs.field(default=None, validator=_LIMIT)
    concurrency: int | None = attrs.field(default=None, validator=_LIMIT)
    max_answer_bytes: int | None = attrs.field(default=MAX_ANSWER_BYTES, validator=_LIMIT)
