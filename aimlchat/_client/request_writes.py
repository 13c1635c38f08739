"""Requests that start together are written together."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

__all__ = ["WrittenNext", "written_next"]

Request = tuple[Any, Any, bytes]
"""A connection of aiohttp, the `ConnectionUse` that notes the time of the write, and the data."""


class WrittenNext(threading.local):
    """The requests that are written in the next pass of the loop that runs in this thread.

    Requests that start together are written together, by one callback of the loop, so that the
    kernel wakes the reading process once for all of them.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._requests: deque[Request] = deque()

    def add(self, loop: asyncio.AbstractEventLoop, request: Request) -> None:
        """Add a request, with its connection."""
        requests = self._requests
        if requests and loop is self._loop:  # a loop that has ended writes nothing
            requests.append(request)
        else:
            self._loop, self._requests = loop, deque((request,))
            loop.call_soon(self._write_all, loop, self._requests)

    def _write_all(self, loop: asyncio.AbstractEventLoop, requests: deque[Request]) -> None:
        """Write each request whose connection was not lost, or given back with a response."""
        self._loop = None  # so that it can be freed once it has ended
        now = loop.time()
        try:
            while requests:
                conn, use, data = requests.popleft()
                protocol = conn.protocol
                if protocol is None or protocol.should_close:
                    continue
                transport = protocol.transport
                if transport is not None and not transport.is_closing():
                    transport.write(data)
                    use.written_at = now
        finally:
            if requests:  # a transport has raised, which does not affect the other ones
                loop.call_soon(self._write_all, loop, requests)


written_next = WrittenNext()
