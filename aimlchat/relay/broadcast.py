"""One stream for several pages, which may join late and reconnect."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import TYPE_CHECKING, Any

from aimlchat._client.hooks import call_hook

from .adapters import adapt_websocket
from .delivery import deliver
from .errors import PageGoneError, PageTooSlowError, attach_partial
from .follower import Follower
from .frame_log import FrameLog
from .page import Page
from .pump import Pump
from .redis_answer import RedisAnswer
from .redis_reader import RedisReader
from .redis_store import RedisStore
from .sse_events import SSEEvents
from .sse_response import send_response
from .store import MemoryStore
from .store_reader import StoreReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web

    from aimlchat.completions import Completion
    from aimlchat.runs import ToolRun
    from aimlchat.stream import DeltaStream

    from .adapters import WebSocket
    from .extra_frames import ExtraFrames
    from .store import Store

__all__ = ["Broadcast"]


class Broadcast:
    """One upstream call that any number of pages follow, each at its own pace.

    A page that joins late is sent what has been received so far, with the deltas of each part
    joined into one frame, and then the frames as they arrive. Every frame has a number; a page that
    lost its connection reconnects with the number of the last frame that it received. A page that
    disconnects does not affect the others; a page that sends ``stop`` stops the answer for all.

    Args:
        stream: what `ChatSession.stream` or `ChatSession.run` returns, not entered yet. The call
            begins when the first page joins, or with `start`.
        grace: seconds for which the broadcast is kept while no page follows it. A stream that has
            not ended by then is closed; after its end, pages can still join for this long. Then the
            broadcast is over.
        store: where the frames are kept; by default the memory of this process. With a `RedisStore`
            other processes follow it through `Broadcasts`.
        on_over: called once when the broadcast is over, for example to drop it from a registry.
            An exception in it is logged.
        message_id: as for `aimlchat.relay.relay`.
        extra: as for `aimlchat.relay.relay`; it is read once, for all pages.
    """

    def __init__(
        self,
        stream: DeltaStream[Any] | ToolRun[Any],
        *,
        grace: float = 60.0,
        store: Store | RedisStore | None = None,
        on_over: Callable[[], object] | None = None,
        message_id: str | None = None,
        extra: ExtraFrames | None = None,
    ) -> None:
        if isinstance(store, RedisStore):
            store = store._make_answer(uuid.uuid4().hex)  # noqa: SLF001 - hidden from users
        store = store or MemoryStore()
        self._set_up(store, Pump(stream, store, message_id, extra=extra), grace, on_over)
        if isinstance(store, RedisAnswer):
            store.on_stop(self.stop)

    @classmethod
    def _of_reader(
        cls, reader: RedisReader, *, grace: float, on_over: Callable[[], object]
    ) -> Broadcast:
        """Return a broadcast of an answer that another process generates."""
        broadcast = cls.__new__(cls)
        broadcast._set_up(reader.memory, reader, grace, on_over)  # noqa: SLF001 - its own
        return broadcast

    def _set_up(
        self,
        store: Store,
        pump: Pump | RedisReader,
        grace: float,
        on_over: Callable[[], object] | None,
    ) -> None:
        self._store = store
        self._log, self._reader = _open_log(store)
        self._pump = pump
        self._grace = grace
        self._on_over = on_over
        self._follower_count = 0
        self._is_over = False
        self._grace_timer: asyncio.TimerHandle | None = None

    @property
    def is_over(self) -> bool:
        """Whether the grace period has passed, or `aclose` was called; pages can no longer join."""
        return self._is_over

    @property
    def is_live(self) -> bool:
        """Whether the stream is still being read."""
        task = self._pump.task
        return task is not None and not task.done()

    @property
    def partial(self) -> Completion:
        """The completion as far as it has been received."""
        return self._pump.stream.partial

    def start(self) -> None:
        """Begin the upstream call, unless it has begun; the first page that joins does so too.

        Raises:
            RuntimeError: the broadcast is over.
        """
        self._check_not_over()
        if self._pump.task is None:
            self._pump.start().add_done_callback(lambda _: self._restart_grace_timer())
            if self._reader is not None:
                self._reader.start()
            self._restart_grace_timer()

    async def relay(
        self,
        websocket: WebSocket,
        *,
        after: int = 0,
        on_message: Callable[[str | bytes], object] | None = None,
        heartbeat: float | None = 15.0,
        patience: float | None = 60.0,
    ) -> Completion:
        """Send the broadcast over a web socket until its end, as `aimlchat.relay.relay` does.

        Cancelling ends the delivery to this page, not the call.

        Args:
            websocket: as for `aimlchat.relay.relay`.
            after: the number of the last frame that this page has received, 0 for a new page.
            on_message: called with every message of the page that is not a stop.
            heartbeat: seconds without a frame after which a heartbeat is sent; None for never.
            patience: seconds that the page may take to accept one frame; None for no limit.

        Returns:
            The whole completion. If the page disconnected or the answer was stopped, the part that
            had been received; its ``is_complete`` is False.

        Raises:
            AIMLChatError: the stream failed; the page has been sent an ``error`` frame.
            PageTooSlowError: the page did not accept a frame within ``patience``.
            RuntimeError: the broadcast is over.
            TypeError: ``websocket`` is not a web socket.
        """
        connection = adapt_websocket(websocket)
        follower = self._build_follower(after)
        follower.start()
        page = Page(follower, connection, heartbeat=heartbeat, patience=patience)
        follower.feed(page)
        try:
            await deliver(page, connection, stop=self.stop, on_message=on_message)
        except PageGoneError:
            return self.partial
        except PageTooSlowError as error:
            if isinstance(self._pump, Pump):
                attach_partial(error, self._pump.stream)
            else:
                error.partial = self.partial
            raise
        finally:
            follower.cancel()
        return self._pump.result()

    async def sse_response(
        self,
        request: web.Request,
        *,
        after: int | None = None,
        headers: Mapping[str, str] | None = None,
        heartbeat: float | None = 15.0,
        patience: float | None = 60.0,
    ) -> web.StreamResponse:
        """Answer a request of aiohttp.web with the broadcast; return the response that was sent.

        The id of an event is the number of its frame. Cancelling ends the delivery to this page,
        not the call.

        Args:
            request: the request to answer.
            after: the number of the last frame that this page has received; by default it is read
                from the request header ``Last-Event-ID``, which a browser's ``EventSource`` sends
                when it reconnects.
            headers: as for `sse_response`.
            heartbeat: as for `sse_response`.
            patience: as for `sse_response`.

        Raises:
            RuntimeError: the broadcast is over.
        """
        if after is None:
            # Anything but a number means a new page, and so does a number beyond that of any frame.
            last_id = request.headers.get("Last-Event-ID", "")
            after = int(last_id) if re.fullmatch("[0-9]{1,15}", last_id) else 0
        follower = self._build_follower(after)
        if request.method == "HEAD":  # it gets no frame, and begins no call
            self._check_not_over()
        else:
            follower.start()
        try:
            return await send_response(
                request,
                follower,
                follower.feed,
                stop=self.stop,
                headers=headers,
                heartbeat=heartbeat,
                patience=patience,
            )
        finally:
            follower.cancel()

    def sse_events(self, *, after: int = 0, heartbeat: float | None = 15.0) -> SSEEvents:
        """Return the events for a response of any other server, as `sse_events` does.

        Args:
            after: the number of the last frame that this page has received, 0 for a new page.
            heartbeat: as for `sse_events`.

        Raises:
            RuntimeError: the broadcast is over.
        """
        follower = self._build_follower(after)
        return SSEEvents(follower, follower, heartbeat, feed=follower.feed)

    async def wait(self) -> None:
        """Wait until the answer has ended, in whatever way. Cancelling is safe.

        Raises:
            RuntimeError: the broadcast has not been started.
        """
        if self._pump.task is None:
            msg = "this broadcast has not been started"
            raise RuntimeError(msg)
        await asyncio.wait({self._pump.task})

    async def stop(self) -> None:
        """Close the upstream connection; every page keeps what it has and is sent ``abort``.

        Cancelling is safe: the answer is stopped all the same.
        """
        await self._pump.stop()

    async def aclose(self) -> None:
        """Stop the answer and end the broadcast at once, without a grace period.

        Safe to repeat, and to cancel: the answer and the broadcast end all the same.
        """
        try:
            await self._pump.stop()
        finally:
            self._end()

    @property
    def _has_lost_its_answer(self) -> bool:
        """Whether an answer of another process could not be read any more."""
        return isinstance(self._pump, RedisReader) and self._pump.has_failed

    async def _catch_up(self) -> None:
        """Read an answer of another process up to its last frame."""
        if isinstance(self._pump, RedisReader):
            self._add_follower()  # the grace period may be shorter than Redis takes
            try:
                await self._pump.catch_up()
            finally:
                self._remove_follower()

    def _check_not_over(self) -> None:
        if self._is_over:
            msg = (
                "this broadcast is over: it was closed, or no page followed it for"
                f" {self._grace:g} s; make a new one from a new stream"
            )
            raise RuntimeError(msg)

    def _build_follower(self, after: int) -> Follower:
        self._check_not_over()
        return Follower(self._log, after, self._add_follower, self._remove_follower)

    def _add_follower(self) -> None:
        self.start()
        self._follower_count += 1
        self._restart_grace_timer()

    def _remove_follower(self) -> None:
        self._follower_count -= 1
        self._restart_grace_timer()

    def _restart_grace_timer(self) -> None:
        """Restart the grace period if no page follows, else stop it."""
        if self._grace_timer is not None:
            self._grace_timer.cancel()
            self._grace_timer = None
        if not self._follower_count and not self._is_over:
            loop = asyncio.get_running_loop()
            self._grace_timer = loop.call_later(self._grace, self._expire)

    def _expire(self) -> None:
        if isinstance(self._store, RedisAnswer) and self.is_live:
            self._check = asyncio.ensure_future(self._stop_unless_followed(self._store))
        else:
            self._end()

    async def _stop_unless_followed(self, answer: RedisAnswer) -> None:
        is_followed = await answer.is_followed()
        if is_followed or self._follower_count:  # a page of this process may have joined meanwhile
            self._restart_grace_timer()
        else:
            # Pages of other processes may still join, and have to learn that the answer has ended.
            await self._pump.stop()

    def _end(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._restart_grace_timer()
        self._pump.cancel()
        if self._reader is not None:
            self._reader.cancel()
        call_hook(self._on_over)


def _open_log(store: Store) -> tuple[FrameLog, StoreReader | None]:
    """Return the log that the pages of this process follow, and its reader, if it has one."""
    if isinstance(store, RedisAnswer):
        store = store.memory
    if isinstance(store, MemoryStore):
        return store.log, None
    log = FrameLog()
    return log, StoreReader(store, log)
