"""The times of a stream: of its first deltas, and of the wait after its last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from .timers import CallTimers

__all__ = ["StreamTail", "StreamTimes"]

_TAIL_SECONDS = 5.0


class StreamTimes(msgspec.Struct, eq=False):
    """The number of deltas, and the seconds until the first of a kind; None if there was none."""

    deltas: int = 0
    first_reasoning: float | None = None
    first_answer: float | None = None


class StreamTail(msgspec.Struct, eq=False):
    """Waits five seconds, restarted by each delta, for usage, cost and ``[DONE]``."""

    until: float | None = None
    """When the wait ends, in seconds after the start of the call; None before the tail."""
    _deltas: int = 0
    """How many deltas there were when the wait began."""

    def start_read(self, timers: CallTimers, deltas: int) -> None:
        """Start the wait for bytes; ``deltas`` is how many deltas have arrived."""
        if self.until is None or self._deltas != deltas:
            self.until, self._deltas = timers.elapsed + _TAIL_SECONDS, deltas
        timers.start_tail_read(self.until)
