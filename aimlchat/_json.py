"""JSON that no strict decoder takes, read for what it still says."""

from __future__ import annotations

import json
import re
from typing import Any

from .errors import ProtocolError

__all__ = ["decode_json"]

_MAX_DEPTH = 64
# A string, which may lack its end, or a bracket. Nothing in it backtracks, so it takes linear time.
_JSON_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def decode_json(data: bytes) -> Any:
    """Decode JSON as leniently as it can be done without guessing.

    Broken UTF-8 becomes U+FFFD; what is nested too deep for the stack becomes null; control
    characters may stand in strings. Raises `ProtocolError` for what is not JSON.
    """
    text = data.decode("utf-8-sig", "replace")
    try:
        try:
            return _loads(text)
        except RecursionError:
            return _loads(_pruned(text))
    except (ValueError, RecursionError) as error:
        msg = f"not JSON ({error}): {text[:120]!r}"
    # Not from within: a JSONDecodeError holds the whole text, and its frames the reader.
    raise ProtocolError(msg)


def _loads(text: str) -> Any:
    return json.loads(text, strict=False, parse_int=_integer)


def _integer(digits: str) -> int | float:
    """Read an integer; one of more digits than Python reads (4,300) is infinite, as 1e999 is."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def _pruned(text: str) -> str:
    """Replace what lies deeper than any known key by null, so that the rest can be read."""
    kept: list[str] = []
    depth = position = 0
    for match in _JSON_STRUCTURE.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            if depth == _MAX_DEPTH:
                kept += (text[position : match.start()], "null")
        elif mark in "]}":
            if depth == _MAX_DEPTH:
                position = match.end()
            depth -= 1
    kept.append(text[position:])
    return "".join(kept)
