"""`EventDecoder`, which splits bytes into events by the WHATWG standard for server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

from aimlchat.errors import ProtocolError

__all__ = ["MAX_EVENT_BYTES", "EventDecoder"]

MAX_EVENT_BYTES = 16 * 2**20
"""The maximum size of an event, in bytes of data."""

# The maximum size of an incomplete event, which includes its field names and line ends.
_MAX_BUFFER = MAX_EVENT_BYTES + 4096
_BOM = b"\xef\xbb\xbf"
_DATA = b"data: "
_DATA_SIZE = len(_DATA)
_LF, _CR = b"\n\r"  # integers, which are found several times as fast as b"\r"


class EventDecoder:
    """Splits a stream of bytes, in pieces of any size, into the data of its events.

    The data remains bytes: the JSON decoder reads UTF-8 faster than Python decodes it, and detects
    broken UTF-8. Event names, ids and retry times are ignored, since this API puts everything into
    the data. Events with empty data are skipped.
    """

    __slots__ = ("_after_cr", "_at_boundary", "_at_start", "_buffer", "fault")

    def __init__(self) -> None:
        self.fault: ProtocolError | None = None
        """Set after an event that was too large; no event follows it."""
        # The bytes since the last blank line. A bytearray grows in place, so that a large
        # event in many pieces costs time linear in its size.
        self._buffer = bytearray()
        self._at_start = True
        self._after_cr = False
        self._at_boundary = False  # whether the next byte begins an event

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the data of each event that they complete."""
        if self.fault:
            return []
        events = self._split(data)
        self._at_boundary = not (self._buffer or self._after_cr or self._at_start or self.fault)
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

    def close(self) -> bytes:
        """Return the data of an event that still lacks its blank line; ``b""`` if there is none.

        The standard discards such an event, but gateways forget the last blank line, so the caller
        may use it if it is whole. Nothing is left in the decoder after this.
        """
        event = _join_data(bytes(self._buffer))
        self._buffer.clear()
        return event if len(event) <= MAX_EVENT_BYTES else b""

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
            event = _join_data(block)
            if len(event) > MAX_EVENT_BYTES:
                self._fail()
                break
            if event:
                events.append(event)
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
        # A gateway may send comments without blank lines for hours, which is not a large event:
        # lines before the first line of data have no effect, and neither has a comment's rest.
        if b"\n" in latest:
            while not buffer.startswith(b"data") and (end := buffer.find(b"\n")) >= 0:
                del buffer[: end + 1]
        if buffer.startswith(b":"):
            del buffer[1:]
        if len(buffer) > _MAX_BUFFER:
            self._fail()

    def _fail(self) -> None:
        self._buffer.clear()
        self.fault = ProtocolError(f"an event of the stream exceeds {MAX_EVENT_BYTES:,} bytes")


def _join_data(block: bytes) -> bytes:
    """Return the data of the event in these lines; ``b""`` if it has none."""
    lines = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            lines.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line == b"data":
            lines.append(b"")
    return b"\n".join(lines)
