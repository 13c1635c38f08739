"""Every use of a private or undocumented name of aiohttp and asyncio but those in `body_hooks`.

Each is documented here with its purpose, and with what happens if a later version lacks the name:
calls then use aiohttp's documented way, which is slower. ``tests/client/test_aiohttp_hooks.py``
pins each name, so that a release that drops one is noticed.
"""

from __future__ import annotations

import asyncio
import inspect
from contextvars import ContextVar
from typing import Any, ClassVar

import aiohttp
import msgspec
from aiohttp import http_writer
from multidict import CIMultiDict

from aimlchat._version import __version__

from .content_coding import ACCEPTED_CODINGS
from .request_writes import written_next

__all__ = [
    "REQUEST_METHOD",
    "USER_AGENT",
    "ConnectionUse",
    "SmallBodyRequest",
    "TrackedRequest",
    "abandon",
    "abandon_connection",
    "chunk_transport",
    "current_use",
    "disable_repetition",
    "has_no_message",
    "loop_of",
    "message_transport",
    "request_class",
]

# The name of what sends a request in a session of ours: without the object that `request` makes of
# it, which is both a coroutine and a context manager. It is looked up for each request, since tools
# such as aioresponses replace it.
REQUEST_METHOD = "_request" if hasattr(aiohttp.ClientSession, "_request") else "request"
USER_AGENT = f"aimlchat/{__version__} aiohttp/{aiohttp.__version__}"

_SMALL_BODY_BYTES = 16 * 1024  # a quarter of what asyncio buffers before it asks writers to pause
_MAX_READ_BYTES = 64 * 1024
# What `SmallBodyRequest` overrides or uses: methods of a request, attributes that its constructor
# sets, and arguments of a response's constructor.
_REQUEST_NAMES = (
    "DEFAULT_HEADERS",
    "update_auto_headers",
    "update_body_from_data",
    "update_headers",
)
_REQUEST_ATTRIBUTES = {"_session", "_timer", "_traces", "loop", "original_url", "response_class"}
_RESPONSE_ARGUMENTS = {
    "continue100",
    "loop",
    "request_info",
    "session",
    "stream_writer",
    "timer",
    "traces",
    "writer",
}
# Returns a request line and headers as bytes; None if aiohttp has no such function.
_serialize_headers: Any = getattr(http_writer, "_serialize_headers", None)
# aiohttp would also ask for the codings of packages that happen to be installed.
_own_headers = {"Accept-Encoding": ACCEPTED_CODINGS, "User-Agent": USER_AGENT}
_usual_headers = CIMultiDict(
    {"Host": "", **getattr(aiohttp.ClientRequest, "DEFAULT_HEADERS", {}), **_own_headers}
)


class ConnectionUse(msgspec.Struct, eq=False, gc=False):
    """How one request got its connection.

    A request that has a connection but created no socket reuses a connection of the pool. aiohttp
    reports this only to tracers, which cost several function calls for each request.
    """

    connected: bool = False
    """Whether the request has a connection."""
    sockets: int = 0
    """How many sockets were created for it."""
    written_at: float | None = None
    """When the request was written, on the loop's clock; None if nothing was written."""

    @property
    def is_reused(self) -> bool:
        """Whether the connection was used before."""
        return self.connected and not self.sockets


current_use: ContextVar[ConnectionUse] = ContextVar("current_use")
"""The use of the request being sent; the tasks in which aiohttp connects inherit it."""


