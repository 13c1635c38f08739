"""One page that follows a broadcast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .buffer import FrameQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from .frames import Frame
    from .store import Store

__all__ = ["Follower"]


class Follower:
    """The frames of a broadcast for one page: a `FrameSource`, and its own `FrameProducer`."""

    def __init__(
        self, store: Store, after: int, join: Callable[[], None], leave: Callable[[], None]
    ) -> None:
        self._store = store
        self._last_number = max(after, 0)
        self._queue = FrameQueue()
        self._join = join
        self._leave = leave
        self._has_joined = False
        self._has_left = False

    def start(self) -> None:
        """Join the followers of the broadcast; safe to repeat."""
        if not self._has_joined:
            self._join()
            self._has_joined = True

    def cancel(self) -> None:
        """Leave the followers of the broadcast; safe to repeat."""
        if self._has_joined and not self._has_left:
            self._has_left = True
            self._leave()

    async def take(self) -> Frame | None:
        """Wait for the next frame, with waiting deltas joined; None after the last."""
        if not self._queue:
            frames = await self._store.read(self._last_number)
            if not frames:
                return None
            self._last_number = frames[-1]["number"]
            for frame in frames:
                self._queue.add(frame)
        return self._queue.take()
