"""A stream on a page, live: into a web socket, or into a response of server-sent events.

The frames are those of the AI SDK's UI message stream, so that its `useChat` reads them as they
are; docs/relay.md has them all in a table.
"""

from __future__ import annotations

from .broadcast import Broadcast
from .buffer import PageTooSlowError
from .sse import SSE_HEADERS, SSEEvents, sse_events, sse_response
from .store import MemoryStore, Store
from .websocket import relay

__all__ = [
    "SSE_HEADERS",
    "Broadcast",
    "MemoryStore",
    "PageTooSlowError",
    "SSEEvents",
    "Store",
    "relay",
    "sse_events",
    "sse_response",
]
