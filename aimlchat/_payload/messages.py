"""The messages dialect: Claude's own message format, on an endpoint of its own.

It differs from the anthropic dialect in that the model signs its thinking, and accepts it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .anthropic import build_anthropic_payload
from .json_values import refuse
from .kept_turns import THINKING_TYPES
from .limits import is_default

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aimlchat.content import Message

__all__ = ["MessagesPayload", "build_messages_payload"]

# The endpoint requires max_tokens. Every model can write the first number of tokens; the second one
# leaves room for adaptive thinking.
_MAX_TOKENS, _MAX_TOKENS_ADAPTIVE = 4096, 16_384
# Fields of the anthropic dialect that the vendor's schema of the endpoint does not have.
_MISSING_FIELDS = {"temperature": 1, "top_p": 1, "top_k": None}


class MessagesPayload(dict[str, Any]):
    """A payload for ``/v1/messages``; all other payloads are for ``/v1/chat/completions``."""

    __slots__ = ()
    path: ClassVar[str] = "messages"


def build_messages_payload(
    model: str,
    messages: Iterable[Message | Mapping[str, Any]],
    system: str | None,
    parameters: Mapping[str, Any],
    *,
    stream: bool = False,
) -> MessagesPayload:
    """Return the payload of a request in the messages dialect.

    Arguments and errors are those of `build_anthropic_payload`.
    """
    accepted = dict(parameters)
    for name, default in _MISSING_FIELDS.items():
        if name in accepted and not is_default(accepted.pop(name), default):
            msg = (
                f"the messages dialect, which is used for {model}, has no {name}; leave it out, or"
                f" send it unchecked with extra={{{name!r}: ...}}"
            )
            refuse(msg, name)
    payload = MessagesPayload(
        build_anthropic_payload(
            model, messages, system, accepted, stream=stream, dialect="messages"
        )
    )
    mode = payload.get("thinking", {}).get("type")
    default = _MAX_TOKENS_ADAPTIVE if mode == "adaptive" else _MAX_TOKENS
    payload.setdefault("max_tokens", default)
    if mode == "enabled":
        _refuse_turn_without_thinking(payload["messages"])
    choice = payload.get("tool_choice", {}).get("type")
    if mode in ("enabled", "adaptive") and choice in ("any", "tool"):
        msg = (
            "Claude cannot be forced to call a tool while it thinks; leave thinking out, or let the"
            " model choose"
        )
        refuse(msg, "tool_choice")
    return payload


def _refuse_turn_without_thinking(messages: list[dict[str, Any]]) -> None:
    """Refuse a budget for thinking in the middle of tool calls that began without thinking.

    Another model may have made the calls, or thinking was off. In the adaptive mode Claude may make
    calls without thinking, and then continue.
    """
    first = None
    for message in reversed(messages):
        content = message["content"]
        kinds = [part["type"] for part in content] if isinstance(content, list) else ["text"]
        if message["role"] == "assistant":
            first = kinds
        elif "tool_result" not in kinds:
            break
    if first is not None and "tool_use" in first and first[0] not in THINKING_TYPES:
        msg = (
            "the turn that called the tools has no thinking of Claude, which then cannot think"
            " before it goes on; leave thinking out until it has answered"
        )
        refuse(msg, "thinking")
