"""`StreamParser`, which decides when a stream is complete and when it has failed."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Any

from aimlchat.errors import AIMLChatError, ProtocolError, detach
from aimlchat.policies import MAX_ANSWER_BYTES

from .accumulator import Accumulator
from .chunks import DECODE_ERRORS, decode_plain_chunk
from .end_rule import DONE_MARKER, is_whole_event, judge_end
from .error_events import find_error
from .extra_keys import ExtraKeys
from .json_body import JSONBody, find_start
from .kept_size import body_too_large, find_check_interval, stream_too_large
from .lenient import decode_object, is_object, parse_chunk
from .metadata import find_usage
from .parser_state import ParserState
from .sse import EventDecoder
from .unread_text import UnreadText
from .whole import accumulate_body, decode_body, find_unread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aimlchat.completions import Completion, Delta

    from .message_accumulator import MessageAccumulator

__all__ = ["StreamParser"]

# A failed attempt with the plain decoder costs as much as decoding the chunk, and a stream of tool
# calls has no plain chunks.
_MAX_MISSES = 16

# As globals, since looking them up in the class costs more, and happens for each chunk.
START, EVENTS, PLAIN, BODY, LINES, DONE, CLOSED, FAILED = ParserState


class StreamParser:
    """Parse a streamed completion from bytes to deltas, without I/O, clock or asyncio.

    Any split of the same bytes gives the same text and the same end. A stream is complete at
    ``[DONE]`` after a chunk, or once every choice that began has a finish reason; a stream in
    Claude's own format only after ``message_stop``. A whole JSON completion is parsed as such.

    Args:
        model: the requested model, which decides whether ``<think>`` tags in the text are
            reasoning; by default the model that the server names.
        n: the requested number of choices, None if it is not known. If it is 1, every chunk
            belongs to choice 0, even if a server numbers the chunks with the choice's index.
        max_answer_bytes: as in `Limits`: how large the text, arguments and media may become before
            a `ProtocolError` ends the stream.
    """

    def __init__(
        self,
        model: str = "",
        *,
        n: int | None = None,
        max_answer_bytes: int | None = MAX_ANSWER_BYTES,
    ) -> None:
        self._state = START
        self._events = EventDecoder()
        self._content = Accumulator(model, n)
        self._max_bytes = limit = max_answer_bytes or sys.maxsize
        self._check_bytes = self._events.bytes_left = check_bytes = find_check_interval(limit)
        self._may_exceed = check_bytes > limit  # before a check, only a tiny limit can be exceeded
        self._extra = ExtraKeys()
        self._misses = 0  # how many events were expected to be plain and were not
        self._last_event = b""
        self._prefix = b""  # what START has read
        self._unread = UnreadText()
        self._message: MessageAccumulator | None = None  # for Claude's own message format
        self._body: JSONBody  # what BODY has read
        self._raw_body: bytes | dict[str, Any] | None = None  # that body, once it is decoded
        # `DeltaStream` reads these for each chunk, so they are attributes and not properties.
        self.fault: AIMLChatError | None = None
        """Why the stream has failed, without a traceback; None if it has not."""
        self.done = False
        """Whether ``[DONE]`` or ``message_stop`` has arrived; what follows is ignored."""
        self.finished_choices = 0
        """How many choices have their finish reason; 0 while one that began lacks it."""

    def feed(self, data: bytes) -> list[Delta]:
        """Take the next bytes of the body, ``data``, and return the deltas that they complete.

        A fault in the bytes does not lose the deltas before it: they are returned, and the next
        call of `feed` or `close` raises the fault.

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
            self._events.bytes_left += len(data)  # which are counted again
            return self._feed(data, EVENTS)
        return self._feed(data, self._state)

    def close(self) -> list[Delta]:
        """Note the end of the body; return the deltas of the text that was still buffered.

        A fault does not lose these deltas: as with `feed`, they are returned, and the next call
        raises the fault, as does `completion`. Without deltas, the fault is raised at once.

        Raises:
            APIError: the last event, or the whole body, was an error.
            StreamInterruptedError: the stream was not complete.
            ProtocolError: the bytes were not in the wire format.
        """
        self._raise_fault()
        deltas = self.end()
        if not deltas:
            self._raise_fault()
        return deltas

    def end(self, *, cut: bool = False) -> list[Delta]:
        """Do what `close` does, and return the same, but leave a fault in `fault`.

        ``cut`` is whether the connection broke.
        """
        deltas: list[Delta] = []
        state = self._state
        if state is CLOSED or state is FAILED:
            return deltas
        try:
            if state is BODY:
                state = self._parse_body(deltas)
            if state not in (CLOSED, DONE, FAILED):
                state = self._read_last_events(deltas)
        except ProtocolError as error:  # from the accumulator: too many choices or tool calls
            self.fault, state = detach(error), FAILED
        if state not in (CLOSED, FAILED):
            rest = self._unread.key, self._events.unread_line, bool(self._last_event)
            self.fault = self._check_size() or judge_end(
                self._content, *rest, is_done=state is DONE, is_cut=cut
            )
            state = FAILED if self.fault else CLOSED
        self._enter(state, deltas)
        return deltas

    @property
    def partial(self) -> Completion:
        """The part of the completion received so far; can be read at any time."""
        return self.partial_with()

    def partial_with(self, **fields: Any) -> Completion:
        """Return `partial` with the ``fields`` of `Completion` that are not in the body."""
        raw = self._extra.build_raw(self._last_event) if self._raw_body is None else self._raw_body
        return self._content.build(complete=self._state is CLOSED, raw=raw, **fields)

    @property
    def completion(self) -> Completion:
        """The whole completion, available after `close`.

        Raises:
            AIMLChatError: the fault, if the stream has failed.
            RuntimeError: the stream has not ended.
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
        if state is FAILED:
            self._raise_fault()
        deltas: list[Delta] = []
        events, size = self._events, len(data)
        if size < events.bytes_left:
            events.bytes_left -= size
            self._read(data, state, deltas)
            return deltas
        # In parts that end at the same bytes of the stream however it is split.
        start = 0
        while start < size and (not start or self.fault is None):
            part = data[start : start + events.bytes_left]
            start += len(part)
            events.bytes_left -= len(part)
            self._read(part, state, deltas)
            if not events.bytes_left:
                self._check_now(deltas)
            state = self._state
        return deltas

    def _read(self, data: bytes, state: ParserState, deltas: list[Delta]) -> None:
        if state is START:
            state, data = self._recognize(data)
        try:
            if state is PLAIN or state is EVENTS:
                state = self._read_events(data, state, deltas)
                self.finished_choices = self._content.finished_choices
            elif state is LINES:
                state = self._read_lines(data, deltas)
            elif state is BODY:
                state = self._collect_body(data, deltas)
        except ProtocolError as error:  # as in `end`
            self.fault, state = detach(error), FAILED
        if state is not self._state:
            self._enter(state, deltas)

    def _check_now(self, deltas: list[Delta]) -> None:
        """Check the size of what is kept, and note when to do so next."""
        self._events.bytes_left = self._check_bytes
        self._may_exceed = True
        if self.fault is None and (fault := self._check_size()) is not None:
            self.fault = fault
            self._enter(FAILED, deltas)

    def _check_size(self) -> ProtocolError | None:
        """Return the fault of a stream whose kept content is too large."""
        if not self._may_exceed:
            return None
        if self._content.measure() > self._max_bytes:
            return stream_too_large(self._max_bytes)
        return self._extra.find_fault()

    # The methods below do not change the state: they return the one that the input leads to.

    def _recognize(self, data: bytes) -> tuple[ParserState, bytes]:
        """Detect the kind of body; return its state and the bytes that are left to read."""
        if data.startswith(b"data:") and not self._prefix:  # nearly every stream
            return EVENTS, data
        body, self._prefix = find_start(self._prefix + data)
        if not body:
            return START, b""
        if body.startswith((b"{", b"[")):
            self._body = JSONBody()
            return BODY, body
        if body.startswith(b"<"):
            msg = "expected an event stream, but the response body is HTML or XML"
            return self._fail(ProtocolError(msg)), b""
        return EVENTS, body

    def _collect_body(self, data: bytes, deltas: list[Delta]) -> ParserState:
        is_stream = self._body.add(data)
        if len(self._body) > self._max_bytes:
            return self._fail(body_too_large(self._max_bytes))
        return self._read_lines(bytes(self._body), deltas) if is_stream else BODY

    def _read_lines(self, data: bytes, deltas: list[Delta]) -> ParserState:
        """Read a stream of lines, as Ollama's own API sends it, by making each an event."""
        state = self._read_events(data.replace(b"\n", b"\n\n"), EVENTS, deltas)
        self.finished_choices = self._content.finished_choices
        return state if state in (DONE, FAILED) else LINES

    def _parse_body(self, deltas: list[Delta]) -> ParserState:
        data = bytes(self._body)
        try:
            body = decode_body(data)
        except ProtocolError as error:
            if b"\ndata:" in data:  # JSON in several lines, and then events
                return self._read_events(data, EVENTS, deltas)
            return self._fail(error)
        self._content = accumulate_body(self._content, body, deltas)
        if body.chunk.choices or body.is_message:
            self._raw_body = body.raw
        if body.error is not None:
            return self._fail(body.error)
        if body.is_stream_chunk:
            return EVENTS
        self.fault = find_unread(self._content, body)
        return FAILED if self.fault else CLOSED

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
            is_plain = self._misses < _MAX_MISSES and not self._extra and self._content.is_settled
        if self._events.fault is not None:
            return self._fail(self._events.fault)
        return PLAIN if is_plain else EVENTS

    def _read_event(self, event: bytes, deltas: list[Delta]) -> ParserState:
        if self._message is not None:
            self._last_event = event
            error = self._message.read(event, deltas)
            self.done = self._message.finished_choices > 0
            return self._fail(error) if error else DONE if self.done else EVENTS
        try:
            chunk = self._extra.decode(event)
        except DECODE_ERRORS:
            return self._read_leniently(event, deltas)
        self._last_event = event
        # What may be an error is noticed only by the lenient path.
        if self._extra and (chunk.choices is None or not self._extra.keep(chunk)):
            return self._read_leniently(event, deltas)
        self._content.add(chunk, deltas)
        if not deltas:
            self._unread.examine(event, self._content)
        return EVENTS

    def _read_leniently(  # noqa: PLR0911 - one for each kind of event
        self, event: bytes, deltas: list[Delta]
    ) -> ParserState:
        """Read an event that the decoder rejected: ``[DONE]``, an error, or an unusual chunk.

        White space counts as an empty event, which is skipped, and so is a comment that a gateway
        has wrapped as data.
        """
        text = event.strip()
        if not text or text.startswith(b":"):
            return self._read_each(text.split(b"\n")[1:], deltas)
        if text == DONE_MARKER:
            self.done = self._content.has_chunk or self._unread.key is not None
            return DONE if self.done else self._fail(ProtocolError("[DONE] came before a chunk"))
        try:
            body = decode_object(event)
        except ProtocolError as error:
            lines = event.split(b"\n")
            if len(lines) > 1 and is_object(lines[0]):  # events without blank lines between them
                return self._read_each(lines, deltas)
            return self._fail(error)
        self._last_event = text[1:-1] if text.startswith(b"[") else event
        if "type" in body and self._begins_message(body):
            return self._read_event(event, deltas)
        chunk, extra = parse_chunk(body)
        chunk.usage = chunk.usage or find_usage(extra)
        if (api_error := find_error(body)) is not None:
            self._content.add_error(chunk, deltas)
            return self._fail(api_error)
        self._extra.learn(extra)
        self._content.add(chunk, deltas, lenient=True)
        if not deltas:
            self._unread.examine(self._last_event, self._content)
        return EVENTS

    def _begins_message(self, body: dict[str, Any]) -> bool:
        """Read Claude's own message format from now on, if the stream begins in it."""
        from .message_accumulator import begin_message  # noqa: PLC0415 - only Claude needs it

        if not self._content.has_chunk and (message := begin_message(body, self._extra.values)):
            self._content = self._message = message
        return self._message is not None

    def _read_each(self, events: Iterable[bytes], deltas: list[Delta]) -> ParserState:
        for event in events:
            if (state := self._read_event(event, deltas)) is not EVENTS:
                return state
        return EVENTS

    def _read_last_events(self, deltas: list[Delta]) -> ParserState:
        """Read the events that lack their blank line; one whose JSON was cut is ignored.

        The WHATWG standard discards such an event, but gateways forget the last blank line.
        """
        state = EVENTS
        for event in self._events.close():
            lines = [event] if is_object(event) else event.split(b"\n")
            state = self._read_each(itertools.takewhile(is_whole_event, lines), deltas)
            if state is not EVENTS:
                return state
        return self._fail(self._events.fault) if self._events.fault else state

    def _fail(self, error: AIMLChatError) -> ParserState:
        """Keep the error as the fault, unless the completion is whole already."""
        if self._content.is_whole:
            return EVENTS
        self.fault = detach(error)
        return FAILED

    def _raise_fault(self) -> None:
        if self.fault is not None:
            error = detach(self.fault)
            error.partial = self.partial
            raise error
