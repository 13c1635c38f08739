"""Fixtures: an upstream that a test writes piece by piece, real servers, and real clients."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import pytest
import redis.asyncio
import uvicorn
import websockets.asyncio.client
import websockets.asyncio.server
from ai_sdk import VERSIONS, install_ai_sdk
from aiohttp import web
from raw_server import CHUNKED, content, http_chunk, serving
from redis_servers import RedisServer
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketState

from aimlchat import ChatSession, RetryPolicy
from aimlchat.relay import Broadcasts, RedisStore

# How long a test waits for an event before it counts as missing. It is less than every default
# timer of the relay (a heartbeat comes after 15 s), so that no timer can be mistaken for the event.
EVENT_TIMEOUT = 60.0


@pytest.fixture(autouse=True)
async def _no_task_is_left():
    """Check that the relay leaves no task running, whatever a test does."""
    yield
    names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]
    relay_tasks = ("Pump.", "_send_all", "_receive_all")
    assert not [name for name in names if name.startswith(relay_tasks)]


@pytest.fixture(scope="session", params=VERSIONS)
def ai_sdk_folder(request, pytestconfig):
    """A folder with a version of the AI SDK, and with what it takes to bundle and run pages."""
    return install_ai_sdk(request.param, pytestconfig.cache)


@pytest.fixture
def event_timeout():
    """Fail if the block waits too long for its event."""
    return lambda: asyncio.timeout(EVENT_TIMEOUT)


class Upstream:
    """A provider whose stream a test writes piece by piece.

    ``opening`` are the texts that it sends at once, with the response headers; without any, the
    headers are sent with the first `send`. ``requested`` is set when a request has arrived,
    ``closed`` when the client has closed its connection.
    """

    def __init__(self) -> None:
        self.opening = ()
        self.base_url = ""
        self.requested = asyncio.Event()
        self.closed = asyncio.Event()
        self._writer = None
        self._has_sent_headers = False

    async def handle(self, reader, writer):
        self._writer = writer
        self._has_sent_headers = False
        if self.opening:
            await self._write(*map(content, self.opening))
        self.requested.set()
        try:
            await reader.read()
        finally:
            self.closed.set()
        raise ConnectionResetError  # the raw server treats it as the end of the connection

    async def send(self, *texts):
        await self.requested.wait()
        await self._write(*map(content, texts))

    async def finish(self, text):
        """Send the last text and a regular end of the stream."""
        await self.requested.wait()
        await self._write(content(text, '"stop"'), b"data: [DONE]\n\n", b"")

    async def _write(self, *chunks):
        if not self._has_sent_headers:
            self._writer.write(CHUNKED)
            self._has_sent_headers = True
        self._writer.write(b"".join(map(http_chunk, chunks)))
        await self._writer.drain()


@pytest.fixture
async def upstream():
    provider = Upstream()
    async with serving(provider.handle) as server:
        provider.base_url = server.base_url
        yield provider


@pytest.fixture
def call_records():
    """The records of the calls of `upstream_session` that have ended."""
    return asyncio.Queue()


@pytest.fixture
async def upstream_session(upstream, call_records):
    once = RetryPolicy(attempts=1)
    async with ChatSession(
        "k", base_url=upstream.base_url, retry=once, on_finish=call_records.put_nowait
    ) as opened:
        yield opened


@pytest.fixture(params=["before the response headers", "after the first delta"])
def silent_upstream(request, upstream):
    """An upstream that falls silent at a point of the stream."""
    if request.param == "after the first delta":
        upstream.opening = ("One",)
    return upstream


@asynccontextmanager
async def on_aiohttp(routes):
    app = web.Application()
    app.add_routes([web.get(path, handler) for path, handler in routes.items()])
    app.add_routes([web.post(path, handler) for path, handler in routes.items()])
    async with aiohttp_app(app) as host:
        yield host


@asynccontextmanager
async def aiohttp_app(app):
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def on_uvicorn(app, lifespan="off"):
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", lifespan=lifespan, ws="websockets-sansio")
    server = uvicorn.Server(config)
    # The socket listens already: a client that connects early waits until the server accepts.
    serving_task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await serving_task


@asynccontextmanager
async def web_sockets_of_aiohttp(handler):
    async def handle(request):
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        await handler(websocket)
        return websocket

    async with on_aiohttp({"/": handle}) as host:
        yield f"ws://{host}/"


@asynccontextmanager
async def web_sockets_of_starlette(handler):
    async def handle(websocket):
        await websocket.accept()
        await handler(websocket)
        if websocket.client_state is WebSocketState.CONNECTED:
            await websocket.close()

    async with on_uvicorn(Starlette(routes=[WebSocketRoute("/", handle)])) as host:
        yield f"ws://{host}/"


@asynccontextmanager
async def web_sockets_of_websockets(handler):
    async with websockets.asyncio.server.serve(handler, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


class Page:
    """A page's end of a web socket."""

    def __init__(self, connection) -> None:
        self.connection = connection

    async def frame(self):
        return json.loads(await self.connection.recv())

    async def frames(self):
        """Read to the end of the connection."""
        return [json.loads(message) async for message in self.connection]

    async def until(self, kind):
        """Read up to the first frame of that type, and return it."""
        while (frame := await self.frame())["type"] != kind:
            pass
        return frame

    async def send(self, **message):
        await self.connection.send(json.dumps(message))

    def abort(self):
        """Disconnect without a closing handshake."""
        self.connection.transport.abort()


