"""One page's web socket: what it asks, and what it is shown."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import WSMsgType, web

from aimlchat.errors import AIMLChatError, InvalidRequestError

from .orders import Ask, Follow, order_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.session import ChatSession

    from .answers import Answers

__all__ = ["Talk"]

# What a browser says when a tab is closed or goes elsewhere, and what a script says that is done
# (RFC 6455 section 7.4.1). A connection that was lost says neither.
_GOODBYES = (1000, 1001)
# A reload is a goodbye, too; but the new page is asked for before the old one is given up, and
# surely not so many seconds before.
_RELOAD = 5.0

_GONE = "The connection to this answer was lost for too long, or the server was started anew."
_UNREADABLE = "The page and the server do not understand each other. Reload the page."


class Talk:
    """Answers one page. ``on_failure`` is called with every error that a stream ended with."""

    def __init__(
        self,
        websocket: web.WebSocketResponse,
        session: ChatSession,
        answers: Answers,
        on_failure: Callable[[AIMLChatError], object],
    ) -> None:
        self._websocket = websocket
        self._session = session
        self._answers = answers
        self._on_failure = on_failure
        # What the page said while it was shown an answer.
        self._unread: deque[str | bytes] = deque()
        self._began = asyncio.get_running_loop().time()
        self._shown = ""

    async def listen(self) -> None:
        """Answer until the page goes."""
        while (message := await self._next()) is not None:
            try:
                order = order_of(message)
            except msgspec.DecodeError:
                await self._tell("unreadable", _UNREADABLE)
                continue
            if isinstance(order, Ask):
                await self._ask(order)
            elif isinstance(order, Follow):
                await self._follow(order)

    async def leave(self, last_visit: float) -> None:
        """End the answer of a page that has left for good, at once.

        ``last_visit`` is when the page was last asked for, on the loop's clock.
        """
        now = asyncio.get_running_loop().time()
        reloads = last_visit > max(self._began, now - _RELOAD)
        if self._websocket.close_code in _GOODBYES and not reloads:
            await self._answers.leave(self._shown)

    async def _next(self) -> str | bytes | None:
        if self._unread:
            return self._unread.popleft()
        message = await self._websocket.receive()
        said: str | bytes = message.data
        return said if message.type in (WSMsgType.TEXT, WSMsgType.BINARY) else None

    async def _ask(self, ask: Ask) -> None:
        if ask.name not in self._answers:
            try:
                request = ask.request()
                request.payload(stream=True)
            except InvalidRequestError as error:
                # These are our own words about the page's own input, and say what to change.
                await self._tell("bad_request", f"This cannot be sent: {error}")
                return
            self._answers.begin(ask.name, self._session.stream(request))
        await self._show(ask.name, 0)

    async def _follow(self, follow: Follow) -> None:
        if follow.name in self._answers:
            await self._show(follow.name, follow.after)
        else:
            await self._tell("gone", _GONE)

    async def _show(self, name: str, after: int) -> None:
        self._shown = name
        try:
            await self._answers.show(
                name, self._websocket, after=after, on_message=self._unread.append
            )
        except AIMLChatError as error:
            self._on_failure(error)

    async def _tell(self, code: str, sentence: str) -> None:
        """Tell of an error as the relay does."""
        frames: tuple[dict[str, Any], ...] = (
            {"type": "data-error", "data": {"code": code}, "transient": True},
            {"type": "error", "errorText": sentence},
        )
        try:
            for frame in frames:
                await self._websocket.send_json(frame)
        except OSError:
            return  # nobody is there to be told; the next message says so
