"""What a `ToolRun` yields besides deltas: the results of tool calls, and the ends of rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from .completions import Completion
    from .content import Audio, Document, Image, Text
    from .tool_types import ToolCall

__all__ = ["RoundEnd", "ToolResult"]


@attrs.frozen
class CallsBegin:
    """The calls of a round are whole and begin to run. Only the relay gets this event."""

    completion: Completion[Any]


@attrs.frozen
class ToolResult:
    """The result of a tool call, as the model gets it.

    Attributes:
        call: the call that ran. Its id is that of the model's call, even if ``on_tool`` has
            replaced the call.
        content: a text, which is JSON for anything but a str; or parts, if the tool returned parts.
        is_error: whether the call failed, was refused, or did not run at all; the content says why.
    """

    call: ToolCall
    content: str | tuple[Text | Image | Document | Audio, ...]
    is_error: bool = False


@attrs.frozen
class RoundEnd:
    """The end of a round: the model has responded, and the calls of its turn have their results.

    `ToolRun.request` includes the round by then, so that the conversation can be stored.

    Attributes:
        completion: the completion of the round.
        pending_calls: the calls of the round that have no result, since their tools have no
            function. If there are any, the run ends, and they wait for your results.
    """

    completion: Completion[Any]
    pending_calls: tuple[ToolCall, ...] = attrs.field(default=(), kw_only=True)
