"""One stream for several pages, which may come late and come again."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from .backlog import Backlog
from .buffer import PageTooSlowError
from .delivery import attend
from .pump import Pump
from .sockets import PageGoneError, socket_of
from .sse import SSEEvents, respond
from .store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web

    from aimlchat.completions import Completion
    from aimlchat.iterators import DeltaStream

    from .frames import Frame
    from .sockets import WebSocket
    from .store import Store

__all__ = ["Broadcast"]

_logger = logging.getLogger("aimlchat")


class Broadcast:
    """One upstream call that any number of pages follow, each at its own pace.

    A page that comes late gets all that has been said in one frame of each kind, and then what
    comes. Every frame has a number; a page that lost its connection comes again with the last one
    that it saw. A page that goes only ends its own following; one that says ``stop`` stops the
    answer for all of them.

    Args:
        stream: what `ChatSession.stream` returns, not entered yet; the call begins with the first
            page, or with `start`.
        grace: seconds for which it is kept when no page follows it, or none any more: before its
            end, the upstream connection is closed after them; after its end, pages can come again
            for so long. Then it is over.
        store: where the frames are kept; default this process's memory.
        on_over: called once when it is over, for whoever has to forget it. What it raises is
            logged.
    """

    def __init__(
        self,
        stream: DeltaStream,
        *,
        grace: float = 60.0,
        store: Store | None = None,
        on_over: Callable[[], object] | None = None,
    ) -> None:
        self._store = store or MemoryStore()
        self._pump = Pump(stream, self._store)
        self._grace = grace
        self._on_over = on_over
        self._followers = 0
        self._is_over = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_over(self) -> bool:
        """Whether its time of grace has passed; pages come in vain then."""
        return self._is_over

    @property
    def is_live(self) -> bool:
        """Whether the model is still at it."""
        task = self._pump.task
        return task is not None and not task.done()

    @property
    def partial(self) -> Completion:
        """All that has come so far."""
        return self._pump.stream.partial

    def start(self) -> None:
        """Begin the upstream call, if it has not begun; the first page to follow does so too.

        Raises `RuntimeError` when the broadcast is over.
        """
        self._check()
        if self._pump.task is None:
            self._pump.start().add_done_callback(lambda _: self._rest())
            self._rest()

    async def relay(
        self,
        websocket: WebSocket,
        *,
        after: int = 0,
        on_message: Callable[[str | bytes], object] | None = None,
        heartbeat: float | None = 15.0,
        patience: float | None = 60.0,
    ) -> Completion:
        """Let a web socket follow until the end, as `aimlchat.relay.relay` does.

        ``after`` is the number of the last frame that this page has seen, 0 for a new page. It
        returns the completion, or, when the page went or somebody stopped the answer, what had
        come (``finish_reason`` is None then). Raises what the stream failed with; `RuntimeError`
        when the broadcast is over; `PageTooSlowError` when the page took longer than ``patience``
        for one frame. Cancelling ends the following and not the call.
        """
        socket = socket_of(websocket)
        follower = self._follower(after)
        follower.start()
        try:
            await attend(
                follower,
                socket,
                stop=self.stop,
                on_message=on_message,
                heartbeat=heartbeat,
                patience=patience,
            )
        except PageGoneError:
            return self.partial
        except PageTooSlowError as error:
            error.partial = self.partial
            raise
        finally:
            follower.drop()
        return self._pump.outcome()

    async def sse_response(
        self,
        request: web.Request,
        *,
        after: int | None = None,
        headers: Mapping[str, str] | None = None,
        heartbeat: float | None = 15.0,
        patience: float | None = 60.0,
    ) -> web.StreamResponse:
        """Let a request of aiohttp.web follow, as `aimlchat.relay.sse_response` does.

        The number of a frame is the id of its event. ``after`` is that of the last one seen;
        default the request's header ``Last-Event-ID``, which a browser's ``EventSource`` sends
        when it comes again.
        """
        if after is None:
            last = request.headers.get("Last-Event-ID", "")
            after = int(last) if last.isascii() and last.isdecimal() else 0
        follower = self._follower(after)
        follower.start()
        try:
            return await respond(
                request,
                follower,
                stop=self.stop,
                headers=headers,
                heartbeat=heartbeat,
                patience=patience,
            )
        finally:
            follower.drop()

    def sse_events(self, *, after: int = 0, heartbeat: float | None = 15.0) -> SSEEvents:
        """Return the events for another server's response, as `aimlchat.relay.sse_events` does."""
        follower = self._follower(after)
        return SSEEvents(follower, follower, heartbeat)

    async def stop(self) -> None:
        """Close the upstream connection; all pages keep what has come and are told of it."""
        await self._pump.stop()

    async def aclose(self) -> None:
        """Stop, and be over at once, without the time of grace. Safe to repeat."""
        await self._pump.stop()
        self._expire()

    def _check(self) -> None:
        if self._is_over:
            msg = "this broadcast is over"
            raise RuntimeError(msg)

    def _follower(self, after: int) -> _Follower:
        self._check()
        return _Follower(self._store, after, self._join, self._part)

    def _join(self) -> None:
        self.start()
        self._followers += 1
        self._rest()

    def _part(self) -> None:
        self._followers -= 1
        self._rest()

    def _rest(self) -> None:
        """Count the time of grace anew if no page follows."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._followers and not self._is_over:
            self._timer = asyncio.get_running_loop().call_later(self._grace, self._expire)

    def _expire(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._rest()
        self._pump.drop()
        if self._on_over is not None:
            try:
                self._on_over()
            except Exception:  # a hook that fails is not the broadcast's fault
                _logger.exception("the hook %r failed", self._on_over)


class _Follower:
    """One page's way through the frames of a broadcast."""

    def __init__(
        self, store: Store, after: int, join: Callable[[], None], part: Callable[[], None]
    ) -> None:
        self._store = store
        self._seen = max(after, 0)
        self._backlog = Backlog()
        self._join = join
        self._part = part
        self._has_joined = False
        self._has_parted = False

    def start(self) -> None:
        """Count as a page that follows, if it does not yet."""
        if not self._has_joined:
            self._join()
            self._has_joined = True

    def drop(self) -> None:
        """Count no longer; safe to repeat."""
        if self._has_joined and not self._has_parted:
            self._has_parted = True
            self._part()

    async def take(self) -> Frame | None:
        """Return what this page has not seen, joined where it can be; None at the end."""
        if not self._backlog:
            frames = await self._store.read(self._seen)
            if not frames:
                return None
            for frame in frames:
                self._seen += 1
                self._backlog.add({**frame, "number": self._seen})
        return self._backlog.take()
