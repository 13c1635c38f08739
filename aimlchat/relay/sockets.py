"""Web sockets of several libraries as one, told apart by what they can do and never imported."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from .frames import encoded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from .frames import Frame

__all__ = ["PageGoneError", "Socket", "WebSocket", "socket_of"]


class PageGoneError(Exception):
    """Nobody is there any more. It never leaves this package."""


class Socket(Protocol):
    """One page. Both methods raise `PageGoneError` once it has gone; cancelling both is safe."""

    async def send(self, frame: Frame) -> None:
        """Send a frame; returns when the connection has taken it."""

    async def receive(self) -> str | bytes:
        """Return the next message."""


class AiohttpSocket(Protocol):
    """An ``aiohttp.web.WebSocketResponse``, prepared."""

    async def send_str(self, data: str) -> None: ...
    async def receive(self) -> Any: ...


class StarletteSocket(Protocol):
    """A ``starlette.websockets.WebSocket``, accepted; FastAPI's is the same."""

    async def send_text(self, data: str) -> None: ...
    async def receive(self) -> Any: ...
    @property
    def client_state(self) -> Any: ...
    @property
    def application_state(self) -> Any: ...


class WebsocketsSocket(Protocol):
    """A connection of the package ``websockets``."""

    async def send(self, message: str) -> None: ...
    async def recv(self) -> Any: ...
    @property
    def state(self) -> Any: ...


WebSocket: TypeAlias = (
    "AiohttpSocket | StarletteSocket | WebsocketsSocket | Callable[[str], Awaitable[object]]"
)


def socket_of(websocket: WebSocket) -> Socket:
    """Tell by its methods which library a web socket is of.

    Raises `TypeError` for what is none of them and cannot be called either.
    """
    known: Any = websocket
    if hasattr(known, "send_str"):
        return _Aiohttp(known)
    if hasattr(known, "send_text"):
        return _Starlette(known)
    if hasattr(known, "recv"):
        return _Websockets(known)
    if callable(known):
        return _SendOnly(known)
    msg = (
        "a web socket is one of aiohttp, Starlette or websockets, or an async callable that sends"
        f" a str; this is a {type(websocket).__name__}"
    )
    raise TypeError(msg)


@attrs.frozen
class _Aiohttp:
    _websocket: AiohttpSocket

    async def send(self, frame: Frame) -> None:
        try:
            await self._websocket.send_str(encoded(frame).decode())
        except OSError as error:
            raise PageGoneError from error

    async def receive(self) -> str | bytes:
        message = await self._websocket.receive()
        if message.type.name not in ("TEXT", "BINARY"):  # CLOSE, CLOSING, CLOSED or ERROR
            raise PageGoneError
        said: str | bytes = message.data
        return said


@attrs.frozen
class _Starlette:
    _websocket: StarletteSocket

    async def send(self, frame: Frame) -> None:
        try:
            await self._websocket.send_text(encoded(frame).decode())
        except Exception as error:
            # Its exception has changed between versions; the state that it leaves has not.
            if self._is_closed:
                raise PageGoneError from error
            raise

    async def receive(self) -> str | bytes:
        if self._is_closed:
            raise PageGoneError
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise PageGoneError
        text = message.get("text")
        said: str | bytes = message["bytes"] if text is None else text
        return said

    @property
    def _is_closed(self) -> bool:
        states = self._websocket.client_state, self._websocket.application_state
        return any(state.name == "DISCONNECTED" for state in states)


@attrs.frozen
class _Websockets:
    _websocket: WebsocketsSocket

    async def send(self, frame: Frame) -> None:
        try:
            await self._websocket.send(encoded(frame).decode())
        except Exception as error:
            if self._is_closed:
                raise PageGoneError from error
            raise

    async def receive(self) -> str | bytes:
        try:
            said: str | bytes = await self._websocket.recv()
        except Exception as error:
            if self._is_closed:
                raise PageGoneError from error
            raise
        return said

    @property
    def _is_closed(self) -> bool:
        return self._websocket.state.name in ("CLOSING", "CLOSED")


@attrs.frozen
class _SendOnly:
    """A bare callable: it says nothing, and a connection error of its own tells that it is gone."""

    _send: Callable[[str], Awaitable[object]]

    async def send(self, frame: Frame) -> None:
        try:
            await self._send(encoded(frame).decode())
        except ConnectionError as error:
            raise PageGoneError from error

    async def receive(self) -> str | bytes:
        never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        return await never
