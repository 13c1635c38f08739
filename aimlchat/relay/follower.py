"""One page that follows a broadcast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .frame_log import LogCursor

if TYPE_CHECKING:
    from collections.abc import Callable

    from .frame_log import FollowingPage, FrameLog

__all__ = ["Follower"]


class Follower(LogCursor):
    """The frames that one page has yet to be sent, and its place among a broadcast's followers."""

    def __init__(
        self, log: FrameLog, after: int, join: Callable[[], None], leave: Callable[[], None]
    ) -> None:
        super().__init__(log, after)
        self._join = join
        self._leave = leave
        self._page: FollowingPage | None = None
        self._has_joined = False
        self._has_left = False

    def start(self) -> None:
        """Join the followers of the broadcast; safe to repeat."""
        if not self._has_joined:
            self._join()
            self._has_joined = True

    def feed(self, page: FollowingPage) -> None:
        """Pass the frames of the broadcast to this page; called once."""
        self._page = page
        self._log.follow(page)

    def cancel(self) -> None:
        """Leave the followers of the broadcast; safe to repeat."""
        if self._page is not None:
            self._log.unfollow(self._page)
        if self._has_joined and not self._has_left:
            self._has_left = True
            self._leave()
