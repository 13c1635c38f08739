"""The JSON value in a text that a model wrote, read leniently where that loses nothing."""

from __future__ import annotations

import itertools
import json
import re
import sys
from array import array
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_DEPTH", "NotJsonError", "is_too_deep", "read_json", "scan_json"]

MAX_DEPTH = 64
"""How deep objects and arrays may be nested; `copy`, `repr` and decoders recurse."""

# All quantifiers are possessive: nothing backtracks, so a search is linear in the text.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+'
_STRINGS = re.compile(_STRING, re.DOTALL)
_NO_BRACKETS = re.compile(r"[^\[\]{}]++")
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
# A comma after the last item, or text that only looks like one: in a string, or without an item.
_COMMAS = re.compile(rf"({_STRING}|[\[{{,]\s*+,)|,(?=\s*+[\]}}])", re.DOTALL)
_CANDIDATE = re.compile(r'\{(?=\s*+["}])|\[')  # the text "{name}" is not an object
_FLAT_BRACKETS = re.compile(r"\[[^\[\]{}]*+\]")
_FENCE = re.compile(r"`{3,}+[ \t]*+\w*+[ \t]*+\r?\n(.*?)\s*+(?:`{3,}+)?\Z", re.DOTALL)
_BLANKS = " \t\r\n\ufeff"

_decoder: Any = json.JSONDecoder(strict=False)  # control characters are allowed in strings
scan_json: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once
"""Decode the JSON value at a position: the C code behind `json.loads`.

Returns the value and the position after it. Raises ValueError, RecursionError, or StopIteration if
no value begins there.
"""


class NotJsonError(ValueError):
    """A text without JSON, with broken JSON, or with more than one JSON value."""


class _UnreadableError(Exception):
    """JSON that cannot be read beyond a position of the text; the message says why."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class _LongIntegerError(_UnreadableError):
    """JSON with an integer of more digits than Python reads."""


def read_json(text: str) -> Any:
    """Return the one JSON value in a text.

    Text around it, a fence and a byte order mark are skipped; control characters in strings and a
    comma after the last item are allowed. Nothing else is repaired: a value that was cut, or that
    has comments, single quotes or missing commas, is refused, because its meaning could only be
    guessed. A scalar counts only if it is the whole text, or the whole content of a fence. If there
    is an object, arrays in the text around it do not count, because texts cite as in "[1]".

    ``NaN`` and ``Infinity`` are read as floats, and if a key is repeated its last value counts,
    both as in `json`. A string that contains JSON is a string: it is not decoded twice.

    Raises:
        NotJsonError: there is no value, or a broken one, or there are several that differ; or it is
            nested deeper than 64, or has an integer of more digits than `int` accepts.
    """
    text = text.strip(_BLANKS)
    fenced = _FENCE.match(text)
    whole = fenced[1].strip(_BLANKS) if fenced else text
    missing = "it has no JSON value" if text else "it is empty"
    try:
        value, end = _decode(whole, 0)
    except _LongIntegerError as error:
        end, missing = -1, str(error)
    except _UnreadableError:
        end = -1
    return value if end == len(whole) else _find_value(text, missing)


def is_too_deep(text: str, depth: int) -> bool:
    """Return whether the objects and arrays of a JSON text are nested deeper than this."""
    if text.count("{") + text.count("[") <= depth:  # the usual case, several times faster
        return False
    brackets = _NO_BRACKETS.sub("", _STRINGS.sub("", text)).encode()
    return max(itertools.accumulate(array("b", brackets.translate(_STEPS))), default=0) > depth


def _find_value(text: str, missing: str) -> Any:
    """Find the one object in a text, else the one array; ``missing`` is the error for neither."""
    found: dict[type, list[Any]] = {dict: [], list: []}
    position, is_repaired = 0, False
    while (candidate := _CANDIDATE.search(text, position)) is not None:
        start, fault = candidate.start(), None
        try:
            value, position = _decode(text, start)
        except _UnreadableError as error:
            fault = error
        if fault is not None:  # handled here, where it does not become the context of an error
            if isinstance(fault, _LongIntegerError):
                missing = str(fault)
            if not is_repaired and (repaired := _drop_commas(text, start, fault.position)):
                text, is_repaired = repaired, True
            else:
                position = _skip_brackets(text, start, str(fault))
            continue
        values = found[type(value)]
        if not values or (len(values) == 1 and not _are_same(value, values[0])):
            values.append(value)
    for values in found.values():
        if len(values) > 1:
            msg = "it has more than one JSON value"
            raise NotJsonError(msg)
        if values:
            return values[0]
    raise NotJsonError(missing)


def _are_same(one: Any, other: Any) -> bool:
    """Return whether two values are the same in JSON, where 1 and true are not."""
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _decode(text: str, start: int) -> tuple[Any, int]:
    """Decode the value at a position; return it and the position after it."""
    try:
        value, end = scan_json(text, start)
    except StopIteration as error:
        msg = f"its JSON is broken at character {error.value}: a value is missing"
        raise _UnreadableError(msg, error.value) from None
    except json.JSONDecodeError as error:
        msg = f"its JSON is broken at character {error.pos}: {error.msg}"
        raise _UnreadableError(msg, error.pos) from None
    except ValueError:
        limit = sys.get_int_max_str_digits()
        msg = f"it has an integer of more than {limit} digits, which Python does not read"
        raise _LongIntegerError(msg, start) from None
    except RecursionError:
        end = start
    if end == start or (end - start > 2 * MAX_DEPTH and is_too_deep(text[start:end], MAX_DEPTH)):
        msg = f"it is nested deeper than {MAX_DEPTH}"
        raise NotJsonError(msg)
    return value, end


def _drop_commas(text: str, start: int, position: int) -> str | None:
    """Return the text without the commas behind last items, if one is at fault; else None."""
    fault = text[position : position + 1]
    before = text[:position].rstrip()[-1:] if fault in ("]", "}") else ""
    if fault != "," and before != ",":  # Python 3.13 reports the comma, older ones what follows it
        return None
    repaired = _COMMAS.sub(lambda found: found[1] or "", text[start:])
    return text[:start] + repaired if len(repaired) < len(text) - start else None


def _skip_brackets(text: str, start: int, fault: str) -> int:
    """Return the position after brackets that belong to other text, such as a citation.

    Text that begins like JSON but is not ends the search: a part must not be mistaken for the
    whole.
    """
    flat = _FLAT_BRACKETS.match(text, start)
    if flat is None:
        raise NotJsonError(fault)
    return flat.end()
