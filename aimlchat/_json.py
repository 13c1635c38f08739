"""Lenient JSON decoding, which also reads much of what strict decoders reject."""

from __future__ import annotations

import itertools
import json
import re
from array import array
from typing import Any

import msgspec

from ._printable import excerpt
from .errors import ProtocolError

__all__ = ["decode_json", "prune"]

# How deep objects and arrays may be nested, which is far deeper than in any API. Values with more
# nesting can be decoded, but `copy`, `pickle`, `repr` and ``==`` recurse, and would fail.
_MAX_DEPTH = 64
# A string, which may lack its closing quote, or a bracket. All quantifiers are possessive, so that
# nothing backtracks and a search takes time linear in the size of the text.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_JSON_STRUCTURE = re.compile(rf"{_STRING}|[\[\]{{}}]", re.DOTALL)
_STRINGS = re.compile(_STRING.encode(), re.DOTALL)
# An opening bracket adds 1 to the depth, a closing one -1.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


def decode_json(data: bytes) -> Any:
    """Decode JSON as leniently as possible without guessing.

    Broken UTF-8 becomes U+FFFD, a byte order mark is dropped, control characters are
    allowed in strings, an integer of more than 4,300 digits becomes infinite, and objects and
    arrays that are nested deeper than 64 become null.

    Raises:
        ProtocolError: the data is not JSON.
    """
    text = data.decode("utf-8-sig", "replace")
    try:
        return _load(_prune_text(text) if _is_too_deep(data) else text)
    except (ValueError, RecursionError) as error:
        msg = f"not JSON ({error}): {excerpt(text)}"
    # Raised here and not in the except clause, where the JSONDecodeError would become its context
    # and keep the whole text and the caller's frames alive.
    raise ProtocolError(msg)


def prune(value: Any) -> None:
    """Replace objects and arrays that are nested too deeply with None, as `decode_json` does.

    This is for a JSON value that another decoder has read; the value itself is changed.
    """
    try:
        if not _is_too_deep(msgspec.json.encode(value)):  # in C, unlike the loops below
            return
    except (ValueError, OverflowError, RecursionError):  # surrogates, large integers, or too deep
        pass
    level = [value]
    for _ in range(_MAX_DEPTH - 1):
        level = [
            item
            for holder in level
            for item in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(item, dict | list)
        ]
    for holder in level:
        items = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, item in list(items):
            if isinstance(item, dict | list):
                holder[key] = None


def _is_too_deep(data: bytes) -> bool:
    if data.count(b"{") + data.count(b"[") <= _MAX_DEPTH:  # the usual case, several times faster
        return False
    steps = array("b", _STRINGS.sub(b"", data).translate(_STEPS, _NO_BRACKETS))
    return max(itertools.accumulate(steps), default=0) > _MAX_DEPTH


def _load(text: str) -> Any:
    return json.loads(text, strict=False, parse_int=_parse_integer)


def _parse_integer(digits: str) -> int | float:
    """Parse an integer; one with more digits than `int` accepts becomes infinite, like 1e999."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def _prune_text(text: str) -> str:
    """Replace objects and arrays nested too deeply with null, so that the rest can be read."""
    kept: list[str] = []
    depth = position = 0
    for match in _JSON_STRUCTURE.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            if depth == _MAX_DEPTH + 1:
                kept += (text[position : match.start()], "null")
        elif mark in "]}":
            if depth == _MAX_DEPTH + 1:
                position = match.end()
            depth -= 1
    kept.append(text[position:])
    return "".join(kept)
