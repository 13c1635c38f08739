"""Bytes to events, as the WHATWG standard for server-sent events says.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

from aimlchat.errors import ProtocolError

__all__ = ["MAX_EVENT_BYTES", "EventDecoder"]

MAX_EVENT_BYTES = 16 * 2**20
"""The largest event that is accepted, in bytes of data; there is no smaller limit."""

# An event that is not finished yet is bounded with its field names and line ends.
_MAX_BLOCK = MAX_EVENT_BYTES + 4096
_BOM = b"\xef\xbb\xbf"
_DATA = b"data: "
_LF, _CR = b"\n\r"  # as numbers: to look for one is several times as fast as for b"\r"


class EventDecoder:
    """Cut a stream of bytes into the data of its events; no I/O, any split of the bytes is fine.

    The data stay bytes: the JSON decoder reads UTF-8 faster than Python decodes it, and broken
    UTF-8 is for it to judge. Event names, ids and retry times are read over: this wire says all
    it has to say in the data. Events with empty data are skipped.
    """

    __slots__ = ("_after_cr", "_at_start", "_held", "_is_between", "fault")

    def __init__(self) -> None:
        self.fault: ProtocolError | None = None
        """Set once an event was too large; nothing comes after it."""
        # What has come since the last blank line. A bytearray grows in place, so that a large
        # event in many pieces costs time linear in its size.
        self._held = bytearray()
        self._at_start = True
        self._after_cr = False
        self._is_between = False  # whether whatever comes next begins an event

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the data of each event that they complete."""
        if self.fault:
            return []
        events = self._cut(data)
        self._is_between = not (self._held or self._after_cr or self._at_start or self.fault)
        return events

    def single(self, data: bytes) -> bytes:
        """Return the data of the event that these bytes are, if they are one of a single line.

        As nearly every read of a stream is. Otherwise ``b""``: then they are for `feed`.
        """
        end = len(data) - 2
        if (
            data.find(_LF) == end
            and _CR not in data
            and data[-1] == _LF
            and data[:6] == _DATA
            and len(_DATA) < end < MAX_EVENT_BYTES
            and self._is_between
        ):
            return data[6:end]
        return b""

    def close(self) -> bytes:
        """Return the data of an event that still lacks its blank line; empty if there is none.

        The standard throws such an event away. Gateways forget the last blank line, so the caller
        may look whether the data are whole; nothing else of the stream is left after this.
        """
        event = _data_of(bytes(self._held))
        self._held.clear()
        return event if len(event) <= MAX_EVENT_BYTES else b""

    def _cut(self, data: bytes) -> list[bytes]:
        if self._after_cr or _CR in data:
            data = self._with_lf_only(data)
        if self._held or self._at_start:
            data = self._join(data)
            if not data:
                return []
        end = data.rfind(b"\n\n")
        if end < 0:
            self._held += data
            self._bound_unfinished(data)
            return []
        if end + 2 == len(data):  # as nearly always: each read ends with an event
            return self._events_in(data[:end])
        rest = data[end + 2 :]
        self._held += rest
        events = self._events_in(data[:end])
        self._bound_unfinished(rest)
        return events

    def _with_lf_only(self, data: bytes) -> bytes:
        """Turn CR and CRLF into LF; a CRLF may be cut in two by the border between two reads."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            if not data:
                self._after_cr = False
                return data
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _events_in(self, blocks: bytes) -> list[bytes]:
        """Return the data of whole events, with blank lines between them."""
        if blocks.startswith(_DATA) and len(blocks) < MAX_EVENT_BYTES:
            # Nearly always each event is a single line of data: one split does for all of them.
            events = blocks[len(_DATA) :].split(b"\n\n" + _DATA)
            if blocks.count(b"\n") == 2 * (len(events) - 1) and b"" not in events:
                return events
        events = []
        for block in blocks.split(b"\n\n"):
            event = _data_of(block)
            if len(event) > MAX_EVENT_BYTES:
                self._give_up()
                break
            if event:
                events.append(event)
        return events

    def _join(self, data: bytes) -> bytes:
        """Return what was held with what came, or ``b""`` if that still lacks its blank line."""
        held = self._held
        # The blank line may lie across the border between the two.
        border = 0 if self._at_start else len(held) - 1
        held += data
        if self._at_start and not self._skip_bom():
            return b""
        if held.find(b"\n\n", border) < 0:
            self._bound_unfinished(data)
            return b""
        joined = bytes(held)
        held.clear()
        return joined

    def _skip_bom(self) -> bool:
        """Drop a byte order mark at the very start; False while it is not known to be one."""
        held = self._held
        if len(held) < len(_BOM) and _BOM.startswith(held):
            return False
        if held.startswith(_BOM):
            del held[: len(_BOM)]
        self._at_start = False
        return True

    def _bound_unfinished(self, latest: bytes) -> None:
        """Keep what waits for its blank line small; ``latest`` is what came of it just now."""
        held = self._held
        # A gateway that pings with comments, and no blank lines, for hours is not a large event:
        # what comes before the first line of data says nothing, nor does the rest of a comment.
        if b"\n" in latest:
            while not held.startswith(b"data") and (end := held.find(b"\n")) >= 0:
                del held[: end + 1]
        if held.startswith(b":"):
            del held[1:]
        if len(held) > _MAX_BLOCK:
            self._give_up()

    def _give_up(self) -> None:
        self._held.clear()
        self.fault = ProtocolError(f"an event of the stream exceeds {MAX_EVENT_BYTES:,} bytes")


def _data_of(block: bytes) -> bytes:
    """Return the data of the event in these lines; ``b""`` if they hold none."""
    lines = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            lines.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line == b"data":
            lines.append(b"")
    return b"\n".join(lines)
