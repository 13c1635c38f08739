"""The progress of a batch, and how it ended."""

from __future__ import annotations

import time
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from aimlchat._client.hooks import call_hook
from aimlchat._client.tally import count_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aimlchat.completions import Cost, Usage

    from .input_check import CheckedInput
    from .writer import ResultWriter

__all__ = ["ProgressReporter", "Summary"]


@attrs.frozen
class Summary:
    """The state of the requests of the input, during the run or at its end.

    Attributes:
        total: the number of requests of the input.
        before: how many already had a result in the output when this run began.
        failed_before: how many of these results are failures, which this run does not send again.
        done: how many requests have a result that this run has written to the output.
        failed: how many of these results are failures.
        errors: the number of these failures by the name of the error's class.
        tokens: what this run used, as the server reported it, including results that could not be
            written.
        usd: what this run cost, in US dollars, as the server reported it, including the same
            results.
        seconds: since the run began to send.
        is_out_of_budget: whether ``budget_usd`` stopped the run.
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
        """How many requests have no result in the output yet."""
        return self.total - self.before - self.done

    @property
    def is_success(self) -> bool:
        """Whether the output holds a result without an error for every request of the input."""
        return not (self.left or self.failed or self.failed_before)

    @property
    def rate(self) -> float:
        """How many requests ended per second."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """The seconds that the rest takes at this rate; None if no request has ended yet."""
        return self.left / self.rate if self.rate else None


class ProgressReporter:
    """Counts results as they are written, and passes a `Summary` to ``on_progress``."""

    def __init__(
        self,
        checked: CheckedInput,
        writer: ResultWriter,
        on_progress: Callable[[Summary], object] | None,
        time: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checked = checked
        self._writer = writer
        self._on_progress = on_progress
        self._time = time
        self._start = time()
        self._done = self._tokens = 0
        self._errors: Counter[str] = Counter()
        self._unwritten: dict[str | int, str | None] = {}
        """The results that were counted and not written then: by their ids, as ``error``."""
        self._usd = Decimal(0)  # sums of floats would drift
        self.report()

    def add(
        self,
        custom_id: str | int,
        error: str | None,
        usage: Usage | None = None,
        cost: Cost | None = None,
    ) -> None:
        """Count a result, and report; ``error`` is the class of its error, None for a success.

        The result has been passed to the writer before. One that the writer keeps is done once it
        is written.
        """
        self.count(custom_id, error, count_tokens(usage) or 0, 0.0 if cost is None else cost.usd)

    def count(self, custom_id: str | int, error: str | None, tokens: int, usd: float) -> None:
        """Count a result as `add` does."""
        if self._writer.has_failed:
            self._unwritten[custom_id] = error
        else:
            self._count_done(error)
        self._tokens += tokens
        if usd:
            self._usd += Decimal(repr(usd))
        if self._on_progress is not None:
            self.report()

    def report(self) -> None:
        """Report the progress so far."""
        if self._on_progress is not None:
            call_hook(self._on_progress, self.summarize())

    def summarize(self, *, is_out_of_budget: bool = False) -> Summary:
        """Return the totals so far."""
        if self._unwritten:
            self._count_written()
        return Summary(
            total=self._checked.total,
            before=self._checked.before,
            failed_before=self._checked.failed_before,
            done=self._done,
            failed=self._errors.total(),
            errors=dict(self._errors),
            tokens=self._tokens,
            usd=float(self._usd),
            seconds=self._time() - self._start,
            is_out_of_budget=is_out_of_budget,
        )

    def _count_done(self, error: str | None) -> None:
        self._done += 1
        if error is not None:
            self._errors[error] += 1

    def _count_written(self) -> None:
        """Count the results that have been written since the output failed."""
        for custom_id in self._unwritten.keys() - self._writer.unwritten_ids:
            self._count_done(self._unwritten.pop(custom_id))
