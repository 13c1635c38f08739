"""A server that sends exact bytes, including those that no correct server would send."""

import asyncio
from contextlib import asynccontextmanager

STREAM_HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = STREAM_HEADERS + b"Transfer-Encoding: chunked\r\n\r\n"


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def content(text: str, finish: str = "null") -> bytes:
    return (
        b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"%s"},'
        b'"finish_reason":%s}]}\n\n' % (text.encode(), finish.encode())
    )


class RawServer:
    """Records connections and requests, and passes each request to a handler of the test."""

    def __init__(self, handler) -> None:
        self._handler = handler
        self.base_url = ""
        self.requests: list[bytes] = []
        self.connections = 0
        self.requested = asyncio.Event()  # set when a request has arrived
        self.gone = asyncio.Event()  # set when a client has closed its connection

    async def _serve(self, reader, writer) -> None:
        self.connections += 1
        try:
            while True:
                headers = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in headers.lower().split(b"\r\n")
                        if line.startswith(b"content-length:")
                    ),
                    0,
                )
                self.requests.append(headers + await reader.readexactly(length))
                self.requested.set()
                await self._handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving(handler):
    raw = RawServer(handler)
    server = await asyncio.start_server(raw._serve, "127.0.0.1", 0)
    raw.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield raw
    finally:
        server.close()
