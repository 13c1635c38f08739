"""Send a stream to a browser while it runs, over a web socket or as server-sent events.

The frames follow the AI SDK's UI message stream protocol, so the AI SDK's `useChat` can read them
unchanged. docs/relay.md lists every frame.
"""

from __future__ import annotations

from .broadcast import Broadcast
from .broadcasts import Broadcasts
from .errors import BroadcastInterruptedError, BroadcastTooLargeError, PageTooSlowError
from .extra_frames import DataPart
from .redis_store import RedisStore
from .sse_events import SSEEvents, sse_events
from .sse_response import SSE_HEADERS, sse_response
from .store import MemoryStore, Store
from .ui_messages import request_from_ui, ui_message
from .websocket import relay

__all__ = [
    "SSE_HEADERS",
    "Broadcast",
    "BroadcastInterruptedError",
    "BroadcastTooLargeError",
    "Broadcasts",
    "DataPart",
    "MemoryStore",
    "PageTooSlowError",
    "RedisStore",
    "SSEEvents",
    "Store",
    "relay",
    "request_from_ui",
    "sse_events",
    "sse_response",
    "ui_message",
]
