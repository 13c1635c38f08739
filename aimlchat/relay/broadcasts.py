"""The answers of many chats; pages can resume and stop each one by the id of its chat."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from weakref import WeakValueDictionary

from .broadcast import Broadcast
from .errors import BroadcastInterruptedError
from .extra_frames import check_extra
from .redis_scripts import EPOCH_SIZE
from .redis_store import check_store
from .store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.completions import Completion
    from aimlchat.runs import ToolRun
    from aimlchat.stream import DeltaStream

    from .extra_frames import ExtraFrames
    from .redis_answer import RedisAnswer
    from .redis_scripts import AnswerKeys
    from .redis_store import RedisStore

__all__ = ["Broadcasts"]

_logger = logging.getLogger("aimlchat")

# How long an answer of another process is read while no page of this one follows it, such as
# between a request for it and its response, or while a page is reloaded.
_LINGER_SECONDS = 5.0


class _Answer(NamedTuple):
    broadcast: Broadcast
    keys: AnswerKeys | None  # None without Redis
    epoch: int


class Broadcasts:
    """The answers that are being generated, one for each chat, by the id of the chat.

    An answer continues when its page is closed or reloaded; the page finds it again with `follow`,
    and ends it with `stop`. Use this object with ``async with``, or call `aclose` at the end.

    Args:
        store: a `RedisStore`, with which all processes that use the same Redis share the answers;
            close it after this object. By default they are in the memory of this process.
        grace: as for `Broadcast`: the seconds for which an answer is kept while no page of any
            process follows it.
    """

    def __init__(self, *, store: RedisStore | None = None, grace: float = 60.0) -> None:
        self._store = check_store(store)
        self._grace = grace
        self._answers: dict[str, _Answer] = {}  # which this process generates
        self._followed: dict[AnswerKeys, Broadcast] = {}  # which other processes generate
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._reports: set[asyncio.Task[None]] = set()
        self._last_forgotten_epoch = -1  # of the answers that are not kept any more, the highest
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def start(
        self,
        chat_id: str,
        stream: DeltaStream[Any] | ToolRun[Any],
        *,
        message_id: str | None = None,
        extra: ExtraFrames | None = None,
        on_end: Callable[[Completion], object] | None = None,
    ) -> Broadcast:
        """Begin the answer of a chat and return it; its upstream call begins at once.

        An earlier answer of the chat that has not ended is stopped: its pages are sent ``abort``.
        Cancelling is safe: either the answer has begun, or the stream has not been entered.

        Args:
            chat_id: the id of the chat. Check that it belongs to the user who sends it.
            stream: what `ChatSession.stream` or `ChatSession.run` returns, not entered yet.
            message_id: as for `aimlchat.relay.relay`.
            extra: as for `aimlchat.relay.relay`.
            on_end: called once when the answer has ended, in whatever way, with what was received,
                for example to store it; ``is_complete`` is False if the answer failed or was
                stopped. A plain callable or a coroutine function; an exception in it is logged.

        Raises:
            BroadcastInterruptedError: Redis cannot be reached.
            RuntimeError: this object is closed.
            TypeError: ``chat_id`` is not a str, or ``extra`` is not an async iterator.
        """
        _check_chat_id(chat_id)
        check_extra(extra)  # before an earlier answer is stopped
        # Two starts of one chat at once: the later one replaces the earlier one.
        lock = self._locks.setdefault(chat_id, asyncio.Lock())
        async with lock:
            self._check_not_closed()
            keys = None
            frames: MemoryStore | RedisAnswer = MemoryStore()
            if self._store is not None:
                frames = await self._store._begin_answer(chat_id)  # noqa: SLF001 - hidden from users
                self._check_not_closed()  # other processes then consider this one dead
                keys = frames.keys
            earlier = self._answers.get(chat_id)
            epoch = max(self._last_forgotten_epoch, earlier.epoch if earlier else -1) + 1
            if isinstance(frames, MemoryStore):
                frames.log.start_after(epoch * EPOCH_SIZE)
            answer = Broadcast(
                stream,
                grace=self._grace,
                store=frames,
                on_over=lambda: self._forget(chat_id, answer),
                message_id=message_id,
                extra=extra,
            )
            self._answers[chat_id] = _Answer(answer, keys, epoch)
            answer.start()
            if on_end is not None:
                report = asyncio.create_task(_report_end(answer, on_end), name="aimlchat.relay end")
                self._reports.add(report)
                report.add_done_callback(self._reports.discard)
        if earlier is not None:
            await earlier.broadcast.stop()
        return answer

    async def follow(self, chat_id: str, *, only_live: bool = False) -> Broadcast | None:
        """Return the answer of a chat, to send it to a page; None if there is none to resume.

        Cancelling is safe. For an answer that another process generates, ``relay`` and ``partial``
        give text, reasoning, tool calls and finish reason, and a failure is a
        `BroadcastInterruptedError`.

        Args:
            chat_id: the id of the chat. Check that it belongs to the user who sends it.
            only_live: whether to return None for an answer that has ended but is still kept, for a
                page that has loaded all ended answers from elsewhere.

        Raises:
            BroadcastInterruptedError: Redis cannot be reached, and this process generates no answer
                of the chat.
        """
        own, keys = await self._find(chat_id)
        if keys is None:
            broadcast = None if own is None else own.broadcast
        else:
            broadcast = await self._follow_other(keys)
        if broadcast is None or broadcast.is_over or (only_live and not broadcast.is_live):
            return None
        return broadcast

    async def stop(self, chat_id: str) -> bool:
        """Stop the answer of a chat; its pages keep what they have and are sent ``abort``.

        Cancelling is safe: the answer is stopped all the same. An answer of another process is
        stopped by that process, at once, but this method does not wait for it.

        Args:
            chat_id: the id of the chat. Check that it belongs to the user who sends it.

        Returns:
            Whether there was an answer that had not ended.

        Raises:
            BroadcastInterruptedError: Redis cannot be reached, and this process generates no answer
                of the chat.
        """
        own, keys = await self._find(chat_id)
        if keys is not None and self._store is not None:
            return await self._store._stop_answer(keys)  # noqa: SLF001 - hidden from users
        if own is None or not own.broadcast.is_live:
            return False
        await own.broadcast.stop()
        return True

    async def aclose(self) -> None:
        """Stop all answers of this process and wait for their ``on_end``.

        Safe to repeat, and to cancel.
        """
        self._is_closed = True
        for followed in list(self._followed.values()):
            followed._end()  # noqa: SLF001 - `aclose` would stop the answer for all processes
        closing = [answer.broadcast.aclose() for answer in self._answers.values()]
        # Not `gather`, which would pass a cancellation on to the reports.
        if tasks := {*map(asyncio.ensure_future, closing), *self._reports}:
            await asyncio.wait(tasks)

    async def _find(self, chat_id: str) -> tuple[_Answer | None, AnswerKeys | None]:
        """Return the answer of a chat if this process generates it, else its keys in Redis."""
        _check_chat_id(chat_id)
        own = self._answers.get(chat_id)
        if self._store is None:
            return own, None
        try:
            keys = await self._store._find_answer(chat_id)  # noqa: SLF001 - hidden from users
        except BroadcastInterruptedError:
            own = self._answers.get(chat_id)
            if own is None or not own.broadcast.is_live:
                raise
            return own, None  # it continues if Redis comes back in time
        own = self._answers.get(chat_id)
        if own is not None and keys in (own.keys, None):
            return own, None
        return None, keys

    async def _follow_other(self, keys: AnswerKeys) -> Broadcast | None:
        """Return an answer that another process generates, read up to its last frame."""
        broadcast = self._followed.get(keys)
        if broadcast is not None and broadcast._has_lost_its_answer:  # noqa: SLF001 - hidden
            broadcast = None  # reading, which failed for earlier pages, may work now
        if broadcast is None and self._store is not None and not self._is_closed:
            reader = self._store._make_reader(keys)  # noqa: SLF001 - hidden from users
            broadcast = Broadcast._of_reader(  # noqa: SLF001 - hidden from users
                reader,
                grace=min(self._grace, _LINGER_SECONDS),
                on_over=lambda: self._forget_other(keys, opened),
            )
            self._followed[keys] = opened = broadcast
            broadcast.start()
        if broadcast is not None:
            await broadcast._catch_up()  # noqa: SLF001 - hidden from users
        return broadcast

    def _check_not_closed(self) -> None:
        if self._is_closed:
            msg = "these broadcasts are closed; begin answers before aclose()"
            raise RuntimeError(msg)

    def _forget(self, chat_id: str, broadcast: Broadcast) -> None:
        answer = self._answers.get(chat_id)
        if answer is not None and answer.broadcast is broadcast:
            del self._answers[chat_id]
            self._last_forgotten_epoch = max(self._last_forgotten_epoch, answer.epoch)

    def _forget_other(self, keys: AnswerKeys, broadcast: Broadcast) -> None:
        if self._followed.get(keys) is broadcast:
            del self._followed[keys]


def _check_chat_id(chat_id: object) -> None:
    if not isinstance(chat_id, str):
        msg = (
            f"chat_id is a text, as in str(chat.id), not an object of type {type(chat_id).__name__}"
        )
        raise TypeError(msg)


async def _report_end(answer: Broadcast, on_end: Callable[[Completion], object]) -> None:
    await answer.wait()
    try:
        result = on_end(answer.partial)
        if inspect.isawaitable(result):
            await result
    except Exception:
        _logger.exception("the hook on_end failed")
