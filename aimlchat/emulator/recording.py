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
    from .scrubbing import Scrubber

__all__ = ["Recorder"]

# Nothing else is kept: other headers identify the account, its cookies or the proxy in front.
_KEPT_HEADERS = re.compile(
    r"content-type|etag|allow|retry-after(-ms)?|x-inference-id|x-aimlapi-.*"
    r"|x-should-retry|(x-)?ratelimit-.*",
    re.IGNORECASE,
)
# Headers that belong to one connection, or are set again for the connection to the server.
_OWN_HEADERS = re.compile(
    r"host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-length"
    r"|accept-encoding|expect",
    re.IGNORECASE,
)
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
        if url.user is not None or url.password is not None:
            # Not shown: it has a password. The key of the client is passed on.
            msg = "record_from has a user or a password; give the URL without it"
            raise ValueError(msg)
        if url.scheme not in ("http", "https") or not url.host or url.query_string or url.fragment:
            msg = f"record_from is {base_url!r}; give a base URL, as https://api.aimlapi.com/v1"
            raise ValueError(msg)
        self._cassette = cassette
        self._base_url = str(url).rstrip("/")
        self._parent_url = str(URL(self._base_url).parent).rstrip("/")
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections to the server."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def pass_on(
        self,
        request: RecordedRequest,
        record: RequestRecord,
        writer: ResponseWriter,
        scrubber: Scrubber,
    ) -> None:
        """Send a request to the server, and its response to the client, piece by piece.

        The exchange is recorded however it ends, once the server has sent its response headers.

        Args:
            request: the request without its keys.
            record: the request as it was received.
            writer: the response to the client.
            scrubber: takes the keys out of what is recorded.

        Raises:
            RejectedRequestError: the server cannot be reached.
        """
        headers = {n: v for n, v in record.headers.items() if not _OWN_HEADERS.fullmatch(n)}
        # People read cassettes and their diffs. A body that is compressed all the same is
        # recorded as it was before that.
        headers["Accept-Encoding"] = "identity"
        clock = asyncio.get_running_loop().time
        start = clock()
        try:
            response = await self._open_session().request(
                request.method,
                self._find_url(writer.request.raw_path),
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
        length = None if "Content-Encoding" in response.headers else response.content_length
        pieces: list[tuple[float, bytes]] = []
        is_complete = False
        try:
            planned = PlannedResponse(status=response.status, headers=kept)
            await writer.send_headers(planned, length)
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
                {name: scrubber.scrub_text(value) for name, value in kept.items()},
                length,
                wait,
                scrubber.scrub_pieces(pieces),
                is_complete,
            )
            self._cassette.record(exchange)

    def _find_url(self, target: str) -> URL:
        """Return the URL for the target of a request, as it was sent.

        Paths below `/v1` are below the base URL; any other path, such as `/v2`, is next to it.
        """
        url = URL(target, encoded=True)
        path = url.raw_path_qs
        if re.match(r"/v1\b", path):
            return URL(self._base_url + path.removeprefix("/v1"), encoded=True)
        return URL(self._parent_url + path, encoded=True)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
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
    content = response.content
    try:
        while not content.at_eof():  # aiohttp's iterator never ends if the body is empty
            data, is_end = await content.readchunk()
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
