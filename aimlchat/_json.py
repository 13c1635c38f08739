"""Lenient JSON decoding, which also reads much of what strict decoders reject."""

from __future__ import annotations

import json
import re
from typing import Any

from ._printable import excerpt
from .errors import ProtocolError

__all__ = ["decode_json"]

_MAX_DEPTH = 64
# A string, which may lack its closing quote, or a bracket. All quantifiers are possessive, so that
# nothing backtracks and a search takes time linear in the size of the text.
_JSON_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def decode_json(data: bytes) -> Any:
    """Decode JSON as leniently as possible without guessing.

    Broken UTF-8 becomes U+FFFD, a byte order mark is dropped, control characters are
    allowed in strings, an integer of more than 4,300 digits becomes infinite, and values that are
    nested too deeply for Python's stack become null.

    Raises:
        ProtocolError: the data is not JSON.
    """
    text = data.decode("utf-8-sig", "replace")
    try:
        try:
            return _load(text)
        except RecursionError:
            return _load(_prune(text))
    except (ValueError, RecursionError) as error:
        msg = f"not JSON ({error}): {excerpt(text)}"
    # Raised here and not in the except clause, where the JSONDecodeError would become its context
    # and keep the whole text and the caller's frames alive.
    raise ProtocolError(msg)


def _load(text: str) -> Any:
    return json.loads(text, strict=False, parse_int=_parse_integer)


def _parse_integer(digits: str) -> int | float:
    """Parse an integer; one with more digits than `int` accepts becomes infinite, like 1e999."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def _prune(text: str) -> str:
    """Replace values nested deeper than any known key with null, so that the rest can be read."""
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
