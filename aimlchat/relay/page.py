"""Write frames to one page as fast as the page takes them."""

from __future__ import annotations

import asyncio
import math
from contextvars import copy_context
from typing import TYPE_CHECKING, Protocol

from .encoding import EncodedFrames, take_frames
from .errors import PageTooSlowError
from .frames import HEARTBEAT
from .monitor import Monitor, PolledPages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from .adapters import Connection
    from .frames import Frame

__all__ = ["FrameSource", "Page"]


# Frames that come closer together than this are joined where that is possible.
_BURST_SECONDS = 0.002


class FrameSource(Protocol):
    """What a page has not been sent yet."""

    position: int
    """The number of the last frame that was taken; unused where frames have no numbers."""

    polled: PolledPages
    """The pages with the same source, for a connection that has to be polled."""

    @property
    def has_ended(self) -> bool:
        """Whether no frame will be added."""

    def take(self) -> Frame | None:
        """Remove and return the next frame; None if there is none at the moment."""


class Page:
    """Writes the frames of a source to a connection.

    While the page takes every frame at once, no task runs for it: the code that adds a frame to the
    source calls `wake`, or passes the frames themselves to `offer` or `write_now`. Once a write has
    to wait for the page, a task takes over until the source is empty.

    Args:
        source: where the frames come from.
        connection: where they go.
        heartbeat: seconds without a frame after which a heartbeat is written; None for never.
        patience: seconds that the page may take to accept one frame; None for no limit.
        is_gone: tells whether the page has disconnected, for a connection that has to be polled.
    """

    def __init__(
        self,
        source: FrameSource,
        connection: Connection,
        *,
        heartbeat: float | None,
        patience: float | None,
        is_gone: Callable[[], bool] | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.source = source
        self.ended: asyncio.Future[None] = loop.create_future()
        """Done after the last frame; raises what ended the delivery before that."""
        self._connection = connection
        self._heartbeat = math.inf if heartbeat is None else heartbeat
        self._patience = math.inf if patience is None else patience
        self._shortest_limit = min(self._heartbeat, self._patience)
        self._loop = loop
        self._last_write = loop.time()
        # The task that waits for the page runs where the page's handler runs: a library or a
        # middleware may keep what belongs to the request in context variables.
        self._context = copy_context()
        self._waiting: asyncio.Task[None] | None = None
        self._monitor = Monitor.current("limits")
        self._monitor.add(self, self._last_write + self._shortest_limit)
        self._is_gone = is_gone
        self._polled: PolledPages | None = None
        self._poll_with(source.polled)

    def offer(self, batches: Sequence[EncodedFrames], after: int, now: float) -> None:
        """Write frames to the page, if it has every frame up to the number ``after`` and waits.

        Otherwise, and for what it does not take at once, the page takes them from its source.
        """
        if self._waiting is not None:
            return
        source = self.source
        if source.position != after:
            self.wake()
            return
        self._last_write = now
        try:
            for frames in batches:
                source.position = frames.number
                rest = self._connection.write(frames)
                if rest is not None:
                    self._wait_for(rest)
                    return
        except Exception as error:  # noqa: BLE001 - raised by `ended`
            self.fail(error)

    def write_now(self, frames: Sequence[Frame]) -> bool:
        """Write frames that do not come from the source; return whether the page has taken them.

        They are refused while others wait, and shortly after the last ones, so that the deltas of
        a burst are joined in the source.
        """
        now = self._loop.time()
        if self._waiting is not None or now - self._last_write < _BURST_SECONDS:
            return False
        self._last_write = now
        try:
            rest = self._connection.write(EncodedFrames(frames))
        except Exception as error:  # noqa: BLE001 - raised by `ended`
            self.fail(error)
        else:
            if rest is not None:
                self._wait_for(rest)
        return True

    def wake(self) -> None:
        """Write what the source holds, unless that is being done."""
        if self._waiting is not None or self.ended.done():
            return
        try:
            rest = None if self.source.has_ended else self._write_from_source()
        except Exception as error:  # noqa: BLE001 - raised by `ended`
            self.fail(error)
            return
        if rest is None:
            self._finish_if_ended()
        else:
            self._wait_for(rest)

    def fail(self, error: Exception) -> None:
        """End the delivery with an error, unless it has ended."""
        if not self.ended.done():
            self.ended.set_exception(error)
        self._leave_monitors()
        if self._waiting is not None:
            self._waiting.cancel()

    def close(self) -> tuple[asyncio.Task[None], ...]:
        """End the delivery; return the task of the page, if there is one, which ends soon."""
        if not self.ended.cancel() and not self.ended.cancelled():
            self.ended.exception()  # so that asyncio does not report it as never looked at
        self._leave_monitors()
        if self._waiting is None:
            return ()
        self._waiting.cancel()
        return (self._waiting,)

    def check(self, now: float) -> float:
        """Write a heartbeat or end the delivery, if that is due; return what is due next."""
        due = self._last_write + self._shortest_limit
        if now < due:
            return due
        limit = self._heartbeat if self._waiting is None else self._patience
        if now >= self._last_write + limit:
            if self._waiting is None:
                self.write_now((HEARTBEAT,))
            else:
                seconds = f"{self._patience:g} s"
                msg = f"the page accepted nothing for {seconds}; patience sets that limit"
                self.fail(PageTooSlowError(msg))
        # A heartbeat may become due first, once the page has taken the frame that waits.
        return min(self._last_write + limit, now + self._shortest_limit)

    def _wait_for(self, rest: Callable[[], Awaitable[None]]) -> None:
        """Wait in a task until the page has taken a frame, then write what has come meanwhile."""
        self._poll_with(PolledPages())  # alone, since only the other pages are written to
        self._waiting = self._loop.create_task(
            self._write_slowly(rest), name="aimlchat.relay page", context=self._context
        )

    async def _write_slowly(self, rest: Callable[[], Awaitable[None]] | None) -> None:
        try:
            while rest is not None:
                await rest()
                rest = self._write_from_source()
            self._waiting = None
            self._poll_with(self.source.polled)
            self._finish_if_ended()
        except Exception as error:  # noqa: BLE001 - raised by `ended`
            self._waiting = None
            self.fail(error)

    def _write_from_source(self) -> Callable[[], Awaitable[None]] | None:
        """Write what the source holds; return what to wait for if the page does not take it all."""
        while (frames := take_frames(self.source)) is not None:
            self._last_write = self._loop.time()
            rest = self._connection.write(frames)
            if rest is not None:
                return rest
        return None

    def _finish_if_ended(self) -> None:
        if self.source.has_ended and not self.ended.done():
            self.ended.set_result(None)
            self._leave_monitors()

    def _poll_with(self, pages: PolledPages) -> None:
        """Poll the connection together with those of other pages, if it has to be polled."""
        if self._is_gone is None or self.ended.done():
            return
        if self._polled is not None:
            self._polled.remove(self)
        self._polled = pages
        pages.add(self, self._is_gone)

    def _leave_monitors(self) -> None:
        self._monitor.remove(self)
        if self._polled is not None:
            self._polled.remove(self)
