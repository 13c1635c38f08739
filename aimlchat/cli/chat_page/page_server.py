"""The HTTP server of the chat page, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import WSCloseCode, web

from aimlchat.errors import AIMLChatError, InvalidRequestError
from aimlchat.model_types import Model

from .answer_registry import AnswerRegistry
from .error_details import describe_error
from .model_choices import describe_model, list_model_choices
from .origin_guard import add_security_headers, reject_other_sites
from .page_connection import PageConnection
from .page_html import build_page_html
from .page_loads import PageLoads
from .page_messages import decode_check
from .wait_notices import WaitNotice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from aimlchat.records import RetryRecord
    from aimlchat.session import ChatSession
    from aimlchat.tool_types import Tool

__all__ = ["PageServer"]

_HOST = "127.0.0.1"
# Seconds between two pings of a web socket; a page that sends no pong is disconnected.
_PING_INTERVAL = 30.0
# Seconds to wait for a page to confirm a close. A browser takes milliseconds.
_CLOSE_TIMEOUT = 0.5
# The page sends the whole conversation with each question, and users paste whole files into it.
_MAX_MESSAGE_BYTES = 64 * 1024 * 1024


class PageServer:
    """Serves the chat page and its answers. The API key of the session never reaches the page.

    Args:
        session: sends the requests; the server never closes it.
        port: the port on 127.0.0.1; 0 takes a free one.
        emulator: whether the page says that its answers are made up.
        grace: seconds for which an answer continues, or is kept, without a connected page.
        on_error: called with each error of the API; the page shows it, too.
        tools: the tools that the model may call, as for `ChatSession.run`; each runs in this
            process.
    """

    def __init__(
        self,
        session: ChatSession,
        *,
        port: int = 0,
        emulator: bool = False,
        grace: float = 60.0,
        on_error: Callable[[AIMLChatError], object] = lambda _: None,
        tools: Sequence[Tool] = (),
    ) -> None:
        self._session = session
        self._tools = tools
        self._port = port
        self._emulator = emulator
        self._on_error = on_error
        self._answers = AnswerRegistry(grace)
        self._models_error = ""
        self._model_choices: list[dict[str, Any]] = []
        self._websockets: set[web.WebSocketResponse] = set()
        self._loads = PageLoads()
        self._listening: socket.socket | None = None
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
        """Start listening. Raises `OSError` if the port is not available."""
        app = web.Application(middlewares=[reject_other_sites], client_max_size=_MAX_MESSAGE_BYTES)
        app.on_response_prepare.append(add_security_headers)
        app.add_routes(
            [
                web.get("/", self._serve_page),
                web.get("/models", self._serve_models),
                web.post("/check", _serve_check),
                web.get("/chat", self._serve_websocket),
            ]
        )
        listening = socket.create_server((_HOST, self._port))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_TIMEOUT)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        self._listening, self._runner = listening, runner

    async def close(self) -> None:
        """Close the connections of the pages, end their answers, and stop. Safe to repeat."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        await self._stop_accepting()
        closings = (page.close(code=WSCloseCode.GOING_AWAY) for page in set(self._websockets))
        await asyncio.gather(*closings)
        await self._answers.close()
        self._loads.clear()
        await runner.cleanup()

    async def _stop_accepting(self) -> None:
        # A connection that was accepted just before Python's server closes is lost with its socket
        # open (python/cpython#109564). Let it arrive first, in two turns of the event loop.
        if self._listening is not None:
            with contextlib.suppress(NotImplementedError):  # the Proactor loop, which loses none
                asyncio.get_running_loop().remove_reader(self._listening.fileno())
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def report_retry(self, record: RetryRecord) -> None:
        """Tell the page that asked the question that another attempt follows.

        For the ``on_retry`` of the session.
        """
        if record.delay:  # a dead connection is replaced at once
            policy = self._session._retry  # noqa: SLF001 - hidden from users
            notice = WaitNotice.of_retry(record, policy.attempts)
            self._answers.report_wait(record.client_request_id, notice)

    @property
    def url(self) -> str:
        """The URL of the page. Raises `RuntimeError` while the server does not run."""
        if self._runner is None:
            msg = "the server does not run: use `async with PageServer(...)`, or `await start()`"
            raise RuntimeError(msg)
        return f"http://{_HOST}:{self._runner.addresses[0][1]}/"

    async def _serve_page(self, request: web.Request) -> web.Response:
        page = build_page_html()
        # The frames of other sites, which the policy keeps empty, never say hello.
        is_tab = request.headers.get("Sec-Fetch-Dest", "document") == "document"
        return web.Response(
            text=page.with_id(self._loads.add()) if is_tab else page.html,
            content_type="text/html",
            headers={"Content-Security-Policy": page.policy},
        )

    async def _serve_models(self, request: web.Request) -> web.Response:
        """List the models, with those of the query's ``id`` and the default model among them."""
        error_sentence = None
        if not self._model_choices:
            try:
                models = await self._session.models(
                    include=["pricing", "modalities", "capabilities"]
                )
                self._model_choices = list_model_choices(models)
            except AIMLChatError as error:
                if str(error) != self._models_error:  # the page requests the list again and again
                    self._on_error(error)
                self._models_error = str(error)
                detail = describe_error(error)
                error_sentence = f"{detail['message'].rstrip('.')}. {detail['advice']}".rstrip()
        listed = {choice["id"] for choice in self._model_choices}
        wanted = dict.fromkeys([self._session.model, *request.query.getall("id", [])])
        unlisted = [describe_model(Model(id=id_)) for id_ in wanted if id_ and id_ not in listed]
        return web.json_response(
            {
                "models": [*unlisted, *self._model_choices],
                "default_model": self._session.model,
                "emulator": self._emulator,
                "error": error_sentence,
            }
        )

    async def _serve_websocket(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(
            heartbeat=_PING_INTERVAL,
            timeout=_CLOSE_TIMEOUT,
            max_msg_size=_MAX_MESSAGE_BYTES,
            compress=False,
        )
        await websocket.prepare(request)
        self._websockets.add(websocket)
        connection = PageConnection(
            websocket, self._session, self._answers, self._loads, self._on_error, self._tools
        )
        try:
            await connection.serve()
        finally:
            self._websockets.discard(websocket)
            await connection.abandon_answer()
        return websocket


async def _serve_check(request: web.Request) -> web.Response:
    """Tell the page what is wrong with the options of its next question, before it is sent."""
    try:
        decode_check(await request.read()).to_request().payload(stream=True)
    except msgspec.DecodeError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from error
    except InvalidRequestError as error:
        return web.json_response({"error": {"field": error.field, "message": str(error.args[0])}})
    return web.json_response({"error": None})
