"""An answer that this process generates, and that other processes follow over Redis."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from typing import TYPE_CHECKING
from uuid import uuid4

from .encoding import encode_frame
from .errors import BroadcastInterruptedError, BroadcastTooLargeError
from .frames import error_frames
from .redis_scripts import APPEND, BEGIN, AnswerKeys, AppendStatus
from .store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from .frames import Frame
    from .redis_connection import RedisConnection
    from .redis_settings import RedisSettings

__all__ = ["RedisAnswer"]

_logger = logging.getLogger("aimlchat")

_FRAME_SIZE = 100  # counted for each frame besides its JSON: about what an entry takes
# How much is written at a time, and how much may wait to be written, in bytes, counted as above.
_BATCH_SIZE = 256 * 1024
_MAX_PENDING_SIZE = 1024 * 1024
_REASONS = {
    AppendStatus.CLOSED: "this process was considered dead, since it did not renew its lease",
    AppendStatus.REPLACED: "another answer of the chat has begun",
    AppendStatus.LOST: "Redis has lost its data",
}
_ABORT = encode_frame({"type": "abort", "reason": "stopped"})


class RedisAnswer:
    """A `Store` that writes frames to Redis, and shows a frame to no page before Redis has it.

    One task writes: all frames that wait go into one command, so that a slow Redis slows down
    neither the stream nor other answers. The task also renews the lease, and detects a stop.
    """

    def __init__(self, connection: RedisConnection, settings: RedisSettings, chat: str) -> None:
        self.memory = MemoryStore(max_size=sys.maxsize)
        """The frames that Redis has, for the pages of this process."""
        self.keys = AnswerKeys(chat, f"0-{uuid4().hex}")
        self._connection = connection
        self._settings = settings
        self._stop: Callable[[], Awaitable[None]] | None = None
        self._stopping: asyncio.Future[None] | None = None
        self._pending: deque[tuple[Frame, bytes]] = deque()
        self._pending_size = 0
        self._size = 0
        self._count = 0  # the number of the last frame that Redis has
        self._is_ending = False
        self._failure: BroadcastInterruptedError | None = None
        self._is_replaced = False
        self._has_begun = False
        self._changed = asyncio.Event()  # frames wait to be written
        self._drained = asyncio.Event()  # frames were written, or never will be
        self.task: asyncio.Task[None] | None = None

    def on_stop(self, stop: Callable[[], Awaitable[None]]) -> None:
        """Call ``stop`` when any process stops the answer, or when it cannot continue."""
        self._stop = stop

    async def begin(self, *, retry_seconds: float | None = None) -> None:
        """Make this the current answer of its chat; an earlier one is closed."""
        chat, settings = self.keys.chat, self._settings
        while not self._has_begun:
            earlier_id = await self._connection.read_text(chat, retry_seconds=retry_seconds)
            earlier = AnswerKeys(chat, earlier_id or "0-")
            if earlier_id and earlier != self.keys:  # else it is the first, or its reply was lost
                _, _, token = self.keys.answer_id.partition("-")
                self.keys = AnswerKeys(chat, f"{earlier.epoch + 1}-{token}")
            keys = self.keys
            self._has_begun = bool(
                await self._connection.run(
                    BEGIN,
                    [chat, earlier.stream, keys.stream, keys.lease, earlier.stop],
                    [
                        earlier_id,
                        keys.answer_id,
                        settings.lease_ms,
                        settings.ttl_ms,
                        earlier.start,
                        _ABORT,
                    ],
                    retry_seconds=retry_seconds,
                )
            )
        self._count = self.keys.start
        self.memory.log.start_after(self._count)

    async def is_followed(self) -> bool:
        """Return whether pages of other processes follow the answer."""
        try:
            return bool(await self._connection.read_text(self.keys.followed))
        except BroadcastInterruptedError:
            return False

    async def append(self, frames: Sequence[Frame]) -> None:
        """Queue frames for Redis; waits only while much is queued. Cancelling is safe."""
        if self._size > self._settings.max_size:
            msg = (
                f"the answer takes more than {self._settings.max_size:,} bytes, the most that is"
                " kept for pages that join late; RedisStore(max_size=...) sets that limit"
            )
            raise BroadcastTooLargeError(msg)
        while self._pending_size > _MAX_PENDING_SIZE and self._failure is None:
            self._drained.clear()
            await self._drained.wait()
        # An answer that was replaced is about to be stopped, and ends with `abort` as in Redis.
        if self._failure is not None and not self._is_replaced:
            raise self._failure
        self._queue(frames)

    async def end(self, frames: Sequence[Frame]) -> None:
        """Queue the last frames, and wait until Redis has them. Cancelling is safe."""
        if not self._is_ending:
            self._is_ending = True
            if self._failure is None:
                self._queue(frames)
            else:
                await self._end_here(frames)
        if self.task is not None:
            await asyncio.shield(asyncio.wait({self.task}))

    async def read(self, after: int) -> Sequence[Frame]:
        """Return frames numbered above ``after``; see `Store`. Cancelling is safe."""
        return await self.memory.read(after)

    def _queue(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            encoded = encode_frame(frame)
            self._pending.append((frame, encoded))
            self._pending_size += len(encoded) + _FRAME_SIZE
            self._size += len(encoded) + _FRAME_SIZE
        self._changed.set()
        if self.task is None:
            self.task = asyncio.create_task(self._run(), name="aimlchat.relay redis writer")

    async def _run(self) -> None:
        subscriptions = self._connection.subscriptions
        try:
            await self.begin()
            await subscriptions.add(self.keys.stop, self._on_message)
            while not (self._is_ending and not self._pending):
                await self._write(await self._next_batch())
        except BroadcastInterruptedError as error:
            await self._fail(error)
        finally:
            subscriptions.remove(self.keys.stop, self._on_message)

    async def _next_batch(self) -> list[tuple[Frame, bytes]]:
        """Wait for frames and return them; none if the lease has to be renewed."""
        if not self._pending:
            self._changed.clear()
            try:
                async with asyncio.timeout(self._settings.renewal_seconds):
                    await self._changed.wait()
            except TimeoutError:
                return []
        batch, size = [], 0
        for pair in self._pending:
            batch.append(pair)
            size += len(pair[1]) + _FRAME_SIZE
            if size >= _BATCH_SIZE:
                break
        return batch

    async def _write(self, batch: list[tuple[Frame, bytes]]) -> None:
        keys, settings = self.keys, self._settings
        is_end = self._is_ending and len(batch) == len(self._pending)
        status, is_stopped = await self._connection.run(
            APPEND,
            [keys.chat, keys.stream, keys.lease, keys.stop, keys.doubt],
            [
                keys.answer_id,
                settings.lease_ms,
                settings.ttl_ms,
                keys.start,
                self._count,
                "last" if is_end else "frame",
                *(encoded for _, encoded in batch),
            ],
        )
        if status != AppendStatus.STORED:
            self._is_replaced = status == AppendStatus.REPLACED
            raise BroadcastInterruptedError(_REASONS[status])
        for _ in batch:
            _, encoded = self._pending.popleft()
            self._pending_size -= len(encoded) + _FRAME_SIZE
        self._count += len(batch)
        self._drained.set()
        frames = [frame for frame, _ in batch]
        if is_end:
            await self.memory.end(frames)
        elif frames:
            await self.memory.append(frames)
        if is_stopped:
            self._call_stop()

    async def _fail(self, error: BroadcastInterruptedError) -> None:
        if not self._is_replaced:
            _logger.warning("an answer was ended: %s", error)
        self._failure = error
        self._drained.set()
        if self._is_ending:
            await self._end_here([])
        else:
            self._call_stop()

    async def _end_here(self, last_frames: Sequence[Frame]) -> None:
        """End the pages of this process; the pages of others get their end from Redis."""
        frames = [*(frame for frame, _ in self._pending), *last_frames]
        if not self._is_replaced and self._failure is not None and frames[-1]["type"] == "abort":
            frames[-1:] = error_frames(self._failure)
        await self.memory.end(frames)

    def _on_message(self, message: str | bytes | None) -> None:
        if message is None:
            self._changed.set()  # renews the lease, and reads whether the answer is stopped
        else:
            self._call_stop()

    def _call_stop(self) -> None:
        if self._stop is not None and self._stopping is None and not self._is_ending:
            self._stopping = asyncio.ensure_future(self._stop())