class CallablePage:
    """A page as an async callable, which keeps its frames and can disconnect."""

    def __init__(self, *, disconnects_after=None) -> None:
        self.frames = []
        self._disconnects_after = disconnects_after
        self._received = asyncio.Event()

    async def __call__(self, text):
        if len(self.frames) == self._disconnects_after:
            raise ConnectionResetError
        self.frames.append(json.loads(text))
        self._received.set()

    async def has_received(self, text):
        """Wait until the page has received a text."""
        await self._wait(lambda: any(text in frame.get("delta", "") for frame in self.frames))

    async def has_received_frame(self, kind, count=1):
        """Wait until the page has received so many frames of a type."""
        await self._wait(lambda: [frame["type"] for frame in self.frames].count(kind) >= count)

    async def _wait(self, condition):
        async with asyncio.timeout(EVENT_TIMEOUT):
            while not condition():
                self._received.clear()
                await self._received.wait()


@pytest.fixture
def make_page():
    return CallablePage


class WebSocketServer:
    """Serves a handler of web sockets, connects pages to it, and keeps what the handler returns."""

    def __init__(self, serve) -> None:
        self._serve = serve
        self._results = asyncio.Queue()

    @asynccontextmanager
    async def serve(self, handler):
        """Serve a handler, and yield a function that connects a page."""

        async def keep_result(websocket):
            try:
                result = await handler(websocket)
            except Exception as error:  # noqa: BLE001 - the test looks at it
                result = error
            self._results.put_nowait(result)

        async with self._serve(keep_result) as url:

            @asynccontextmanager
            async def connect(**settings):
                async with websockets.asyncio.client.connect(url, **settings) as connection:
                    yield Page(connection)

            yield connect

    @asynccontextmanager
    async def page(self, handler, **settings):
        """Serve a handler to one page."""
        async with self.serve(handler) as connect, connect(**settings) as page:
            yield page

    async def result(self):
        """Return what the handler returned or raised for the next page."""
        async with asyncio.timeout(EVENT_TIMEOUT):
            return await self._results.get()


_LIBRARIES = {
    "aiohttp": web_sockets_of_aiohttp,
    "starlette": web_sockets_of_starlette,
    "websockets": web_sockets_of_websockets,
}


@pytest.fixture(params=_LIBRARIES)
def server(request):
    """A web socket server of each library in turn."""
    return WebSocketServer(_LIBRARIES[request.param])


@pytest.fixture
def aiohttp_websockets():
    """A web socket server of one library, for tests that do not depend on the library."""
    return WebSocketServer(web_sockets_of_aiohttp)


@pytest.fixture
def aiohttp_server():
    """Serve handlers of HTTP requests by their paths."""
    return on_aiohttp


@pytest.fixture
def aiohttp_app_server():
    """Serve an application of aiohttp.web."""
    return aiohttp_app


@pytest.fixture
def starlette_server():
    """Serve one HTTP endpoint on Starlette and uvicorn."""
    return lambda endpoint: on_uvicorn(
        Starlette(routes=[Route("/", endpoint, methods=["GET", "POST"])])
    )


@pytest.fixture
def asgi_server():
    """Serve an ASGI application with its startup and shutdown."""
    return lambda app: on_uvicorn(app, lifespan="on")


@pytest.fixture(scope="session")
def redis_server():
    server = RedisServer()
    server.start()
    yield server
    server.close()


@pytest.fixture
async def redis_client(redis_server):
    async with redis.asyncio.from_url(redis_server.url) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def one(redis_server, redis_client):
    """The broadcasts of one process."""
    async with RedisStore(redis_server.url) as store, Broadcasts(store=store) as opened:
        yield opened


@pytest.fixture
async def two(redis_server, redis_client):
    """The broadcasts of another one."""
    async with RedisStore(redis_server.url) as store, Broadcasts(store=store) as opened:
        yield opened
