"""The only place of the client that knows aiohttp: pool, sockets, and its errors made ours."""

from __future__ import annotations

import asyncio
import functools
import socket
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.http_writer import _serialize_headers
from multidict import CIMultiDict, istr
from yarl import URL

from aimlchat.errors import (
    AIMLChatError,
    ConfigurationError,
    ConnectionFailedError,
    ProtocolError,
    RequestTimeoutError,
    StreamInterruptedError,
)

if TYPE_CHECKING:
    import ssl as ssl_module
    from collections.abc import AsyncIterator, Callable, Mapping

    from aimlchat.policies import Limits, Timeouts

    from .body import Body

__all__ = ["HEADER", "Exchange", "Secret", "Transport"]

_NAMES = ("Authorization", "Content-Type", "X-Client-Request-Id", "Accept", "Accept-Encoding")
HEADER = {name: istr(name) for name in _NAMES}
"""Names that a multidict need not fold, nor keep a folded copy of, for each request."""

# Upstreams put much into one header (content security policies, cookies); aiohttp's own limit of
# 8,190 bytes makes a 400 out of that.
_MAX_HEADER_BYTES = 64 * 1024
_SETTINGS: dict[str, Any] = {
    "raise_for_status": False,
    "auto_decompress": True,
    "max_line_size": _MAX_HEADER_BYTES,
    "max_field_size": _MAX_HEADER_BYTES,
}
_USUAL_HEADERS = CIMultiDict(
    [
        ("Host", ""),
        *aiohttp.ClientRequest.DEFAULT_HEADERS.items(),
        ("User-Agent", aiohttp.http.SERVER_SOFTWARE),
    ]
)
_SMALL_BODY = 16 * 1024  # a quarter of what asyncio buffers before it asks to pause
_MOST_AT_ONCE = 64 * 1024  # bytes of a read
_MAX_ERROR_BODY = 1024 * 1024
_DRAIN_SECONDS = 0.05
_SHORTEST = 0.001
# Probe an idle connection after a minute, so that no NAT drops a call that thinks for long.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
# What aiohttp raises for a connection that breaks; RuntimeError is its "Connection closed."
_BROKEN = (aiohttp.ClientError, OSError, RuntimeError)


class _Trip:
    """How a request got its connection; one that has made no socket has used an old one again."""

    __slots__ = ("connected", "sockets", "written")

    def __init__(self) -> None:
        self.connected = False
        self.sockets = 0
        self.written = False

    @property
    def reuses(self) -> bool:
        """Whether it has a connection that was used before."""
        return self.connected and not self.sockets


# Of the request that is being sent: seen in the tasks, too, that aiohttp makes to try addresses.
_trip: ContextVar[_Trip] = ContextVar("trip")


