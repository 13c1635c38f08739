"""The answers that are streaming, and those that ended a moment ago, by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aimlchat.relay import Broadcast

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.relay.adapters import WebSocket
    from aimlchat.stream import DeltaStream

__all__ = ["AnswerRegistry"]

# Seconds without a frame after which a heartbeat is sent. The page treats its connection as lost
# after SILENCE_LIMIT (25 s, in page/connection.js).
_HEARTBEAT = 10.0


@attrs.define
class _RegisteredAnswer:
    broadcast: Broadcast
    pages: int = 0  # how many follow it now


class AnswerRegistry:
    """Keeps each answer until no page has followed it for ``grace`` seconds."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._answers: dict[str, _RegisteredAnswer] = {}

    def __contains__(self, answer_id: str) -> bool:
        return answer_id in self._answers

    def add(self, answer_id: str, stream: DeltaStream) -> None:
        """Register a new answer. Its request is sent when the first page follows it."""
        broadcast = Broadcast(
            stream, grace=self._grace, on_over=lambda: self._answers.pop(answer_id, None)
        )
        self._answers[answer_id] = _RegisteredAnswer(broadcast)

    async def relay(
        self,
        answer_id: str,
        websocket: WebSocket,
        *,
        after: int,
        on_message: Callable[[str | bytes], object],
    ) -> None:
        """Send an answer to a page until the answer ends or the page disconnects.

        Args:
            answer_id: the id under which the answer was added.
            websocket: the page's connection.
            after: the number of the last frame that the page has, 0 for none.
            on_message: called with each message of the page other than a stop.

        Raises:
            KeyError: there is no such answer.
            AIMLChatError: the answer failed; the page has been sent the error by then.
        """
        answer = self._answers[answer_id]
        answer.pages += 1
        try:
            await answer.broadcast.relay(
                websocket,
                after=after,
                on_message=on_message,
                heartbeat=_HEARTBEAT,
                # No limit: a page stopped in a debugger takes no frames but is still there. A dead
                # connection is noticed by the pings of its web socket.
                patience=None,
            )
        finally:
            answer.pages -= 1

    async def abandon(self, answer_id: str) -> None:
        """Close the upstream connection of an answer, unless a page still follows it."""
        answer = self._answers.get(answer_id)
        if answer is not None and not answer.pages and answer.broadcast.is_live:
            await answer.broadcast.aclose()

    async def close(self) -> None:
        """End all answers."""
        for answer in list(self._answers.values()):
            await answer.broadcast.aclose()
