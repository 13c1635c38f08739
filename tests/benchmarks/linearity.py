"""Measure whether the time of the parser is linear, by a workload and twice that workload."""

from __future__ import annotations

import gc
import json
import time
from typing import TYPE_CHECKING

from scenarios import MILLI, View

from aimlchat import StreamParser

if TYPE_CHECKING:
    from collections.abc import Callable

READ = 64 * 1024  # the most that one read of a socket returns
ENOUGH = 0.1  # seconds of CPU that can be measured
TITLE = "the parser at twice these sizes: ms (ratio: over once)"
VIEW = View(TITLE, "twice", MILLI, 2.2, over="cpu")
END = b"data: [DONE]\n\n"


def _event(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c", "model": "m", "created": 1, "choices": [choice]}
    return b"data: %s\n\n" % json.dumps(body).encode()


def large_event(size: int) -> bytes:
    """Return a stream with one event of this many bytes."""
    return _event({"content": "x" * size}) + _event({}, "stop") + END


def long_answer(count: int) -> bytes:
    """Return a stream of this many chunks."""
    return _event({"content": " word"}) * count + _event({}, "stop") + END


def fragments(count: int) -> bytes:
    """Return a stream with a tool call in this many fragments."""
    call = {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": '{"a": "'}}
    piece = {"index": 0, "function": {"arguments": "0123456789"}}
    last = {"index": 0, "function": {"arguments": '"}'}}
    first = _event({"tool_calls": [call]})
    rest = _event({"tool_calls": [piece]}) * count + _event({"tool_calls": [last]}, "tool_calls")
    return first + rest + END


WORKLOADS: dict[str, tuple[Callable[[int], bytes], int]] = {
    "an event of 2 MB": (large_event, 2_000_000),
    "50,000 chunks": (long_answer, 50_000),
    "2,000 fragments": (fragments, 2_000),
}


def measure() -> dict[str, dict[str, float]]:
    """Return the CPU time of each workload, and of twice the workload."""
    return {
        name: {"cpu": _cpu(make(size)), "twice": _cpu(make(2 * size))}
        for name, (make, size) in WORKLOADS.items()
    }


def _cpu(data: bytes) -> float:
    """Return the seconds of CPU that reading a stream takes, repeated for precision."""
    gc.collect()
    count, before = 0, time.process_time()
    while (spent := time.process_time() - before) < ENOUGH:
        parser = StreamParser("m")
        for start in range(0, len(data), READ):
            parser.feed(data[start : start + READ])
        parser.close()
        if not parser.completion.finish_reason:
            msg = "the stream was not read"
            raise ValueError(msg)
        count += 1
    return spent / count
