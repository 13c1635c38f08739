"""The answers of many chats, each of which pages can resume and stop by the id of its chat."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Self
from weakref import WeakValueDictionary

from .broadcast import Broadcast

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.completions import Completion
    from aimlchat.stream import DeltaStream

    from .extra_frames import ExtraFrames

__all__ = ["Broadcasts"]

_logger = logging.getLogger("aimlchat")


class Broadcasts:
    """The answers that are being generated, one for each chat, by the id of the chat.

    An answer goes on when its page is closed or reloaded; the page finds it again with `follow`,
    and ends it with `stop`. Use it as ``async with``, or call `aclose` at the end.

    Args:
        grace: as for `Broadcast`: the seconds for which an answer is kept while no page follows it.
    """

    def __init__(self, *, grace: float = 60.0) -> None:
        self._grace = grace
        self._answers: dict[str, Broadcast] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._reports: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def start(
        self,
        chat_id: str,
        stream: DeltaStream,
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
            stream: what `ChatSession.stream` returns, not entered yet.
            message_id: as for `aimlchat.relay.relay`.
            extra: as for `aimlchat.relay.relay`.
            on_end: called once when the answer has ended, whichever way, with what was received,
                for example to store it; ``is_complete`` is False if the answer failed or was
                stopped. A plain callable or a coroutine function; what it raises is logged.

        Raises:
            RuntimeError: this object is closed.
        """
        # Two starts of one chat at once: the later one replaces the earlier one.
        lock = self._locks.setdefault(chat_id, asyncio.Lock())
        async with lock:
            if self._is_closed:
                msg = "these broadcasts are closed; begin answers before aclose()"
                raise RuntimeError(msg)
            answer = Broadcast(
                stream,
                grace=self._grace,
                on_over=lambda: self._forget(chat_id, answer),
                message_id=message_id,
                extra=extra,
            )
            earlier = self._answers.get(chat_id)
            self._answers[chat_id] = answer
            answer.start()
            if on_end is not None:
                report = asyncio.create_task(_report_end(answer, on_end), name="aimlchat.relay end")
                self._reports.add(report)
                report.add_done_callback(self._reports.discard)
        if earlier is not None:
            await earlier.stop()
        return answer

    async def follow(self, chat_id: str, *, only_live: bool = False) -> Broadcast | None:
        """Return the answer of a chat, to send it to a page; None if there is none to resume.

        Cancelling is safe.

        Args:
            chat_id: the id of the chat. Check that it belongs to the user who sends it.
            only_live: whether to return None also for an answer that has ended and is still kept,
                as for a page that has loaded all ended answers from elsewhere.
        """
        answer = self._answers.get(chat_id)
        return answer if answer is not None and (answer.is_live or not only_live) else None

    async def stop(self, chat_id: str) -> bool:
        """Stop the answer of a chat; its pages keep what they have and are sent ``abort``.

        Cancelling is safe: the answer is stopped all the same.

        Returns:
            Whether there was an answer that had not ended.
        """
        answer = self._answers.get(chat_id)
        if answer is None or not answer.is_live:
            return False
        await answer.stop()
        return True

    async def aclose(self) -> None:
        """Stop all answers and wait for their ``on_end``. Safe to repeat, and to cancel."""
        self._is_closed = True
        answers = list(self._answers.values())
        await asyncio.gather(*(answer.aclose() for answer in answers), *self._reports)

    def _forget(self, chat_id: str, answer: Broadcast) -> None:
        if self._answers.get(chat_id) is answer:
            del self._answers[chat_id]


async def _report_end(answer: Broadcast, on_end: Callable[[Completion], object]) -> None:
    await answer.wait()
    try:
        result = on_end(answer.partial)
        if inspect.isawaitable(result):
            await result
    except Exception:
        _logger.exception("the hook on_end failed")
