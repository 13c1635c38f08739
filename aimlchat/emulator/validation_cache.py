"""What the API rejects in the breakpoints of the prompt cache."""

from __future__ import annotations

from typing import Any

from .field_checks import check_object, check_one_of, reject, require
from .prompt_cache import TTL_SECONDS, iterate_blocks

__all__ = ["validate_cache_control"]

_MAX_BREAKPOINTS = 4
_UNCACHED_TYPES = ("thinking", "redacted_thinking")


def validate_cache_control(body: dict[str, Any]) -> None:
    """Reject a body with a breakpoint that is invalid, or with too many of them."""
    count = 0
    last_ttl = "1h"
    for path, _, block in iterate_blocks(body):
        control = block.get("cache_control") if isinstance(block, dict) else None
        if control is None:
            continue
        field = f"{path}.cache_control"
        check_object(control, field)
        check_one_of(control.get("type"), ("ephemeral",), f"{field}.type")
        ttl = control.get("ttl") or "5m"
        check_one_of(ttl, tuple(TTL_SECONDS), f"{field}.ttl")
        kind = block.get("type")
        require(kind not in _UNCACHED_TYPES, field, f"Cannot be set on a `{kind}` block")
        require(kind != "text" or bool(block.get("text")), field, "Cannot be set on an empty text")
        if (last_ttl, ttl) == ("5m", "1h"):
            reject(f"{field}.ttl", "A breakpoint of 1h must not come after one of 5m")
        last_ttl = ttl
        count += 1
    require(
        count <= _MAX_BREAKPOINTS,
        "cache_control",
        f"A request has at most {_MAX_BREAKPOINTS} blocks with cache_control, found {count}",
    )