class TrackedRequest(aiohttp.ClientRequest):
    """A request that records how it got its connection.

    ``request_class`` of `aiohttp.ClientSession` is documented; that `send` is called with the
    connection is not. A version that calls something else still sends requests, but then no
    connection counts as reused, and a stale one is not silently replaced.
    """

    session_headers: ClassVar[dict[str, str] | None] = _own_headers
    """What a session has to add to each request of this class."""

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Write the request and return the response, whose headers have yet to arrive."""
        _take_connection(conn).written_at = asyncio.get_running_loop().time()
        return await super().send(conn)


class SmallBodyRequest(TrackedRequest):
    """A request whose small body is written at once, together with its headers.

    aiohttp creates a payload object for each body and, before Python 3.12, a task that writes it,
    which is a fifth of the cost of a whole completion. A body that fits into the transport's buffer
    needs neither.
    """

    session_headers = None  # `update_headers` sets them, which costs less
    _small_body = b""

    def update_headers(self, headers: Any) -> None:
        """Set the usual headers, with the host first; the given ones override them."""
        self.headers = _usual_headers.copy()
        self.headers["Host"] = self.url.host_port_subcomponent or ""
        self.headers.update(headers or ())

    def update_auto_headers(self, skip_auto_headers: Any) -> None:
        """Do nothing: `update_headers` has already set the default headers."""

    def update_body_from_data(self, body: Any, *args: Any, **kwargs: Any) -> None:
        """Keep a small body as it is."""
        if type(body) is bytes and 0 < len(body) <= _SMALL_BODY_BYTES and self.proxy is None:
            self._small_body = body
            self.headers["Content-Length"] = str(len(body))
        else:
            super().update_body_from_data(body, *args, **kwargs)

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Write the request and return the response, whose headers have yet to arrive."""
        if not self._small_body:
            return await super().send(conn)
        use = _take_connection(conn)
        protocol: Any = conn.protocol
        headers = _serialize_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        written_next.add(self.loop, (conn, use, headers + self._small_body))
        return self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=self._traces,
            loop=self.loop,
            session=self._session,
            stream_writer=aiohttp.http.StreamWriter(protocol, self.loop),
        )


def request_class() -> type[TrackedRequest]:
    """Return the class of requests for sessions that we create."""
    return SmallBodyRequest if _can_write_small_bodies() else TrackedRequest


def _can_write_small_bodies() -> bool:
    names = {*aiohttp.ClientRequest.__init__.__code__.co_names}
    return (
        _serialize_headers is not None
        and hasattr(aiohttp.http, "StreamWriter")
        and all(hasattr(aiohttp.ClientRequest, name) for name in _REQUEST_NAMES)
        and names >= _REQUEST_ATTRIBUTES
        and inspect.signature(aiohttp.ClientResponse).parameters.keys() >= _RESPONSE_ARGUMENTS
    )


def _take_connection(conn: aiohttp.connector.Connection) -> ConnectionUse:
    """Record the connection that a request has got, and prepare it.

    Raises `aiohttp.ClientConnectionResetError` for a pooled connection on which the server has
    already sent something, such as a 408 while it was idle: aiohttp would take that for the
    response to this request.
    """
    use = current_use.get()
    use.connected = True
    protocol = getattr(conn, "protocol", None)
    if use.sockets:  # a new connection
        _bound_reads(getattr(protocol, "transport", None))
    elif getattr(protocol, "should_close", False):
        msg = "the server has sent an unsolicited response on an idle connection"
        raise aiohttp.ClientConnectionResetError(msg)
    return use


def _bound_reads(transport: asyncio.BaseTransport | None) -> None:
    """Make asyncio read at most 64 KiB at once.

    For each read asyncio allocates a buffer of 256 KiB and then shrinks it to what has arrived. The
    C library maps and unmaps a block of that size each time, which takes ten times as long as
    reading a chunk (https://github.com/python/cpython/issues/85451). Other event loops, such as
    uvloop, keep one buffer and have no such attribute.
    """
    reader: Any = getattr(transport, "_ssl_protocol", transport)  # TLS has a buffer of its own
    if getattr(reader, "max_size", 0) > _MAX_READ_BYTES:
        reader.max_size = _MAX_READ_BYTES


def loop_of(http: aiohttp.ClientSession) -> asyncio.AbstractEventLoop | None:
    """Return the loop that a session belongs to; None if aiohttp does not show it.

    aiohttp 4 drops the public property.
    """
    loop: asyncio.AbstractEventLoop | None = getattr(http, "_loop", None)
    return loop


