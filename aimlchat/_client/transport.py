"""The connection pool, and the translation of aiohttp's errors."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl as ssl_module
import sys
from typing import TYPE_CHECKING, Any

import aiohttp

from aimlchat.errors import (
    ConfigurationError,
    ConnectionFailedError,
    ProtocolError,
    RequestTimeoutError,
    StreamInterruptedError,
)

from . import aiohttp_hooks
from .base_url import join_url, parse_base_url
from .content_coding import ACCEPTED_CODINGS
from .credentials import HEADER_NAMES, mask_headers, override_headers
from .fork import keep_from_children, renew_in_child
from .proxy import Proxy, parse_proxy, proxy_from_environment
from .response import Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from aimlchat.errors import AIMLChatError
    from aimlchat.policies import Limits, Timeouts

    from .aiohttp_hooks import ConnectionUse
    from .body import Body

__all__ = ["Transport"]

# Upstreams put long policies and cookies into one header. Beyond its own limit of 8,190 bytes
# aiohttp would raise an error that looks like a 400.
_MAX_HEADER_BYTES = 64 * 1024
_SETTINGS: dict[str, Any] = {
    "raise_for_status": False,
    # aiohttp refuses a response whose coding it cannot decode, and its status is lost.
    "auto_decompress": False,
    "max_line_size": _MAX_HEADER_BYTES,
    "max_field_size": _MAX_HEADER_BYTES,
}
_MIN_TIMEOUT = 0.001
# A connection that the server had closed while it was idle is reset within a round trip.
_STALE_SECONDS = 0.5
# Probe an idle connection after a minute, so that NAT does not drop it while a model thinks.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
# What aiohttp raises for a connection that breaks; RuntimeError is its "Connection closed."
_CONNECTION_ERRORS = (aiohttp.ClientError, OSError, RuntimeError)


class Transport:
    """A pool of connections to one API, opened in the event loop that first uses it.

    ``http`` is the caller's own aiohttp session to use instead, which is never closed here.
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
        _check_types(ssl, http)
        self._base_url = parse_base_url(base_url)
        self._url_of = functools.lru_cache(maxsize=8)(functools.partial(join_url, self._base_url))
        if proxy is None and trust_env:
            proxy = proxy_from_environment(self._base_url)
        self._settings: dict[str, Any] = {
            # The key must not follow a redirect to another host, and no API redirects a POST.
            "allow_redirects": False,
            "ssl": True if ssl is None else ssl,
        }
        self._extra_headers: dict[str, str] = {}
        self.secrets: tuple[str, ...] = ()
        """What an error must not show: the proxy's credentials, a borrowed session's headers."""
        if proxy:
            self._use_proxy(parse_proxy(proxy))
        self._borrowed = http
        if http is not None:
            from .redaction import secrets_of_headers  # noqa: PLC0415 - few sessions borrow one

            self.secrets += tuple(secrets_of_headers(mask_headers(http.headers) or {}))
            # The borrowed session may have other settings, and a user agent of its own.
            self._settings |= _SETTINGS
            self._extra_headers[HEADER_NAMES["Accept-Encoding"]] = ACCEPTED_CODINGS
            if "User-Agent" not in http.headers:
                self._extra_headers[HEADER_NAMES["User-Agent"]] = aiohttp_hooks.USER_AGENT
        self._request_method = aiohttp_hooks.REQUEST_METHOD if http is None else "request"
        self._owned: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # the loop of the owned session
        self._limits = limits
        self._max_answer_bytes = limits.max_answer_bytes or sys.maxsize
        self._closed = False
        renew_in_child(self, Transport._drop_pool)

    def _use_proxy(self, proxy: Proxy) -> None:
        self._settings["proxy"] = proxy.url
        self.secrets += proxy.secrets
        if self._base_url.scheme == "https":
            self._settings["proxy_headers"] = proxy.headers  # those of the request for a tunnel
        else:
            self._extra_headers |= proxy.headers

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        timeouts: Timeouts,
        body: Body | None = None,
        on_stale: Callable[[AIMLChatError], None] | None = None,
    ) -> Response:
        """Send a request; return the response, of any status, once its headers have arrived.

        A reused connection that dies within half a second of the request and before a byte of the
        response is replaced once, after a call of ``on_stale``; never if that is None. Raises
        `ConnectionFailedError`, or `RequestTimeoutError` in phase ``connect``. Cancelling closes
        the connection.
        """
        http = self._session()
        request = getattr(http, self._request_method)
        outer = sys.exception()
        if self._extra_headers:
            headers = override_headers(self._extra_headers, headers)
        is_large = body is not None and body.is_large
        if body is not None and is_large:
            # With its length, since not every front end accepts chunked requests.
            headers = {**headers, "Content-Length": str(len(body))}
        url = self._url_of(path)
        timeout = _client_timeout(timeouts.connect, self._borrowed is not None)
        while True:
            data: bytes | AsyncIterator[bytes] | None = None
            if body is not None:
                data = _send_pieces(body) if is_large else body.whole()
            use = aiohttp_hooks.ConnectionUse()
            aiohttp_hooks.current_use.set(use)
            try:
                response = await request(
                    method, url, data=data, headers=headers, timeout=timeout, **self._settings
                )
            except (*_CONNECTION_ERRORS, ValueError) as error:
                is_stale = _is_stale(error, use)
                if is_stale and use.written_at is None:
                    continue
                failure = self._failure_of(_as_cause(error, outer), timeouts)
                if not is_stale or on_stale is None:
                    raise failure from failure.__cause__
                # Nearly always the server had closed the connection while it was idle.
                on_stale(failure)
                on_stale = None
                continue
            except asyncio.CancelledError:
                self._raise_if_closed()
                raise
            if use.is_reused and use.written_at is None:
                response.close()  # an unsolicited response, which arrived just before the request
                continue
            return Response(response, _interruption, self._max_answer_bytes)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def check(self) -> None:
        """Raise `ConfigurationError` if it is closed, or cannot be used in this loop."""
        self._session()

    async def close(self) -> None:
        """Close the pool; responses that are being read end with an error.

        Safe to repeat, and to cancel: the connections are closed before the wait for their end.
        """
        self._closed = True
        http, self._owned = self._owned, None
        if http is None:
            return
        if self._loop is asyncio.get_running_loop():
            await http.close()
        else:
            aiohttp_hooks.abandon(http)  # only the loop of its connections could wait for their end

    def __del__(self) -> None:
        """Close the sockets of a session that was not closed; its loop may already be closed."""
        http = getattr(self, "_owned", None)
        if http is not None and not http.closed:
            aiohttp_hooks.abandon(http)

    def _drop_pool(self) -> None:
        """Forget the connections of the parent process, from which this process was forked."""
        http, self._owned = self._owned, None
        if http is not None:
            # A connection with an unfinished upload: asyncio fails to change what the parent's
            # epoll watches, since the file descriptor no longer refers to that socket.
            with contextlib.suppress(OSError):
                aiohttp_hooks.abandon(http)

    def _session(self) -> aiohttp.ClientSession:
        loop, http = asyncio.get_running_loop(), self._owned
        if http is not None and self._loop is loop:
            return http
        if self._closed:
            msg = "the session is closed; make a new ChatSession"
            raise ConfigurationError(msg)
        if self._borrowed is not None:
            return self._checked_borrowed(self._borrowed, loop)
        if http is not None:
            if self._loop is not None and not self._loop.is_closed():
                msg = "this ChatSession is in use by another event loop; make one for each loop"
                raise ConfigurationError(msg)
            aiohttp_hooks.abandon(http)
        self._loop = loop
        request_class = aiohttp_hooks.request_class()
        self._owned = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._limits.max_connections or 0, socket_factory=_create_socket
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=request_class,
            headers=request_class.session_headers,
            **_SETTINGS,
        )
        aiohttp_hooks.disable_repetition(self._owned)
        return self._owned

    def _checked_borrowed(
        self, http: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop
    ) -> aiohttp.ClientSession:
        if http.closed:
            msg = "the borrowed http session is closed; pass an open one"
            raise ConfigurationError(msg)
        if aiohttp_hooks.loop_of(http) not in (loop, None):
            msg = (
                "the borrowed http session belongs to another event loop; pass one that was created"
                " in this loop"
            )
            raise ConfigurationError(msg)
        return http

    def _raise_if_closed(self) -> None:
        """Raise our error for a task that aiohttp cancelled because the pool was closed."""
        task = asyncio.current_task()
        if self._closed and task is not None and not task.cancelling():
            msg = "the session was closed before the request was sent"
            raise ConnectionFailedError(msg, sent=False) from None

    def _failure_of(self, error: Exception, timeouts: Timeouts) -> AIMLChatError:
        """Return our error for one of aiohttp's, which becomes its cause."""
        failure = self._translate(error, timeouts)
        failure.__cause__ = error
        return failure

    def _translate(self, error: Exception, timeouts: Timeouts) -> AIMLChatError:
        where = f"{self._base_url.host}:{self._base_url.port}"
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            msg = f"no connection to {self._base_url.host} within {timeouts.connect:g} s"
            return RequestTimeoutError(msg, phase="connect")
        if isinstance(error, aiohttp.ClientHttpProxyError):
            msg = f"the proxy refused the connection: {error.status} {error.message}"
            return ConnectionFailedError(msg, sent=False)
        if isinstance(error, aiohttp.ClientResponseError):
            return ProtocolError(f"{where} sent an invalid HTTP response: {_reason(error)}")
        sent = not isinstance(error, aiohttp.ClientConnectorError)
        # The error for a rejected certificate is a ValueError, too, but the connection failed.
        if sent and isinstance(error, aiohttp.InvalidURL | ValueError):
            return ConfigurationError(f"the request cannot be sent: {error}")
        what = "the connection broke before a response" if sent else "no connection"
        return ConnectionFailedError(f"{what} ({where}): {_reason(error)}", sent=sent)


