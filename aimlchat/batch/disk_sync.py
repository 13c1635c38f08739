"""When results reach the disk: within a second of being written, or before they count."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, Self

from aimlchat._payload.json_values import describe
from aimlchat.errors import ConfigurationError

from .errors import OutputFileError

if TYPE_CHECKING:
    from .output import Output

__all__ = ["DiskSync", "Fsync", "check_fsync"]

Fsync = Literal["second", "each"]

# The sync begins this many seconds after the first result that is not on the disk; the rest of the
# second is for the disk.
_DELAY = 0.5


def check_fsync(fsync: Any) -> None:
    """Raise `ConfigurationError` for anything but "second" and "each"."""
    if fsync not in ("second", "each"):
        msg = f"fsync is {describe(fsync)}; give 'second' or 'each'"
        raise ConfigurationError(msg)


class DiskSync:
    """Syncs an output in a thread, since a slow disk must not block the event loop.

    Leaving the context waits for a sync that runs; closing the output syncs the rest.
    """

    def __init__(self, output: Output, fsync: Fsync) -> None:
        self._output = output
        self._fsync = fsync
        self._timer: asyncio.TimerHandle | None = None
        self._running: asyncio.Future[None] | None = None
        self._is_behind = False
        """Whether results were written while the sync ran."""
        self.failure: OutputFileError | None = None
        """The error of the sync that has failed, if one has."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._is_behind = False
        cancellation: asyncio.CancelledError | None = None
        while self._running is not None:
            try:
                await asyncio.wait([self._running])
            except asyncio.CancelledError as error:
                cancellation = error  # the thread uses the file, which is closed next
        if cancellation is not None:
            raise cancellation

    async def results_written(self) -> None:
        """Note that results were written; with "each", return once they are on the disk.

        Cancelling is safe: the sync continues.
        """
        if self._output.path is None or self.failure is not None:
            return
        if self._fsync == "each":
            if self._running is not None:  # of results that were written before a cancellation
                await asyncio.wait([self._running])
            self._start()
            if self._running is not None:
                await asyncio.wait([self._running])
        elif self._running is not None:
            self._is_behind = True
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_DELAY, self._start)

    def _start(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        self._running = loop.run_in_executor(None, self._output.sync)
        self._running.add_done_callback(self._end)

    def _end(self, sync: asyncio.Future[None]) -> None:
        self._running = None
        error = sync.exception()
        if isinstance(error, OutputFileError):
            self.failure = error
        elif error is not None:
            raise error
        elif self._is_behind:
            self._is_behind = False
            self._start()
