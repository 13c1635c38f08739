"""What Gemini rejects in the tool calls that are sent back to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .errors import reject_as_upstream

if TYPE_CHECKING:
    from .signatures import Signer

__all__ = ["validate_signed_calls"]

# Older models do not need the signature, but reject one that is not theirs.
_DEMANDS_SIGNATURES = re.compile(r"gemini-([3-9]|\d\d)")


def validate_signed_calls(body: dict[str, Any], signer: Signer) -> None:
    """Require the signature of the first call in each turn since the user last wrote something."""
    is_demanded = _DEMANDS_SIGNATURES.search(body["model"].lower()) is not None
    for index in range(len(body["messages"]) - 1, -1, -1):
        message = body["messages"][index]
        if message["role"] == "user":
            return
        if not message.get("tool_calls"):
            continue
        call = message["tool_calls"][0]
        signature = _find_signature(call)
        function = call["function"]
        if signature is None and not is_demanded:
            continue
        if not signer.is_valid_call(function["name"], function["arguments"], signature):
            state = "is missing" if signature is None else "is not valid"
            field = f"messages[{index}].tool_calls[0].extra_content.google.thought_signature"
            text = f"{field} {state}: a call has to come back as it was sent"
            reject_as_upstream({"error": {"message": text, "status": "INVALID_ARGUMENT"}})


def _find_signature(call: dict[str, Any]) -> Any:
    value: Any = call
    for name in ("extra_content", "google", "thought_signature"):
        value = value.get(name) if isinstance(value, dict) else None
    return value
