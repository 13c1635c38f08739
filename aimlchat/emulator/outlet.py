"""The connection that an answer goes out on, down to where HTTP is no longer kept."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .errors import error_body, usual_message

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from .records import RequestRecord
    from .responses import Content

__all__ = ["Outlet"]

# Switched on, with no time to linger: closing then resets.
_NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Outlet:
    """Sends one answer, in as many steps as somebody wants to stop between."""

    def __init__(self, request: web.BaseRequest, record: RequestRecord) -> None:
        self._request = request
        self._record = record
        self._has_sent = False
        self.response = web.StreamResponse()

    def error(self, status: int, message: str | None) -> dict[str, Any]:
        """Make the body of an error; without a message it has the usual one."""
        return error_body(
            status,
            usual_message(status) if message is None else message,
            path=self._record.path,
            request_id=self._record.identities.uuid("request"),
        )

    async def begin(self, content: Content, length: int | None) -> None:
        """Send the head. The length is what it promises; None promises chunks."""
        self.response.set_status(content.status)
        self.response.headers.update({**self._usual_headers(), **content.headers})
        self.response.content_length = length
        await self.response.prepare(self._request)

    async def send(self, pieces: Iterable[bytes], pace: float) -> None:
        """Send pieces of the body with a pause in front of each but the very first."""
        for piece in pieces:
            if self._has_sent:
                # Without a pace too: others get their turn, and a client that left is noticed.
                await asyncio.sleep(pace)
            await self.response.write(piece)
            self._has_sent = True

    async def end(self) -> None:
        """End the body properly; the connection stays open for the next request."""
        await self.response.write_eof()

    def send_unframed(self, data: bytes) -> None:
        """Send bytes past all framing; nothing but `leave` may follow."""
        if self._request.transport is not None:
            self._request.transport.write(data)

    async def leave(self, how: Literal["close", "reset"]) -> None:
        """End the connection after what was sent: properly, or with a reset."""
        transport = self._request.transport
        if transport is None:
            return
        if how == "close":
            transport.close()
            return
        # Else the reset throws away what the kernel has not taken yet.
        transport.set_write_buffer_limits(0)
        await self._request.writer.drain()
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()

    def _usual_headers(self) -> dict[str, str]:
        record = self._record
        headers = {"Server": "aimlchat-emulator", "x-inference-id": record.inference_id}
        if record.client_request_id is not None:
            headers["x-client-request-id"] = record.client_request_id
        return headers
