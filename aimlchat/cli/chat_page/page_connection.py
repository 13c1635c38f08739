"""The web socket of one page: reads its messages and sends it its answers."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from aimlchat.errors import AIMLChatError, InvalidRequestError

from .page_messages import (
    AskMessage,
    FollowMessage,
    HelloMessage,
    LeavingMessage,
    LeftMessage,
    decode_message,
)
from .wait_notices import WaitNotice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aimlchat.request import ChatRequest
    from aimlchat.runs import ToolRun
    from aimlchat.session import ChatSession
    from aimlchat.stream import DeltaStream
    from aimlchat.tool_types import Tool

    from .answer_registry import AnswerRegistry
    from .page_loads import PageLoads
    from .page_messages import PageMessage

__all__ = ["PageConnection"]

# Seconds. A page says that it is being left before its browser requests the page again, but on
# another connection, and a busy server may read that one first.
_READING_DELAY = 0.01

# How many messages may wait while an answer is sent. Our script sends one question at most.
_MAX_UNREAD_MESSAGES = 4
_MAX_UNREAD_SIZE = 64 * 1024 * 1024

_ANSWER_GONE = (
    "The rest of this answer is lost: the connection was down for too long, or the server was"
    " restarted."
)
_INVALID_MESSAGE = "The server cannot read this page's message. Reload the page."


class PageConnection:
    """Serves one page. ``on_error`` is called with every error that ended an answer."""

    def __init__(  # noqa: PLR0917 - all of them are required
        self,
        websocket: web.WebSocketResponse,
        session: ChatSession,
        answers: AnswerRegistry,
        loads: PageLoads,
        on_error: Callable[[AIMLChatError], object],
        tools: Sequence[Tool],
    ) -> None:
        self._websocket = websocket
        self._session = session
        self._answers = answers
        self._loads = loads
        self._on_error = on_error
        self._tools = tools
        # Messages that arrived while an answer was being sent.
        self._unread: deque[str | bytes] = deque()
        self._closing: asyncio.Task[bool] | None = None
        self._answer_id = ""
        self._page_id = secrets.token_hex(8)  # until the page says its own
        # Another page that is loaded between these times may be a reload of this one.
        self._may_reload_since = asyncio.get_running_loop().time()
        self._may_reload_until = float("inf")
        self._is_leaving = False

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
            else:
                self._note(message)

    async def abandon_answer(self) -> None:
        """End the answer at once if its page was closed, and neither reloaded nor disconnected.

        RFC 6455 section 7.4.1: a browser sends 1001 when a tab is closed, reloaded or navigates
        away. Our script sends 1000 when it wants no more of the answer. A lost connection has
        neither.
        """
        code = self._websocket.close_code
        if code == WSCloseCode.GOING_AWAY:
            if await self._loads.include_reload(
                self._page_id,
                self._answer_id,
                since=self._may_reload_since,
                until=self._may_reload_until,
            ):
                return
        elif code != WSCloseCode.OK:
            return
        await self._answers.abandon(self._answer_id, self._page_id)

    async def _receive(self) -> str | bytes | None:
        """Return the next message, or None once the page has disconnected."""
        if self._websocket.close_code is not None:
            return None  # it wants no answer to its earlier messages
        if self._unread:
            return self._unread.popleft()
        message = await self._websocket.receive()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            data: str | bytes = message.data
            return data
        return None

    def _note(self, message: PageMessage) -> bool:
        """Handle a message that needs no response; return whether it was such a message."""
        if isinstance(message, HelloMessage):
            self._page_id = message.page_id
            self._answer_id = message.answer_id or self._answer_id
            self._loads.say_hello(message.page_id, message.answer_id)
        elif isinstance(message, LeavingMessage):
            self._may_reload_since = asyncio.get_running_loop().time() - _READING_DELAY
            self._is_leaving = True
        elif isinstance(message, LeftMessage):
            self._may_reload_until = asyncio.get_running_loop().time()
            if not self._is_leaving:
                self._may_reload_until = float("-inf")
        else:
            return False
        return True

    def _receive_during_answer(self, data: str | bytes) -> None:
        """Keep a message until the answer has been sent; disconnect a page that sends too many."""
        if self._closing is not None:
            return
        with contextlib.suppress(msgspec.DecodeError):  # reported once the answer has been sent
            if self._note(decode_message(data)):
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
                request_id = secrets.token_hex(16)
                request = message.to_request(has_tools=bool(self._tools))
                request = request.options(client_request_id=request_id)
                request.payload(stream=True)
            except InvalidRequestError as error:
                # The page may show this error: it names only what the page sent, and what to
                # change.
                await self._send_error("bad_request", f"This cannot be sent: {error}")
                return
            self._answers.add(
                message.answer_id,
                self._answer(request),
                request_id=request_id,
                notice=self._find_cooldown(request.model),
            )
        await self._relay(message.answer_id, after=0)

    async def _follow(self, message: FollowMessage) -> None:
        if message.answer_id in self._answers:
            await self._relay(message.answer_id, after=message.after)
        elif self._answers.was_abandoned(message.answer_id):
            await self._send({"type": "abort", "reason": "left"})
        else:
            await self._send_error("gone", _ANSWER_GONE)

    def _answer(self, request: ChatRequest) -> DeltaStream[Any] | ToolRun[Any]:
        if self._tools:
            return self._session.run(request, tools=self._tools)
        return self._session.stream(request)

    def _find_cooldown(self, model: str | None) -> WaitNotice | None:
        """Return a notice if the server makes other questions to this model wait."""
        limiter = self._session._context.limiter  # noqa: SLF001 - hidden from users
        seconds = limiter.cooldown_left(model or self._session.model)
        return WaitNotice.of_queue(seconds) if seconds else None

    async def _relay(self, answer_id: str, *, after: int) -> None:
        self._answer_id = answer_id
        try:
            await self._answers.relay(
                answer_id,
                self._websocket,
                page_id=self._page_id,
                after=after,
                on_message=self._receive_during_answer,
            )
        except AIMLChatError as error:
            self._on_error(error)

    async def _send_error(self, code: str, sentence: str) -> None:
        """Send the two frames with which the relay reports an error."""
        await self._send(
            {"type": "data-error", "data": {"code": code}, "transient": True},
            {"type": "error", "errorText": sentence},
        )

    async def _send(self, *frames: dict[str, Any]) -> None:
        try:
            for frame in frames:
                await self._websocket.send_json(frame)
        except OSError:
            return  # the page has disconnected; the next receive reports it
