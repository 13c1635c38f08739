"""`JSONBody`, a body that begins like JSON: one JSON text, or a stream of lines."""

from __future__ import annotations

from .lenient import is_object

__all__ = ["JSONBody"]


class JSONBody:
    """Collects a body in pieces of any size, until it is known to be a stream of lines."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._line_end: int | None = -1  # of the first line; None once that was looked at

    def __bytes__(self) -> bytes:
        return bytes(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def add(self, data: bytes) -> bool:
        """Add the next bytes; return whether each line turns out to be a JSON text of its own.

        That is so if the first line is a JSON object, and others follow. It is decoded only once.
        """
        self._data += data
        if self._line_end is None:
            return False
        if self._line_end < 0:
            position = data.find(b"\n")
            if position < 0:
                return False
            self._line_end = len(self._data) - len(data) + position
            data = data[position:]
        if not data.strip():
            return False
        line, self._line_end = bytes(self._data[: self._line_end]), None
        return is_object(line)
