"""Pages in a process of their own, over raw sockets, so that they use little CPU time.

    python page_readers.py PORT PAGES STUCK ws|sse

Opens the pages, of which ``STUCK`` read nothing, reads to the end of the others, and prints how
many frames with text they received, and how late the last one was.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
import time

from machine import allow_many_sockets, pin_to_core

WEBSOCKET = (  # with the example key of RFC 6455
    b"GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
EVENTS = b"GET /sse HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
CLOSE_FRAME = b"\x88\x02"
DUE = re.compile(rb"(\d+\.\d{6})/\d")
SMALLEST = 4096  # bytes that the kernel buffers for a page that is stuck


class Page(asyncio.Protocol):
    """A page that reads to the end."""

    frames = 0
    late = 0.0

    def __init__(self, opening: bytes) -> None:
        self.opening = opening
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.opening)

    def data_received(self, data: bytes) -> None:
        Page.frames += data.count(b'"text-delta"')
        if due := DUE.search(data):
            Page.late = max(Page.late, time.monotonic() - float(due[1]))
        if data[-4:-2] == CLOSE_FRAME:
            self.transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self.ended.set_result(None)


async def main() -> None:
    """Open the pages and read."""
    port, count, stuck_count = map(int, sys.argv[1:4])
    opening = WEBSOCKET if sys.argv[4] == "ws" else EVENTS
    stuck = [socket.socket() for _ in range(stuck_count)]
    for page in stuck:
        page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALLEST)
        page.connect(("127.0.0.1", port))
        page.sendall(opening)
    loop = asyncio.get_running_loop()
    pages = []
    for _ in range(count - stuck_count):
        _, page = await loop.create_connection(lambda: Page(opening), "127.0.0.1", port)
        pages.append(page)
    await asyncio.gather(*(page.ended for page in pages))
    print(json.dumps({"frames": Page.frames, "late": Page.late}))


if __name__ == "__main__":
    allow_many_sockets()
    pin_to_core(last=True)
    asyncio.run(main())
