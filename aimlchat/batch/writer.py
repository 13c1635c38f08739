"""The writer of results; it keeps results that the output rejects until they can be written."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from aimlchat._payload.json_values import describe

from .disk import describe_reason
from .errors import OutputFileError
from .line_content import add_checksum, add_shard

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .output import Output
    from .shard import Shard

__all__ = ["ResultWriter"]

_MAX_TOLD = 20
# Lines are joined up to this size, so that large ones are not copied.
_MAX_WRITTEN_BYTES = 256 * 1024


class ResultWriter:
    """Writes results to the output, and keeps those that it could not write.

    Writing a further result first tries again to write all that is kept.
    """

    def __init__(self, output: Output, shard: Shard | None = None) -> None:
        self._output = output
        self._shard = "" if shard is None else str(shard)
        self._unwritten: deque[tuple[str | int, bytes]] = deque()
        self._reason = ""

    @property
    def has_failed(self) -> bool:
        """Whether the output has ever failed; then no further request should be sent."""
        return bool(self._reason)

    @property
    def unwritten_ids(self) -> set[str | int]:
        """The ids of the results that are kept."""
        return {custom_id for custom_id, _ in self._unwritten}

    def write(self, custom_id: str | int, line: bytes) -> None:
        """Write a result, as `write_all` does."""
        self.write_all([(custom_id, line)])

    def write_all(self, results: Iterable[tuple[str | int, bytes]]) -> None:
        """Write results, each an id and a line, or keep them if that fails.

        Raises `BrokenPipeError` if the reader of the output has closed it.
        """
        if self._shard:
            results = ((custom_id, add_shard(line, self._shard)) for custom_id, line in results)
        if self._output.has_checksums:
            self._unwritten += [(custom_id, add_checksum(line)) for custom_id, line in results]
        else:
            self._unwritten += results
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
        """Write as much as possible of what is kept."""
        while self._unwritten:
            data, count = self._take_lines()
            try:
                self._output.append(data)
            except BrokenPipeError:
                raise
            except OSError as error:
                self._reason = describe_reason(error)
                if count == 1:
                    return
                continue  # there may be room for some of them, one by one
            if count == len(self._unwritten):
                self._unwritten.clear()
                return
            for _ in range(count):
                self._unwritten.popleft()

    def _take_lines(self) -> tuple[bytes, int]:
        """Return the next lines to write at once, and their number."""
        first = self._unwritten[0][1]
        # A stream continues with the line that it has written in part.
        if self._reason or self._output.path is None or len(self._unwritten) == 1:
            return first, 1
        size = count = 0
        for _, line in self._unwritten:
            size += len(line)
            if count and size > _MAX_WRITTEN_BYTES:
                break
            count += 1
        return b"".join(line for _, line in islice(self._unwritten, count)), count
