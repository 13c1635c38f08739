"""How far a batch has come, and how it ended."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aimlchat.completions import Cost, Usage

    from .input_file import Plan

__all__ = ["Summary", "Tally"]


@attrs.frozen
class Summary:
    """What became of the requests of the input, so far or in the end.

    - ``total``: the requests of the input. ``before``: those whose result stood in the output when
      this run began; ``failed_before``: the failures among them, which nobody tries again.
    - ``done``: those that ended in this run; ``failed``: the failures among them; ``errors``: how
      many of these there were of each class, by its name.
    - ``tokens`` and ``usd``: what the server said that this run took.
    - ``seconds``: since the run began to send.
    - ``is_out_of_budget``: whether it was stopped by ``budget_usd``.
    """

    total: int = 0
    before: int = 0
    failed_before: int = 0
    done: int = 0
    failed: int = 0
    errors: Mapping[str, int] = attrs.field(factory=dict)
    tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    is_out_of_budget: bool = False

    @property
    def left(self) -> int:
        """How many have no result yet."""
        return self.total - self.before - self.done

    @property
    def is_success(self) -> bool:
        """Whether every request of the input has an answer in the output."""
        return not (self.left or self.failed or self.failed_before)

    @property
    def rate(self) -> float:
        """How many ended each second."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long it takes at this rate; None where nothing has ended yet."""
        return self.left / self.rate if self.rate else None


class Tally:
    """Counts results as they are written, and tells who wants to know."""

    def __init__(
        self,
        plan: Plan,
        on_progress: Callable[[Summary], object] | None,
        time: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._on_progress = on_progress
        self._time = time
        self._start = time()
        self._done = 0
        self._errors: Counter[str] = Counter()
        self._tokens = 0
        self._usd = 0.0
        self.tell()

    def add(self, error: str | None, usage: Usage | None = None, cost: Cost | None = None) -> None:
        """Count a result: the class of its error or None, and what it took."""
        self._done += 1
        if error is not None:
            self._errors[error] += 1
        if usage is not None:
            self._tokens += usage.total_tokens or 0
        if cost is not None:
            self._usd += cost.usd
        self.tell()

    def tell(self) -> None:
        """Tell how far it has come."""
        if self._on_progress is not None:
            self._on_progress(self.summary())

    def summary(self, *, is_out_of_budget: bool = False) -> Summary:
        """Return what was counted."""
        return Summary(
            total=self._plan.total,
            before=self._plan.before,
            failed_before=self._plan.failed_before,
            done=self._done,
            failed=self._errors.total(),
            errors=dict(self._errors),
            tokens=self._tokens,
            usd=self._usd,
            seconds=self._time() - self._start,
            is_out_of_budget=is_out_of_budget,
        )
