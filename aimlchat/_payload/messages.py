"""The messages dialect: Claude's own message format, on an endpoint of its own.

It differs from the anthropic dialect in that the model signs what it thinks, and takes it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .anthropic import build_anthropic_payload
from .json_values import refuse
from .limits import is_default

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aimlchat.content import Message

__all__ = ["MessagesPayload", "build_messages_payload"]

# The endpoint demands max_tokens. The first number is what every model can write, the second one
# has room for as much thinking as the model finds right.
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
    choice = payload.get("tool_choice", {}).get("type")
    if mode in ("enabled", "adaptive") and choice in ("any", "tool"):
        msg = (
            "Claude cannot be forced to call a tool while it thinks; leave thinking out, or let the"
            " model choose"
        )
        refuse(msg, "tool_choice")
    return payload