def disable_repetition(http: aiohttp.ClientSession) -> None:
    """Stop a session from repeating a GET or DELETE by itself when its connection has died.

    aiohttp repeats these without a word, however long the server has worked on them. Without this
    name, it still does.
    """
    http._retry_connection = False  # noqa: SLF001 - documented above


def abandon(http: aiohttp.ClientSession) -> None:
    """Close a session from outside its loop, which may be closed, without waiting.

    The public `close` of a connector warns if it is not awaited.
    """
    connector: Any = http.connector
    http.detach()
    if connector is None:
        return
    loop = getattr(connector, "_loop", None)
    if loop is not None and loop.is_closed():
        _close_sockets(connector)
    getattr(connector, "_close", connector.close)()


def abandon_connection(response: aiohttp.ClientResponse) -> None:
    """Close the connection of a response whose loop is closed, which `close` leaves open.

    Without these names it is closed once it is freed, with a warning.
    """
    connection: Any = response.connection
    _close_socket(getattr(connection, "protocol", None))
    if hasattr(connection, "_protocol"):
        connection._protocol = None  # noqa: SLF001 - documented above


def _close_sockets(connector: Any) -> None:
    """Close the sockets of a connector whose loop is closed."""
    idle = (entry[0] for entries in getattr(connector, "_conns", {}).values() for entry in entries)
    for protocol in (*idle, *getattr(connector, "_acquired", ())):
        _close_socket(protocol)


def _close_socket(protocol: Any) -> None:
    """Close the socket of a connection whose loop is closed.

    A transport can be closed only in a running loop, and warns of its socket once it is freed.
    Without these names, and on uvloop, the socket is closed with that warning.
    """
    transport: Any = getattr(protocol, "transport", None)
    tls = getattr(transport, "_ssl_protocol", None)
    if tls is not None:
        transport._closed = True  # noqa: SLF001 - documented above
        transport = getattr(tls, "_transport", None)
    if (sock := getattr(transport, "_sock", None)) is not None:
        transport._sock = None  # noqa: SLF001 - documented above
        sock.close()


def message_transport(websocket: Any) -> asyncio.Transport | None:
    """Return what a web socket of aiohttp.web writes its messages to, each in one piece.

    None if it compresses or masks them, or does something of its own with them, and if these names
    are missing: each message has to go through `send_frame` then.
    """
    writer = getattr(websocket, "_writer", None)
    if getattr(writer, "use_mask", True) or getattr(writer, "compress", True):
        return None
    from aiohttp import web  # noqa: PLC0415 - only a client's web socket masks

    send_frame = getattr(websocket.send_frame, "__func__", None)
    if send_frame is not web.WebSocketResponse.send_frame:
        return None
    transport: asyncio.Transport | None = getattr(writer, "transport", None)
    return transport


def has_no_message(websocket: Any) -> bool:
    """Return whether a web socket of aiohttp.web would only wait, on one future, to receive.

    False if it would do anything else, such as to set a timeout for the current task, and if these
    names are missing: a task has to receive from the start then.
    """
    reader: Any = getattr(websocket, "_reader", None)
    if (
        getattr(websocket, "_receive_timeout", 0) is not None
        or getattr(reader, "_buffer", True)
        or not hasattr(reader, "is_eof")
        or reader.is_eof()
    ):
        return False
    from aiohttp import web  # noqa: PLC0415 - as in `message_transport`

    return getattr(websocket.receive, "__func__", None) is web.WebSocketResponse.receive


def chunk_transport(writer: Any) -> asyncio.Transport | None:
    """Return what the body of a response of aiohttp.web is written to, in chunks of HTTP/1.1.

    ``writer`` is what `prepare` returns. None if something else is done with the body, or if the
    headers have not been sent, and if these names are missing: `write` has to be called then.
    """
    if (
        type(writer) is not http_writer.StreamWriter
        or not writer.chunked
        or writer.length is not None
        or getattr(writer, "_compress", True) is not None
        or getattr(writer, "_on_chunk_sent", True) is not None
        or not getattr(writer, "_headers_written", False)
    ):
        return None
    return writer.transport
