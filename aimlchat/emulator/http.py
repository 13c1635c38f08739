"""HTTP on sockets: the listener and its connections, and the writer of one response."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .errors import build_error_body, build_message_error, default_message
from .records import OneShotEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Literal

    from .records import RequestRecord
    from .responses import PlannedResponse

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

__all__ = ["Listener", "ResponseWriter"]

# SO_LINGER on, with a timeout of 0: closing the socket then sends RST instead of FIN.
_RESET_ON_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
# How many connections the kernel holds until the emulator accepts them.
_BACKLOG = 128


class _TrackingServer(web.Server):
    """A server that knows which sockets are open.

    Unlike aiohttp's own `connections`, it forgets a socket as soon as the socket closes, even while
    its handler is still ending.
    """

    def __init__(self, handler: Handler) -> None:
        # Cancel the handler as soon as its client disconnects, whatever it is waiting for.
        super().__init__(handler, handler_cancellation=True, access_log=None)
        self.transports: dict[web.RequestHandler, asyncio.Transport] = {}
        self._lock = threading.Lock()
        self._emptied = OneShotEvent()

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        with self._lock:
            if not self.transports:
                self._emptied = OneShotEvent()
            self.transports[handler] = transport

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        super().connection_lost(handler, exc)
        with self._lock:
            self.transports.pop(handler, None)
            if not self.transports:
                self._emptied.set()

    async def wait_until_empty(self) -> None:
        with self._lock:
            if not self.transports:
                return
            emptied = self._emptied
        await emptied.wait()


class Listener:
    """A listening socket and the connections that it accepted."""

    def __init__(self, server: _TrackingServer, listener: asyncio.Server) -> None:
        self._server = server
        self._listener = listener
        self.address: tuple[str, int] = listener.sockets[0].getsockname()[:2]

    @classmethod
    async def open(cls, handler: Handler, host: str, port: int) -> Listener:
        """Listen on an address; port 0 picks a free one.

        Raises:
            OSError: the address cannot be bound.
        """
        server = _TrackingServer(handler)
        loop = asyncio.get_running_loop()
        try:
            listener = await loop.create_server(server, host, port, backlog=_BACKLOG)
        except UnicodeError as error:  # Python encodes the name before it looks it up
            msg = "the name is not a valid host name"
            raise socket.gaierror(socket.EAI_NONAME, msg) from error
        return cls(server, listener)

    @property
    def connection_count(self) -> int:
        """How many sockets are open."""
        return len(self._server.transports)

    async def wait_for_no_connections(self) -> None:
        """Wait until no socket is open.

        Can be awaited from any event loop; cancelling is safe.
        """
        await self._server.wait_until_empty()

    async def close(self) -> None:
        """Stop listening and abort every connection, also in the middle of a response."""
        await self._stop_accepting()
        for transport in list(self._server.transports.values()):
            transport.abort()
        # aiohttp drops a connection once its last task has ended, which takes a few turns of the
        # event loop for an aborted one. aiohttp's own shutdown would wait for up to a minute.
        while self._server.connections:  # noqa: ASYNC110 - aiohttp offers no event for it
            await asyncio.sleep(0)

    async def _stop_accepting(self) -> None:
        # Python's server loses a connection that it has just accepted when it closes, and leaves
        # the socket open (python/cpython#109564). So the sockets stop accepting first, and accepted
        # connections get the two turns of the event loop that they need to arrive.
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):  # the Proactor loop, which loses none
            for listening in self._listener.sockets:
                loop.remove_reader(listening.fileno())
        for _ in range(2):
            await asyncio.sleep(0)
        self._listener.close()


class ResponseWriter:
    """Sends one response step by step, so that a fault can stop it between any two steps.

    Attributes:
        request: the request that is answered.
        response: aiohttp's response object.
    """

    def __init__(self, request: web.BaseRequest, record: RequestRecord) -> None:
        self.request = request
        self.response = web.StreamResponse()
        self._record = record
        self._has_written = False

    def build_error_body(self, status: int, message: str | None) -> dict[str, Any]:
        """Build the JSON body of an error; None takes the API's own message for the status."""
        record = self._record
        text = default_message(status) if message is None else message
        if record.is_message:
            return build_message_error(status, text, request_id=record.message_request_id)
        return build_error_body(
            status,
            text,
            path=record.path,
            request_id=record.identities.make_uuid("request"),
        )

    async def send_headers(self, response: PlannedResponse, content_length: int | None) -> None:
        """Send the status line and the headers; without a length the body is sent in chunks."""
        self.response.set_status(response.status)
        self.response.headers.update({**self._common_headers(), **response.headers})
        self.response.content_length = content_length
        await self.response.prepare(self.request)

    async def write(self, parts: Iterable[bytes], pace: float) -> None:
        """Write parts of the body, `pace` seconds apart."""
        for part in parts:
            if self._has_written:
                # Sleep even for a pace of 0: other responses get their turn, and aiohttp notices
                # when the client has disconnected.
                await asyncio.sleep(pace)
            await self.response.write(part)
            self._has_written = True

    async def finish(self) -> None:
        """End the body properly; the connection stays open for the next request."""
        await self.response.write_eof()

    def write_unframed(self, data: bytes) -> None:
        """Write bytes to the socket without HTTP framing; only `disconnect` may follow."""
        if self.request.transport is not None:
            self.request.transport.write(data)

    async def disconnect(self, how: Literal["close", "reset"]) -> None:
        """End the connection after what was written: with FIN ("close") or with RST ("reset")."""
        transport = self.request.transport
        if transport is None:
            return
        if how == "close":
            transport.close()
            return
        # `abort` discards what is still in the transport's buffer: hand it to the kernel first.
        transport.set_write_buffer_limits(0)
        await self.request.writer.drain()
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()

    def _common_headers(self) -> dict[str, str]:
        record = self._record
        headers = {"Server": "aimlchat-emulator", "x-inference-id": record.inference_id}
        if record.client_request_id is not None:
            headers["x-client-request-id"] = record.client_request_id
        if record.is_message:
            headers["request-id"] = record.message_request_id
        return headers
