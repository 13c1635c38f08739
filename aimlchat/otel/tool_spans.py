"""The spans of the tools of a run."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context

    from aimlchat.tool_types import Tool, ToolCall

__all__ = ["ToolTraces"]

_FAILURE = "tracing a tool failed"
_logger = logging.getLogger("aimlchat")


class ToolTraces:
    """Starts the spans of the tools of one run, all below the same span."""

    def __init__(self, tracer: trace.Tracer, parent: Context, *, capture_content: bool) -> None:
        self._tracer = tracer
        self._parent = parent
        self._capture_content = capture_content

    def start_tool(self, tool: Tool, call: ToolCall) -> _ToolTrace | None:
        """Start the span of a call of a tool."""
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool.name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": call.id,
        }
        if tool.description:
            attributes["gen_ai.tool.description"] = tool.description
        if self._capture_content:
            attributes["gen_ai.tool.call.arguments"] = call.raw_arguments
        try:
            span = self._tracer.start_span(
                f"execute_tool {tool.name}", context=self._parent, attributes=attributes
            )
        except Exception:
            _logger.exception(_FAILURE)
            return None
        return _ToolTrace(span, capture_content=self._capture_content)


class _ToolTrace:
    """The span of one call of a tool."""

    def __init__(self, span: trace.Span, *, capture_content: bool) -> None:
        self._span = span
        self._capture_content = capture_content

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make the span the current one, so that what the tool does is below it."""
        token = context.attach(trace.set_span_in_context(self._span))
        try:
            yield
        finally:
            context.detach(token)

    def end(self, content: Any, error: BaseException | None) -> None:
        """End the span with the content of the result, or with the error that ended the call."""
        try:
            if error is not None:
                kind = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
                self._span.set_attribute("error.type", kind)
                description = str(error) if self._capture_content else type(error).__name__
                self._span.set_status(trace.Status(trace.StatusCode.ERROR, description))
            elif self._capture_content:
                result = content if isinstance(content, str) else _describe_parts(content)
                self._span.set_attribute("gen_ai.tool.call.result", result)
            self._span.end()
        except Exception:
            _logger.exception(_FAILURE)


def _describe_parts(parts: Any) -> str:
    """Return the texts of a result, and the kinds of its files: spans are no storage."""
    return "\n".join(getattr(part, "text", f"[{type(part).__name__}]") for part in parts)
