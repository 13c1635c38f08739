"""`JSONBody`, a body that begins like JSON: one JSON text, or a stream of lines."""

from __future__ import annotations

from .lenient import is_object

__all__ = ["JSONBody", "find_start"]

_BOM = b"\xef\xbb\xbf"
_WHITE_SPACE = b" \t\r\n"


def find_start(data: bytes) -> tuple[bytes, bytes]:
    """Return the body from its first byte on, without white space and a byte order mark.

    If that byte has not arrived, the first value is empty, and the second is what to add to the
    next bytes.
    """
    data = data.lstrip(_WHITE_SPACE)
    body = data.removeprefix(_BOM).lstrip(_WHITE_SPACE)
    if not body or (len(data) < len(_BOM) and _BOM.startswith(data)):
        return b"", data[: len(_BOM)]
    return body, b""


_WHITE_SPACE = b" \t\r\n"


class JSONBody:
    """Collects a body in pieces of any size, until it is known to be a stream of lines."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._size = 0
        self._line_end: int | None = -1  # of the first line; None once that line was checked

    def __bytes__(self) -> bytes:
        return bytes(self._data)

    def __len__(self) -> int:
        """Return the size of the one JSON text: the first line of a stream, or the body."""
        return self._size

    def add(self, data: bytes) -> bool:
        """Add the next bytes; return whether each line turns out to be a JSON text of its own.

        That is so if the first line is a JSON object, and others follow. It is decoded only once.
        """
        self._data += data
        self._size = len(self._data)
        if self._line_end is None:
            return False
        if self._line_end < 0:
            position = data.find(b"\n")
            if position < 0:
                return False
            self._line_end = self._size - len(data) + position
        # White space after the first line is dropped, since there may be any amount of it.
        start = self._line_end + 1
        self._data[start:] = self._data[start:].lstrip(_WHITE_SPACE)
        self._size = self._line_end
        if len(self._data) == start:
            return False
        self._line_end = None
        if is_object(bytes(self._data[:start])):
            return True
        self._size = len(self._data)
        return False
