"""Stream chat completions of the AI/ML API, with reasoning separate from the answer.

Names that need aiohttp, asyncio or the request builder are loaded on first use (PEP 562), so that
``import aimlchat`` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__
from .completions import (
    AnswerDelta,
    Balance,
    Choice,
    Completion,
    Cost,
    Delta,
    ReasoningDelta,
    RefusalDelta,
    ToolCallDelta,
    Usage,
)
from .content import Audio, Document, Image, Text, Thinking
from .errors import (
    AIMLChatError,
    APIError,
    Attempt,
    AuthenticationError,
    BadRequestError,
    BudgetExceededError,
    ConfigurationError,
    ConnectionFailedError,
    InsufficientCreditsError,
    InvalidRequestError,
    NotFoundError,
    OutputError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StreamInterruptedError,
    TransportError,
)
from .policies import Limits, RetryPolicy, Timeouts
from .tool_types import Tool, ToolCall

if TYPE_CHECKING:
    from ._protocol.parser import StreamParser
    from .iterators import CompletionIterator, StreamsIterator
    from .model_types import Model
    from .records import CallRecord, Outcome, Progress, RetryRecord
    from .request import ChatRequest, RequestOptions
    from .run_events import RoundEnd, ToolResult
    from .runs import ToolRun
    from .session import ChatSession
    from .stream import DeltaStream

__all__ = [
    "AIMLChatError",
    "APIError",
    "AnswerDelta",
    "Attempt",
    "Audio",
    "AuthenticationError",
    "BadRequestError",
    "Balance",
    "BudgetExceededError",
    "CallRecord",
    "ChatRequest",
    "ChatSession",
    "Choice",
    "Completion",
    "CompletionIterator",
    "ConfigurationError",
    "ConnectionFailedError",
    "Cost",
    "Delta",
    "DeltaStream",
    "Document",
    "Image",
    "InsufficientCreditsError",
    "InvalidRequestError",
    "Limits",
    "Model",
    "NotFoundError",
    "Outcome",
    "OutputError",
    "PermissionDeniedError",
    "Progress",
    "ProtocolError",
    "RateLimitError",
    "ReasoningDelta",
    "RefusalDelta",
    "RequestOptions",
    "RequestTimeoutError",
    "RetryPolicy",
    "RetryRecord",
    "RoundEnd",
    "ServerError",
    "StreamInterruptedError",
    "StreamParser",
    "StreamsIterator",
    "Text",
    "Thinking",
    "Timeouts",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolResult",
    "ToolRun",
    "TransportError",
    "Usage",
    "__version__",
]

_LOADED_ON_USE = {
    "CallRecord": ".records",
    "ChatRequest": ".request",
    "ChatSession": ".session",
    "CompletionIterator": ".iterators",
    "DeltaStream": ".stream",
    "Model": ".model_types",
    "Outcome": ".records",
    "Progress": ".records",
    "RequestOptions": ".request",
    "RetryRecord": ".records",
    "RoundEnd": ".run_events",
    "StreamParser": "._protocol.parser",
    "StreamsIterator": ".iterators",
    "ToolResult": ".run_events",
    "ToolRun": ".runs",
}


def __dir__() -> list[str]:
    return [*globals(), *_LOADED_ON_USE]


if not TYPE_CHECKING:  # otherwise a type checker would accept any name

    def __getattr__(name: str) -> object:
        if name not in _LOADED_ON_USE:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value = getattr(import_module(_LOADED_ON_USE[name], __name__), name)
        globals()[name] = value
        return value