def _check_types(ssl: Any, http: Any) -> None:
    if not isinstance(ssl, ssl_module.SSLContext | aiohttp.Fingerprint | bool | None):
        msg = (
            f"ssl= is an object of type {type(ssl).__name__}; give False, or a context, as in"
            " ssl=ssl.create_default_context(cafile=...)"
        )
        raise ConfigurationError(msg)
    if not isinstance(http, aiohttp.ClientSession | None):
        msg = f"http= is an object of type {type(http).__name__}; give an aiohttp.ClientSession"
        raise ConfigurationError(msg)


@functools.lru_cache(maxsize=64)
def _client_timeout(
    connect: float | None,
    borrowed: bool,  # noqa: FBT001 - keywords would double the cost of the cache
) -> aiohttp.ClientTimeout:
    if connect is not None:
        connect = max(connect, _MIN_TIMEOUT)  # aiohttp takes 0 for no limit
    if borrowed:
        # ``connect`` would include the wait for a free connection of a pool that is not ours.
        return aiohttp.ClientTimeout(total=None, sock_connect=connect)
    # Includes name resolution. The rate limiter admits no more calls than there are connections.
    return aiohttp.ClientTimeout(total=None, connect=connect)


def _is_stale(error: Exception, use: ConnectionUse) -> bool:
    """Return whether a reused connection died at once, before a byte of the response had arrived.

    A server that closes the connection later may have worked on the request, and billed it.
    """
    if not use.is_reused:
        return False
    if use.written_at is not None:
        elapsed = asyncio.get_running_loop().time() - use.written_at
        if elapsed > _STALE_SECONDS:
            return False
    if isinstance(error, aiohttp.ServerDisconnectedError):
        # If part of the headers had arrived, the message is the part of them that was parsed.
        return isinstance(error.message, str)
    return isinstance(error, aiohttp.ClientOSError | aiohttp.ClientConnectionResetError)


