"""The states of a `StreamParser`."""

from __future__ import annotations

import enum

__all__ = ["ParserState"]


class ParserState(enum.Enum):
    """What a `StreamParser` reads next, and the states that follow.

    START: the kind of body is unknown: so far there was only white space or a byte order mark.
        → BODY at ``{`` or ``[``
        → FAILED at ``<``, which is HTML or XML
        → EVENTS at any other byte
    EVENTS: events of any kind.
        → PLAIN after an event, if the next one is likely to be a plain chunk
        → DONE at ``[DONE]`` after a chunk, or at ``message_stop`` in Claude's own message format
        → FAILED at an error, an event that is not a JSON object, or one that is too large. Once
        every choice that began has its finish reason, and no text followed it, these are ignored
        instead: the completion is whole, and nothing that follows can change that.
    PLAIN: like EVENTS, but the faster decoder of plain chunks is tried first.
        → EVENTS if that failed too often
    BODY: the rest of a body that is one JSON text, not an event stream.
        → LINES if its first line is a JSON object, and it has more lines
        → FAILED if it grows too large
    LINES: like EVENTS, but each line is an event.
    DONE: nothing; anything after ``[DONE]`` or ``message_stop`` is ignored.
    CLOSED: nothing; the body has ended, and it was complete.
    FAILED: nothing; `StreamParser.fault` is the reason, and every call raises a copy of it.

    At the end of the body every state leads to CLOSED or FAILED, which are final. BODY is complete
    if it is a whole completion. A stream is complete after ``[DONE]``, or if every choice that
    began has its finish reason; but it has failed if it contained text that could not be read.
    """

    START = enum.auto()
    EVENTS = enum.auto()
    PLAIN = enum.auto()
    BODY = enum.auto()
    LINES = enum.auto()
    DONE = enum.auto()
    CLOSED = enum.auto()
    FAILED = enum.auto()
