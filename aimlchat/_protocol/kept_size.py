"""The size of what is kept of a stream, and the errors for responses that are too large.

JSON around the text is not counted, so that a limit means the same for every server.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from aimlchat.errors import ProtocolError

__all__ = [
    "MAX_PARTS",
    "TextPieces",
    "body_too_large",
    "check_parts",
    "find_check_interval",
    "measure_json",
    "stream_too_large",
]

MAX_PARTS = 10_000
"""How many choices a completion may have, and how many tool calls: each takes a kilobyte."""

_CHECKS_PER_LIMIT = 16
_MIN_CHECK_BYTES, _MAX_CHECK_BYTES = 1024, 4 * 2**20
_MIN_CONTAINER = 32
_ADVICE = "if that is wanted, raise Limits(max_answer_bytes=...)"
_ENCODE_ERRORS = (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError)


@functools.lru_cache(maxsize=16)
def find_check_interval(limit: int) -> int:
    """Return after how many bytes of a stream the size of what is kept is checked."""
    return min(max(limit // _CHECKS_PER_LIMIT, _MIN_CHECK_BYTES), _MAX_CHECK_BYTES)


class TextPieces(list[str]):
    """The pieces of a text, in their order.

    `measure` joins the pieces that arrived since its last call: a piece of one character takes
    seventy bytes.
    """

    # Class attributes cost a stream nothing until it is long.
    _blocks = 0  # how many items are joined ones
    _size = 0  # of these
    joined = 0
    """How many pieces are no longer items of their own."""

    def measure(self) -> int:
        """Return the size of the text in UTF-8."""
        pieces = self[self._blocks :]
        if pieces:
            text = "".join(pieces)
            self[self._blocks :] = [text]
            self.joined += len(pieces) - 1
            self._blocks += 1
            self._size += len(text) if text.isascii() else len(text.encode(errors="replace"))
        return self._size


def measure_json(value: Any) -> int:
    """Return about how many bytes a decoded JSON value takes as JSON; at least 32 a container.

    An empty dict takes 64 bytes of memory, and two of JSON.
    """
    try:
        data = msgspec.json.encode(value)
        return max(len(data), _MIN_CONTAINER * (data.count(b"{") + data.count(b"[")))
    except _ENCODE_ERRORS:
        pass  # lone surrogates, or nested too deeply
    size, values = 0, [value]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            values += value
            values += value.values()
        elif isinstance(value, list):
            values += value
        size += len(value) if isinstance(value, str) else _MIN_CONTAINER
    return size


def body_too_large(limit: int) -> ProtocolError:
    """Return the error for a body that was to be read whole."""
    return ProtocolError(f"the response body exceeds {limit:,} bytes; {_ADVICE}")


def stream_too_large(limit: int) -> ProtocolError:
    """Return the error for a stream whose text, arguments and media together are too large."""
    return ProtocolError(f"the content of the stream exceeds {limit:,} bytes; {_ADVICE}")


def check_parts(count: int, what: str) -> None:
    """Raise `ProtocolError` if this is more than `MAX_PARTS`."""
    if count > MAX_PARTS:
        msg = f"the response has more than {MAX_PARTS:,} {what}"
        raise ProtocolError(msg)
