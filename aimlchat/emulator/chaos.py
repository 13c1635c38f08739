"""Random faults; the same seed gives the same ones."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .faults import (
    BrokenJson,
    Cut,
    ErrorEvent,
    ErrorStatus,
    Fault,
    Html,
    NoAnswer,
    OneByte,
    Pings,
    SlowClose,
    Stall,
    Trickle,
    WrongLength,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .responses import PlannedResponse

    Draw = Callable[[random.Random, PlannedResponse], Fault]

__all__ = ["Chaos"]

# The pauses are short, so that a run of thousands of requests does not wait for slow faults.
_MAX_TRICKLE_PAUSE = 0.01
_MAX_CLOSE_DELAY = 0.2
_MAX_EXCESS_LENGTH = 1000

_ERROR_STATUSES = (
    ErrorStatus(408),
    ErrorStatus(409),
    ErrorStatus(429),
    ErrorStatus(429, retry_after=0),
    ErrorStatus(429, retry_after_ms=20),
    ErrorStatus(500),
    ErrorStatus(502),
    ErrorStatus(503),
    ErrorStatus(529),
)


def _draw_cut(rng: random.Random, response: PlannedResponse) -> Cut:
    after = rng.randrange(len(response.body))
    return rng.choice((Cut(after), Cut(after, "reset"), Cut(after, "chunk"), Cut(after, "end")))


def _draw_stall(rng: random.Random, response: PlannedResponse) -> Stall:
    after = Stall(after=rng.randint(0, response.delta_count))
    return rng.choice((Stall(before="headers"), Stall(before="first_token"), after))


def _draw_pings(rng: random.Random, response: PlannedResponse) -> Pings:
    return Pings(after=rng.choice((0, rng.randint(0, response.delta_count))))


def _draw_error_event(rng: random.Random, response: PlannedResponse) -> ErrorEvent:
    return ErrorEvent(rng.randint(0, response.delta_count), rng.choice((429, 500, 529)))


def _draw_wrong_length(rng: random.Random, response: PlannedResponse) -> WrongLength:
    missing = -rng.randint(1, len(response.body))
    return WrongLength(rng.choice((missing, rng.randint(1, _MAX_EXCESS_LENGTH))))


_DRAWS: dict[type[Fault], Draw] = {
    ErrorStatus: lambda rng, _: rng.choice(_ERROR_STATUSES),
    NoAnswer: lambda rng, _: NoAnswer(rng.choice(("close", "reset"))),
    Cut: _draw_cut,
    Stall: _draw_stall,
    Pings: _draw_pings,
    ErrorEvent: _draw_error_event,
    BrokenJson: lambda rng, response: BrokenJson(rng.randrange(response.delta_count)),
    Html: lambda _, __: Html(),
    OneByte: lambda _, __: OneByte(),
    Trickle: lambda rng, _: Trickle(rng.uniform(0, _MAX_TRICKLE_PAUSE)),
    WrongLength: _draw_wrong_length,
    SlowClose: lambda rng, _: SlowClose(rng.uniform(0, _MAX_CLOSE_DELAY)),
}


class Chaos:
    """Decides which requests get a fault, and which one.

    Args:
        rate: the share of requests that get a fault, from 0 to 1.
        seed: the same seed gives the same fault to the same request.
        kinds: the classes to draw from, with equal probability; None for all.

    Raises:
        ValueError: the rate is not between 0 and 1, or a kind is not a class of `faults`.
    """

    def __init__(self, rate: float, seed: int, kinds: Sequence[type[Fault]] | None) -> None:
        if not 0 <= rate <= 1:
            msg = f"chaos is {rate!r}; it takes the share of requests with a fault, from 0 to 1"
            raise ValueError(msg)
        self._kinds = tuple(_DRAWS if kinds is None else kinds)
        unknown = [kind for kind in self._kinds if kind not in _DRAWS]
        if unknown or not self._kinds:
            known = ", ".join(kind.__name__ for kind in _DRAWS)
            msg = f"faults is {kinds!r}; it takes at least one class of: {known}"
            raise ValueError(msg)
        self._rate = rate
        self._seed = seed

    def draw(self, number: int, response: PlannedResponse) -> Fault | None:
        """Draw a fault for the n-th request; the response limits where the fault can strike."""
        # Each request has its own generator, so its fault does not depend on the draws before it.
        rng = random.Random(f"chaos/{self._seed}/{number}")  # noqa: S311 - not a secret
        if rng.random() >= self._rate:
            return None
        return _DRAWS[rng.choice(self._kinds)](rng, response)
