"""An answer that another process generates, read from Redis for the pages of this process."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from aimlchat.completions import Choice, Completion
from aimlchat.tool_types import ToolCall

from .encoding import encode_frame
from .errors import BroadcastInterruptedError
from .frames import error_frames
from .redis_scripts import CHECK, STOP
from .store import MemoryStore

if TYPE_CHECKING:
    from .frames import Frame
    from .redis_connection import RedisConnection
    from .redis_scripts import AnswerKeys
    from .redis_settings import RedisSettings

__all__ = ["RedisReader", "RemoteStream", "request_stop"]

_DEAD = BroadcastInterruptedError("the process that generated the answer has died")
_LEFT = BroadcastInterruptedError("this process does not follow the answer any more")
_CLOSING_FRAMES = [encode_frame(frame) for frame in error_frames(_DEAD)]
_PAGE_COUNT = 500  # entries read at a time


class _News(msgspec.Struct):
    """The message that is published when frames were added."""

    after: int
    is_end: bool
    frames: list[dict[str, Any]]


class RedisReader:
    """Copies the frames of an answer into the memory of this process, however many pages follow.

    A `Broadcast` uses it in place of the `Pump` of an answer of this process. New frames arrive by
    the subscription; frames that the subscription misses are read from the stream. A timer that
    ends with the lease of the process that generates the answer detects that the process has died.
    """

    def __init__(
        self, connection: RedisConnection, settings: RedisSettings, keys: AnswerKeys
    ) -> None:
        self.keys = keys
        self.memory = MemoryStore(max_size=sys.maxsize)
        self.memory.log.start_after(keys.start)
        self.task: asyncio.Task[None] | None = None
        self.stream = RemoteStream()
        self._connection = connection
        self._settings = settings
        self._count = keys.start  # the number of the last frame
        self._has_ended = False
        self._has_left = False
        self._news: list[_News | None] = []  # None: something may have been missed
        self._changed = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._error: BroadcastInterruptedError | None = None

    def start(self) -> asyncio.Task[None]:
        """Start the task that reads, if it has not been started, and return it."""
        if self.task is None:
            self.task = asyncio.create_task(self._run(), name="aimlchat.relay redis reader")
        return self.task

    async def catch_up(self) -> None:
        """Wait until all frames that Redis had at the start are in memory."""
        task = self.start()
        caught_up = asyncio.create_task(self._caught_up.wait())
        try:
            await asyncio.wait({task, caught_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            caught_up.cancel()
        if self._has_ended:
            await asyncio.wait({task})

    async def stop(self) -> None:
        """Have the process that generates the answer stop it."""
        await request_stop(self._connection, self._settings, self.keys)

    def cancel(self) -> None:
        """Stop reading; safe to repeat."""
        self._has_left = True  # redis-py loses a cancellation that comes while it connects
        if self.task is not None:
            self.task.cancel()

    @property
    def has_failed(self) -> bool:
        """Whether the frames could not be read; the answer itself may continue."""
        return self._error is not None and not self._has_ended

    def result(self) -> Completion:
        """Return what was received, or raise the error that ended the answer."""
        if self._error is None and self.stream.error_text:
            msg = f"the answer was ended by another process: {self.stream.error_text}"
            self._error = BroadcastInterruptedError(msg)
        if self._error is not None:
            self._error.partial = self.stream.partial
            raise self._error
        return self.stream.partial

    async def _run(self) -> None:
        subscriptions = self._connection.subscriptions
        try:
            await subscriptions.add(self.keys.stream, self._on_message)
            await self._follow()
        except BroadcastInterruptedError as error:
            self._error = error
        finally:
            subscriptions.remove(self.keys.stream, self._on_message)
            if not self._has_ended:
                await self.memory.end(error_frames(self._error or _LEFT))

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        rest = await self._read_stream()
        deadline = loop.time() + rest
        self._caught_up.set()
        while not self._has_ended and not self._has_left:
            self._changed.clear()
            if not self._news:
                try:
                    async with asyncio.timeout(rest):
                        await self._changed.wait()
                except TimeoutError:
                    self._news.append(None)
            news, self._news = self._news, []
            is_due = False
            for item in news:
                if item is None or item.after > self._count:
                    is_due = True
                else:
                    await self._add(item.frames[self._count - item.after :], is_end=item.is_end)
            if is_due and not self._has_ended:
                rest = await self._read_stream()
                deadline = loop.time() + rest
            else:
                rest = max(deadline - loop.time(), 0.0)

    async def _read_stream(self) -> float:
        """Read the missing frames; return after how many seconds to check again."""
        settings, keys = self._settings, self.keys
        top, has_ended, rest_ms = await self._connection.run(
            CHECK,
            [keys.stream, keys.lease, keys.followed, keys.doubt],
            [
                settings.followed_ms,
                settings.ttl_ms,
                settings.doubt_ms,
                keys.start,
                *_CLOSING_FRAMES,
            ],
        )
        if top < self._count:
            raise _lost()
        while self._count < top:  # more may have come since
            entries = await self._connection.read_entries(
                self.keys.stream, self._count, _PAGE_COUNT
            )
            if not entries or entries[0][0] != self._count + 1:
                raise _lost()
            frames = [msgspec.json.decode(frame) for _, _, frame in entries]
            await self._add(frames, is_end=entries[-1][1])
        if has_ended and not self._has_ended:
            raise _lost()
        return rest_ms / 1000 + 0.005 if rest_ms > 0 else settings.renewal_seconds

    async def _add(self, frames: list[Frame], *, is_end: bool) -> None:
        if not frames:
            return
        self._count += len(frames)
        self.stream.add(frames)
        if is_end:
            self._has_ended = True
            await self.memory.end(frames)
        else:
            await self.memory.append(frames)

    def _on_message(self, message: str | bytes | None) -> None:
        self._news.append(_read_news(message))
        self._changed.set()


def _read_news(message: str | bytes | None) -> _News | None:
    try:
        return None if message is None else msgspec.json.decode(message, type=_News)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None  # not published by this version of the package: the stream has the frames


async def request_stop(
    connection: RedisConnection,
    settings: RedisSettings,
    keys: AnswerKeys,
    *,
    retry_seconds: float | None = None,
) -> bool:
    """Have the process that generates an answer stop it; return whether it had not ended."""
    keys_of_script = [keys.stream, keys.stop, keys.lease]
    found = await connection.run(
        STOP, keys_of_script, [settings.ttl_ms], retry_seconds=retry_seconds
    )
    return bool(found)


def _lost() -> BroadcastInterruptedError:
    return BroadcastInterruptedError("Redis has lost a part of the answer")


class RemoteStream:
    """What this process knows about a stream that another process reads."""

    def __init__(self) -> None:
        self.error_text = ""
        self._texts: defaultdict[str, list[str]] = defaultdict(list)
        self._tool_calls: list[ToolCall] = []
        self._finish_reason: str | None = None

    @property
    def partial(self) -> Completion:
        """The completion, as far as its frames contain it."""
        choice = Choice(
            text="".join(self._texts["text"]),
            reasoning="".join(self._texts["reasoning"]),
            refusal="".join(self._texts["refusal"]) or None,
            tool_calls=tuple(self._tool_calls),
            finish_reason=self._finish_reason,
        )
        return Completion((choice,), is_complete=self._finish_reason is not None)

    def add(self, frames: list[Frame]) -> None:
        """Update the state from frames."""
        for frame in frames:
            match frame["type"]:
                case "text-delta" | "reasoning-delta":
                    kind = frame["id"].partition("-")[0]
                    self._texts[kind].append(frame["delta"])
                case "tool-input-available":
                    arguments = json.dumps(frame["input"])
                    call = ToolCall(frame["toolCallId"], frame["toolName"], arguments)
                    self._tool_calls.append(call)
                case "start-step":  # of a run, the completion is that of the last round
                    self._texts.clear()
                    self._tool_calls.clear()
                case "finish":
                    metadata = frame.get("messageMetadata", {})
                    self._finish_reason = metadata.get("finishReason", frame["finishReason"])
                case "error":
                    self.error_text = frame["errorText"]