class _Request(aiohttp.ClientRequest):
    """A request whose small body is written at once, together with its head.

    aiohttp makes an object of every body and, before Python 3.12, a task to write it: a fifth of
    what a whole completion costs. A body that fits into the transport's buffer needs neither.
    """

    _small_body = b""

    def update_headers(self, headers: Any) -> None:
        """Put the given headers over the usual ones, of which the host is the first."""
        self.headers = _USUAL_HEADERS.copy()
        self.headers["Host"] = self.url.host_port_subcomponent or ""
        self.headers.update(headers or ())

    def update_auto_headers(self, skip_auto_headers: Any) -> None:
        """Do nothing: they are there already, and none is ever skipped."""

    def update_body_from_data(self, body: Any, *args: Any, **kwargs: Any) -> None:
        """Keep a small body as it is."""
        if type(body) is bytes and 0 < len(body) <= _SMALL_BODY and self.proxy is None:
            self._small_body = body
            self.headers["Content-Length"] = str(len(body))
        else:
            super().update_body_from_data(body, *args, **kwargs)

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Write the request; return the answer, whose head has still to be read."""
        trip = _trip.get()
        trip.connected = True
        protocol = conn.protocol
        assert protocol is not None  # noqa: S101 - for the type checker: it has just been taken
        if trip.reuses and protocol.should_close:
            # As a front end that says 408 to an idle connection; aiohttp would take it for ours.
            msg = "the connection has an answer that nobody asked for"
            raise aiohttp.ClientConnectionResetError(msg)
        _bound_reads(protocol.transport)
        if not self._small_body:
            trip.written = True
            return await super().send(conn)
        head = _serialize_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        # Not now: requests that begin together are written together, so that the system is asked
        # to wake who reads them once, and not for each.
        self.loop.call_soon(_write, conn, trip, head + self._small_body)
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


def _bound_reads(transport: asyncio.BaseTransport | None) -> None:
    """Have asyncio ask the system for less at once.

    At each read it allocates what it asks for, 256 KiB, and gives back what was not filled. The C
    library maps pieces of that size anew and unmaps them each time, which takes ten times as long
    as the read of a chunk (https://github.com/python/cpython/issues/85451). Other event loops have
    a buffer that they keep, and no such attribute.
    """
    reader: Any = getattr(transport, "_ssl_protocol", transport)  # behind TLS it decrypts as much
    if getattr(reader, "max_size", 0) > _MOST_AT_ONCE:
        reader.max_size = _MOST_AT_ONCE


def _write(conn: aiohttp.connector.Connection, trip: _Trip, data: bytes) -> None:
    """Write a request, unless its connection was lost, given back, or has an answer already."""
    protocol = conn.protocol
    if protocol is None or protocol.should_close:
        return
    transport = protocol.transport
    if transport is not None and not transport.is_closing():
        transport.write(data)
        trip.written = True


class Secret(str):
    """A string that does not show itself: tracebacks print the ``repr`` of what they hold."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Exchange:
    """One answer, from its head to its end."""

    __slots__ = ("_closed", "_response", "headers", "read", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        # aiohttp's own, since a coroutine around it is felt by each chunk.
        self.read = response.content.readany
        """Return the bytes that have come, waiting for some if there are none; ``b""`` at the end.

        What it raises is for `rest`. Cancelling loses nothing.
        """
        self.status = response.status
        self.headers = CIMultiDict(response.headers)
        connection = response.connection  # None if the whole body came with the head
        protocol = connection.protocol if connection is not None else None
        # Done once the connection is lost.
        self._closed = protocol.closed if protocol is not None else None
        if self._closed is not None:
            # Once for each connection, and for good: it may be lost when nobody watches any more.
            self._closed.remove_done_callback(_look_at)
            self._closed.add_done_callback(_look_at)
            self._closed.add_done_callback(self._lost)

    def rest(
        self, error: Exception, outer: BaseException | None
    ) -> tuple[bytes, AIMLChatError | None]:
        """Return what is left once `read` has raised: bytes that came before that, or why it did.

        A connection that broke is a `StreamInterruptedError`. ``outer`` is what the caller was
        handling before it read. An error that is none of a connection is raised again.
        """
        if not isinstance(error, (*_BROKEN, AIMLChatError)):
            raise error
        error.with_traceback(None)  # the body keeps it, and its frames hold whoever reads
        content = self._response.content
        # aiohttp raises before it gives what it still holds; a finished answer may be in there.
        if content._buffer:  # noqa: SLF001 - pinned by a test
            return content._read_nowait(-1), None  # noqa: SLF001
        if isinstance(error, AIMLChatError):  # from `fail`
            return b"", error
        failure = StreamInterruptedError(f"the answer was cut off: {_reason(error)}")
        failure.__cause__ = _cause(error, outer)
        return b"", failure

    async def _read_or_rest(self) -> tuple[bytes, AIMLChatError | None]:
        outer = sys.exception()
        try:
            return await self.read(), None
        except Exception as error:  # noqa: BLE001 - it is judged there
            return self.rest(error, outer)

    async def read_whole(self, before_each_read: Callable[[], None]) -> bytes:
        """Return the rest of the body; its end gives the connection back.

        Raises `ProtocolError` if the body was cut. Cancelling loses what was read.
        """
        content = self._response.content
        if content.is_eof() and content.exception() is None:
            return content.read_nowait()  # as nearly always: it came together with its head
        pieces: list[bytes] = []
        while not content.at_eof():
            before_each_read()
            data, failure = await self._read_or_rest()
            if isinstance(failure, StreamInterruptedError):
                raise ProtocolError(str(failure)) from failure.__cause__
            if failure is not None:
                raise failure
            pieces.append(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def fail(self, error: AIMLChatError) -> None:
        """Close the connection; who reads, or will, gets this error once all that came is read."""
        self._response.content.set_exception(error)
        self.close()

    async def read_refusal(self, before_each_read: Callable[[], None]) -> bytes:
        """Return the body of an error, as much of it as comes and makes sense to keep."""
        body = bytearray()
        content = self._response.content
        try:
            while len(body) < _MAX_ERROR_BODY and not content.at_eof():
                before_each_read()
                data, failure = await self._read_or_rest()
                if failure is not None:
                    break  # the status says what matters; the body is shown as far as it came
                body += data
        finally:
            self.close()
        return bytes(body)

    async def release(self) -> None:
        """Give the connection back to the pool if the body ends within 50 ms, else close it.

        A connection whose body was not read to its end cannot be used again.
        """
        content = self._response.content
        try:
            if not content.is_eof():
                async with asyncio.timeout(_DRAIN_SECONDS):
                    while await content.readany():
                        pass
        except (TimeoutError, *_BROKEN) as error:
            # It is closed below, and the answer is complete. The body keeps the error, whose frames
            # would hold this one.
            error.with_traceback(None)
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection, unless the body was read to its end; safe to repeat."""
        if self._closed is not None:
            self._closed.remove_done_callback(self._lost)
            self._closed = None
        self._response.close()

    def _lost(self, _: asyncio.Future[None]) -> None:
        """Make sure that a reader hears of a lost connection.

        A chunk whose size is broken makes aiohttp close it without a word to the body's reader, who
        would wait for ever.
        """
        content = self._response.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the body is not HTTP"))


class Transport:
    """A pool of connections to one API, opened in the loop that first uses it.

    ``http`` borrows the caller's session, which is then never closed from here.
    """

    def __init__(
        self,
        base_url: str,
        *,
        proxy: str | None,
        ssl: ssl_module.SSLContext | bool | None,
        trust_env: bool,
        http: aiohttp.ClientSession | None,
        limits: Limits,
    ) -> None:
        self._base_url = _checked_url(base_url)
        self._url_of = functools.cache(functools.partial(_url, self._base_url))
        if proxy is None and trust_env:
            proxy = _proxy_from_environment(self._base_url)
        self._proxy = _checked_proxy(proxy) if proxy else None
        self._ssl = True if ssl is None else ssl
        self._borrowed = http
        self._settings: dict[str, Any] = {
            # The key must not follow a redirect to another host, and no API redirects a POST.
            "allow_redirects": False,
            "proxy": self._proxy,
            "ssl": self._ssl,
        }
        if http is not None:
            # It may have its own ideas of these.
            self._settings |= _SETTINGS
        self._owned: aiohttp.ClientSession | None = None
        self._limits = limits
        self._closed = False

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        timeouts: Timeouts,
        body: Body | None = None,
    ) -> Exchange:
        """Send a request and return at the head of the answer, whatever its status.

        Raises `ConnectionFailedError`, or `RequestTimeoutError` in phase ``connect``. Cancelling
        closes the connection.
        """
        http = self._session()
        outer = sys.exception()
        is_large = body is not None and body.is_large
        if body is not None and is_large:
            # With its length: not every front end takes a request in chunks.
            headers = {**headers, "Content-Length": str(len(body))}
        url, timeout = (
            self._url_of(path),
            _client_timeout(timeouts.connect, self._borrowed is not None),
        )
        may_be_stale = True
        while True:
            data: bytes | AsyncIterator[bytes] | None = None
            if body is not None:
                data = _pieces(body) if is_large else body.whole()
            trip = _Trip()
            _trip.set(trip)
            try:
                response = await http.request(
                    method, url, data=data, headers=headers, timeout=timeout, **self._settings
                )
            except aiohttp.ConnectionTimeoutError as error:
                msg = f"no connection to {self._base_url.host} within {timeouts.connect:g} s"
                raise RequestTimeoutError(msg, phase="connect") from _cause(error, outer)
            except (*_BROKEN, ValueError) as error:
                if _was_reused(error, trip) and (may_be_stale or not trip.written):
                    # Nearly always the server had closed it while it was idle.
                    may_be_stale = may_be_stale and not trip.written
                    continue
                self._raise_failed(_cause(error, outer))
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self._closed and task is not None and not task.cancelling():
                    # aiohttp cancels who waits for a place in its pool when that is closed.
                    msg = "the session was closed before the request was sent"
                    raise ConnectionFailedError(msg, sent=False) from None
                raise
            if trip.reuses and not trip.written:
                response.close()  # an answer that nobody asked for, and that came just now
                continue
            return Exchange(response)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closed

    def check(self) -> None:
        """Raise `ConfigurationError` if nothing can be sent from this loop, or any more."""
        self._session()

    async def close(self) -> None:
        """Close the pool; running answers end with an error. Safe to repeat."""
        self._closed = True
        http, self._owned = self._owned, None
        if http is not None:
            await http.close()

    def __del__(self) -> None:
        """Close the sockets of a session that nobody closed; the loop may be gone already."""
        http = getattr(self, "_owned", None)
        if http is not None and not http.closed:
            _abandon(http)

    def _session(self) -> aiohttp.ClientSession:
        loop, http = asyncio.get_running_loop(), self._owned
        if http is not None and http._loop is loop:  # noqa: SLF001 - 4.0 drops the property
            return http
        if self._closed:
            msg = "the session is closed; make a new ChatSession"
            raise ConfigurationError(msg)
        if self._borrowed is not None:
            if self._borrowed.closed:
                msg = "the borrowed http session is closed; lend one that is open"
                raise ConfigurationError(msg)
            if self._borrowed._loop is not loop:  # noqa: SLF001
                msg = "the borrowed http session belongs to another event loop; lend one of this"
                raise ConfigurationError(msg)
            return self._borrowed
        if http is not None:
            if not http._loop.is_closed():  # noqa: SLF001
                msg = "this ChatSession is in use by another event loop; make one for each loop"
                raise ConfigurationError(msg)
            _abandon(http)
            http = None
        if http is None:
            connector = aiohttp.TCPConnector(
                limit=self._limits.max_connections or 0, socket_factory=_socket
            )
            http = self._owned = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                request_class=_Request,
                **_SETTINGS,
            )
        return http

    def _raise_failed(self, error: Exception) -> NoReturn:
        where = f"{self._base_url.host}:{self._base_url.port}"
        if isinstance(error, aiohttp.ClientHttpProxyError):
            msg = f"the proxy refused the connection: {error.status} {error.message}"
            raise ConnectionFailedError(msg, sent=False) from error
        if isinstance(error, aiohttp.ClientResponseError):
            msg = f"{where} did not answer in HTTP: {error.message}"
            raise ProtocolError(msg) from error
        sent = not isinstance(error, aiohttp.ClientConnectorError)
        # A certificate that is refused is a ValueError too, but of the connection.
        if sent and isinstance(error, aiohttp.InvalidURL | ValueError):
            msg = f"the request cannot be sent: {error}"
            raise ConfigurationError(msg) from error
        what = "the connection broke before an answer" if sent else "no connection"
        msg = f"{what} ({where}): {_reason(error)}"
        raise ConnectionFailedError(msg, sent=sent) from error


def _url(base: URL, path: str) -> URL:
    name, _, query = path.partition("?")
    return (base / name).with_query(query) if query else base / name


@functools.lru_cache(maxsize=64)
def _client_timeout(
    connect: float | None,
    borrowed: bool,  # noqa: FBT001 - keywords cost a cache twice as much
) -> aiohttp.ClientTimeout:
    if connect is not None:
        connect = max(connect, _SHORTEST)  # to aiohttp 0 is no limit
    if borrowed:
        # ``connect`` would count the wait for a place in that pool, of which we know nothing.
        return aiohttp.ClientTimeout(total=None, sock_connect=connect)
    # The resolver's time included. The gate lets no more through than the pool has places.
    return aiohttp.ClientTimeout(total=None, connect=connect)


def _was_reused(error: Exception, trip: _Trip) -> bool:
    """Return whether a connection died that was used before, and before a byte came on it."""
    if not trip.reuses:
        return False
    if isinstance(error, aiohttp.ServerDisconnectedError):
        # With a part of a head aiohttp puts what it has read of it in place of a sentence.
        return isinstance(error.message, str)
    return isinstance(error, aiohttp.ClientOSError | aiohttp.ClientConnectionResetError)


def _abandon(http: aiohttp.ClientSession) -> None:
    """Close a session from outside its loop, which may be closed; without waiting, or a warning."""
    connector = http.connector
    http.detach()
    if connector is not None:
        connector._close()  # noqa: SLF001 - the public one has to be awaited


def _checked_url(base_url: str) -> URL:
    try:
        url = URL(base_url.strip().rstrip("/"))
    except ValueError as error:
        msg = f"base_url {base_url!r} is not a URL: {error}"
        raise ConfigurationError(msg) from error
    if url.scheme not in ("http", "https") or not url.host:
        msg = f"base_url {base_url!r} has to be an http: or https: URL with a host"
        raise ConfigurationError(msg)
    if url.query_string or url.fragment or url.user:
        msg = "base_url takes no query, fragment or user name; give headers= for what it needs"
        raise ConfigurationError(msg)
    return url


def _checked_proxy(proxy: str) -> str:
    if "://" not in proxy:
        proxy = f"http://{proxy}"  # as curl reads it
    scheme, _, rest = proxy.partition("://")
    if scheme.lower() not in ("http", "https") or not rest.strip("/"):
        msg = f"a proxy has to be an http: or https: URL, not one with {scheme!r}"
        raise ConfigurationError(msg)
    return proxy


def _proxy_from_environment(url: URL) -> str | None:
    """Look once for each session; aiohttp's own way costs two thread hops a call."""
    if proxy_bypass(f"{url.raw_host}:{url.port}"):
        return None
    return getproxies().get(url.scheme)


def _socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol = address[:3]
    sock = socket.socket(family, kind, protocol)
    _trip.get().sockets += 1
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        # Linux has TCP_KEEPIDLE, macOS calls it TCP_KEEPALIVE, old Windows has none of them.
        option = getattr(socket, name, None)
        if option is not None and not (name == "TCP_KEEPALIVE" and sys.platform != "darwin"):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
    return sock


async def _pieces(body: Body) -> AsyncIterator[bytes]:
    for piece in body.pieces():
        yield piece
        # A socket with room for it all makes nobody wait, and nobody else would get a turn.
        await asyncio.sleep(0)


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return str(error.certificate_error)
        # Its own sentence names the host again, and an "ssl:default" even without TLS.
        return error.os_error.strerror or str(error.os_error) or type(error.os_error).__name__
    return str(error) or type(error).__name__


def _cause(error: Exception, outer: BaseException | None) -> Exception:
    """Return an error of aiohttp's as the cause of ours, without its frames.

    They hold the request's headers. ``outer`` is what the caller was handling already: its frames
    are the caller's own.
    """
    if type(error) is aiohttp.ClientConnectionError:
        # "Connection closed" is one object for all of aiohttp, which must not become a chain.
        return aiohttp.ClientConnectionError(*error.args)
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and link is not outer and id(link) not in seen:
        seen.add(id(link))
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


def _look_at(future: asyncio.Future[None]) -> None:
    """Look at how a connection was lost, or asyncio would log that nobody did."""
    if not future.cancelled():
        future.exception()
