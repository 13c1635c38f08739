"""What the API rejects in Claude's own message format, beyond the anthropic dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .field_checks import reject, require
from .models import family_of

if TYPE_CHECKING:
    from .thinking_signatures import ThinkingSigner

__all__ = ["validate_message_request"]

_THINKING_TYPES = ("thinking", "redacted_thinking")


def validate_message_request(body: dict[str, Any], signer: ThinkingSigner) -> None:
    """Reject a body whose single messages are valid, but which the format does not allow."""
    is_claude = family_of(body["model"]) == "claude"
    require(is_claude, "model", "Only Claude models are served in this format")
    require(body.get("max_tokens") is not None, "max_tokens", "Required, an integer")
    for index, message in enumerate(body["messages"]):
        content = message["content"]
        if message["role"] == "assistant" and isinstance(content, list):
            signer.check(content, f"messages[{index}].content")
    thinking = body.get("thinking")
    if thinking is not None and thinking["type"] != "disabled":
        _validate_options_beside_thinking(body)
        _validate_current_turns(body["messages"])


def _validate_options_beside_thinking(body: dict[str, Any]) -> None:
    forced = (body.get("tool_choice") or {}).get("type") in ("any", "tool")
    require(not forced, "tool_choice", "May not force tool use when thinking is enabled")
    temperature = body.get("temperature")
    require(temperature in (None, 1), "temperature", "May only be 1 when thinking is enabled")
    require(body.get("top_k") is None, "top_k", "Must be unset when thinking is enabled")


def _validate_current_turns(messages: list[dict[str, Any]]) -> None:
    """Require thinking at the start of each turn since the user last wrote something.

    Before that the API takes no thinking into account, so it may be left out there.
    """
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        content = message["content"] if isinstance(message["content"], list) else []
        kinds = [block["type"] for block in content]
        if message["role"] == "user":
            if "tool_result" not in kinds:
                return
        elif "tool_use" in kinds and kinds[0] not in _THINKING_TYPES:
            reject(
                f"messages[{index}].content[0].type",
                f"Expected `thinking` or `redacted_thinking`, but found `{kinds[0]}`. When thinking"
                " is enabled, a turn that calls tools has to come back with its thinking first",
            )
