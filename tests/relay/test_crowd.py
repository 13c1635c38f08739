"""Many pages at once on one process: a few in the ordinary run, five hundred in the soak."""

import asyncio
import socket
import statistics
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager

import aiohttp
import pytest
from aiohttp import web

from aimlchat import ChatSession
from aimlchat.emulator import Stall
from aimlchat.relay import Broadcast, PageTooSlowError, relay, sse_response

resource = pytest.importorskip("resource")

FEW = 20
MANY = 500
MAX_BUFFER = 100_000  # characters that may wait for a page
LONG_ANSWER = ["x" * 50_000] * 10  # several times that
LONG_WORDS = ["x" * 8_000] * 20  # more than is buffered for a page that reads nothing
SHORT_ANSWER = ["Little by little. "] * 10
HANG_TIMEOUT = 60  # seconds after which a test gives up
SOAK_PACE = 0.5  # seconds; five hundred pages, their server and its upstream share a core here


@pytest.fixture(autouse=True)
def _enough_open_files(request):
    """Allow two sockets here and two upstream for each of many pages, or skip."""
    if request.node.get_closest_marker("soak") is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 5 * MANY:
        pytest.skip(f"{5 * MANY} open files are needed, {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 5 * MANY), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


HANDSHAKE = (  # with the example key of RFC 6455
    b"GET /?upstream=%b HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@contextmanager
def stuck_pages(address, upstream, count):
    """Open pages that read nothing, not even the response to their handshake."""
    with ExitStack() as stack:
        for _ in range(count):
            page = stack.enter_context(socket.socket())
            # A small receive buffer, so that the kernel reads little on behalf of the page.
            page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            page.connect(address)
            page.sendall(HANDSHAKE % upstream)
        yield


class Service:
    """A service that relays one stream to each of its pages, and keeps the results."""

    def __init__(self, sessions) -> None:
        self._sessions = sessions
        self._results = asyncio.Queue()
        self._transports = []
        self._has_joined = asyncio.Condition()
        self._start = asyncio.Event()
        self.broadcast = None  # what all pages follow, if it is not a stream each

    async def handle(self, request):
        websocket = web.WebSocketResponse(compress=False)
        await websocket.prepare(request)
        self._transports.append(request.transport)
        async with self._has_joined:
            self._has_joined.notify_all()
        if self.broadcast is not None:
            await self._start.wait()
            await self.broadcast.relay(websocket, patience=None)
            return websocket
        stream = self._sessions[request.query["upstream"]].stream("Go")
        try:
            result = await relay(stream, websocket, max_buffer=MAX_BUFFER)
        except PageTooSlowError as error:
            result = error
            request.transport.abort()
        self._results.put_nowait(result)
        return websocket

    async def has_pages(self, count):
        async with self._has_joined:
            await self._has_joined.wait_for(lambda: len(self._transports) == count)
        self._start.set()

    async def results(self, count):
        return [await self._results.get() for _ in range(count)]

    @property
    def largest_write_buffer(self):
        """The most bytes that the server buffers for one page, besides the relay's own buffer."""
        return max(transport.get_write_buffer_size() for transport in self._transports)


@asynccontextmanager
async def run_service(**emulators):
    """Serve pages, each of which names the emulator that it wants, and yield the address."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=MANY)
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
async def open_pages(address, upstream, count):
    """Open pages, at most fifty at a time."""
    url = "http://{}:{}/?upstream={}".format(*address, upstream)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        pages = []
        while len(pages) < count:
            batch = min(50, count - len(pages))
            pages += await asyncio.gather(*(client.ws_connect(url) for _ in range(batch)))
        yield pages


async def read_to_end(page):
    """Return how many characters of the answer a page received."""
    length = 0
    async for message in page:
        frame = message.json()
        length += len(frame.get("delta", ""))
    return length


async def read_first_text(page):
    while (await page.receive_json())["type"] != "text-delta":
        pass


async def relay_beside_stuck_pages(short, long, pages, pace):
    """Relay to pages, a tenth of which read nothing; return how long the others took."""
    stuck = pages // 10
    for _ in range(pages - stuck):
        short.reply(chunks=SHORT_ANSWER, pace=pace)
    for _ in range(stuck):
        long.reply(chunks=LONG_ANSWER, pace=pace)
    loop = asyncio.get_running_loop()

    async with (
        run_service(short=short, long=long) as (service, address),
        open_pages(address, "short", pages - stuck) as readers,
    ):
        start = loop.time()
        with stuck_pages(address, b"long", stuck):
            async with asyncio.timeout(HANG_TIMEOUT):
                lengths = await asyncio.gather(*map(read_to_end, readers))
                seconds = loop.time() - start
                results = await service.results(pages)

            assert service.largest_write_buffer < 2 * MAX_BUFFER
        assert lengths == [len("".join(SHORT_ANSWER))] * len(readers)
        assert len([result for result in results if isinstance(result, PageTooSlowError)]) == stuck
    return seconds


async def test_pages_that_read_get_everything_although_others_read_nothing(
    aimlchat_emulator, emulator
):
    await relay_beside_stuck_pages(aimlchat_emulator, emulator, FEW, pace=0.001)


@pytest.mark.soak
async def test_hundreds_of_pages_are_on_time_although_others_read_nothing(
    aimlchat_emulator, emulator
):
    seconds = await relay_beside_stuck_pages(aimlchat_emulator, emulator, MANY, SOAK_PACE)

    assert seconds < 2 * len(SHORT_ANSWER) * SOAK_PACE


async def follow_beside_stuck_pages(emulator, pages, pace):
    """Let pages follow one stream, a tenth of which read nothing; return how long it took."""
    emulator.reply(chunks=LONG_WORDS, pace=pace)
    stuck = pages // 10
    async with (
        ChatSession("k", base_url=emulator.base_url) as session,
        run_service(session=emulator) as (service, address),
    ):
        service.broadcast = Broadcast(session.stream("Go"))
        async with open_pages(address, "session", pages - stuck) as readers:
            with stuck_pages(address, b"session", stuck):
                async with asyncio.timeout(HANG_TIMEOUT):
                    await service.has_pages(pages)
                    start = asyncio.get_running_loop().time()
                    service.broadcast.start()
                    lengths = await asyncio.gather(*map(read_to_end, readers))
                seconds = asyncio.get_running_loop().time() - start
            assert service.largest_write_buffer < 2 * MAX_BUFFER
        assert lengths == [len("".join(LONG_WORDS))] * len(readers)
        await service.broadcast.aclose()
    return seconds


async def test_pages_of_a_broadcast_get_everything_although_others_read_nothing(aimlchat_emulator):
    await follow_beside_stuck_pages(aimlchat_emulator, FEW, pace=0.001)


@pytest.mark.soak
async def test_hundreds_of_pages_follow_a_broadcast_on_time(aimlchat_emulator):
    seconds = await follow_beside_stuck_pages(aimlchat_emulator, MANY, SOAK_PACE)

    assert seconds < 2 * len(LONG_WORDS) * SOAK_PACE


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.soak)])
async def test_the_upstream_of_every_page_that_disconnects_is_closed(aimlchat_emulator, count):
    for _ in range(count):
        aimlchat_emulator.reply(chunks=["One", "Two"], fault=Stall(after=1))
    requests = aimlchat_emulator.requests

    async with (
        run_service(stalled=aimlchat_emulator) as (service, address),
        open_pages(address, "stalled", count) as pages,
    ):
        await asyncio.gather(*map(read_first_text, pages))
        for page in pages:
            page.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        async with asyncio.timeout(HANG_TIMEOUT):
            await asyncio.gather(*(request.finished() for request in requests))
            results = await service.results(count)

    assert {request.outcome for request in requests} == {"left"}
    assert {(result.text, result.finish_reason) for result in results} == {("One", None)}


@pytest.mark.soak
async def test_a_page_that_disconnects_is_noticed_within_a_tenth_of_a_second(
    aiohttp_server, upstream, upstream_session
):
    """The promise of docs/relay.md where it is hardest to keep: aiohttp.web has to be polled."""
    loop = asyncio.get_running_loop()

    async def handle(request):
        return await sse_response(request, upstream_session.stream("Go"))

    async with aiohttp_server({"/": handle}) as host, aiohttp.ClientSession() as client:
        delays = []
        for _ in range(9):
            upstream.requested.clear()
            upstream.closed.clear()
            response = await client.get(f"http://{host}/")
            await upstream.requested.wait()
            response.close()
            start = loop.time()
            await upstream.closed.wait()
            delays.append(loop.time() - start)

    assert statistics.median(delays) < 0.1
