"""The protocol of a stream without any I/O: bytes in, deltas out, a completion at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from aimlchat._json import decode_json
from aimlchat.completions import Choice, Completion
from aimlchat.errors import AIMLChatError, ProtocolError, StreamInterruptedError, detach

from . import chunks as wire
from .accumulator import Accumulator
from .api_errors import error_from_body, is_error_body
from .sse import MAX_EVENT_BYTES, EventDecoder
from .think_tags import may_use_tags

if TYPE_CHECKING:
    from aimlchat.completions import Delta

__all__ = ["StreamParser", "parse_completion"]

_BOM = b"\xef\xbb\xbf"
_WHITE_SPACE = b" \t\r\n"
_DONE = b"[DONE]"
_CLOSING = "think>"  # the end of either tag around inline reasoning
# An upstream with more unknown keys than this gets no decoder of its own: they are not keys then.
_MAX_EXTRA_KEYS = 16
_MOST_MISSES = 16


def parse_completion(data: bytes, model: str = "", **facts: Any) -> Completion:
    """Read the body of a whole completion; ``model`` is the one that was asked for.

    ``facts`` are the fields of `Completion` that the body does not hold, as ``headers``. Raises
    `APIError` for an error in the body, `ProtocolError` for a body that is not JSON, not an object,
    or has no choice.
    """
    chunk, raw = _whole_chunk(data)
    if raw is data and (choice := _plain_choice(chunk, model)):
        return Completion(
            choices=(choice,),
            usage=wire.usage_of(chunk.usage),
            cost=wire.cost_of(chunk.meta, facts.get("headers")),
            id=chunk.id or "",
            model=chunk.model or "",
            created=chunk.created,
            raw=raw,
            **facts,
        )
    whole = Accumulator(model)
    _take_whole(whole, chunk, [], odd=raw is not data)
    return whole.made(complete=True, raw=raw, **facts)


def _plain_choice(chunk: wire.Chunk, model: str) -> Choice | None:
    """Read the usual answer, one choice of text alone, without an accumulator; None for others."""
    if chunk.event is not None or chunk.choices is None or len(chunk.choices) != 1:
        return None
    (choice,) = chunk.choices
    said = choice.message
    if (
        said is None
        or said.tool_calls
        or said.function_call is not None
        or said.audio
        or said.annotations
        or choice.logprobs is not None
    ):
        return None
    text = said.content or ""
    if _CLOSING in text and may_use_tags(model or chunk.model or ""):
        return None
    native = choice.finish_reason or None
    return Choice(
        index=choice.index or 0,
        text=text,
        reasoning=wire.reasoning_of(said),
        refusal=said.refusal or None,
        finish_reason=wire.finish_reason_of(native),
        native_finish_reason=native,
    )


def _whole_chunk(data: bytes) -> tuple[wire.Chunk, bytes | dict[str, Any]]:
    """Read a whole body; return also the body itself: as it came, or decoded if that was odd."""
    chunk = wire.typed_whole(data)
    if chunk is not None and chunk.choices and not chunk.error:
        return chunk, data
    body = decode_json(data)
    if not isinstance(body, dict):
        msg = f"the answer is not a JSON object: {data[:120]!r}"
        raise ProtocolError(msg)
    if is_error_body(body):
        raise error_from_body(body)
    chunk, _ = wire.chunk_from(body, whole=True)
    if not chunk.choices:
        msg = f"the answer has no choice: {data[:120]!r}"
        raise ProtocolError(msg)
    return chunk, body


def _take_whole(content: Accumulator, chunk: wire.Chunk, deltas: list[Delta], *, odd: bool) -> None:
    if not odd:
        wire.as_stream(chunk)
    content.take(chunk, deltas, odd=odd)
    content.close(deltas)


class StreamParser:
    """Read a streamed completion, from bytes to deltas; no I/O, no clock, no asyncio.

    Any split of the same bytes gives the same text and the same end. ``model`` is the model that
    was asked for; it decides whether ``<think>`` tags in the text are reasoning. Without it the
    model that the server echoes decides.

    A stream is complete at ``[DONE]`` after at least one chunk, or once every choice that began has
    a finish reason. A body that turns out to be one whole JSON completion is read as such.
    """

    def __init__(self, model: str = "") -> None:
        self._events = EventDecoder()
        self._content = Accumulator(model)
        self._decode = wire.typed_decoder()
        self._extra_keys: tuple[str, ...] = ()
        self._extra: dict[str, Any] = {}
        self._may_be_plain = False  # what comes next, as far as is known
        self._misses = 0  # how often it was not
        self._last_event = b""
        self._start: bytes | None = b""  # None once it is known what kind of body this is
        self._whole: bytearray | None = None  # the body, if it is a single JSON text
        self._whole_raw: bytes | dict[str, Any] | None = None  # that body, once it was read
        self._closed = False
        self.fault: AIMLChatError | None = None
        """What went wrong; raised (as a copy) by the next `feed` or `close`."""
        self.done = False
        """Whether ``[DONE]`` has come: nothing that follows counts."""
        self.finished_choices = 0
        """How many choices have their finish reason; 0 while one that began lacks it."""

    def feed(self, data: bytes) -> list[Delta]:
        """Take the next bytes of the body and return the deltas in them, often none.

        A fault in the bytes does not take the deltas before it away: they are returned, and the
        fault is raised at the next call. Raises `APIError` for an error event, `ProtocolError` for
        what is not the wire format.
        """
        # Nearly always one read is one event, and that is a piece of text.
        if self._may_be_plain and (event := self._events.single(data)):
            deltas: list[Delta] = []
            try:
                if self._content.take_plain(wire.plain_chunk(event), deltas):
                    self._last_event = event
                    return deltas
            except wire.REFUSED:
                pass
            self._misses += 1
            self._may_be_plain = False
        return self._feed(data)

    def _feed(self, data: bytes) -> list[Delta]:
        deltas: list[Delta] = []
        self._raise_fault()
        if self._start is not None:
            data = self._recognise(data)
        if self._whole is not None:
            self._whole += data
            if len(self._whole) > MAX_EVENT_BYTES:
                self._fail(ProtocolError(f"the answer is larger than {MAX_EVENT_BYTES:,} bytes"))
            return deltas
        if not data or self.done or self._closed:
            return deltas
        self._take(self._events.feed(data), deltas)
        self.finished_choices = self._content.finished_choices
        if self._events.fault is not None and not self.done and self.fault is None:
            self._fail(self._events.fault)
        if self.fault is not None:  # then nothing more will come
            self._content.close(deltas)
        return deltas

    def close(self) -> list[Delta]:
        """Say that the body has ended, and return the deltas that were held back until now.

        Raises `StreamInterruptedError` if the stream had not reached its end, besides what `feed`
        raises.
        """
        self._raise_fault()
        deltas = self.end()
        self._raise_fault()
        return deltas

    def end(self) -> list[Delta]:
        """Do what `close` does, but leave what went wrong in `fault` instead of raising it."""
        deltas: list[Delta] = []
        if self._closed or self.fault is not None:
            return deltas
        self._closed = True
        self._may_be_plain = False
        if self._whole is not None:
            self._read_whole(bytes(self._whole), deltas)
            return deltas
        if not self.done and (event := self._events.close()):
            self._take_last(event, deltas)
        self._content.close(deltas)
        if not self._is_complete and self.fault is None:
            self.fault = self._interruption()
        return deltas

    @property
    def partial(self) -> Completion:
        """All that has come so far."""
        return self.partial_with()

    def partial_with(self, **facts: Any) -> Completion:
        """Return the same with those fields of `Completion` that the body does not hold."""
        complete = self._closed and self.fault is None
        return self._content.made(complete=complete, raw=self._raw(), **facts)

    @property
    def completion(self) -> Completion:
        """The completion, once `close` was called; before that `RuntimeError`, or the fault."""
        self._raise_fault()
        if not self._closed:
            msg = "the stream has not ended yet; .partial has what came so far"
            raise RuntimeError(msg)
        return self.partial

    @property
    def _is_complete(self) -> bool:
        return self.done or self._content.finished_choices > 0

    def _take(self, events: list[bytes], deltas: list[Delta]) -> None:
        """Take events up to the one that ends the stream, or is a fault."""
        # What a chunk costs is spent here, so nothing is looked at twice that need not be.
        take_plain, plain_chunk = self._content.take_plain, wire.plain_chunk
        may_be_plain = self._may_be_plain
        for event in events:
            if may_be_plain:
                try:
                    is_taken = take_plain(plain_chunk(event), deltas)
                except wire.REFUSED:
                    is_taken = False
                if is_taken:
                    self._last_event = event
                    continue
                self._misses += 1
            self._take_any(event, deltas)
            if self.done or self.fault is not None:
                self._may_be_plain = False
                break
            # A miss costs as much as decoding, and a stream of tool calls has nothing else.
            may_be_plain = self._may_be_plain = (
                self._misses < _MOST_MISSES and not self._extra_keys and self._content.is_settled
            )

    def _take_any(self, event: bytes, deltas: list[Delta]) -> None:
        try:
            chunk = self._decode(event)
        except wire.REFUSED:
            self._take_odd(event, deltas)
            return
        if chunk.error or (chunk.event is not None and chunk.event.error):
            self._take_odd(event, deltas)
            return
        self._last_event = event
        if self._extra_keys:
            self._note_extra(chunk)
        self._content.take(chunk, deltas)

    def _note_extra(self, chunk: wire.Chunk) -> None:
        for place, key in enumerate(self._extra_keys):
            value = getattr(chunk, f"extra_{place}")
            if value is not msgspec.UNSET:
                self._extra[key] = value

    def _take_odd(self, event: bytes, deltas: list[Delta]) -> None:
        """Take an event that is no plain chunk: the end, an error, a shape of its own, or junk."""
        if not event.strip():
            return
        if event.strip() == _DONE:
            if self._content.has_chunk:
                self.done = True
            else:
                self._fail(ProtocolError("the stream ended before its first chunk"))
            return
        try:
            body = decode_json(event)
        except ProtocolError as error:
            self._fail(error)
            return
        if not isinstance(body, dict):
            self._fail(ProtocolError(f"an event is not a JSON object: {event[:120]!r}"))
            return
        self._last_event = event
        for said in (body, body.get("event")):
            if isinstance(said, dict) and is_error_body(said):
                self._fail(error_from_body(said))
                return
        chunk, extra = wire.chunk_from(body)
        self._extra |= extra
        self._widen_decoder(extra)
        self._content.take(chunk, deltas, odd=True)

    def _take_last(self, event: bytes, deltas: list[Delta]) -> None:
        """Take an event that lacks its blank line; one that is cut off does not count."""
        if event.strip() != _DONE:
            try:
                if not isinstance(decode_json(event), dict):
                    return
            except ProtocolError:
                return
        self._take([event], deltas)

    def _widen_decoder(self, extra: dict[str, Any]) -> None:
        keys = tuple(sorted({*self._extra_keys, *filter(wire.can_be_field, extra)}))
        if keys != self._extra_keys and len(keys) <= _MAX_EXTRA_KEYS:
            self._extra_keys = keys
            self._decode = wire.typed_decoder(keys)

    def _recognise(self, data: bytes) -> bytes:
        """Tell by its first byte what kind of body this is; return what is to be read on."""
        data = ((self._start or b"") + data).lstrip(_WHITE_SPACE)
        body = data.removeprefix(_BOM).lstrip(_WHITE_SPACE)
        if not body or (len(data) < len(_BOM) and _BOM.startswith(data)):
            self._start = data[: len(_BOM)]
            return b""
        self._start = None
        if body.startswith((b"{", b"[")):
            self._whole = bytearray()
            return body
        if body.startswith(b"<"):
            self._fail(ProtocolError("the answer is not an event stream, but HTML or XML"))
            return b""
        return body

    def _read_whole(self, body: bytes, deltas: list[Delta]) -> None:
        try:
            chunk, self._whole_raw = _whole_chunk(body)
        except AIMLChatError as error:
            self.fault = detach(error)
            return
        _take_whole(self._content, chunk, deltas, odd=self._whole_raw is not body)

    def _fail(self, error: AIMLChatError) -> None:
        # A choice that has its finish reason is whole; what goes wrong behind it cannot undo that.
        if not self._content.finished_choices:
            self.fault = detach(error)

    def _interruption(self) -> AIMLChatError:
        if not self._last_event and not self._content.has_chunk:
            return StreamInterruptedError("the stream ended without a single event")
        return StreamInterruptedError(
            "the stream ended before its finish reason; .partial has what came"
        )

    def _raise_fault(self) -> None:
        if self.fault is not None:
            error = detach(self.fault)
            error.partial = self.partial
            raise error

    def _raw(self) -> bytes | dict[str, Any]:
        if self._whole_raw is not None:
            return self._whole_raw
        if not self._last_event:
            return dict(self._extra)
        if not self._extra and b'"event"' not in self._last_event:
            return self._last_event  # parsed if anybody looks at it
        body = decode_json(self._last_event)
        chunk = body["event"] if isinstance(body.get("event"), dict) else body
        return {**self._extra, **chunk}
