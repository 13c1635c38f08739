"""`EventDecoder`, which splits bytes into events by the WHATWG standard for server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re

from aimlchat.errors import ProtocolError

from .error_events import UNEXPLAINED_ERROR, wrap_error

__all__ = ["MAX_EVENT_BYTES", "EventDecoder"]

MAX_EVENT_BYTES = 16 * 2**20
"""The maximum size of an event, in bytes of data."""

# The maximum size of an incomplete event, which includes its field names and line ends.
_MAX_BUFFER = MAX_EVENT_BYTES + 4096
_BOM = b"\xef\xbb\xbf"
_DATA = b"data: "
_DATA_SIZE = len(_DATA)
_LF, _CR = b"\n\r"  # integers, which are found several times as fast as b"\r"
# The standard ignores a field that it does not know. One whose value is JSON may have been a chunk.
_UNKNOWN_FIELD = re.compile(rb"[\w.-]+(?::(?!\s*[{\[]).*)?", re.DOTALL)
_IGNORED_FIELDS = (b"id", b"retry")
_ERROR_NAME = b"event:error\n"
_DONE_MARKER = b"[DONE]"


class EventDecoder:
    """Splits a stream of bytes, in pieces of any size, into the data of its events.

    The data remains bytes: the JSON decoder reads UTF-8 faster than Python decodes it, and detects
    broken UTF-8. Ids and retry times are ignored, and so are the names of events, except that of an
    error. Events with empty data are skipped.

    Some servers put errors, or even all of their chunks, outside of the data, where a decoder that
    follows the standard does not see them. So these are events too: a line ``error: ...``, JSON in
    lines without a field name, and an event whose name is "error", whatever its data. What follows
    ``[DONE]`` is not read.
    """

    __slots__ = (
        "_after_cr",
        "_at_boundary",
        "_at_start",
        "_buffer",
        "_is_over",
        "fault",
        "unread_line",
    )

    def __init__(self) -> None:
        self.fault: ProtocolError | None = None
        """Set after an event that was too large; no event follows it."""
        self.unread_line = b""
        """The first line that is no field and no comment, such as plain text; empty if none was."""
        # The bytes since the last blank line. A bytearray grows in place, so that a large
        # event in many pieces costs time linear in its size.
        self._buffer = bytearray()
        self._at_start = True
        self._after_cr = False
        self._at_boundary = False  # whether the next byte begins an event
        self._is_over = False  # whether there was a fault, or `[DONE]` among other lines

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the data of each event that they complete."""
        if self._is_over:
            return []
        events = self._split(data)
        self._at_boundary = not (self._buffer or self._after_cr or self._at_start or self._is_over)
        return events

    def decode_single(self, data: bytes) -> bytes:
        """Return the data of the event if these bytes are exactly one event of a single line.

        Nearly every read of a stream is. Otherwise returns ``b""`` and changes nothing; pass the
        bytes to `feed` then.
        """
        end = len(data) - 2
        if (
            data.find(_LF) == end
            and _CR not in data
            and data[-1] == _LF
            and data[:6] == _DATA
            and _DATA_SIZE < end < MAX_EVENT_BYTES
            and self._at_boundary
        ):
            return data[6:end]
        return b""

    def close(self) -> list[bytes]:
        """Return the data of the events that still lack their blank line.

        The standard discards them, but gateways forget the last blank line, so the caller may use
        them if they are whole. Nothing is left in the decoder after this.
        """
        events = [] if self._is_over else self._read_block(bytes(self._buffer))
        self._buffer.clear()
        return [event for event in events if len(event) <= MAX_EVENT_BYTES]

    def _split(self, data: bytes) -> list[bytes]:
        if self._after_cr or _CR in data:
            data = self._normalize_line_ends(data)
        if self._buffer or self._at_start:
            data = self._take_buffer(data)
            if not data:
                return []
        end = data.rfind(b"\n\n")
        if end < 0:
            self._buffer += data
            self._bound_buffer(data)
            return []
        if end + 2 == len(data):  # the usual case: a read ends with an event
            return self._split_events(data[:end])
        rest = data[end + 2 :]
        self._buffer += rest
        events = self._split_events(data[:end])
        self._bound_buffer(rest)
        return events

    def _normalize_line_ends(self, data: bytes) -> bytes:
        """Turn CR and CRLF into LF; a CRLF may be split between two reads."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            if not data:
                self._after_cr = False
                return data
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _split_events(self, blocks: bytes) -> list[bytes]:
        """Return the data of whole events, which are separated by blank lines."""
        if blocks.startswith(_DATA) and len(blocks) < MAX_EVENT_BYTES:
            # In the usual case each event is a single line of data, and one split is enough.
            events = blocks[len(_DATA) :].split(b"\n\n" + _DATA)
            if blocks.count(b"\n") == 2 * (len(events) - 1) and b"" not in events:
                return events
        events = []
        for block in blocks.split(b"\n\n"):
            for event in self._read_block(block):
                if len(event) > MAX_EVENT_BYTES:
                    self._fail()
                    return events
                events.append(event)
            if self._is_over:
                break
        return events

    def _read_block(self, block: bytes) -> list[bytes]:
        """Return the data of the events in the lines between two blank lines, usually of one."""
        events: list[bytes] = []
        data: list[bytes] = []
        json_lines: list[bytes] = []  # without a field name; one value may have several
        is_error = False
        for line in block.split(b"\n"):
            if self._is_over:
                break
            field, _, value = line.partition(b":")
            if field == b"data":
                _join(json_lines, events)
                data.append(value.removeprefix(b" "))
                self._is_over = value.strip() == _DONE_MARKER
            elif not field.strip() or field in _IGNORED_FIELDS:  # empty, a comment, or ignored
                continue
            elif field == b"event":
                is_error = _names_error(line)
            elif json_lines or line.startswith((b"{", b"[{", b"[DONE]")):
                _join(data, events)
                json_lines.append(line)
                self._is_over = line.strip() == _DONE_MARKER
            elif field.lower() == b"error":
                _join([wrap_error(value)], events)
            elif not self.unread_line and not _UNKNOWN_FIELD.fullmatch(line):
                self.unread_line = line[:200]  # more than a message quotes
        _join(json_lines, events)
        _join(data, events)
        if is_error:
            return [wrap_error(b"\n".join(events)) or UNEXPLAINED_ERROR]
        return events

    def _take_buffer(self, data: bytes) -> bytes:
        """Return the buffer with these bytes added, or ``b""`` if they complete no event yet."""
        buffer = self._buffer
        # The blank line may begin with the last byte of the buffer.
        start = 0 if self._at_start else len(buffer) - 1
        buffer += data
        if self._at_start and not self._skip_bom():
            return b""
        if buffer.find(b"\n\n", start) < 0:
            self._bound_buffer(data)
            return b""
        joined = bytes(buffer)
        buffer.clear()
        return joined

    def _skip_bom(self) -> bool:
        """Drop a byte order mark at the very start; return False while it is incomplete."""
        buffer = self._buffer
        if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
            return False
        if buffer.startswith(_BOM):
            del buffer[: len(_BOM)]
        self._at_start = False
        return True

    def _bound_buffer(self, latest: bytes) -> None:
        """Keep the buffer small; ``latest`` are the bytes that were added last."""
        buffer = self._buffer
        # A gateway may send comments without blank lines for hours, which is not a large event.
        # Before the first line of data only the name of an event has an effect, and only "error".
        if b"\n" in latest:
            name, start = b"", 0
            while (end := buffer.find(b"\n", start)) >= 0:
                field = bytes(buffer[start : min(end, start + 10)]).partition(b":")[0]
                if field == b"event":
                    name = _ERROR_NAME if _names_error(buffer[start:end]) else b""
                elif field.strip() and field not in _IGNORED_FIELDS:
                    break
                start = end + 1
            buffer[:start] = name
        start = len(_ERROR_NAME) if buffer.startswith(_ERROR_NAME) else 0
        if buffer.startswith(b":", start):
            del buffer[start + 1 :]
        if len(buffer) > _MAX_BUFFER:
            self._fail()

    def _fail(self) -> None:
        self._buffer.clear()
        self._is_over = True
        self.fault = ProtocolError(f"an event of the stream exceeds {MAX_EVENT_BYTES:,} bytes")


def _names_error(line: bytes | bytearray) -> bool:
    return line.rstrip().lower().endswith(b"error")


def _join(lines: list[bytes], events: list[bytes]) -> None:
    """Move these lines to the events, as one; drop them if they are empty."""
    if event := b"\n".join(lines):
        events.append(event)
    lines.clear()
