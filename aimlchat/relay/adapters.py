"""Adapters that give the web sockets of several libraries one interface.

A web socket is recognized by its methods, so none of the libraries is imported.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import attrs

from .direct_write import write_directly
from .errors import PageGoneError
from .first_step import run_first_step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from .encoding import EncodedFrames

__all__ = ["Connection", "WebSocket", "adapt_websocket"]


class Connection(Protocol):
    """A connection to one page. Its methods raise `PageGoneError` once the page has closed it."""

    def write(self, frames: EncodedFrames) -> Callable[[], Awaitable[None]] | None:
        """Write frames, as far as that is possible without waiting.

        Returns None if the page has taken them; otherwise a function to await until it has, which
        is safe to cancel.
        """

    @property
    def receive(self) -> Callable[[], Awaitable[str | bytes]] | None:
        """What waits for the next message and returns it, and is safe to cancel.

        None if nothing can be received.
        """

    @property
    def needs_task_to_receive(self) -> bool:
        """Whether `receive` depends on the task that runs it from the start.

        If not, it waits for a future first, and may continue outside of a task when that is done.
        """


class AiohttpWebSocket(Protocol):
    """An ``aiohttp.web.WebSocketResponse``, prepared."""

    async def send_frame(self, message: bytes, opcode: Any) -> None: ...
    async def receive(self) -> Any: ...
    @property
    def closed(self) -> bool: ...


class StarletteWebSocket(Protocol):
    """A ``starlette.websockets.WebSocket``, accepted. FastAPI uses the same class."""

    async def send_text(self, data: str) -> None: ...
    async def receive(self) -> Any: ...
    @property
    def client_state(self) -> Any: ...
    @property
    def application_state(self) -> Any: ...


class WebsocketsConnection(Protocol):
    """A connection of the package ``websockets``."""

    async def send(self, message: str) -> None: ...
    async def recv(self) -> Any: ...
    @property
    def state(self) -> Any: ...


WebSocket: TypeAlias = (
    "AiohttpWebSocket | StarletteWebSocket | WebsocketsConnection"
    " | Callable[[str], Awaitable[object]]"
)


def adapt_websocket(websocket: WebSocket) -> Connection:
    """Wrap a web socket of any supported library.

    Raises `TypeError` for an object that has none of their methods and is not callable.
    """
    candidate: Any = websocket
    if hasattr(candidate, "send_frame"):
        return _AiohttpAdapter(candidate)
    if hasattr(candidate, "send_text"):
        return _StarletteAdapter(candidate)
    if hasattr(candidate, "recv"):
        return _WebsocketsAdapter(candidate)
    if callable(candidate):
        return _CallableAdapter(candidate)
    msg = (
        "websocket must be a web socket of aiohttp, Starlette or websockets, or an async callable"
        f" that sends a str; this is a {type(websocket).__name__}"
    )
    raise TypeError(msg)


class _AiohttpAdapter:
    def __init__(self, websocket: AiohttpWebSocket) -> None:
        # A caller with such a web socket has loaded aiohttp.
        from aiohttp import WSMsgType  # noqa: PLC0415

        from aimlchat._client.aiohttp_hooks import (  # noqa: PLC0415
            has_no_message,
            message_transport,
        )

        self._websocket = websocket
        self._text = WSMsgType.TEXT
        self._transport = message_transport(websocket)
        self.needs_task_to_receive = not has_no_message(websocket)

    def write(self, frames: EncodedFrames) -> Callable[[], Awaitable[None]] | None:
        transport = self._transport
        if (
            transport is not None
            and not self._websocket.closed
            and write_directly(transport, frames.framed_messages)
        ):
            return None
        return run_first_step(self._send(frames.messages))

    async def receive(self) -> str | bytes:
        message = await self._websocket.receive()
        if message.type.name not in ("TEXT", "BINARY"):  # CLOSE, CLOSING, CLOSED or ERROR
            raise PageGoneError
        data: str | bytes = message.data
        return data

    async def _send(self, messages: list[bytes]) -> None:
        try:
            for message in messages:
                await self._websocket.send_frame(message, self._text)
        except OSError as error:
            raise PageGoneError from error


@attrs.frozen
class _StarletteAdapter:
    _websocket: StarletteWebSocket
    needs_task_to_receive: ClassVar[bool] = True

    def write(self, frames: EncodedFrames) -> Callable[[], Awaitable[None]]:
        return partial(self._send, frames.texts)

    async def receive(self) -> str | bytes:
        if self._is_closed:
            raise PageGoneError
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise PageGoneError
        text = message.get("text")
        data: str | bytes = message["bytes"] if text is None else text
        return data

    async def _send(self, texts: list[str]) -> None:
        try:
            for text in texts:
                await self._websocket.send_text(text)
        except Exception as error:
            # The exception class differs between versions of Starlette; the state does not.
            if self._is_closed:
                raise PageGoneError from error
            raise

    @property
    def _is_closed(self) -> bool:
        states = self._websocket.client_state, self._websocket.application_state
        return any(state.name == "DISCONNECTED" for state in states)


@attrs.frozen
class _WebsocketsAdapter:
    _websocket: WebsocketsConnection
    needs_task_to_receive: ClassVar[bool] = True

    def write(self, frames: EncodedFrames) -> Callable[[], Awaitable[None]]:
        return partial(self._send, frames.texts)

    async def receive(self) -> str | bytes:
        try:
            data: str | bytes = await self._websocket.recv()
        except Exception as error:
            if self._is_closed:
                raise PageGoneError from error
            raise
        return data

    async def _send(self, texts: list[str]) -> None:
        try:
            for text in texts:
                await self._websocket.send(text)
        except Exception as error:
            if self._is_closed:
                raise PageGoneError from error
            raise

    @property
    def _is_closed(self) -> bool:
        return self._websocket.state.name in ("CLOSING", "CLOSED")


@attrs.frozen
class _CallableAdapter:
    """A bare async callable: nothing is received; a `ConnectionError` means the page has gone."""

    _callable: Callable[[str], Awaitable[object]]
    receive: ClassVar[None] = None
    needs_task_to_receive: ClassVar[bool] = False

    def write(self, frames: EncodedFrames) -> Callable[[], Awaitable[None]]:
        return partial(self._send, frames.texts)

    async def _send(self, texts: list[str]) -> None:
        try:
            for text in texts:
                await self._callable(text)
        except ConnectionError as error:
            raise PageGoneError from error
