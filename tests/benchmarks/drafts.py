"""Measure what the drafts of a growing answer cost: over decoding the whole answer at its end."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from scenarios import MILLI, View

from aimlchat._output.growing_json import GrowingJson

if TYPE_CHECKING:
    from collections.abc import Callable

PIECES = 20_000
REPEATS = 5
TITLE = "drafts of 1 MB of JSON in 20,000 pieces: ms of CPU (ratio: over json.loads of it once)"
VIEW = View(TITLE, "drafts", MILLI, 3, over="loads")


def measure() -> dict[str, dict[str, float]]:
    """Return the CPU time of all drafts, and of decoding the whole text once."""
    items = [
        {"id": n, "name": f"item number {n}", "price": n * 1.5, "tags": ["a", "b"], "ok": True}
        for n in range(10_500)
    ]
    text = json.dumps({"items": items})
    size = -(-len(text) // PIECES)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    times = {"drafts": _cpu(lambda: _take_drafts(pieces)), "loads": _cpu(lambda: json.loads(text))}
    return {"aimlchat": times}


def _take_drafts(pieces: list[str]) -> None:
    growing, draft = GrowingJson(), None
    for piece in pieces:
        if growing.feed(piece):
            draft = growing.draft()
    if growing.end():
        draft = growing.draft()
    if draft is None or not growing.is_complete:
        msg = "the answer was not read"
        raise ValueError(msg)


def _cpu(task: Callable[[], object]) -> float:
    """Return the seconds of CPU that a task takes, the shortest of a few times."""
    times = []
    for _ in range(REPEATS):
        before = time.process_time()
        task()
        times.append(time.process_time() - before)
    return min(times)
