"""The cache of prompts: what a request reads from it and writes to it, by prefixes."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CacheUse", "PromptCache", "PromptSegment", "iterate_blocks"]

TTL_SECONDS = {"5m": 300.0, "1h": 3600.0}
_DEFAULT_TTL = "5m"
# A shorter prefix is not kept. Upstream has 1024 to 4096, depending on the model.
_MIN_TOKENS = 1024
# How many blocks before a breakpoint are looked up.
_LOOKBACK = 20


def iterate_blocks(body: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield the parts of a prompt, in the order of the cache: tools, system, messages.

    Yields:
        The path in the body, the role ("tools" and "system" are roles here), and the block; a text
        that is not a block is a string, and a message without content is None.
    """
    for index, tool in enumerate(body.get("tools") or ()):
        yield f"tools[{index}]", "tools", tool
    yield from _iterate_content("system", "system", body.get("system"))
    for index, message in enumerate(body["messages"]):
        path = f"messages[{index}]"
        yield from _iterate_content(f"{path}.content", message["role"], message.get("content"))
        for number, call in enumerate(message.get("tool_calls") or ()):
            yield f"{path}.tool_calls[{number}]", message["role"], call


def _iterate_content(path: str, role: str, content: Any) -> Iterator[tuple[str, str, Any]]:
    if isinstance(content, list):
        for index, part in enumerate(content):
            yield f"{path}[{index}]", role, part
    elif content is not None:
        yield path, role, content


@attrs.frozen
class PromptSegment:
    """A part of a prompt.

    Attributes:
        content: the part as JSON, with its role.
        tokens: how many tokens it has.
        ttl: how long the prompt up to here is kept, "5m" or "1h"; None without a breakpoint.
    """

    content: Any
    tokens: int
    ttl: str | None = None

    @classmethod
    def from_block(cls, role: str, block: Any, tokens: int) -> PromptSegment:
        """Build the segment of a block, whose `cache_control` is the breakpoint after it."""
        if not isinstance(block, dict) or not block.get("cache_control"):
            return cls([role, block], tokens)
        content = {name: value for name, value in block.items() if name != "cache_control"}
        return cls([role, content], tokens, block["cache_control"].get("ttl") or _DEFAULT_TTL)


@attrs.frozen
class CacheUse:
    """What one request reads and writes, in tokens.

    Attributes:
        read: the tokens that were read.
        written_5m: the tokens that were written, to be kept for five minutes.
        written_1h: the tokens that were written, to be kept for an hour.
        kept: the prefixes to keep, or to keep longer, with their time to live.
    """

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0
    kept: tuple[tuple[bytes, str], ...] = attrs.field(default=(), eq=False, repr=False)

    @property
    def written(self) -> int:
        """All tokens that were written."""
        return self.written_5m + self.written_1h


@attrs.frozen
class _Prefix:
    key: bytes
    tokens: int
    ttl: str | None


class PromptCache:
    """The prefixes that are kept, each until a time by the clock of the event loop."""

    def __init__(self) -> None:
        self._entries: dict[bytes, tuple[float, str]] = {}

    def look_up(self, model: str, segments: tuple[PromptSegment, ...], now: float) -> CacheUse:
        """Return what a request uses; `keep` is called once the model works on it."""
        if not any(segment.ttl for segment in segments):
            return CacheUse()
        prefixes = list(_build_prefixes(model, segments))
        read = self._find_longest(prefixes, now)
        done = read.tokens if read is not None else 0
        kept = [(read.key, self._entries[read.key][1])] if read is not None else []
        written = {"5m": 0, "1h": 0}
        for prefix in prefixes:
            if prefix.ttl is not None and prefix.tokens > done and prefix.tokens >= _MIN_TOKENS:
                written[prefix.ttl] += prefix.tokens - done
                done = prefix.tokens
                kept.append((prefix.key, prefix.ttl))
        return CacheUse(
            read.tokens if read is not None else 0, written["5m"], written["1h"], tuple(kept)
        )

    def keep(self, use: CacheUse, now: float) -> None:
        """Keep what a request wrote, and keep longer what it read."""
        for key, ttl in use.kept:
            self._entries[key] = (now + TTL_SECONDS[ttl], ttl)

    def _find_longest(self, prefixes: list[_Prefix], now: float) -> _Prefix | None:
        for end in range(len(prefixes), 0, -1):
            if prefixes[end - 1].ttl is None:
                continue
            for prefix in reversed(prefixes[max(0, end - _LOOKBACK) : end]):
                if prefix.key in self._entries and self._entries[prefix.key][0] > now:
                    return prefix
        return None


def _build_prefixes(model: str, segments: tuple[PromptSegment, ...]) -> Iterator[_Prefix]:
    digest = blake2b(model.encode(errors="surrogatepass"), digest_size=16)
    tokens = 0
    for segment in segments:
        digest.update(json.dumps(segment.content, sort_keys=True).encode() + b"\n")
        tokens += segment.tokens
        yield _Prefix(digest.copy().digest(), tokens, segment.ttl)
