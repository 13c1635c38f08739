"""The lines of an output, as a later run reads them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from aimlchat._payload.json_values import describe

from .file_format import strip_line
from .known_ids import hash_id, normalize_id, parse_digest
from .line_content import (
    CHECKSUM,
    SHARD,
    compute_checksum,
    decode_content,
    find_end_of_value,
    is_checksum,
)

__all__ = [
    "DamagedLineError",
    "KnownResult",
    "decode_result",
    "has_failed",
    "is_torn",
    "parse_result",
]

_MIN_ERROR_STATUS = 400
_REQUEST_KEYS = ("body", "prompt", "messages", "params")
# How a line that a run has written begins: with the id, followed by the key of the response.
_WHOLE_ID = re.compile(rb'\{"custom_id":(?:"(?:[^"\\]|\\.)*+"|-?\d++)', re.DOTALL)
_CUT_ID = re.compile(rb'\{"custom_id":(?:"(?:[^"\\]|\\.)*+\\?|-)?', re.DOTALL)
_ID_KEY = b'{"custom_id":'
_BEHIND_ID = b',"response":'


class DamagedLineError(ValueError):
    """A line differs from what was written: its checksum does not match."""


class KnownResult(msgspec.Struct, frozen=True):
    """The part of a result that the next run needs.

    ``key`` is the hash of the id; ``digest`` is that of the request, empty if it is unknown;
    ``has_checksum`` is whether the line has one, which then matches; ``shard`` is the shard of the
    run that has written it, empty if it had none.
    """

    custom_id: str | int
    key: int
    has_failed: bool
    digest: bytes
    has_checksum: bool
    shard: str = ""


def parse_result(line: bytes) -> KnownResult:
    """Return what the next run needs from a line, as `decode_result` does."""
    return decode_result(line)[0]


def decode_result(line: bytes) -> tuple[KnownResult, dict[str, Any]]:
    """Return what the next run needs from a line of the output, and all its fields.

    Lines that other tools have written count as well, if they have the keys of an output line.
    Raises `ValueError` for a line that is not a result, and `DamagedLineError` for a result that
    differs from what was written.
    """
    fields = decode_content(strip_line(line))
    if not isinstance(fields, dict):
        msg = f"it holds {describe(fields)}"
        raise ValueError(msg)  # noqa: TRY004 - it is about a file, and not about an argument
    has_checksum = _verify_checksum(fields)
    custom_id = normalize_id(fields.get("custom_id"))
    if custom_id is None:
        found = describe(fields["custom_id"]) if "custom_id" in fields else "missing"
        msg = f"its custom_id is {found}"
        raise ValueError(msg)
    if "response" not in fields and "error" not in fields:
        is_request = any(key in fields for key in _REQUEST_KEYS)
        msg = f"it has neither a response nor an error{'; it is a request' if is_request else ''}"
        raise ValueError(msg)
    shard = fields.get(SHARD)
    known = KnownResult(
        custom_id,
        hash_id(custom_id),
        has_failed(fields),
        parse_digest(fields.get("digest")),
        has_checksum,
        shard if isinstance(shard, str) else "",
    )
    return known, fields


def is_torn(line: bytes) -> bool:
    """Return whether a last line without a line feed is the beginning of a line of a run."""
    # A file system may leave zeros after a power failure, and so may a run killed in its probe.
    text = strip_line(line.rstrip(b"\0"))
    if _ID_KEY.startswith(text):
        return True
    whole_id = _WHOLE_ID.match(text)
    if whole_id is None:
        return _CUT_ID.fullmatch(text) is not None
    behind = text[whole_id.end() :][: len(_BEHIND_ID)]
    return _BEHIND_ID.startswith(behind) and find_end_of_value(text) < 0


def _verify_checksum(fields: dict[str, Any]) -> bool:
    """Remove the checksum from the fields, and return whether there was one.

    Raises `DamagedLineError` if it does not match.
    """
    stated = fields.pop(CHECKSUM, None)
    if stated is None:
        if any(is_checksum(value) for value in fields.values()):
            msg = "the key of its checksum is damaged"
            raise DamagedLineError(msg)
        return False
    if stated != compute_checksum(fields):
        msg = "its checksum does not match its content"
        raise DamagedLineError(msg)
    return True


def has_failed(fields: dict[str, Any]) -> bool:
    """Return whether the result of these fields is a failure."""
    response = fields.get("response")
    if fields.get("error") is not None or response is None:
        return True  # without a response and an error there is no answer
    # Other tools write a refusal as a response, not as an error.
    status: Any = response.get("status_code") if isinstance(response, dict) else None
    try:
        return int(status) >= _MIN_ERROR_STATUS
    except (TypeError, ValueError, OverflowError):
        return False
