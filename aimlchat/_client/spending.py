"""A budget in US dollars: what the server has charged, and whether the budget is spent."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from aimlchat.errors import BudgetExceededError, ConfigurationError

if TYPE_CHECKING:
    from aimlchat.completions import Cost

__all__ = ["Spending", "check_budget"]

_ADVICE = {
    "session": "create a session with another budget",
    "run": "give its .request to another run",
}


class Spending:
    """The budget of a session or of a run, and what the server has charged for its calls.

    Raises `ConfigurationError` for a budget that is not an amount of dollars.
    """

    def __init__(self, budget_usd: float, owner: Literal["session", "run"] = "session") -> None:
        check_budget(budget_usd)
        self._owner = owner
        self._budget = budget_usd
        # Not `repr()`, which a subclass may replace, as that of numpy does.
        is_float = isinstance(budget_usd, float)
        self._limit = Decimal(float.__repr__(budget_usd) if is_float else budget_usd)
        self._spent = Decimal(0)  # a sum of floats would drift

    @property
    def spent_usd(self) -> float:
        """What the server has charged."""
        return float(self._spent)

    def add(self, cost: Cost | None) -> None:
        """Count what the server has charged for a call; None if it charged nothing."""
        if cost is not None:
            self._spent += Decimal(repr(cost.usd))

    def has_left_after(self, cost: Cost | None) -> bool:
        """Return whether anything is left once the server has charged this amount as well."""
        charged = self._spent if cost is None else self._spent + Decimal(repr(cost.usd))
        return charged < self._limit

    def check(self) -> None:
        """Raise `BudgetExceededError` if nothing of the budget is left."""
        if self._spent >= self._limit:
            msg = (
                f"not sent: the server has charged ${self.spent_usd:.12g}, and this {self._owner}'s"
                f" budget_usd is {self._budget:.12g}; {_ADVICE[self._owner]} to continue"
            )
            raise BudgetExceededError(msg, budget_usd=self._budget, spent_usd=self.spent_usd)


def check_budget(budget_usd: Any) -> None:
    """Raise `ConfigurationError` unless a budget is an amount of dollars, or None for no limit."""
    if budget_usd is None:
        return
    is_number = isinstance(budget_usd, int | float) and not isinstance(budget_usd, bool)
    if not (is_number and budget_usd >= 0):  # also refuses NaN
        msg = f"budget_usd is {budget_usd!r}; give dollars, from 0, or None for no limit"
        raise ConfigurationError(msg)
