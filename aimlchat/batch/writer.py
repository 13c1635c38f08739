"""The writer of results; it keeps results that the output rejects until they can be written."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from aimlchat._payload.json_values import describe

from .errors import OutputFileError
from .line_content import add_checksum

if TYPE_CHECKING:
    from .output import Output

__all__ = ["ResultWriter"]

_MAX_TOLD = 20


class ResultWriter:
    """Writes results to the output, and keeps those that it could not write.

    Writing a further result first tries again to write all that is kept.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._unwritten: deque[tuple[str | int, bytes]] = deque()
        self._reason = ""

    @property
    def has_failed(self) -> bool:
        """Whether the output has ever failed; then no further request should be sent."""
        return bool(self._reason)

    def write(self, custom_id: str | int, line: bytes) -> None:
        """Write a result, or keep it if that fails.

        Raises `BrokenPipeError` if the reader of the output has closed it.
        """
        if self._output.has_checksums:
            line = add_checksum(line)
        self._unwritten.append((custom_id, line))
        self._flush()

    def finish(self) -> None:
        """Write what is kept. Raises `OutputFileError` if the output has ever failed."""
        self._flush()
        if not self._reason:
            return
        msg = f"{self._output.name} cannot be written: {self._reason}; no further request was sent"
        if self._unwritten:
            ids = [describe(custom_id) for custom_id, _ in self._unwritten]
            more = f" and {len(ids) - _MAX_TOLD:,} more" if len(ids) > _MAX_TOLD else ""
            msg += (
                f", and the results of these could not be written: {', '.join(ids[:_MAX_TOLD])}"
                f"{more}"
            )
        raise OutputFileError(msg, unwritten=tuple(self._unwritten), begun=True)

    def _flush(self) -> None:
        while self._unwritten:
            try:
                self._output.append(self._unwritten[0][1])
            except BrokenPipeError:
                raise
            except OSError as error:
                self._reason = os.strerror(error.errno) if error.errno else str(error)
                return
            self._unwritten.popleft()
