"""How patient, how persistent and how greedy a session is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Limits", "RetryPolicy", "Timeouts"]


def _number(
    *, minimum: float, whole: bool = False, optional: bool = False
) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """Make a validator that says which setting of which class is wrong, and what would do."""

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
    """How long each phase of a call may take, in seconds; None is no limit.

    - ``queue``: the wait for the session's own limits.
    - ``connect``: from the start of the request until it has a connection.
    - ``first_token``: from the request until the first delta (for ``complete``: until the head).
    - ``next_token``: between two deltas. Comments, pings and empty chunks do not count.
    - ``idle``: the silence between any two bytes of the body.
    - ``deadline``: the whole call, with its queue and its retries.

    While the caller holds a delta every clock but the deadline stands still. The defaults let a
    model think for minutes, and end a stream whose gateway pings for ever over a dead model.
    """

    queue: float | None = attrs.field(default=None, validator=_SECONDS)
    connect: float | None = attrs.field(default=10, validator=_SECONDS)
    first_token: float | None = attrs.field(default=300, validator=_SECONDS)
    next_token: float | None = attrs.field(default=300, validator=_SECONDS)
    idle: float | None = attrs.field(default=300, validator=_SECONDS)
    deadline: float | None = attrs.field(default=None, validator=_SECONDS)


@attrs.frozen
class RetryPolicy:
    """How often a call is tried, and how long to wait in between; delays are in seconds.

    ``attempts`` counts all tries, so 1 is no retry. A server's Retry-After above
    ``max_retry_after`` is not waited for.
    """

    attempts: int = attrs.field(default=3, validator=_number(minimum=1, whole=True))
    base_delay: float = attrs.field(default=0.5, validator=_number(minimum=0))
    max_delay: float = attrs.field(default=8.0, validator=_number(minimum=0))
    max_retry_after: float = attrs.field(default=120.0, validator=_number(minimum=0))

    def delays(self, chance: Callable[[], float]) -> Iterator[float]:
        """Yield the wait before each further try; ``chance`` gives numbers from 0 to 1.

        Exponential with full jitter: anything from nothing to twice the most of the time before.
        (Exponential Backoff and Jitter, AWS Architecture Blog, 2015.)
        """
        most = min(self.base_delay, self.max_delay)
        for _ in range(self.attempts - 1):
            yield chance() * most
            most = min(most * 2, self.max_delay)


@attrs.frozen
class Limits:
    """What a session allows itself, over all its calls; 0 and None are no limit.

    ``max_connections`` is the size of the pool, ``concurrency`` the number of calls in flight.
    """

    max_connections: int | None = attrs.field(default=0, validator=_LIMIT)
    requests_per_minute: int | None = attrs.field(default=None, validator=_LIMIT)
    tokens_per_minute: int | None = attrs.field(default=None, validator=_LIMIT)
    concurrency: int | None = attrs.field(default=None, validator=_LIMIT)
