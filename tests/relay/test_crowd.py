"""Five hundred pages at once on one process."""

import asyncio
import socket
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager

import aiohttp
import pytest
from aiohttp import web

from aimlchat import ChatSession
from aimlchat.emulator import Stall
from aimlchat.relay import PageTooSlowError, relay

resource = pytest.importorskip("resource")

PAGES = 500
STUCK = PAGES // 10
LIMIT = 100_000  # characters that may wait for a page
MUCH = ["x" * 50_000] * 10  # soon more than that
LITTLE = ["Little by little. "] * 10
PACE = 0.5  # seconds; five hundred pages, their service and its upstream share a core here


@pytest.fixture(autouse=True)
def _enough_files():
    """Each page takes two sockets here and two upstream."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 5 * PAGES:
        pytest.skip(f"{5 * PAGES} open files are needed, {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 5 * PAGES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


HANDSHAKE = (  # with the key of RFC 6455's own example
    b"GET /?upstream=%b HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@contextmanager
def stuck_pages(address, upstream, count):
    """Open so many pages that read nothing, not even what the server says to begin with."""
    with ExitStack() as stack:
        for _ in range(count):
            page = stack.enter_context(socket.socket())
            page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # the kernel reads little
            page.connect(address)
            page.sendall(HANDSHAKE % upstream)
        yield


class Service:
    """A service that relays; ``results`` has what came of each page."""

    def __init__(self, sessions) -> None:
        self._sessions = sessions
        self.results = asyncio.Queue()
        self.transports = []

    async def handle(self, request):
        websocket = web.WebSocketResponse(compress=False)
        await websocket.prepare(request)
        self.transports.append(request.transport)
        stream = self._sessions[request.query["upstream"]].stream("Go")
        try:
            result = await relay(stream, websocket, max_buffer=LIMIT)
        except PageTooSlowError as error:
            result = error
            request.transport.abort()
        self.results.put_nowait(result)
        return websocket

    async def all_results(self):
        return [await self.results.get() for _ in range(PAGES)]

    @property
    def unsent(self):
        """How many bytes the server holds for a page at most, beside those in its outbox."""
        return max(transport.get_write_buffer_size() for transport in self.transports)


@asynccontextmanager
async def service_for(**emulators):
    """Serve pages, each of which names the emulator that it wants, and give the address."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=PAGES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    async with AsyncExitStack() as stack:
        sessions = {
            name: await stack.enter_async_context(ChatSession("k", base_url=emulator.base_url))
            for name, emulator in emulators.items()
        }
        service = Service(sessions)
        app = web.Application()
        app.add_routes([web.get("/", service.handle)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        try:
            yield service, listener.getsockname()
        finally:
            await runner.cleanup()


@asynccontextmanager
async def pages_of(address, upstream, count):
    """Open so many pages, fifty at a time."""
    url = "http://{}:{}/?upstream={}".format(*address, upstream)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        pages = []
        for _ in range(0, count, 50):
            pages += await asyncio.gather(*(client.ws_connect(url) for _ in range(50)))
        yield pages


async def length_of(page):
    """Read a page to its end; return how much it read of the answer."""
    length = 0
    async for message in page:
        frame = message.json()
        length += len(frame.get("delta", ""))
    return length


async def first_text_of(page):
    while (await page.receive_json())["type"] != "text-delta":
        pass


async def test_those_who_read_are_on_time_though_a_tenth_reads_nothing(aimlchat_emulator, emulator):
    for _ in range(PAGES - STUCK):
        aimlchat_emulator.reply(chunks=LITTLE, pace=PACE)
    for _ in range(STUCK):
        emulator.reply(chunks=MUCH, pace=PACE)
    loop = asyncio.get_running_loop()

    async with (
        service_for(little=aimlchat_emulator, much=emulator) as (service, address),
        pages_of(address, "little", PAGES - STUCK) as readers,
    ):
        began = loop.time()
        with stuck_pages(address, b"much", STUCK):
            async with asyncio.timeout(25):
                lengths = await asyncio.gather(*map(length_of, readers))
                took = loop.time() - began
                results = await service.all_results()

            assert service.unsent < 2 * LIMIT
        assert lengths == [len("".join(LITTLE))] * len(readers)
        slow = [result for result in results if isinstance(result, PageTooSlowError)]
        assert len(slow) == STUCK
    assert took < 2 * len(LITTLE) * PACE


async def test_the_upstream_of_every_page_that_goes_is_closed(aimlchat_emulator):
    for _ in range(PAGES):
        aimlchat_emulator.reply(chunks=["One", "Two"], fault=Stall(after=1))
    requests = aimlchat_emulator.requests

    async with (
        service_for(slow=aimlchat_emulator) as (service, address),
        pages_of(address, "slow", PAGES) as pages,
    ):
        await asyncio.gather(*map(first_text_of, pages))
        for page in pages:
            page.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        async with asyncio.timeout(3):
            await asyncio.gather(*(request.finished() for request in requests))
            results = await service.all_results()

    assert {request.outcome for request in requests} == {"left"}
    assert {(result.text, result.finish_reason) for result in results} == {("One", None)}
