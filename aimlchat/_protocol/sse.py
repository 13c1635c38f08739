"""`EventDecoder`, which splits bytes into events by the WHATWG standard for server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

from aimlchat.errors import ProtocolError

from .event_lines import EventLines, names_error

__all__ = ["MAX_EVENT_BYTES", "EventDecoder"]

MAX_EVENT_BYTES = 16 * 2**20
"""The maximum size of an event, in bytes of data."""

_BOM = b"\xef\xbb\xbf"
_DATA = b"data: "
_DATA_SIZE = len(_DATA)
_MIN_SIZE = _DATA_SIZE + 2  # of an event without data
_MAX_LINES = 4096  # the size up to which the lines of an incomplete event remain as they are
_LF, _CR = b"\n\r"  # integers, which are found several times as fast as b"\r"


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
        "_lines",
        "bytes_left",
        "fault",
        "unread_line",
    )

    def __init__(self) -> None:
        self.fault: ProtocolError | None = None
        """Set after an event that was too large; no event follows it."""
        self.bytes_left = MAX_EVENT_BYTES
        """How many bytes `decode_single` still accepts, at most as many as an event may have.

        The parser sets it, since it has to check the size of what it keeps from time to time.
        """
        self.unread_line = b""
        """The first line that is neither field nor comment, such as plain text; empty if none."""
        # The lines since the last blank line that earlier calls have read, and the bytes after
        # them, with the line feed before these. A bytearray grows without a copy, so that a large
        # event in many pieces costs time linear in its size.
        self._lines: EventLines | None = None
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
        size = len(data)
        if (
            data.find(_LF) == size - 2
            and _CR not in data
            and data[-1] == _LF
            and data.startswith(_DATA)
            and _MIN_SIZE < size < self.bytes_left
            and self._at_boundary
        ):
            self.bytes_left -= size
            return data[6:-2]
        return b""

    def close(self) -> list[bytes]:
        """Return the data of the events that still lack their blank line.

        The standard discards them, but gateways forget the last blank line, so the caller may use
        them if they are whole. Nothing is left in the decoder after this.
        """
        events = [] if self._is_over else self._read_block(bytes(self._buffer))
        self._buffer.clear()
        return events

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
            events += self._read_block(block)
            if self._is_over:
                break
        return events

    def _read_block(self, block: bytes) -> list[bytes]:
        """Return the data of the events in the lines between two blank lines, usually of one."""
        if self._lines is None and block.startswith(b"event:") and len(block) < MAX_EVENT_BYTES:
            name, _, data = block.partition(b"\n" + _DATA)
            if data[:1] == b"{" and _LF not in name and _LF not in data and not names_error(name):
                return [data]  # the usual form of an event with a name
        lines, self._lines = self._lines or EventLines(), None
        self._add_lines(lines, block)
        if self.fault:
            return []
        self._is_over = lines.has_done
        return lines.join()

    def _add_lines(self, lines: EventLines, text: bytes) -> None:
        lines.add(text)
        self.unread_line = self.unread_line or lines.unread
        if lines.size > MAX_EVENT_BYTES or lines.longest > MAX_EVENT_BYTES + _DATA_SIZE:
            self._fail()

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
        """Keep the buffer small; ``latest`` are the bytes that were added last.

        A gateway may send comments without blank lines for hours, which is not a large event.
        """
        buffer = self._buffer
        if len(buffer) <= _MAX_LINES:
            return
        if (b"\n" in latest or len(buffer) > MAX_EVENT_BYTES) and (end := buffer.rfind(b"\n")) > 0:
            self._lines = self._lines or EventLines()
            self._add_lines(self._lines, bytes(buffer[:end]))
            del buffer[:end]
        start = 1 if buffer.startswith(b"\n") else 0
        has_effect = not (buffer.startswith(b":", start) or (self._lines and self._lines.has_done))
        if not has_effect and buffer.find(b"\n", 1) < 0:
            del buffer[start + 1 :]
        elif has_effect and len(buffer) - start > MAX_EVENT_BYTES + _DATA_SIZE:
            self._fail()

    def _fail(self) -> None:
        self._buffer.clear()
        self._lines = None
        self._is_over = True
        self.fault = ProtocolError(f"an event of the stream exceeds {MAX_EVENT_BYTES:,} bytes")
