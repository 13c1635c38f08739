"""What the name of a model says about it."""

from __future__ import annotations

import re
from typing import Any, Literal

from .models import find

__all__ = ["MISSING_MODEL", "Kin", "kin", "speaks", "upstream_name", "version"]

MISSING_MODEL = "no-such-model"
"""The one model that is answered with 404; every other name is served."""

Kin = Literal["claude", "gpt", "gemini", "tagged", "other"]
Dialect = Literal["openai", "anthropic"]

_CLAUDE_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[.-](\d{1,2}))?(?!\d)")
_ONLY_ANTHROPIC_PARTS = frozenset({"tool_use", "tool_result", "thinking", "redacted_thinking"})
_FIRST_OF_BOTH_DIALECTS = (4, 8)
_SWITCHED_BY_THINKING = (3, 7)


def upstream_name(model: str) -> str:
    """Say what a model's maker calls it: that is the name an answer bears."""
    listed = find(model)
    if listed is not None:
        return listed.upstream
    name = model.rsplit("/", 1)[-1]
    return name.replace(".", "-") if kin(model) == "claude" else name


def kin(model: str) -> Kin:
    """Sort a model by how its answers are shaped; "tagged" ones write `<think>` into the text."""
    name = model.rsplit("/", 1)[-1].lower()
    if "claude" in name:
        return "claude"
    if re.match(r"(chat)?gpt|o[134]\b", name):
        return "gpt"
    if "gemini" in name:
        return "gemini"
    return "tagged" if re.match(r"minimax|m3\b|qwq|qwen3", name) else "other"


def version(model: str) -> tuple[int, int] | None:
    """Read the version out of the name of a Claude; None if it has none or is no Claude."""
    match = _CLAUDE_VERSION.search(model.lower())
    return (int(match[1]), int(match[2] or 0)) if match else None


def speaks(model: str, body: dict[str, Any]) -> Dialect:
    """Say which dialect a request of this model is read in."""
    if kin(model) != "claude":
        return "openai"
    number = version(model)
    if number is None or number >= _FIRST_OF_BOTH_DIALECTS:
        return "anthropic" if _looks_anthropic(body) else "openai"
    if number == _SWITCHED_BY_THINKING:
        return "anthropic" if "thinking" in body or _looks_anthropic(body) else "openai"
    return "anthropic" if number >= (4, 0) else "openai"


def _looks_anthropic(body: dict[str, Any]) -> bool:
    if not body.keys().isdisjoint({"system", "top_k", "stop_sequences"}):
        return True
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") != "function":
        return True
    if any("input_schema" in tool for tool in _objects(body.get("tools"))):
        return True
    return any(
        part.get("type") in _ONLY_ANTHROPIC_PARTS
        for message in _objects(body.get("messages"))
        for part in _objects(message.get("content"))
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]
