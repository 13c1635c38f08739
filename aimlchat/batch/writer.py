"""Between the answers and the output: what cannot be written is kept until it can be."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from .errors import OutputFileError

if TYPE_CHECKING:
    from .journal import Sink

__all__ = ["Writer"]


class Writer:
    """Writes results, and holds those for which there is no room.

    ``has_failed`` is whether the output has ever failed: then no further call should begin. Each
    result that still comes is a new try to write all that is held.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._held: deque[tuple[str | int, bytes]] = deque()
        self._reason = ""

    @property
    def has_failed(self) -> bool:
        """Whether the output has failed."""
        return bool(self._reason)

    def write(self, custom_id: str | int, line: bytes) -> None:
        """Write a result, or hold it. Raises `BrokenPipeError` if nobody reads the output."""
        self._held.append((custom_id, line))
        self._flush()

    def finish(self) -> None:
        """Write what is still held; raises `OutputFileError` if that fails."""
        self._flush()
        if not self._reason:
            return
        name = self._sink.path or "the output"
        msg = f"{name} cannot be written: {self._reason}; no further request was sent"
        if self._held:
            ids = ", ".join(repr(custom_id) for custom_id, _ in self._held)
            msg += f", and the results of these could not be written: {ids}"
        raise OutputFileError(msg, unwritten=tuple(self._held), begun=True)

    def _flush(self) -> None:
        while self._held:
            try:
                self._sink.append(self._held[0][1])
            except BrokenPipeError:
                raise
            except OSError as error:
                self._reason = os.strerror(error.errno) if error.errno else str(error)
                return
            self._held.popleft()
