"""The server of the chat page, on loopback."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import WSCloseCode, web

from aimlchat._payload.models import DEFAULT_MODEL
from aimlchat.errors import AIMLChatError

from .answers import Answers
from .document import document
from .guard import guard, harden
from .offer import offer
from .talk import Talk

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from aimlchat.session import ChatSession

__all__ = ["Site"]

_HOST = "127.0.0.1"
_PING = 30.0
# A browser says goodbye within milliseconds; who does not is not waited for.
_FAREWELL = 0.5
# A conversation is sent whole with each question, and may hold whole files.
_LONGEST_MESSAGE = 64 * 1024 * 1024


class Site:
    """Serves the page, and answers it through a session. The session's key never gets there.

    Args:
        session: asks the questions; it stays open.
        port: the port on 127.0.0.1; 0 takes one that is free.
        emulator: whether the page shall say that the answers are made up.
        grace: seconds for which an answer goes on, or is kept, when its page has lost the
            connection.
        on_failure: called with each error that came from upstream. The page is told of it in
            general words; whoever runs the server wants the error itself.
    """

    def __init__(
        self,
        session: ChatSession,
        *,
        port: int = 0,
        emulator: bool = False,
        grace: float = 60.0,
        on_failure: Callable[[AIMLChatError], object] = lambda _: None,
    ) -> None:
        self._session = session
        self._port = port
        self._emulator = emulator
        self._on_failure = on_failure
        self._answers = Answers(grace)
        self._models: list[dict[str, Any]] = []
        self._sockets: set[web.WebSocketResponse] = set()
        self._last_visit = float("-inf")
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Begin to listen. Raises `OSError` if the port cannot be had."""
        app = web.Application(middlewares=[guard])
        app.on_response_prepare.append(harden)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/models", self._offer),
                web.get("/talk", self._talk),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_FAREWELL)
        await runner.setup()
        try:
            await web.TCPSite(runner, _HOST, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def close(self) -> None:
        """Say goodbye to the pages, end their answers, and stop. Safe to repeat."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        goodbyes = (socket.close(code=WSCloseCode.GOING_AWAY) for socket in set(self._sockets))
        await asyncio.gather(*goodbyes)
        await self._answers.close()
        await runner.cleanup()

    @property
    def url(self) -> str:
        """Where the page is. Raises `RuntimeError` if it is not served."""
        if self._runner is None:
            msg = "the site is not served: use `async with Site(...)`, or `await start()`"
            raise RuntimeError(msg)
        return f"http://{_HOST}:{self._runner.addresses[0][1]}/"

    async def _page(self, _: web.Request) -> web.Response:
        self._last_visit = asyncio.get_running_loop().time()
        page = document()
        return web.Response(
            text=page.html,
            content_type="text/html",
            headers={"Content-Security-Policy": page.policy},
        )

    async def _offer(self, _: web.Request) -> web.Response:
        problem = None
        if not self._models:
            try:
                self._models = offer(await self._session.models())
            except AIMLChatError as error:
                self._on_failure(error)
                problem = "The list of models cannot be had just now."
        return web.json_response(
            {
                "models": self._models,
                "usual": DEFAULT_MODEL,
                "emulator": self._emulator,
                "problem": problem,
            }
        )

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(
            heartbeat=_PING, timeout=_FAREWELL, max_msg_size=_LONGEST_MESSAGE, compress=False
        )
        await websocket.prepare(request)
        self._sockets.add(websocket)
        talk = Talk(websocket, self._session, self._answers, self._on_failure)
        try:
            await talk.listen()
        finally:
            self._sockets.discard(websocket)
            await talk.leave(self._last_visit)
        return websocket
