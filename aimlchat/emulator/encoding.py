"""Encode values as JSON text, and as the bytes of a body."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["dump_json", "encode_body"]


def encode_body(value: Any) -> bytes:
    """Encode a body: bytes unchanged, a string as UTF-8, anything else as JSON."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    try:
        return dump_json(value).encode()
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8; JSON can still carry it as an escape, as gateways written
        # in JavaScript send it.
        return dump_json(value, ascii_only=True).encode()


def dump_json(value: Any, *, ascii_only: bool = False) -> str:
    """Serialize a value as JSON without spaces."""
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))
