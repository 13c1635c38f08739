"""The bounded buffer between a stream and one page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aimlchat.errors import AIMLChatError

from .backlog import Backlog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .frames import Frame

__all__ = ["Outbox", "PageTooSlowError"]


class PageTooSlowError(AIMLChatError):
    """The page took too little of the answer: too much waited for it, or one frame for too long.

    The stream was left. ``partial`` is what had come of it.
    """


class Outbox:
    """Frames for one page. One task appends, one takes.

    ``limit`` is how much may wait, counted as `Backlog.size`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._backlog = Backlog()
        self._ended = False
        self._taker: asyncio.Future[None] | None = None

    async def append(self, frames: Sequence[Frame]) -> None:
        """Add frames; never waits. Raises `PageTooSlowError` over the limit, and drops them all."""
        for frame in frames:
            self._backlog.add(frame)
        if self._backlog.size > self._limit:
            self._backlog.clear()
            msg = f"more than {self._limit:,} characters waited for a page that does not read them"
            raise PageTooSlowError(msg)
        self._wake()

    async def end(self, frames: Sequence[Frame]) -> None:
        """Add the last frames, which the limit does not hold for; never waits."""
        for frame in frames:
            self._backlog.add(frame)
        self._ended = True
        self._wake()

    async def take(self) -> Frame | None:
        """Return the next frame as soon as there is one, None at the end. Cancelling is safe."""
        while not self._backlog:
            if self._ended:
                return None
            self._taker = asyncio.get_running_loop().create_future()
            try:
                await self._taker
            finally:
                self._taker = None
        return self._backlog.take()

    def _wake(self) -> None:
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)
