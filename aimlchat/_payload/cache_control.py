"""Breakpoints of the prompt cache: Claude caches the prompt before one, and reads it next time.

https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .json_values import describe, refuse
from .kept_turns import THINKING_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

__all__ = [
    "CACHE_KEY",
    "MAX_BREAKPOINTS",
    "TOO_MANY",
    "MarkedPrompt",
    "build_cache_control",
    "check_breakpoints",
    "check_ttl",
    "mark_message",
]

CACHE_KEY = "cache_control"
MAX_BREAKPOINTS = 4
_TTLS = ("5m", "1h")
TOO_MANY = (
    f"the request has more than {MAX_BREAKPOINTS} breakpoints of the prompt cache, which the API"
    " refuses; mark only the last ones"
)


class MarkedPrompt(str):
    """A system prompt with a breakpoint of the prompt cache after it."""

    __slots__ = ("ttl",)

    ttl: str

    def __new__(cls, text: str, ttl: str) -> Self:
        """Return the text, with the time for which the API keeps it."""
        prompt = super().__new__(cls, text)
        prompt.ttl = ttl
        return prompt

    def __reduce__(self) -> tuple[type[MarkedPrompt], tuple[str, str]]:
        """Return the arguments with which a copy is made."""
        return MarkedPrompt, (str.__str__(self), self.ttl)

    def __eq__(self, other: object) -> bool:
        """Compare the time as well: a prompt without a breakpoint is not equal."""
        return isinstance(other, MarkedPrompt) and self.__reduce__() == other.__reduce__()

    __hash__ = str.__hash__


def check_ttl(ttl: Any, field: str) -> None:
    """Raise `InvalidRequestError` unless this is a time for which the API keeps a prompt."""
    if not isinstance(ttl, str) or ttl not in _TTLS:
        refuse(f"{describe(ttl)} is not a time to live; give '5m' or '1h'", field)


def build_cache_control(ttl: str | None) -> dict[str, str] | None:
    """Return the value of ``cache_control`` that marks a breakpoint; None for none."""
    return {"type": "ephemeral", "ttl": ttl} if ttl is not None else None


def mark_message(message: dict[str, Any], control: Any) -> None:
    """Mark the last part of a message that can be marked; a plain text becomes a part."""
    content = message.get("content")
    if isinstance(content, str) and content.strip():
        message["content"] = [{"type": "text", "text": content, CACHE_KEY: control}]
    elif isinstance(content, list):
        for part in reversed(content):
            if part.get("type") not in THINKING_TYPES:
                part[CACHE_KEY] = control
                break


def check_breakpoints(payload: dict[str, Any]) -> None:
    """Refuse a fifth breakpoint, and one of an hour after one of five minutes, as the API does."""
    count, last = 0, "1h"
    for path, block in _list_blocks(payload):
        control = block.get(CACHE_KEY)
        if not isinstance(control, dict):
            continue
        count += 1
        if count > MAX_BREAKPOINTS:
            refuse(TOO_MANY, f"{path}.{CACHE_KEY}")
        ttl = control.get("ttl") or "5m"
        if (last, ttl) == ("5m", "1h"):
            msg = "a breakpoint of 1h is after one of 5m, which the API refuses; mark the longer"
            refuse(f"{msg} one first", f"{path}.{CACHE_KEY}")
        last = ttl


def _list_blocks(payload: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """List what can be marked, in the order of the prompt: tools, system prompt, messages."""
    for key in ("tools", "system"):
        yield from _list_dicts(payload.get(key), key)
    for index, message in enumerate(payload["messages"]):
        yield from _list_dicts(message.get("content"), f"messages[{index}].content")


def _list_dicts(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield f"{path}[{index}]", item
                if item.get("type") == "tool_result":
                    yield from _list_dicts(item.get("content"), f"{path}[{index}].content")
