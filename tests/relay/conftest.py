"""Upstream an emulator or a server that falls silent; downstream real servers and real clients."""

import asyncio
import json
import os
import shutil
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
import websockets.asyncio.client
import websockets.asyncio.server
from aiohttp import web
from raw_server import CHUNKED, content, http_chunk, serving
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketState

from aimlchat import ChatSession, RetryPolicy
from aimlchat.emulator import Emulator

SOON = 0.1  # seconds until the upstream has to see that its page has left
_ONCE = RetryPolicy(attempts=1)
_IN_NODE = Path(__file__).with_name("node")


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch):
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_BASE_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
async def _no_task_is_left():
    """Whatever a test does, the relay leaves no task behind."""
    yield
    left = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]
    assert not [name for name in left if name.startswith(("Pump.", "_send_all", "_receive_all"))]


@pytest.fixture
async def emulator():
    async with Emulator() as running:
        yield running


@pytest.fixture
async def session(emulator):
    async with ChatSession("test-key", base_url=emulator.base_url, retry=_ONCE) as opened:
        yield opened


@pytest.fixture
def answered(emulator):
    """Wait until the emulator has answered its first request, or its client has left."""

    async def wait():
        while not emulator.requests:  # noqa: ASYNC110 - it may be in another thread
            await asyncio.sleep(0.001)
        await emulator.requests[0].finished()

    return wait


@asynccontextmanager
async def falling_quiet(*texts):
    """A session with a server that says so much and then nothing.

    The server's ``said`` is set once it is silent, its ``gone`` once we have left.
    """
    said = asyncio.Event()

    async def think(reader, writer):
        if texts:
            writer.write(CHUNKED + b"".join(http_chunk(content(text)) for text in texts))
            await writer.drain()
        said.set()
        await reader.read()
        raise ConnectionResetError

    async with serving(think) as server, ChatSession("k", base_url=server.base_url) as opened:
        server.said = said
        server.speaks = bool(texts)
        yield opened, server


@pytest.fixture
def quiet_after():
    return falling_quiet


@pytest.fixture(params=["before the head", "while it thinks"])
async def quiet(request):
    """A session with a server that has fallen silent, and that server."""
    texts = ("One",) if request.param == "while it thinks" else ()
    async with falling_quiet(*texts) as session_and_server:
        yield session_and_server


@pytest.fixture
async def thoughtful():
    """A session with a server that says "One" and no more, and that server."""
    async with falling_quiet("One") as session_and_server:
        yield session_and_server


@asynccontextmanager
async def on_aiohttp(routes):
    app = web.Application()
    app.add_routes([web.get(path, handler) for path, handler in routes.items()])
    app.add_routes([web.post(path, handler) for path, handler in routes.items()])
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
    # The socket listens already: whoever connects too early waits until the server accepts.
    serving_task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await serving_task


@asynccontextmanager
async def sockets_of_aiohttp(talk):
    async def handle(request):
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        await talk(websocket)
        return websocket

    async with on_aiohttp({"/": handle}) as host:
        yield f"ws://{host}/"


@asynccontextmanager
async def sockets_of_starlette(talk):
    async def handle(websocket):
        await websocket.accept()
        await talk(websocket)
        if websocket.client_state is WebSocketState.CONNECTED:
            await websocket.close()

    async with on_uvicorn(Starlette(routes=[WebSocketRoute("/", handle)])) as host:
        yield f"ws://{host}/"


@asynccontextmanager
async def sockets_of_websockets(talk):
    async with websockets.asyncio.server.serve(talk, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


class Page:
    """A page's end of a web socket."""

    def __init__(self, connection) -> None:
        self.connection = connection

    async def frame(self):
        return json.loads(await self.connection.recv())

    async def frames(self):
        return [json.loads(message) async for message in self.connection]

    async def until(self, kind):
        """Read on to the first frame of that kind, and return it."""
        while (frame := await self.frame())["type"] != kind:
            pass
        return frame

    async def say(self, **message):
        await self.connection.send(json.dumps(message))


class Hall:
    """Serves what a test makes of a web socket, opens pages on it, and keeps what came of each."""

    def __init__(self, sockets_of) -> None:
        self._sockets_of = sockets_of
        self.results = asyncio.Queue()

    @asynccontextmanager
    async def open(self, talk):
        """Give a function that opens a page."""

        async def keep(websocket):
            try:
                result = await talk(websocket)
            except Exception as error:  # noqa: BLE001 - the test looks at it
                result = error
            self.results.put_nowait(result)

        async with self._sockets_of(keep) as url:

            @asynccontextmanager
            async def page(**settings):
                async with websockets.asyncio.client.connect(url, **settings) as connection:
                    yield Page(connection)

            yield page

    async def result(self):
        """Return what the next page's function returned or raised."""
        async with asyncio.timeout(2):
            return await self.results.get()


_LIBRARIES = {
    "aiohttp": sockets_of_aiohttp,
    "starlette": sockets_of_starlette,
    "websockets": sockets_of_websockets,
}


@pytest.fixture(params=_LIBRARIES)
def hall(request):
    """Web sockets of each library in turn."""
    return Hall(_LIBRARIES[request.param])


@pytest.fixture
def one_hall():
    """Web sockets of one library, where it does not matter which."""
    return Hall(sockets_of_aiohttp)


@pytest.fixture
def aiohttp_server():
    return on_aiohttp


@pytest.fixture
def starlette_server():
    """Serve one HTTP endpoint on Starlette and uvicorn."""
    return lambda endpoint: on_uvicorn(
        Starlette(routes=[Route("/", endpoint, methods=["GET", "POST"])])
    )


@pytest.fixture
def asgi_server():
    """Serve an ASGI application with all that it does at its start and end."""
    return lambda app: on_uvicorn(app, lifespan="on")


@pytest.fixture
def soon():
    """Fail what takes longer than a page's leaving may take to be seen upstream."""
    return lambda: asyncio.timeout(SOON)


def missing(reason):
    """Skip on a developer's machine; in CI nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


async def run(*command, cwd, said=""):
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(said.encode())
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def node_folder(pytestconfig):
    """A folder with our programs for Node and the packages that package.json pins.

    The packages are installed once, into the cache of pytest.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        missing("Node and npm are not installed")
    folder = pytestconfig.cache.mkdir("aimlchat-node")
    wanted = (_IN_NODE / "package.json").read_text(encoding="utf-8")
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        shutil.copy(_IN_NODE / "package.json", folder)
        quiet = ("--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
        status, _, err = await run(npm, "install", *quiet, cwd=folder)
        if status:
            missing(f"npm cannot install what the tests need: {err}")
        installed.write_text(wanted, encoding="utf-8")
    for program in _IN_NODE.glob("*.mjs"):
        shutil.copy(program, folder)
    return folder


@pytest.fixture
def node(node_folder):
    """Run one of our programs in Node, and return the JSON that it prints."""

    async def run_program(program, *arguments, said=""):
        status, out, err = await run("node", program, *arguments, cwd=node_folder, said=said)
        assert status == 0, err
        return json.loads(out)

    return run_program
