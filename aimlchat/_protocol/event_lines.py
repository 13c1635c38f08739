"""`EventLines`, the lines of a stream between two blank lines."""

from __future__ import annotations

import re

from .error_events import UNEXPLAINED_ERROR, wrap_error

__all__ = ["EventLines", "names_error"]

# The standard ignores unknown fields. An unknown field whose value is JSON may have been a chunk.
_UNKNOWN_FIELD = re.compile(rb"[\w.-]+(?::(?!\s*[{\[]).*)?", re.DOTALL)
_IGNORED_FIELDS = (b"id", b"retry")
_DONE_MARKER = b"[DONE]"


class EventLines:
    """The lines between two blank lines, which usually are one event.

    Lines of JSON without a field name are an event of their own: one value may have several lines.
    Lines after ``[DONE]`` are not read.
    """

    __slots__ = (
        "_data",
        "_events",
        "_is_error",
        "_is_json",
        "has_done",
        "longest",
        "size",
        "unread",
    )

    def __init__(self) -> None:
        self.size = 0
        """The size of the data so far, of all events together."""
        self.longest = 0
        """The size of the longest line that is not a comment."""
        self.has_done = False
        """Whether ``[DONE]`` was among the lines."""
        self.unread = b""
        """The beginning of the first line that is neither field nor comment; empty if none was."""
        self._events: list[bytes] = []  # those before the last one
        # The data of the last event; a list of short lines would take many times their size.
        self._data: bytearray | None = None
        self._is_json = False  # whether that is JSON without a field name
        self._is_error = False

    def add(self, text: bytes) -> None:
        """Add whole lines, without the line feed of the last one."""
        for line in text.split(b"\n"):
            if self.has_done:
                break
            if line and not line.startswith(b":"):
                self._add_line(line)

    def join(self) -> list[bytes]:
        """Return the data of the events; no line may follow."""
        self._end_event()
        if self._is_error:
            return [wrap_error(b"\n".join(self._events)) or UNEXPLAINED_ERROR]
        return self._events

    def _add_line(self, line: bytes) -> None:
        self.longest = max(self.longest, len(line))
        field, _, value = line.partition(b":")
        if field == b"data":
            self._add_data(value.removeprefix(b" "), is_json=False)
        elif not field.strip() or field in _IGNORED_FIELDS:
            pass
        elif field == b"event":
            self._is_error = names_error(value)
        elif self._is_json or line.startswith((b"{", b"[{", b"[DONE]")):
            self._add_data(line, is_json=True)
        elif field.lower() == b"error":
            self.size += len(value)
            if error := wrap_error(value):
                self._events.append(error)
        elif not self.unread and not _UNKNOWN_FIELD.fullmatch(line):
            self.unread = line[:200]  # more than a message quotes

    def _add_data(self, value: bytes, *, is_json: bool) -> None:
        if is_json is not self._is_json:
            self._end_event()
            self._is_json = is_json
        self.has_done = value.strip() == _DONE_MARKER
        self.size += len(value)
        if self._data is None:
            self._data = bytearray(value)
        else:
            self.size += 1
            self._data += b"\n" + value

    def _end_event(self) -> None:
        """Move the data of the last event to the events, unless it is empty."""
        if self._data:
            self._events.append(bytes(self._data))
        self._data = None


def names_error(line: bytes) -> bool:
    """Return whether the name of an event is that of an error."""
    return line.rstrip().lower().endswith(b"error")
