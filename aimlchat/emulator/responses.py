"""A response as bytes, before it is sent: its status, its headers, and its body in parts."""

from __future__ import annotations

from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import attrs

from .encoding import encode_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .script import Reply

__all__ = ["BodyPart", "PlannedResponse", "build_stream_parts", "build_whole", "encode_event"]


@attrs.frozen
class BodyPart:
    """A part of a body: one event of a stream, or all of a whole response.

    Attributes:
        data: the bytes.
        is_delta: whether the part counts as a delta, which the faults count.
    """

    data: bytes
    is_delta: bool = False


@attrs.frozen(slots=False)  # `cached_property` needs a `__dict__`
class PlannedResponse:
    """What the emulator sends if no fault is injected.

    Attributes:
        parts: the body.
        status: the HTTP status.
        headers: response headers beyond those that every response has.
        streamed: whether the body is sent in HTTP chunks; otherwise it has a `Content-Length`.
        named: whether the events of a stream have an `event:` line, as those of messages do.
        pace: the seconds between two parts.
    """

    parts: tuple[BodyPart, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    streamed: bool = False
    named: bool = False
    pace: float = 0.0

    @classmethod
    def from_bytes(
        cls, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> PlannedResponse:
        """Build a whole response; its `Content-Type` is JSON unless the headers have another."""
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        return cls((BodyPart(body, is_delta=True),), status, all_headers)

    @cached_property
    def body(self) -> bytes:
        """The bytes of the whole body."""
        return b"".join(self.data)

    @property
    def data(self) -> list[bytes]:
        """The bytes of each part."""
        return [part.data for part in self.parts]

    @property
    def content_length(self) -> int | None:
        """The `Content-Length`; None for a streamed body."""
        return None if self.streamed else len(self.body)

    @property
    def delta_count(self) -> int:
        """How many parts count as deltas."""
        return sum(part.is_delta for part in self.parts)

    def index_after(self, deltas: int) -> int | None:
        """Return the index of the part after this many deltas; None if there are fewer."""
        indexes = [0, *(index for index, part in enumerate(self.parts, 1) if part.is_delta)]
        return indexes[deltas] if deltas < len(indexes) else None

    def data_through(self, deltas: int) -> list[bytes]:
        """Return the bytes of each part, up to and including this many deltas."""
        return self.data[: self.index_after(deltas)]

    def data_before_first_delta(self) -> list[bytes]:
        """Return the bytes of each part before the first delta."""
        return [part.data for part in takewhile(lambda part: not part.is_delta, self.parts)]

    def split_at(self, offset: int) -> tuple[list[bytes], bytes, bytes]:
        """Split the body at an offset in bytes.

        Returns:
            The bytes of each part before the offset, and both halves of the part that contains it.
        """
        before: list[bytes] = []
        for data in self.data:
            if offset < len(data):
                return before, data[:offset], data[offset:]
            before.append(data)
            offset -= len(data)
        return before, b"", b""


def build_stream_parts(
    reply: Reply, events: Iterable[dict[str, Any]], *, named: bool = False, done: bool = False
) -> Iterator[BodyPart]:
    """Yield the events of a stream.

    Args:
        reply: the script, which may have the exact events.
        events: the events that were generated.
        named: whether each event has an `event:` line.
        done: whether the format ends with `[DONE]`.
    """
    if reply.events is None:
        for event in events:
            yield BodyPart(encode_event(event, named=named), is_delta=_carries_text(event))
    else:
        for event in reply.events:
            yield BodyPart(encode_event(event, named=named), is_delta=True)
    done_by_default = done and reply.events is None
    if done_by_default if reply.done is None else reply.done:
        yield BodyPart(encode_event("[DONE]"))


def build_whole(reply: Reply, generated: dict[str, Any]) -> PlannedResponse:
    """Build a response that is not streamed, from the body that was generated."""
    if reply.body is not None:
        body, headers = encode_body(reply.body), {}
    else:
        body = encode_body(generated)
        headers = _build_cost_headers(generated.get("meta", {}).get("usage", {}))
    if reply.content_type:
        headers["Content-Type"] = reply.content_type
    headers |= reply.headers or {}
    return PlannedResponse.from_bytes(body, status=reply.status, headers=headers)


def encode_event(event: Any, *, named: bool = False) -> bytes:
    """Encode a server-sent event: bytes unchanged, anything else as its `data:` lines.

    With `named`, the `type` of an object goes into an `event:` line before them.
    """
    if isinstance(event, bytes):
        return event
    data = encode_body(event).replace(b"\n", b"\ndata: ")
    name = event.get("type") if named and isinstance(event, dict) else None
    line = f"event: {name}\n".encode() if isinstance(name, str) else b""
    return line + b"data: " + data + b"\n\n"


def _carries_text(event: dict[str, Any]) -> bool:
    match event:
        case {"type": "content_block_start", "content_block": {"type": "tool_use"}}:
            return True  # it announces the call
        case {"type": "content_block_delta", "delta": delta}:
            return any(delta.get(field) for field in ("thinking", "text", "partial_json"))
    choices = event.get("event", event).get("choices", ())
    deltas = (choice.get("delta", {}) for choice in choices)
    return any(value for delta in deltas for field, value in delta.items() if field != "role")


def _build_cost_headers(meta_usage: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    if "credits_used" in meta_usage:
        headers["x-aimlapi-credits-used"] = str(meta_usage["credits_used"])
    if "usd_spent" in meta_usage:
        headers["x-aimlapi-usd-spent"] = f"{meta_usage['usd_spent']:.9f}".rstrip("0").rstrip(".")
    return headers
