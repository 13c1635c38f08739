"""The content of a line of the output, and its checksum, which does not depend on formatting."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

import msgspec

from aimlchat._json import decode_json
from aimlchat.errors import ProtocolError

__all__ = [
    "CHECKSUM",
    "SHARD",
    "add_checksum",
    "add_shard",
    "compute_checksum",
    "decode_content",
    "find_end_of_value",
    "is_checksum",
    "is_nested_deeply",
]

CHECKSUM = "checksum"
"""The key of the checksum, which covers all other fields of its line."""
SHARD = "shard"
"""The key of the shard of the run, in a line of a run that has one."""

_CHECKSUM = re.compile(r"crc32:[0-9a-f]{8}")
# Far below the limits of the decoders, so that a line that was written can be read.
_MAX_DEPTH = 200
_MAX_EXACT_FLOAT = 2**53
# Beyond these, `int` may refuse to read or to print a number.
_MAX_DIGITS = 640
# A string, which may lack its closing quote, or a bracket.
_JSON_STRUCTURE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def decode_content(text: bytes) -> Any:
    """Decode a line, even if it is nested too deeply, or has numbers that msgspec refuses.

    A whole number is an integer, even if it is written as 3042.0: JavaScript writes 3042 for it.
    Raises `ValueError`.
    """
    try:
        return _decode(text)
    except RecursionError:
        try:
            return decode_json(text)
        except ProtocolError as error:
            raise ValueError(str(error)) from error
    except ValueError as error:  # DecodeError and UnicodeDecodeError are ValueErrors
        reason = error
    try:
        # The text may have a lone surrogate, or a number beyond those of 64 bits.
        return json.loads(text.decode(), parse_float=_parse_number, parse_int=_parse_integer)
    except (ValueError, RecursionError):
        raise reason from None


def compute_checksum(fields: dict[str, Any]) -> str:
    """Return the checksum of the content of a line, whatever the order of its keys.

    The ids 7 and "7" are the same. The checksum is empty for a line that is nested too deeply,
    which no run writes.
    """
    custom_id = fields.get("custom_id")
    if isinstance(custom_id, int):
        fields = fields | {"custom_id": str(custom_id)}
    try:
        data = _encode(fields)
    except (ValueError, OverflowError):  # a lone surrogate, or an integer beyond 64 bits
        data = json.dumps(fields, sort_keys=True).encode()
    except RecursionError:
        return ""
    return f"crc32:{zlib.crc32(data):08x}"


def is_checksum(value: Any) -> bool:
    """Return whether a value has the form of a checksum."""
    return isinstance(value, str) and _CHECKSUM.fullmatch(value) is not None


def add_checksum(line: bytes) -> bytes:
    """Return a line, which ends in a line feed, with its checksum as its last field."""
    checksum = compute_checksum(decode_content(line)).encode()
    return b'%b,"checksum":"%b"}\n' % (line[:-2], checksum)


def add_shard(line: bytes, shard: str) -> bytes:
    """Return a line, which ends in a line feed, with the shard of its run."""
    return b'%b,"%b":"%b"}\n' % (line[:-2], SHARD.encode(), shard.encode())


def is_nested_deeply(text: bytes) -> bool:
    """Return whether JSON is nested so deeply that a decoder may refuse to read it again."""
    if text.count(b"[") + text.count(b"{") <= _MAX_DEPTH:
        return False
    depth = 0
    for match in _JSON_STRUCTURE.finditer(text):
        if match[0] in b"[{":
            depth += 1
            if depth > _MAX_DEPTH:
                return True
        elif match[0] in b"]}":
            depth -= 1
    return False


def find_end_of_value(text: bytes) -> int:
    """Return the position after the object or array at the start of a text; -1 if it is cut."""
    depth = 0
    for match in _JSON_STRUCTURE.finditer(text):
        if match[0] in b"[{":
            depth += 1
        elif match[0] in b"]}":
            depth -= 1
            if depth <= 0:
                return match.end()
    return -1


def _parse_number(text: str) -> int | float:
    number = float(text)
    is_whole = number.is_integer() and abs(number) <= _MAX_EXACT_FLOAT
    return int(number) if is_whole else number


def _parse_integer(digits: str) -> int | str:
    return int(digits) if len(digits) < _MAX_DIGITS else digits


_decode = msgspec.json.Decoder(float_hook=_parse_number).decode
_encode = msgspec.json.Encoder(order="deterministic").encode
