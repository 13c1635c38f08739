"""`StreamParser`, which decides when a stream is complete and when it has failed."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import msgspec

from aimlchat._json import decode_json
from aimlchat.errors import AIMLChatError, ProtocolError, StreamInterruptedError, detach

from .accumulator import Accumulator
from .api_errors import error_from_body, is_error_body
from .chunks import DECODE_ERRORS, build_chunk_decoder, decode_plain_chunk, is_field_name
from .lenient import parse_chunk
from .metadata import find_usage
from .sse import MAX_EVENT_BYTES, EventDecoder
from .whole import accumulate_body, decode_body

if TYPE_CHECKING:
    from aimlchat.completions import Completion, Delta

    from .chunks import Chunk

__all__ = ["StreamParser"]

_BOM = b"\xef\xbb\xbf"
_WHITE_SPACE = b" \t\r\n"
_DONE_MARKER = b"[DONE]"
# A stream with more unknown keys than this has new ones in each chunk (keys used as data), and a
# decoder for such a set would never be used again.
_MAX_EXTRA_KEYS = 16
# A vain attempt with the plain decoder costs as much as decoding the chunk, and a stream of tool
# calls has no plain chunks.
_MAX_MISSES = 16


class ParserState(enum.Enum):
    """What a `StreamParser` reads next, and the states that follow.

    START: the kind of body is unknown: so far there was only white space or a byte order mark.
        → BODY at ``{`` or ``[``
        → FAILED at ``<``, which is HTML or XML
        → EVENTS at any other byte
    EVENTS: events of any kind.
        → PLAIN after an event, if the next one is likely to be a plain chunk
        → DONE at ``[DONE]`` after a chunk
        → FAILED at an error event, an event that is not a JSON object, or one that is too large.
          Once every choice that began has its finish reason these are ignored instead: the
          completion is whole, and nothing that follows can change that.
    PLAIN: like EVENTS, but the faster decoder of plain chunks is tried first.
        → EVENTS if that failed too often
    BODY: the rest of a body that is one JSON text, not an event stream.
        → FAILED if it grows too large
    DONE: nothing; anything after ``[DONE]`` is ignored.
    CLOSED: nothing; the body has ended, and it was complete.
    FAILED: nothing; `StreamParser.fault` is the reason, and every call raises a copy of it.

    At the end of the body every state leads to CLOSED or FAILED, which are final. BODY is complete
    if it is a whole completion. A stream is complete after ``[DONE]``, or if every choice that
    began has its finish reason.
    """

    START = enum.auto()
    EVENTS = enum.auto()
    PLAIN = enum.auto()
    BODY = enum.auto()
    DONE = enum.auto()
    CLOSED = enum.auto()
    FAILED = enum.auto()


# As globals, since looking them up in the class costs more, and happens for each chunk.
START, EVENTS, PLAIN, BODY, DONE, CLOSED, FAILED = ParserState


class StreamParser:
    """Parse a streamed completion from bytes to deltas, without I/O, clock or asyncio.

    Any split of the same bytes gives the same text and the same end. A stream is complete after
    ``[DONE]`` after at least one chunk, or once every choice that began has a finish reason. A
    body that turns out to be one whole JSON completion is parsed as such.

    Args:
        model: the requested model, which decides whether ``<think>`` tags in the text are
            reasoning; by default the model that the server names.
    """

    def __init__(self, model: str = "") -> None:
        self._state = START
        self._events = EventDecoder()
        self._content = Accumulator(model)
        self._decode = build_chunk_decoder()
        self._extra_keys: tuple[str, ...] = ()  # the unknown keys that `_decode` accepts
        self._extra: dict[str, Any] = {}  # the latest value of each unknown top-level key
        self._misses = 0  # how many events were expected to be plain and were not
        self._last_event = b""
        self._prefix = b""  # what START has read
        self._body = bytearray()  # what BODY has read
        self._raw_body: bytes | dict[str, Any] | None = None  # that body, once it is decoded
        # `DeltaStream` reads these for each chunk, so they are attributes and not properties.
        self.fault: AIMLChatError | None = None
        """Why the stream has failed, without a traceback; None if it has not."""
        self.done = False
        """Whether ``[DONE]`` has arrived, after which everything is ignored."""
        self.finished_choices = 0
        """How many choices have their finish reason; 0 while one that began lacks it."""

    def feed(self, data: bytes) -> list[Delta]:
        """Take the next bytes of the body and return the deltas that they complete, often none.

        A fault in the bytes does not lose the deltas before it: they are returned, and the next
        call raises the fault.

        Raises:
            APIError: an earlier event was an error.
            ProtocolError: earlier bytes were not in the wire format.
        """
        # Nearly every read is one event, and nearly every event is a piece of text.
        if self._state is PLAIN and (event := self._events.decode_single(data)):
            deltas: list[Delta] = []
            try:
                if self._content.add_plain(decode_plain_chunk(event), deltas):
                    self._last_event = event
                    return deltas
            except DECODE_ERRORS:
                pass
            self._misses += 1
            return self._feed(data, EVENTS)
        return self._feed(data, self._state)

    def close(self) -> list[Delta]:
        """Note the end of the body; return the deltas of the text that was still buffered.

        Raises what `feed` raises, and `StreamInterruptedError` if the stream was not complete.
        """
        self._raise_fault()
        deltas = self.end()
        self._raise_fault()
        return deltas

    def end(self) -> list[Delta]:
        """Do what `close` does, but leave a fault in `fault` instead of raising it."""
        deltas: list[Delta] = []
        state = self._state
        if state is CLOSED or state is FAILED:
            return deltas
        if state is BODY:
            state = self._parse_body(deltas)
        else:
            if state is not DONE and (event := self._events.close()):
                state = self._read_last_event(event, deltas)
            if state is not FAILED:
                is_complete = state is DONE or self._content.finished_choices
                state = CLOSED if is_complete else self._fail(self._build_interruption())
        self._enter(state, deltas)
        return deltas

    @property
    def partial(self) -> Completion:
        """The part of the completion received so far; can be read at any time."""
        return self.partial_with()

    def partial_with(self, **fields: Any) -> Completion:
        """Return `partial` with the fields of `Completion` that are not in the body."""
        return self._content.build(complete=self._state is CLOSED, raw=self._build_raw(), **fields)

    @property
    def completion(self) -> Completion:
        """The whole completion, available after `close`.

        Raises `RuntimeError` before that, and the fault if the stream has failed.
        """
        self._raise_fault()
        if self._state is not CLOSED:
            msg = "the stream has not ended: call close(), or read .partial"
            raise RuntimeError(msg)
        return self.partial

    def _enter(self, state: ParserState, deltas: list[Delta]) -> None:
        """Change the state; in a final state, add the deltas of the text that is still buffered."""
        self._state = state
        if state is CLOSED or state is FAILED:
            self._content.close(deltas)

    def _feed(self, data: bytes, state: ParserState) -> list[Delta]:
        """Do what `feed` does for bytes of any kind; ``state`` is how to read them."""
        deltas: list[Delta] = []
        if state is START:
            state, data = self._recognize(data)
        if state is PLAIN or state is EVENTS:
            state = self._read_events(data, state, deltas)
            self.finished_choices = self._content.finished_choices
        elif state is BODY:
            state = self._collect_body(data)
        elif self._state is FAILED:
            self._raise_fault()
        if state is not self._state:
            self._enter(state, deltas)
        return deltas

    # The methods below do not change the state: they return the one that the input leads to.

    def _recognize(self, data: bytes) -> tuple[ParserState, bytes]:
        """Detect the kind of body; return its state and the bytes that are left to read."""
        data = (self._prefix + data).lstrip(_WHITE_SPACE)
        body = data.removeprefix(_BOM).lstrip(_WHITE_SPACE)
        if not body or (len(data) < len(_BOM) and _BOM.startswith(data)):
            self._prefix = data[: len(_BOM)]
            return START, b""
        if body.startswith((b"{", b"[")):
            return BODY, body
        if body.startswith(b"<"):
            msg = "expected an event stream, but the response body is HTML or XML"
            return self._fail(ProtocolError(msg)), b""
        return EVENTS, body

    def _collect_body(self, data: bytes) -> ParserState:
        self._body += data
        if len(self._body) > MAX_EVENT_BYTES:
            msg = f"the response body exceeds {MAX_EVENT_BYTES:,} bytes"
            return self._fail(ProtocolError(msg))
        return BODY

    def _parse_body(self, deltas: list[Delta]) -> ParserState:
        data = bytes(self._body)
        try:
            chunk, self._raw_body = decode_body(data)
        except AIMLChatError as error:
            return self._fail(error)
        accumulate_body(self._content, chunk, deltas, lenient=self._raw_body is not data)
        return CLOSED

    def _read_events(self, data: bytes, state: ParserState, deltas: list[Delta]) -> ParserState:
        """Read events up to the one that ends the stream or makes it fail."""
        # Every chunk passes through this loop, so it checks nothing twice.
        add_plain = self._content.add_plain
        is_plain = state is PLAIN
        for event in self._events.feed(data):
            if is_plain:
                try:
                    is_added = add_plain(decode_plain_chunk(event), deltas)
                except DECODE_ERRORS:
                    is_added = False
                if is_added:
                    self._last_event = event
                    continue
                self._misses += 1
            state = self._read_event(event, deltas)
            if state is not EVENTS:
                return state
            is_plain = (
                self._misses < _MAX_MISSES and not self._extra_keys and self._content.is_settled
            )
        if self._events.fault is not None:
            return self._fail(self._events.fault)
        return PLAIN if is_plain else EVENTS

    def _read_event(self, event: bytes, deltas: list[Delta]) -> ParserState:
        try:
            chunk = self._decode(event)
        except DECODE_ERRORS:
            return self._read_leniently(event, deltas)
        if chunk.error or (chunk.event is not None and chunk.event.error):
            return self._read_leniently(event, deltas)
        self._last_event = event
        if self._extra_keys:
            self._keep_extra(chunk)
        self._content.add(chunk, deltas)
        return EVENTS

    def _read_leniently(self, event: bytes, deltas: list[Delta]) -> ParserState:
        """Read an event that the decoder rejected: ``[DONE]``, an error, or an unusual chunk.

        White space counts as an empty event, which is skipped.
        """
        text = event.strip()
        if not text:
            return EVENTS
        if text == _DONE_MARKER:
            self.done = self._content.has_chunk
            return DONE if self.done else self._fail(ProtocolError("[DONE] came before a chunk"))
        try:
            body = decode_json(event)
        except ProtocolError as error:
            return self._fail(error)
        if not isinstance(body, dict):
            return self._fail(ProtocolError(f"an event is not a JSON object: {event[:120]!r}"))
        self._last_event = event
        for part in (body, body.get("event")):
            if isinstance(part, dict) and is_error_body(part):
                return self._fail(error_from_body(part))
        chunk, extra = parse_chunk(body)
        chunk.usage = chunk.usage or find_usage(extra)
        self._extra |= extra
        self._widen_decoder(extra)
        self._content.add(chunk, deltas, lenient=True)
        return EVENTS

    def _read_last_event(self, event: bytes, deltas: list[Delta]) -> ParserState:
        """Read an event that lacks its blank line; one whose JSON was cut is ignored.

        The WHATWG standard discards such an event, but gateways forget the last blank line.
        """
        if event.strip() != _DONE_MARKER:
            try:
                if not isinstance(decode_json(event), dict):
                    return EVENTS
            except ProtocolError:
                return EVENTS
        return self._read_event(event, deltas)

    def _fail(self, error: AIMLChatError) -> ParserState:
        """Keep the error as the fault, unless the completion is whole already."""
        if self._content.finished_choices:
            return EVENTS
        self.fault = detach(error)
        return FAILED

    def _keep_extra(self, chunk: Chunk) -> None:
        for index, key in enumerate(self._extra_keys):
            value = getattr(chunk, f"extra_{index}")
            if value is not msgspec.UNSET:
                self._extra[key] = value
                if type(value) is dict and not chunk.usage:
                    chunk.usage = find_usage({key: value})

    def _widen_decoder(self, extra: dict[str, Any]) -> None:
        """Let the decoder accept these keys from now on, so that they are slow only once."""
        keys = tuple(sorted({*self._extra_keys, *filter(is_field_name, extra)}))
        if keys != self._extra_keys and len(keys) <= _MAX_EXTRA_KEYS:
            self._extra_keys = keys
            self._decode = build_chunk_decoder(keys)

    def _build_interruption(self) -> StreamInterruptedError:
        if not self._last_event and not self._content.has_chunk:
            return StreamInterruptedError("the stream ended before its first event")
        return StreamInterruptedError(
            "the stream ended before [DONE] or its last finish reason; .partial has what arrived"
        )

    def _raise_fault(self) -> None:
        if self.fault is not None:
            error = detach(self.fault)
            error.partial = self.partial
            raise error

    def _build_raw(self) -> bytes | dict[str, Any]:
        """Return the value of `Completion.raw`; JSON text is parsed there, on access."""
        if self._raw_body is not None:
            return self._raw_body
        if not self._last_event:
            return dict(self._extra)
        if not self._extra and b'"event"' not in self._last_event:
            return self._last_event
        body = decode_json(self._last_event)
        chunk = body["event"] if isinstance(body.get("event"), dict) else body
        return {**self._extra, **chunk}
