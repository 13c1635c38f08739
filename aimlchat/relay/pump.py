"""What reads a stream and puts its frames where pages take them from."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from aimlchat.errors import AIMLChatError

from .buffer import PageTooSlowError
from .frames import Framer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimlchat.completions import Completion
    from aimlchat.iterators import DeltaStream

    from .frames import Frame

__all__ = ["Pump", "Sink"]


class Sink(Protocol):
    """Where frames go: an `Outbox`, or the store of a broadcast."""

    async def append(self, frames: Sequence[Frame]) -> None:
        """Add frames."""

    async def end(self, frames: Sequence[Frame]) -> None:
        """Add the last frames; no more will come."""


class Pump:
    """Reads a stream in a task of its own, whatever the page does, and always ends its sink.

    ``task`` is None before `start`. It raises only what its sink does; `outcome` says what came
    of the stream.
    """

    def __init__(self, stream: DeltaStream, sink: Sink) -> None:
        self.stream = stream
        self._sink = sink
        self._framer = Framer()
        self._fault: Exception | None = None
        self.task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Begin to read, once."""
        if self.task is None:
            self.task = asyncio.create_task(self._run(), name="aimlchat.relay pump")
        return self.task

    async def stop(self) -> None:
        """Leave the stream at somebody's wish and say so; too late, it changes nothing."""
        if not await self.leave():
            return
        try:
            last = self._framer.finish(self.stream.completion)
        except RuntimeError:  # it was not too late
            last = self._framer.stop()
        except AIMLChatError as error:  # it failed meanwhile, and the sink was slow to hear of it
            last = self._framer.fail(error)
        await self._sink.end(last)

    def drop(self) -> None:
        """Begin to leave: the upstream connection closes as soon as the loop gets to it."""
        if self.task is not None:
            self.task.cancel()

    async def leave(self) -> bool:
        """Close the upstream connection and end the task; return whether it was still reading."""
        task = self.task
        if task is None or task.done():
            return False
        self.drop()
        await asyncio.wait({task})
        return task.cancelled()

    @property
    def overran(self) -> bool:
        """Whether it had to give up because its sink was full."""
        return isinstance(self._fault, PageTooSlowError)

    def outcome(self) -> Completion:
        """Return the whole completion, or what came of one that was left; else raise what failed.

        For the time after the task has ended.
        """
        if self._fault is not None:
            raise self._fault
        try:
            return self.stream.completion
        except RuntimeError:  # it was left
            return self.stream.partial

    async def _run(self) -> None:
        sink, framer = self._sink, self._framer
        try:
            await sink.append(framer.start())
            # An `async with` whose entry raises, because another task is opening the stream, never
            # exits; `aclosing` closes the stream in that case too.
            async with aclosing(self.stream), self.stream:
                async for delta in self.stream:
                    if frames := framer.feed(delta):
                        await sink.append(frames)
            last = framer.finish(self.stream.completion)
        except PageTooSlowError as error:
            error.partial = self.stream.partial
            self._fault = error.with_traceback(None)  # whose frames would hold this one
            last = framer.fail(error)
        except AIMLChatError as error:  # the stream keeps it
            last = framer.fail(error)
        except Exception as error:  # noqa: BLE001 - the page is told first, then `outcome` raises it
            self._fault = error
            last = framer.fail(error)
        await sink.end(last)
