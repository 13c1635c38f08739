"""The running totals of many calls: tokens, cost and failures."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from aimlchat.completions import Cost, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Tally", "count_tokens"]


def count_tokens(usage: Usage | None) -> int | None:
    """Return the total number of tokens of a call; None if the server reported none."""
    if usage is None:
        return None
    if usage.total_tokens:
        return usage.total_tokens
    if usage.prompt_tokens is None and usage.completion_tokens is None:
        return None
    return (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)


class Tally:
    """The running totals of the calls that have ended."""

    def __init__(self) -> None:
        # Loaded on use: a call imports this module for `count_tokens` alone.
        from decimal import Decimal  # noqa: PLC0415

        self.done = 0
        """How many calls have ended, the failed ones included."""
        self.tokens = 0
        """Total tokens, as `count_tokens` counts them."""
        # Sums of floats would drift: 0.1 + 0.2 is not 0.3.
        self._to_decimal = Decimal
        self._usd = Decimal(0)
        self._credits = Decimal(0)
        self._counts: dict[str, int] = {}
        self._errors: Counter[str] = Counter()

    @property
    def usd(self) -> float:
        """The US dollars that were charged."""
        return float(self._usd)

    @property
    def failed(self) -> int:
        """How many calls have failed."""
        return self._errors.total()

    @property
    def errors(self) -> Mapping[str, int]:
        """How many calls have failed, by the name of the error's class."""
        return dict(self._errors)

    @property
    def usage(self) -> Usage:
        """The sums of what the server reported; 0 where it reported nothing."""
        counts: dict[str, Any] = dict.fromkeys(Usage().as_dict(), 0) | self._counts
        return Usage(**counts)

    @property
    def cost(self) -> Cost:
        """The total amount charged."""
        return Cost(usd=self.usd, credits=float(self._credits))

    def add(
        self, *, error: str | None = None, usage: Usage | None = None, cost: Cost | None = None
    ) -> None:
        """Count a call that has ended; ``error`` is the name of its error's class."""
        self.done += 1
        if error is not None:
            self._errors[error] += 1
        if cost is not None:
            self._usd += self._to_decimal(repr(cost.usd))
            self._credits += self._to_decimal(repr(cost.credits))
        if usage is not None:
            self.tokens += count_tokens(usage) or 0
            counts = self._counts
            for name, count in usage.as_dict().items():
                if count:
                    counts[name] = counts.get(name, 0) + count
