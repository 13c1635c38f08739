"""What a tracer of calls has to offer: see `aimlchat.otel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from aimlchat.completions import Completion
    from aimlchat.records import CallRecord, RetryRecord
    from aimlchat.tool_types import Tool, ToolCall

    from .prepare import PreparedRequest

__all__ = ["CallTrace", "RunTrace", "ToolTrace", "Tracing"]


class CallTrace(Protocol):
    """The trace of one call. No method raises, and none is called after `end`."""

    def retry(self, record: RetryRecord) -> None:
        """Note an attempt that has failed and is followed by another one."""

    def first_delta(self, seconds: float) -> None:
        """Note the first delta of a stream, this long after the start of the call."""

    def end(self, record: CallRecord, received: Completion | None) -> None:
        """Note how the call ended, and what was received."""


class ToolTrace(Protocol):
    """The trace of one call of a tool. No method raises, and none is called after `end`."""

    def active(self) -> AbstractContextManager[object]:
        """Return a context manager: what is traced inside belongs to the call of the tool."""

    def end(self, content: Any, error: BaseException | None) -> None:
        """Note the content of the result, or the error that ended the call."""


class RunTrace(Protocol):
    """Traces the tools of one run."""

    def start_tool(self, tool: Tool, call: ToolCall) -> ToolTrace | None:
        """Begin the trace of a call of a tool; never raises."""


class Tracing(Protocol):
    """Traces the calls of a session."""

    def start_run(self) -> RunTrace:
        """Return what traces the tools of a run that begins now; never raises."""

    def start(self, request: PreparedRequest) -> CallTrace | None:
        """Begin the trace of a call, which may add headers to its request; never raises."""
