"""The sockets of the emulator: how many are open, and how to close all of them at once."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from aiohttp import web

from .records import Happening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.web_protocol import RequestHandler

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

__all__ = ["Listener"]


class _CountingServer(web.Server):
    """A server that knows who is connected at this moment, handlers that still end aside."""

    def __init__(self, handler: Handler) -> None:
        # A client that leaves ends its handler at once, whatever that waits for.
        super().__init__(handler, handler_cancellation=True, access_log=None)
        self.transports: dict[RequestHandler, asyncio.Transport] = {}
        self.closing = False
        self._lock = threading.Lock()
        self._emptied = Happening()

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        with self._lock:
            if not self.transports:
                self._emptied = Happening()
            self.transports[handler] = transport
        if self.closing:
            transport.abort()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        with self._lock:
            self.transports.pop(handler, None)
            if not self.transports:
                self._emptied.happen()

    async def emptied(self) -> None:
        with self._lock:
            if not self.transports:
                return
            emptied = self._emptied
        await emptied.wait()


class Listener:
    """A listening socket and the connections that came in through it."""

    def __init__(self, server: _CountingServer, runner: web.ServerRunner) -> None:
        self._server = server
        self._runner = runner
        self.address: tuple[str, int] = runner.addresses[0][:2]

    @classmethod
    async def open(cls, handler: Handler, host: str, port: int) -> Listener:
        """Listen on an address; port 0 takes one that is free.

        Raises:
            OSError: the address cannot be had.
        """
        server = _CountingServer(handler)
        runner = web.ServerRunner(server)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError:
            await runner.cleanup()
            raise
        return cls(server, runner)

    @property
    def connections(self) -> int:
        """How many sockets are open."""
        return len(self._server.transports)

    async def no_connections(self) -> None:
        """Return once no socket is open. May be awaited from any event loop."""
        await self._server.emptied()

    async def close(self) -> None:
        """Stop listening and cut every connection, in the middle of an answer too."""
        for site in self._runner.sites:
            await site.stop()
        self._server.closing = True
        for transport in list(self._server.transports.values()):
            transport.abort()
        # aiohttp forgets a connection when the last of its tasks has ended, which takes the ones
        # just cut a few turns of the loop. Its own shutdown would wait for them up to a minute.
        while self._server.connections:  # noqa: ASYNC110 - aiohttp offers no event for it
            await asyncio.sleep(0)
        await self._runner.cleanup()
