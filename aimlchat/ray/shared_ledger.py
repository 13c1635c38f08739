"""The state that all actors share, in a small actor of its own: costs and deaths."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from aimlchat._client.spending import Spending
from aimlchat.errors import BudgetExceededError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimlchat.completions import Cost

__all__ = ["SharedLedger"]


class _Ledger:
    """The actor that keeps the figures."""

    def __init__(self) -> None:
        self._spending = Spending(0)
        self._starts: Counter[str] = Counter()

    def add(self, costs: Sequence[Cost]) -> float:
        """Count what the server has charged, and return the sum of all in US dollars."""
        for cost in costs:
            self._spending.add(cost)
        return self._spending.spent_usd

    def count_start(self, batch: str) -> int:
        """Count a start of a batch, and return how many there were: 1, unless its actor died."""
        self._starts[batch] += 1
        return self._starts[batch]

    def forget_starts(self, batch: str) -> None:
        """Note that a batch is finished."""
        del self._starts[batch]


class SharedLedger:
    """The ledger of all actors; each has a copy of this object, which refers to the one ledger.

    The ledger lives as long as the dataset. It runs on the machine of the driver, without which the
    dataset would end as well.
    """

    def __init__(self, budget_usd: float | None) -> None:
        self._budget = budget_usd
        self._costs: list[Cost] = []  # not reported yet
        beside_driver = NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        ledger: Any = ray.remote(_Ledger)
        self._ledger = ledger.options(num_cpus=0, scheduling_strategy=beside_driver).remote()

    def start(self, batch: str) -> int:
        """Note the start of a batch, and return how often its actor has died in it before."""
        starts: int = ray.get(self._ledger.count_start.remote(batch))
        return starts - 1

    def finish(self, batch: str) -> None:
        """Note that a batch is finished."""
        ray.get(self._ledger.forget_starts.remote(batch))

    def add(self, cost: Cost | None) -> None:
        """Count what the server has charged for a call of this actor."""
        if cost is not None and self._budget is not None:
            self._costs.append(cost)

    async def report(self) -> float:
        """Report what was counted, and return what all actors have spent, in US dollars."""
        costs, self._costs = self._costs, []
        spent: float = await self._ledger.add.remote(costs)
        return spent

    async def check_budget(self) -> None:
        """Raise `BudgetExceededError` if the budget is spent."""
        if self._budget is None:
            return
        spent = await self.report()
        if spent >= self._budget:
            msg = (
                f"not sent: the server has charged ${spent:.12g}, and the budget_usd of all actors"
                f" is {self._budget:.12g}"
            )
            raise BudgetExceededError(msg, budget_usd=self._budget, spent_usd=spent)
