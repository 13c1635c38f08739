"""The only place of the client that knows aiohttp: pool, sockets, and its errors made ours."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.request import getproxies, proxy_bypass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from .errors import (
    ConfigurationError,
    ConnectionFailedError,
    ProtocolError,
    RequestTimeoutError,
    StreamInterruptedError,
)

if TYPE_CHECKING:
    import ssl as ssl_module
    from collections.abc import AsyncIterator, Mapping

    from .policies import Limits, Timeouts

__all__ = ["Exchange", "Secret", "Transport"]

# Upstreams put much into one header (content security policies, cookies); aiohttp's own limit of
# 8,190 bytes makes a 400 out of that.
_MAX_HEADER_BYTES = 64 * 1024
# aiohttp warns of, and stalls the loop on, a body of bytes above 1 MiB: larger ones go in pieces.
_PIECE = 256 * 1024
_MAX_ERROR_BODY = 1024 * 1024
_DRAIN_SECONDS = 0.05
# Probe an idle connection after a minute, so that no NAT drops a call that thinks for long.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
# What aiohttp raises for a connection that breaks; RuntimeError is its "Connection closed."
_BROKEN = (aiohttp.ClientError, OSError, RuntimeError)


class Secret(str):
    """A string that does not show itself: tracebacks print the ``repr`` of what they hold."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Exchange:
    """One answer, from its head to its end."""

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = CIMultiDict(response.headers)

    async def read(self) -> bytes:
        """Return the bytes that have come, waiting for some if there are none; ``b""`` at the end.

        Raises `StreamInterruptedError` when the connection breaks, but only after all that came
        before was returned. Cancelling loses nothing.
        """
        content = self._response.content
        try:
            return await content.readany()
        except _BROKEN as error:
            # aiohttp raises before it gives what it still holds; a finished answer may be in there.
            if content._buffer:  # noqa: SLF001 - pinned by a test
                return content._read_nowait(-1)  # noqa: SLF001
            _forget_frames(error)
            msg = f"the connection broke in the middle of the answer: {_reason(error)}"
            raise StreamInterruptedError(msg) from error

    async def read_whole(self) -> bytes:
        """Return the rest of the body and give the connection back.

        Raises `ProtocolError` if the body was cut. Cancelling closes the connection.
        """
        try:
            return await self._response.read()
        except _BROKEN as error:
            _forget_frames(error)
            msg = f"the answer was cut off: {_reason(error)}"
            raise ProtocolError(msg) from error
        finally:
            self.close()

    async def read_refusal(self) -> bytes:
        """Return the body of an error, as much of it as comes and makes sense to keep."""
        body = bytearray()
        try:
            while len(body) < _MAX_ERROR_BODY and (data := await self.read()):
                body += data
        except StreamInterruptedError:
            pass  # the status says what matters; the body is shown as far as it came
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
        except (TimeoutError, *_BROKEN):
            pass  # it is closed below, and the answer is complete
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection, unless the body was read to its end; safe to repeat."""
        self._response.close()


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
        self._proxy = proxy or (_proxy_from_environment(self._base_url) if trust_env else None)
        self._ssl = True if ssl is None else ssl
        self._borrowed = http
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
        body: bytes | None = None,
    ) -> Exchange:
        """Send a request and return at the head of the answer, whatever its status.

        Raises `ConnectionFailedError`, or `RequestTimeoutError` in phase ``connect``. Cancelling
        closes the connection.
        """
        http = self._session()
        try:
            response = await http.request(
                method,
                self._base_url / path,
                data=_pieces(body) if body and len(body) > _PIECE else body,
                headers=headers,
                # The key must not follow a redirect to another host, and no API redirects a POST.
                allow_redirects=False,
                proxy=self._proxy,
                ssl=self._ssl,
                timeout=aiohttp.ClientTimeout(total=None, connect=timeouts.connect),
                max_line_size=_MAX_HEADER_BYTES,
                max_field_size=_MAX_HEADER_BYTES,
            )
        except aiohttp.ConnectionTimeoutError as error:
            _forget_frames(error)
            msg = f"no connection to {self._base_url.host} within {timeouts.connect:g} s"
            raise RequestTimeoutError(msg, phase="connect") from error
        except (*_BROKEN, ValueError) as error:
            _forget_frames(error)
            self._raise_failed(error)
        return Exchange(response)

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
        if self._closed:
            msg = "the session is closed; make a new ChatSession"
            raise ConfigurationError(msg)
        if self._borrowed is not None:
            return self._borrowed
        loop = asyncio.get_running_loop()
        http = self._owned
        if http is not None and http._loop is not loop:  # noqa: SLF001 - 4.0 drops the property
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
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            )
        return http

    def _raise_failed(self, error: Exception) -> NoReturn:
        where = f"{self._base_url.host}:{self._base_url.port}"
        if isinstance(error, aiohttp.ClientResponseError):
            msg = f"{where} did not answer in HTTP: {error.message}"
            raise ProtocolError(msg) from error
        if isinstance(error, aiohttp.InvalidURL | ValueError):
            msg = f"the request cannot be sent: {error}"
            raise ConfigurationError(msg) from error
        sent = not isinstance(error, aiohttp.ClientConnectorError)
        what = "the connection broke before an answer" if sent else "no connection"
        msg = f"{what} ({where}): {_reason(error)}"
        raise ConnectionFailedError(msg, sent=sent) from error


def _abandon(http: aiohttp.ClientSession) -> None:
    """Close a session from outside its loop, which may be closed; without waiting, or a warning."""
    connector = http.connector
    http.detach()
    if connector is not None:
        connector._close()  # noqa: SLF001 - the public one has to be awaited


def _checked_url(base_url: str) -> URL:
    try:
        url = URL(base_url.rstrip("/"))
    except ValueError as error:
        msg = f"base_url {base_url!r} is not a URL: {error}"
        raise ConfigurationError(msg) from error
    if url.scheme not in ("http", "https") or not url.host:
        msg = f"base_url {base_url!r} has to be an http: or https: URL with a host"
        raise ConfigurationError(msg)
    return url


def _proxy_from_environment(url: URL) -> str | None:
    """Look once for each session; aiohttp's own way costs two thread hops a call."""
    host = url.host or ""
    return None if proxy_bypass(host) else getproxies().get(url.scheme)


def _socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol = address[:3]
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        # Linux has TCP_KEEPIDLE, macOS calls it TCP_KEEPALIVE, old Windows has none of them.
        option = getattr(socket, name, None)
        if option is not None and not (name == "TCP_KEEPALIVE" and sys.platform != "darwin"):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
    return sock


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        # Its own sentence names the host again, and an "ssl:default" even without TLS.
        return error.os_error.strerror or str(error.os_error) or type(error.os_error).__name__
    return str(error) or type(error).__name__


def _forget_frames(error: BaseException) -> None:
    """Drop the frames of aiohttp from an error: they hold the request's headers."""
    seen: BaseException | None = error
    while seen is not None:
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__
