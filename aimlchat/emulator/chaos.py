"""Faults by lot: the same ones for the same seed."""

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

    from .responses import Content

    Draw = Callable[[random.Random, Content], Fault]

__all__ = ["Chaos"]

# Times are short, so that what is only slow does not hold up a run of thousands of requests.
_LONGEST_PAUSE = 0.01
_LATEST_CLOSE = 0.2
_MOST_PROMISED = 1000

_STATUSES = (
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


def _cut(lot: random.Random, content: Content) -> Cut:
    after = lot.randrange(len(content.body))
    return lot.choice((Cut(after), Cut(after, "reset"), Cut(after, "chunk"), Cut(after, "end")))


def _stall(lot: random.Random, content: Content) -> Stall:
    after = Stall(after=lot.randint(0, content.deltas))
    return lot.choice((Stall(before="head"), Stall(before="first_token"), after))


def _error_event(lot: random.Random, content: Content) -> ErrorEvent:
    return ErrorEvent(lot.randint(0, content.deltas), lot.choice((429, 500, 529)))


def _wrong_length(lot: random.Random, content: Content) -> WrongLength:
    fewer = -lot.randint(1, len(content.body))
    return WrongLength(lot.choice((fewer, lot.randint(1, _MOST_PROMISED))))


_DRAWS: dict[type[Fault], Draw] = {
    ErrorStatus: lambda lot, _: lot.choice(_STATUSES),
    NoAnswer: lambda lot, _: NoAnswer(lot.choice(("close", "reset"))),
    Cut: _cut,
    Stall: _stall,
    Pings: lambda lot, content: Pings(after=lot.choice((0, lot.randint(0, content.deltas)))),
    ErrorEvent: _error_event,
    BrokenJson: lambda lot, content: BrokenJson(lot.randrange(content.deltas)),
    Html: lambda _, __: Html(),
    OneByte: lambda _, __: OneByte(),
    Trickle: lambda lot, _: Trickle(lot.uniform(0, _LONGEST_PAUSE)),
    WrongLength: _wrong_length,
    SlowClose: lambda lot, _: SlowClose(lot.uniform(0, _LATEST_CLOSE)),
}


class Chaos:
    """Decides which requests meet a fault, and which one.

    Args:
        rate: the share of requests, from 0 to 1.
        seed: the same seed gives the same fault to the same request.
        kinds: the classes to draw from, each as often as any other; None for all.

    Raises:
        ValueError: the rate is no share, or a kind is none of those in `faults`.
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

    def draw(self, number: int, content: Content) -> Fault | None:
        """Draw for the n-th request; its answer says where a fault can strike."""
        # Of its own for each request, so that it does not matter what others drew before.
        lot = random.Random(f"chaos/{self._seed}/{number}")  # noqa: S311 - not a secret
        if lot.random() >= self._rate:
            return None
        return _DRAWS[lot.choice(self._kinds)](lot, content)
