"""The answers that are streaming, and those that ended a moment ago, by their ids."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from aimlchat.relay import Broadcast

from .error_details import AnswerStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from aimlchat.runs import ToolRun
    from aimlchat.stream import DeltaStream

    from .wait_notices import WaitNotice

__all__ = ["AnswerRegistry"]

# Seconds without a frame after which a heartbeat is sent. The page treats its connection as lost
# after SILENCE_LIMIT (25 s, in page/connection.js).
_HEARTBEAT = 10.0


# How many abandoned answers are remembered, for pages that come back.
_MAX_ABANDONED = 1000


@attrs.define
class _RegisteredAnswer:
    broadcast: Broadcast
    request_id: str
    notice: WaitNotice | None
    # The connections that follow it now, each with the id of its page. While a page reconnects, it
    # may have two.
    followers: dict[web.WebSocketResponse, str] = attrs.field(factory=dict)


class AnswerRegistry:
    """Keeps each answer until no page has followed it for ``grace`` seconds."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._answers: dict[str, _RegisteredAnswer] = {}
        self._abandoned: deque[str] = deque(maxlen=_MAX_ABANDONED)
        self._sending: set[asyncio.Task[None]] = set()

    def __contains__(self, answer_id: str) -> bool:
        return answer_id in self._answers

    def add(
        self,
        answer_id: str,
        stream: DeltaStream[Any] | ToolRun[Any],
        *,
        request_id: str,
        notice: WaitNotice | None = None,
    ) -> None:
        """Register a new answer. Its request is sent when the first page follows it.

        ``request_id`` is the ``client_request_id`` of the request. ``notice`` says why the request
        is held back, if it is.
        """
        broadcast = Broadcast(
            stream,
            grace=self._grace,
            store=AnswerStore(stream),
            on_over=lambda: self._answers.pop(answer_id, None),
        )
        self._answers[answer_id] = _RegisteredAnswer(broadcast, request_id, notice)

    def was_abandoned(self, answer_id: str) -> bool:
        """Return whether an answer was stopped because its last page had been left."""
        return answer_id in self._abandoned

    def report_wait(self, request_id: str, notice: WaitNotice) -> None:
        """Tell the pages of an answer, even those that join later, why it has not begun yet.

        Does nothing if the request belongs to no answer.
        """
        for answer in self._answers.values():
            if answer.request_id == request_id:
                answer.notice = notice
                for websocket in answer.followers:
                    task = asyncio.create_task(_send_notice(websocket, notice))
                    self._sending.add(task)
                    task.add_done_callback(self._sending.discard)

    async def relay(
        self,
        answer_id: str,
        websocket: web.WebSocketResponse,
        *,
        page_id: str,
        after: int,
        on_message: Callable[[str | bytes], object],
    ) -> None:
        """Send an answer to a page until the answer ends or the page disconnects.

        Args:
            answer_id: the id under which the answer was added.
            websocket: a connection of the page.
            page_id: the id of the page.
            after: the number of the last frame that the page has, 0 for none.
            on_message: called with each message of the page other than a stop.

        Raises:
            KeyError: there is no such answer.
            AIMLChatError: the answer failed; the page has been sent the error by then.
        """
        answer = self._answers[answer_id]
        answer.followers[websocket] = page_id
        try:
            if answer.notice is not None:
                if answer.broadcast.partial.choices:
                    answer.notice = None  # the answer has begun
                else:
                    await _send_notice(websocket, answer.notice)
            await answer.broadcast.relay(
                websocket,
                after=after,
                on_message=on_message,
                heartbeat=_HEARTBEAT,
                # No limit: a page stopped in a debugger reads no frames but is still there. A dead
                # connection is noticed by the pings of its web socket.
                patience=None,
            )
        finally:
            del answer.followers[websocket]

    async def abandon(self, answer_id: str, page_id: str) -> None:
        """Close the upstream connection of an answer, unless a page other than this follows it."""
        answer = self._answers.get(answer_id)
        if answer is None or not answer.broadcast.is_live:
            return
        if all(follower == page_id for follower in answer.followers.values()):
            self._abandoned.append(answer_id)
            await answer.broadcast.aclose()

    async def close(self) -> None:
        """End all answers."""
        for answer in list(self._answers.values()):
            await answer.broadcast.aclose()


async def _send_notice(websocket: web.WebSocketResponse, notice: WaitNotice) -> None:
    with contextlib.suppress(OSError):  # the page has disconnected, which its reader reports
        await websocket.send_json(notice.to_frame())
