"""The table: medians over the rounds, and how far they spread."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios import View

Rounds = list[dict[str, dict[str, float]]]
"""For each round, what each contestant answered."""

NAME, CELL = 28, 11
COLUMNS = ("median", "spread", "ratio", "spread", "wall, s", "peak, MB")


def head() -> str:
    """Return the line above all."""
    return " " * NAME + "".join(f"{column:>{_width(column)}}" for column in COLUMNS)


def lines(view: View, rounds: Rounds) -> list[str]:
    """Return the lines of one figure: its title, and a line for each contestant."""
    names = dict.fromkeys(name for answers in rounds for name in answers)
    limit = "" if view.limit is None else f"   at most {view.limit:g}"
    return ["", view.title + limit, *(_line(view, rounds, name) for name in names)]


def _line(view: View, rounds: Rounds, name: str) -> str:
    there = [answers for answers in rounds if name in answers]
    figures = [answers[name][view.figure] * view.scale for answers in there]
    ratios = _ratios(view, there, name)
    walls = [answers[name]["wall"] for answers in there if "wall" in answers[name]]
    peaks = [answers[name]["peak"] / 1e6 for answers in there if answers[name].get("peak")]
    cells = (*_median(figures), *_median(ratios), _median(walls)[0], _median(peaks)[0])
    padded = zip(cells, COLUMNS, strict=True)
    return f"  {name:{NAME - 2}}" + "".join(f"{cell:>{_width(column)}}" for cell, column in padded)


def _ratios(view: View, rounds: Rounds, name: str) -> list[float]:
    """Return the ratios round by round: what was noisy in one was so for both."""
    if view.over is not None:
        return [answers[name][view.figure] / answers[name][view.over] for answers in rounds]
    if view.yardstick in (None, name):
        return []
    both = [(answers[name], answers.get(view.yardstick)) for answers in rounds]
    return [mine[view.figure] / yard[view.figure] for mine, yard in both if yard]


def _median(values: list[float]) -> tuple[str, str]:
    if not values:
        return "", ""
    spread = f"{_short(min(values))} - {_short(max(values))}" if len(values) > 1 else "one round"
    return _short(statistics.median(values)), spread


def _short(value: float) -> str:
    if value == math.inf:
        return "never"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _width(column: str) -> int:
    return CELL + 8 if column == "spread" else CELL
