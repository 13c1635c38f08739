"""The cost of the answers of one call that were rejected locally and requested again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from aimlchat.completions import Usage

from .tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimlchat.completions import Completion, Cost

__all__ = ["Bills"]


class Bills:
    """The usage and the cost of the answers before the last one."""

    __slots__ = ("_costs", "_usages")

    def __init__(self) -> None:
        self._usages: list[Usage] = []
        self._costs: list[Cost] = []

    def add(self, completion: Completion[Any]) -> None:
        """Add the usage and the cost of an answer that is requested again."""
        if completion.usage is not None:
            self._usages.append(completion.usage)
        if completion.cost is not None:
            self._costs.append(completion.cost)

    def add_to(self, completion: Completion[Any]) -> Completion[Any]:
        """Return the last completion, with the usage and the cost of all answers."""
        usage, cost = completion.usage, completion.cost
        if self._usages:
            usage = _sum_usages(self._usages if usage is None else [*self._usages, usage])
        if self._costs:
            tally = Tally()
            for one in self._costs if cost is None else [*self._costs, cost]:
                tally.add(cost=one)
            cost = tally.cost
        return attrs.evolve(completion, usage=usage, cost=cost)


def _sum_usages(usages: Sequence[Usage]) -> Usage:
    """Return the sums of all counts that are known; ``raw`` is that of the last answer."""
    sums: dict[str, Any] = dict.fromkeys(usages[-1].as_dict())
    for usage in usages:
        for name, count in usage.as_dict().items():
            if count is not None:
                sums[name] = count + (sums[name] or 0)
    return Usage(**sums, raw=usages[-1].raw)