def _create_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol = address[:3]
    sock = socket.socket(family, kind, protocol)
    keep_from_children(sock)
    aiohttp_hooks.current_use.get().sockets += 1
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        # Linux has TCP_KEEPIDLE, macOS calls it TCP_KEEPALIVE, old Windows has neither.
        option = getattr(socket, name, None)
        if option is not None and not (name == "TCP_KEEPALIVE" and sys.platform != "darwin"):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
    return sock


async def _send_pieces(body: Body) -> AsyncIterator[bytes]:
    for piece in body.pieces():
        yield piece
        # A socket with room for the whole body never suspends the task that writes it.
        await asyncio.sleep(0)


def _interruption(error: Exception, outer: BaseException | None) -> StreamInterruptedError | None:
    """Return the failure of a body whose connection broke; None for an error of another kind."""
    if not isinstance(error, _CONNECTION_ERRORS):
        return None
    failure = StreamInterruptedError(f"the response was cut off: {_reason(error)}")
    failure.__cause__ = _as_cause(error, outer)
    return failure


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return str(error.certificate_error)
        # Its own text repeats the host, and has an "ssl:default" even without TLS.
        return error.os_error.strerror or str(error.os_error) or type(error.os_error).__name__
    text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    # What aiohttp could not parse follows as a paragraph of its own.
    return text.partition("\n\n")[0].rstrip(":") or type(error).__name__


def _as_cause(error: Exception, outer: BaseException | None) -> Exception:
    """Return an aiohttp error without its frames, which hold the request's headers.

    It becomes the cause of ours. ``outer`` is the exception that the caller was already handling;
    its frames are the caller's own and stay.
    """
    if isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str):
        # The message is the parsed part of the headers, whose last value may have been cut.
        return aiohttp.ServerDisconnectedError("the server disconnected within its headers")
    if type(error) is aiohttp.ClientConnectionError:
        # aiohttp raises one shared object for "Connection closed", which must not become a chain.
        return aiohttp.ClientConnectionError(*error.args)
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        link.__traceback__ = None
        if link.__context__ is outer:
            link.__context__ = None  # it becomes the context of ours as well
        link = link.__cause__ or link.__context__
    return error
