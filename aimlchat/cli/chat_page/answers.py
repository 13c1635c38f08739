"""The answers that are being written, and those that were a moment ago."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aimlchat.relay import Broadcast

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.iterators import DeltaStream
    from aimlchat.relay.adapters import WebSocket

__all__ = ["Answers"]

# The page notices a dead connection when it has heard nothing for a few of these seconds.
_HEARTBEAT = 10.0


@attrs.define
class _Answer:
    broadcast: Broadcast
    pages: int = 0


class Answers:
    """Each answer by the name that its page gave it, until ``grace`` seconds without a page."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._known: dict[str, _Answer] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def begin(self, name: str, stream: DeltaStream) -> None:
        """Take in a new answer; the call begins with the first page that it is shown to."""
        broadcast = Broadcast(
            stream, grace=self._grace, on_over=lambda: self._known.pop(name, None)
        )
        self._known[name] = _Answer(broadcast)

    async def show(
        self,
        name: str,
        websocket: WebSocket,
        *,
        after: int,
        on_message: Callable[[str | bytes], object],
    ) -> None:
        """Send an answer to its end, or until the page goes.

        ``after`` and ``on_message`` are as for `Broadcast.relay`. Raises `KeyError` for an unknown
        name, and what the answer failed with, which the page has been told then.
        """
        answer = self._known[name]
        answer.pages += 1
        try:
            await answer.broadcast.relay(
                websocket,
                after=after,
                on_message=on_message,
                heartbeat=_HEARTBEAT,
                # One that is held in a debugger still lives; a dead one is noticed by its pings.
                patience=None,
            )
        finally:
            answer.pages -= 1

    async def leave(self, name: str) -> None:
        """Close the upstream connection of an answer that no page will come back for."""
        answer = self._known.get(name)
        if answer is not None and not answer.pages and answer.broadcast.is_live:
            await answer.broadcast.aclose()

    async def close(self) -> None:
        """End them all."""
        for answer in list(self._known.values()):
            await answer.broadcast.aclose()
