"""The table of results: medians over the rounds, and their spread."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios import View

Rounds = list[dict[str, dict[str, float]]]
"""For each round, the result of each contestant."""

NAME, CELL = 28, 11
COLUMNS = ("median", "spread", "ratio", "spread", "wall, s", "peak, MB")


def header() -> str:
    """Return the header line."""
    return " " * NAME + "".join(f"{column:>{_width(column)}}" for column in COLUMNS)


def lines(view: View, rounds: Rounds) -> list[str]:
    """Return the lines of one figure: its title, and a line for each contestant."""
    names = dict.fromkeys(name for results in rounds for name in results)
    limit = "" if view.limit is None else f"   at most {view.limit:g}"
    return ["", view.title + limit, *(_line(view, rounds, name) for name in names)]


def _line(view: View, rounds: Rounds, name: str) -> str:
    present = [results for results in rounds if name in results]
    figures = [results[name][view.figure] * view.scale for results in present]
    ratios = _ratios(view, present, name)
    walls = [results[name]["wall"] for results in present if "wall" in results[name]]
    peaks = [results[name]["peak"] / 1e6 for results in present if results[name].get("peak")]
    cells = (*_median(figures), *_median(ratios), _median(walls)[0], _median(peaks)[0])
    padded = zip(cells, COLUMNS, strict=True)
    return f"  {name:{NAME - 2}}" + "".join(f"{cell:>{_width(column)}}" for cell, column in padded)


def _ratios(view: View, rounds: Rounds, name: str) -> list[float]:
    """Return the ratio of each round, in which noise affects both sides."""
    if view.over is not None:
        return [results[name][view.figure] / results[name][view.over] for results in rounds]
    if view.baseline in (None, name):
        return []
    both = [(results[name], results.get(view.baseline)) for results in rounds]
    return [mine[view.figure] / other[view.figure] for mine, other in both if other]


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
