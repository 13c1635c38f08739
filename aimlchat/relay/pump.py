"""Read a stream and write its frames to the buffer or store that pages read."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

from aimlchat.errors import AIMLChatError, APIError
from aimlchat.runs import ToolRun

from .errors import (
    BroadcastInterruptedError,
    BroadcastTooLargeError,
    PageTooSlowError,
    attach_partial,
)
from .extra_frames import check_extra, send_with_extra
from .frames import Framer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from aimlchat.completions import Completion
    from aimlchat.stream import DeltaStream

    from .extra_frames import ExtraFrames
    from .frames import Frame

__all__ = ["FrameSink", "Pump"]

_logger = logging.getLogger("aimlchat")


class FrameSink(Protocol):
    """Where a pump writes frames: the buffer of one page, or the store of a broadcast."""

    def append(self, frames: Sequence[Frame]) -> Awaitable[None] | None:
        """Add frames; return an awaitable that ends when they are added, None if they are.

        A buffer never waits, and a coroutine for each delta would not be free.
        """

    async def end(self, frames: Sequence[Frame]) -> None:
        """Add the last frames; no more will come."""


class Pump:
    """Reads a stream or a run in its own task, independent of any page, and always ends its sink.

    The pump owns the stream: it closes the stream whatever happens. ``task`` is None before
    `start`. The task raises only what the sink raises; `result` returns or raises the outcome of
    the stream.

    With ``logs_failures`` a failure of the stream is logged in one line, without any of the
    conversation; for uses in which it is not raised to the caller.
    """

    def __init__(
        self,
        stream: DeltaStream[Any] | ToolRun[Any],
        sink: FrameSink,
        message_id: str | None = None,
        *,
        extra: ExtraFrames | None = None,
        logs_failures: bool = True,
    ) -> None:
        check_extra(extra)
        self._extra = extra
        self._logs_failures = logs_failures
        self.stream = stream
        if isinstance(stream, ToolRun):
            stream._tells_calls = True  # noqa: SLF001 - hidden from users
        self._sink = sink
        self._framer = Framer(message_id)
        self._error: Exception | None = None
        self._completion: Completion | None = None  # built once, for all pages
        self._stopping: asyncio.Task[None] | None = None
        self.task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Start the task that reads, if it has not been started, and return it."""
        if self.task is None:
            self.task = asyncio.create_task(self._run(), name="aimlchat.relay pump")
        return self.task

    async def stop(self) -> None:
        """Close the stream at a page's request, and end the sink with one `abort` frame.

        After the end of the stream this changes nothing. Cancelling is safe: the page that stops an
        answer may disconnect at once, and the sink has to end for the other pages all the same.
        """
        if self._stopping is None and self.task is not None and not self.task.done():
            self._stopping = asyncio.create_task(self._stop(self.task), name="aimlchat.relay stop")
        if self._stopping is not None:
            await asyncio.shield(self._stopping)

    def cancel(self) -> None:
        """Cancel the task, which closes the upstream connection; safe to repeat."""
        if self.task is not None:
            self.task.cancel()

    async def close(self) -> None:
        """Close the upstream connection and wait for the tasks of the pump."""
        if self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.wait({self.task})
        if self._stopping is not None and not self._stopping.done():
            await asyncio.wait({self._stopping})

    @property
    def overflow(self) -> PageTooSlowError | None:
        """The error with which the pump gave up because the buffer of its page was full."""
        return self._error if isinstance(self._error, PageTooSlowError) else None

    def result(self) -> Completion:
        """Return the completion, or the part that a stopped stream had received.

        Raises the error that ended the stream. Call it after the task has ended.
        """
        if self._error is not None:
            raise self._error
        if self._completion is not None:
            return self._completion
        try:
            return self.stream.completion
        except RuntimeError:  # the stream was closed before its end
            return self.stream.partial

    async def _stop(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            return
        # The task was cancelled, but if the sink was slow, the stream may have ended before that.
        try:
            last_frames = self._finish()
        except RuntimeError:  # the stream had not ended
            last_frames = self._framer.stop()
        except AIMLChatError as error:
            last_frames = self._framer.fail(error)
        await self._sink.end(last_frames)

    async def _run(self) -> None:
        sink, framer = self._sink, self._framer
        try:
            await self._append(framer.start())
            # The stream's own `async with` never exits if its entry raises, because another task is
            # opening the stream; `aclosing` closes the stream in that case too.
            async with aclosing(self.stream):
                if self._extra is not None:
                    await send_with_extra(
                        self.stream, self._extra, feed=framer.feed, append=self._append
                    )
                else:
                    async with self.stream:
                        async for delta in self.stream:
                            frames = framer.feed(delta)
                            if frames and (added := sink.append(frames)) is not None:
                                await added
            last_frames = self._finish()
        except (PageTooSlowError, BroadcastTooLargeError, BroadcastInterruptedError) as error:
            attach_partial(error, self.stream)
            # Its traceback would refer to this frame, and so keep the pump in a reference cycle.
            self._error = error.with_traceback(None)
            last_frames = self._fail(error)
        except AIMLChatError as error:  # the stream keeps it, for `result`
            last_frames = self._fail(error)
        except Exception as error:  # noqa: BLE001 - sent to the page, then raised by `result`
            self._error = error
            last_frames = self._fail(error)
        await sink.end(last_frames)

    async def _append(self, frames: Sequence[Frame]) -> None:
        if (added := self._sink.append(frames)) is not None:
            await added

    def _finish(self) -> list[Frame]:
        stream = self.stream
        completion = self._completion = stream.completion
        if isinstance(stream, ToolRun):
            return self._framer.finish(completion, usage=stream.usage, cost=stream.cost)
        return self._framer.finish(completion)

    def _fail(self, error: Exception) -> list[Frame]:
        """Return the last frames of an answer that failed, and log that it did."""
        if self._logs_failures:
            # Not its message, which may quote the conversation.
            status = f" {error.status}" if isinstance(error, APIError) else ""
            _logger.warning(
                "an answer to a page failed: %s%s, inference %s",
                type(error).__name__,
                status,
                self.stream.inference_id,
            )
        return self._framer.fail(error)
