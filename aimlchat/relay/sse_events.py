"""Send a stream as server-sent events: as bytes, for the response of any server."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, Self

from .buffer import PageBuffer
from .encoding import HEARTBEAT_FRAMES, EncodedFrames
from .monitor import Monitor
from .pump import Pump

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aimlchat.runs import ToolRun
    from aimlchat.stream import DeltaStream

    from .extra_frames import ExtraFrames
    from .frames import Frame
    from .page import FrameSource

__all__ = ["DONE_EVENT", "SSEEvents", "sse_events"]

DONE_EVENT = b"data: [DONE]\n\n"


class FrameProducer(Protocol):
    """Produces the frames of a source."""

    def start(self) -> object:
        """Begin to produce frames, unless it has begun."""

    def cancel(self) -> None:
        """Stop producing, without waiting for the end; safe to repeat."""


class SSEEvents:
    """An async iterator of server-sent events, each as ``bytes``.

    Made by `sse_events` and `Broadcast.sse_events`. Nothing is sent upstream before the first
    step. Cancelling a step, `aclose` and dropping the iterator each close the upstream connection
    at once. A failure of the stream is not raised but becomes an event.
    """

    def __init__(
        self,
        source: FrameSource,
        producer: FrameProducer,
        heartbeat: float | None,
        *,
        feed: Callable[[_Reader], object],
    ) -> None:
        self._source = source
        self._producer = producer
        self._heartbeat = heartbeat
        self._feed = feed
        self._reader: _Reader | None = None
        self._is_closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._is_closed:
            raise StopAsyncIteration
        if self._reader is None:
            self._producer.start()
            self._reader = _Reader(self._source, self._heartbeat)
            self._feed(self._reader)
        try:
            event = await self._reader.next_event()
        except BaseException:
            self._close()
            raise
        if event is not None:
            return event
        self._close()
        return DONE_EVENT

    async def aclose(self) -> None:
        """End the iteration and close the upstream connection; safe to repeat, and to cancel."""
        self._close()

    def _close(self) -> None:
        self._is_closed = True
        if self._reader is not None:
            self._reader.close()
        self._producer.cancel()

    def __del__(self) -> None:
        """Close the upstream connection of a response that was dropped before its end."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the task
            self._close()


class _Reader:
    """Passes the frames of a source to one task that reads them.

    A frame that arrives while the task waits is passed to it; otherwise the task takes it from the
    source. Nothing here refers to the iterator, so that a dropped iterator can be freed.
    """

    def __init__(self, source: FrameSource, heartbeat: float | None) -> None:
        self.source = source
        self._heartbeat = math.inf if heartbeat is None else heartbeat
        self._passed: deque[bytes] = deque()
        self._waiter: asyncio.Future[bool] | None = None  # its result: whether a frame has come
        self._waits_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._monitor = Monitor.current("limits")
        self._monitor.add(self, self._loop.time() + self._heartbeat)

    async def next_event(self) -> bytes | None:
        """Wait for the next event, or for a heartbeat; None after the last. Cancelling is safe."""
        while not self._passed:
            frame = self.source.take()
            if frame is not None:
                return EncodedFrames([frame]).events[0]
            if self.source.has_ended:
                return None
            self._waits_since = self._loop.time()
            self._waiter = self._loop.create_future()
            try:
                if not await self._waiter:
                    return HEARTBEAT_FRAMES.events[0]
            finally:
                self._waiter = None
        return self._passed.popleft()

    def offer(self, batches: Sequence[EncodedFrames], after: int, now: float) -> None:  # noqa: ARG002 - as Page
        """Pass frames to the task, if it waits and has every frame up to the number ``after``."""
        if self._waiter is None or self._waiter.done():
            return
        if batches and self.source.position == after:
            for frames in batches:
                self._passed += frames.events
            self.source.position = batches[-1].number
        self._waiter.set_result(True)

    def write_now(self, frames: Sequence[Frame]) -> bool:
        """Pass frames to the task, if it waits."""
        if self._waiter is None or self._waiter.done():
            return False
        self._passed += EncodedFrames(frames).events
        self._waiter.set_result(True)
        return True

    def wake(self) -> None:
        """Let the task check the source, if it waits."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(True)

    def check(self, now: float) -> float:
        """End the wait with a heartbeat if that is due; return what is due next."""
        if self._waiter is None or self._waiter.done():
            return now + self._heartbeat
        if now >= self._waits_since + self._heartbeat:
            self._waiter.set_result(False)
            return now + self._heartbeat
        return self._waits_since + self._heartbeat

    def close(self) -> None:
        """Stop watching the task."""
        self._monitor.remove(self)


def sse_events(
    stream: DeltaStream[Any] | ToolRun[Any],
    *,
    heartbeat: float | None = 15.0,
    max_buffer: int = 262_144,
    message_id: str | None = None,
    extra: ExtraFrames | None = None,
) -> SSEEvents:
    """Turn a stream into the body of a response, as for Starlette's ``StreamingResponse``.

    Send the response with `SSE_HEADERS`. Afterwards the stream has the result:
    ``stream.completion`` is the whole completion or raises the failure, ``stream.partial`` is what
    had been received.

    Args:
        stream: what `ChatSession.stream` or `ChatSession.run` returns, not entered yet.
        heartbeat: seconds without a frame after which a comment is sent; None for never.
        max_buffer: how much may wait for a page that reads slowly, in characters of text plus 64
            for each frame. Beyond that the stream is closed, and the page is sent an error.
        message_id: as for `aimlchat.relay.relay`.
        extra: as for `aimlchat.relay.relay`.
    """
    buffer = PageBuffer(max_buffer)
    pump = Pump(stream, buffer, message_id, extra=extra)
    return SSEEvents(buffer, pump, heartbeat, feed=buffer.feed)
