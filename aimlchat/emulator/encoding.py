"""From values to the bytes of a body."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["as_json", "encode"]


def encode(value: Any) -> bytes:
    """Encode a body: bytes as they are, a string as UTF-8, anything else as JSON."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    try:
        return as_json(value).encode()
    except UnicodeEncodeError:
        # Half an emoji has no UTF-8; a server in JavaScript writes it as an escape.
        return as_json(value, ascii_only=True).encode()


def as_json(value: Any, *, ascii_only: bool = False) -> str:
    """Write a value as JSON without spaces."""
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))
