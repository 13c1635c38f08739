"""Recording: requests are passed on to a real server, and its responses are kept."""

from __future__ import annotations

import asyncio
import io
import re
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from .cassette import Exchange
from .errors import RejectedRequestError
from .responses import PlannedResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .cassette import Cassette, RecordedRequest
    from .http import ResponseWriter
    from .records import RequestRecord

__all__ = ["Recorder"]

# Nothing else is kept: other headers identify the account, its cookies or the proxy in front.
_KEPT_HEADERS = re.compile(
    r"content-type|content-encoding|etag|allow|retry-after(-ms)?|x-inference-id|x-aimlapi-.*"
    r"|x-should-retry|(x-)?ratelimit-.*",
    re.IGNORECASE,
)
# What belongs to one connection, or is set anew for the connection to the server.
_OWN_HEADERS = re.compile(
    r"host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-length"
    r"|accept-encoding|expect",
    re.IGNORECASE,
)
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)
_CONNECT_SECONDS = 30


class _CutError(Exception):
    """The server has ended the connection before the body."""


class Recorder:
    """Passes requests on to a server, and records the exchanges.

    Args:
        cassette: where the exchanges go.
        base_url: the server's base URL, such as `https://api.aimlapi.com/v1`.

    Raises:
        ValueError: the base URL is not one.
    """

    def __init__(self, cassette: Cassette, base_url: str) -> None:
        url = URL(base_url)
        if url.scheme not in ("http", "https") or not url.host:
            msg = f"record_from is {base_url!r}; give a base URL, as https://api.aimlapi.com/v1"
            raise ValueError(msg)
        self._cassette = cassette
        self._base_url = str(url).rstrip("/")
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections to the server."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def pass_on(
        self, request: RecordedRequest, record: RequestRecord, writer: ResponseWriter
    ) -> None:
        """Send a request to the server, and its response to the client, piece by piece.

        The exchange is recorded however it ends, once the server has sent its response headers.

        Raises:
            RejectedRequestError: the server cannot be reached.
        """
        headers = {n: v for n, v in record.headers.items() if not _OWN_HEADERS.fullmatch(n)}
        # A cassette is to be read, and its diffs too.
        headers["Accept-Encoding"] = "identity"
        url = URL(self._base_url + request.path.removeprefix("/v1"), encoded=True)
        clock = asyncio.get_running_loop().time
        start = clock()
        try:
            response = await self._open_session().request(
                request.method,
                url.with_query(request.query or None),
                headers=headers,
                data=io.BytesIO(record.raw_body) if record.raw_body else None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as error:
            msg = f"cannot record: {self._base_url} does not respond ({error})"
            raise RejectedRequestError(502, msg) from error
        kept = {n.lower(): v for n, v in response.headers.items() if _KEPT_HEADERS.fullmatch(n)}
        record.billed = request.is_chat and response.ok
        wait = clock() - start
        start += wait
        pieces: list[tuple[float, bytes]] = []
        is_complete = False
        try:
            planned = PlannedResponse(status=response.status, headers=kept)
            await writer.send_headers(planned, response.content_length)
            async for data in _iterate_chunks(response):
                now = clock()
                pieces.append((now - start, data))
                start = now
                await writer.response.write(data)
            is_complete = True
            await writer.finish()
        except _CutError:
            await writer.disconnect("close")  # as the server did
        finally:
            response.close()
            exchange = Exchange(
                request,
                response.status,
                kept,
                response.content_length,
                wait,
                tuple(pieces),
                is_complete,
            )
            self._cassette.record(exchange.scrub(_find_key(record)))

    def _open_session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                auto_decompress=False,
                trust_env=True,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._http


async def _iterate_chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the HTTP chunks of a body; of one without chunks, the pieces as they arrive.

    Raises:
        _CutError: the connection ended before the body.
    """
    is_chunked = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
    chunk = b""
    try:
        async for data, is_end in response.content.iter_chunks():
            chunk += data
            if chunk and (is_end or not is_chunked):
                yield chunk
                chunk = b""
    except (aiohttp.ClientError, OSError) as error:
        if chunk:
            yield chunk
        raise _CutError from error
    if chunk:
        yield chunk


def _find_key(record: RequestRecord) -> str:
    match = _BEARER.match(record.headers.get("Authorization", ""))
    return match[1] if match else ""
