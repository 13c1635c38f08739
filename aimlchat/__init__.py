"""Stream chat completions of the AI/ML API, with reasoning apart from the answer.

What is not data is loaded on first use (PEP 562), so that ``import aimlchat`` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .completions import (
    AnswerDelta,
    Choice,
    Completion,
    Cost,
    Delta,
    Model,
    ReasoningDelta,
    RefusalDelta,
    ToolCallDelta,
    Usage,
)
from .content import Audio, Document, Image, Text, Thinking, Tool, ToolCall
from .errors import (
    AIMLChatError,
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConnectionFailedError,
    InsufficientCreditsError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StreamInterruptedError,
    TransportError,
)
from .policies import Limits, RetryPolicy, Timeouts
from .records import Outcome
from .request import ChatRequest

if TYPE_CHECKING:
    from ._client.many import CompletionIterator
    from ._protocol.parser import StreamParser
    from .iterators import DeltaStream
    from .session import ChatSession

__all__ = [
    "AIMLChatError",
    "APIError",
    "AnswerDelta",
    "Audio",
    "AuthenticationError",
    "BadRequestError",
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
    "PermissionDeniedError",
    "ProtocolError",
    "RateLimitError",
    "ReasoningDelta",
    "RefusalDelta",
    "RequestTimeoutError",
    "RetryPolicy",
    "ServerError",
    "StreamInterruptedError",
    "StreamParser",
    "Text",
    "Thinking",
    "Timeouts",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "TransportError",
    "Usage",
]

_LOADED_ON_USE = {
    "ChatSession": ".session",
    "CompletionIterator": "._client.many",
    "DeltaStream": ".iterators",
    "StreamParser": "._protocol.parser",
}


def __getattr__(name: str) -> object:
    if name not in _LOADED_ON_USE:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(_LOADED_ON_USE[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_LOADED_ON_USE]
