"""Copy the frames of a store into the log of this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .frame_log import FrameLog
    from .store import Store

__all__ = ["StoreReader"]


class StoreReader:
    """The one reader of a store in this process, however many pages follow the answer."""

    def __init__(self, store: Store, log: FrameLog) -> None:
        self._store = store
        self._log = log
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read, unless that has begun."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="aimlchat.relay store reader")

    def cancel(self) -> None:
        """Stop reading; safe to repeat."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        log = self._log
        try:
            while frames := await self._store.read(log.last_number):
                log.add(frames)
        except Exception as error:  # noqa: BLE001 - raised to each page that follows
            log.fail(error)
        else:
            log.end(())
