"""The web socket of one page: reads its messages and sends it its answers."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from aimlchat.errors import AIMLChatError, InvalidRequestError

from .page_messages import AskMessage, FollowMessage, decode_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.session import ChatSession

    from .answer_registry import AnswerRegistry

__all__ = ["PageConnection"]

# RFC 6455 section 7.4.1: a browser sends 1001 when a tab is closed or navigates away, and our
# script sends 1000. A lost connection has neither.
_DELIBERATE_CLOSE_CODES = (1000, 1001)
# A reload closes the web socket deliberately, too. The browser requests the new page before it
# closes the old one, and this many seconds are ample for that.
_RELOAD_WINDOW = 5.0

# What may wait while an answer is being sent. Our script sends one question at most.
_MAX_UNREAD_MESSAGES = 4
_MAX_UNREAD_SIZE = 64 * 1024 * 1024

_ANSWER_GONE = (
    "The rest of this answer is lost: the connection was down for too long, or the server was"
    " restarted."
)
_INVALID_MESSAGE = "The server cannot read this page's message. Reload the page."


class PageConnection:
    """Serves one page. ``on_error`` is called with every error that ended an answer."""

    def __init__(
        self,
        websocket: web.WebSocketResponse,
        session: ChatSession,
        answers: AnswerRegistry,
        on_error: Callable[[AIMLChatError], object],
    ) -> None:
        self._websocket = websocket
        self._session = session
        self._answers = answers
        self._on_error = on_error
        # Messages that arrived while an answer was being sent.
        self._unread: deque[str | bytes] = deque()
        self._closing: asyncio.Task[bool] | None = None
        self._opened_at = asyncio.get_running_loop().time()
        self._answer_id = ""

    async def serve(self) -> None:
        """Serve the page until it disconnects."""
        while (data := await self._receive()) is not None:
            try:
                message = decode_message(data)
            except msgspec.DecodeError:
                await self._send_error("unreadable", _INVALID_MESSAGE)
                continue
            if isinstance(message, AskMessage):
                await self._ask(message)
            elif isinstance(message, FollowMessage):
                await self._follow(message)

    async def abandon_answer(self, last_page_load: float) -> None:
        """End the answer at once if its page was closed, and neither reloaded nor disconnected.

        ``last_page_load`` is when the page was last requested, on the clock of the event loop.
        """
        now = asyncio.get_running_loop().time()
        is_reload = last_page_load > max(self._opened_at, now - _RELOAD_WINDOW)
        if self._websocket.close_code in _DELIBERATE_CLOSE_CODES and not is_reload:
            await self._answers.abandon(self._answer_id)

    async def _receive(self) -> str | bytes | None:
        """Return the next message, or None once the page has disconnected."""
        if self._unread:
            return self._unread.popleft()
        message = await self._websocket.receive()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            data: str | bytes = message.data
            return data
        return None

    def _keep_unread(self, data: str | bytes) -> None:
        """Keep a message until the answer has been sent; disconnect a page that sends too many."""
        if self._closing is not None:
            return
        self._unread.append(data)
        size = sum(map(len, self._unread))
        if len(self._unread) > _MAX_UNREAD_MESSAGES or size > _MAX_UNREAD_SIZE:
            self._unread.clear()
            self._closing = asyncio.ensure_future(
                self._websocket.close(
                    code=WSCloseCode.POLICY_VIOLATION, message=b"too many messages are waiting"
                )
            )

    async def _ask(self, message: AskMessage) -> None:
        if message.answer_id not in self._answers:
            try:
                request = message.to_request()
                request.payload(stream=True)
            except InvalidRequestError as error:
                # The page may show this error: it names only what the page sent, and what to
                # change.
                await self._send_error("bad_request", f"This cannot be sent: {error}")
                return
            self._answers.add(message.answer_id, self._session.stream(request))
        await self._relay(message.answer_id, after=0)

    async def _follow(self, message: FollowMessage) -> None:
        if message.answer_id in self._answers:
            await self._relay(message.answer_id, after=message.after)
        else:
            await self._send_error("gone", _ANSWER_GONE)

    async def _relay(self, answer_id: str, *, after: int) -> None:
        self._answer_id = answer_id
        try:
            await self._answers.relay(
                answer_id, self._websocket, after=after, on_message=self._keep_unread
            )
        except AIMLChatError as error:
            self._on_error(error)

    async def _send_error(self, code: str, sentence: str) -> None:
        """Send the two frames with which the relay reports an error."""
        frames: tuple[dict[str, Any], ...] = (
            {"type": "data-error", "data": {"code": code}, "transient": True},
            {"type": "error", "errorText": sentence},
        )
        try:
            for frame in frames:
                await self._websocket.send_json(frame)
        except OSError:
            return  # the page has disconnected; the next receive reports it
