"""An answer as bytes, in the pieces in which it goes out."""

from __future__ import annotations

from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import attrs

from .completion_body import whole
from .encoding import encode
from .stream_formats import events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .generation import Generation
    from .script import Reply
    from .stream_formats import Form

__all__ = ["Content", "Piece", "event_line", "stream_of", "whole_of"]


@attrs.frozen
class Piece:
    """An event of a stream, or all of a whole answer; a delta carries text of some kind."""

    data: bytes
    is_delta: bool = False


@attrs.frozen(slots=False)
class Content:
    """What goes out if nothing goes wrong.

    Attributes:
        pieces: the body.
        status: the HTTP status.
        headers: more headers than every answer has.
        streamed: whether the body goes out in chunks; else its length stands in front.
        pace: seconds between two pieces.
    """

    pieces: tuple[Piece, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    streamed: bool = False
    pace: float = 0.0

    @classmethod
    def of_bytes(
        cls, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Content:
        """Make a whole answer; it is JSON if the headers do not say otherwise."""
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        return cls((Piece(body, is_delta=True),), status, all_headers)

    @cached_property
    def body(self) -> bytes:
        """All of the body."""
        return b"".join(self.data)

    @property
    def data(self) -> list[bytes]:
        """The bytes of each piece."""
        return [piece.data for piece in self.pieces]

    @property
    def length(self) -> int | None:
        """What the `Content-Length` says; None if there is none, but chunks."""
        return None if self.streamed else len(self.body)

    @property
    def deltas(self) -> int:
        """How many of the pieces are deltas."""
        return sum(piece.is_delta for piece in self.pieces)

    def place_after(self, deltas: int) -> int | None:
        """Count the pieces up to the last of so many deltas; None if there are not so many."""
        places = [0, *(place for place, piece in enumerate(self.pieces, 1) if piece.is_delta)]
        return places[deltas] if deltas < len(places) else None

    def up_to(self, deltas: int) -> list[bytes]:
        """Give the pieces up to the last of so many deltas."""
        return self.data[: self.place_after(deltas)]

    def up_to_first_delta(self) -> list[bytes]:
        """Give the pieces before the first delta."""
        return [piece.data for piece in takewhile(lambda piece: not piece.is_delta, self.pieces)]

    def split(self, after: int) -> tuple[list[bytes], bytes, bytes]:
        """Give the pieces that end by a byte, and both parts of the piece that does not."""
        kept: list[bytes] = []
        for data in self.data:
            if after < len(data):
                return kept, data[:after], data[after:]
            kept.append(data)
            after -= len(data)
        return kept, b"", b""


def stream_of(reply: Reply, generation: Generation, form: Form) -> Iterator[Piece]:
    """Give the events of a stream."""
    if reply.events is None:
        for event in events(generation, form):
            yield Piece(event_line(event), is_delta=_speaks(event))
    else:
        for event in reply.events:
            yield Piece(event_line(event), is_delta=True)
    usually_done = form == "openai" and reply.events is None
    if usually_done if reply.done is None else reply.done:
        yield Piece(event_line("[DONE]"))


def whole_of(reply: Reply, generation: Generation) -> Content:
    """Make an answer that is not streamed."""
    if reply.body is not None:
        body, headers = encode(reply.body), {}
    else:
        body, headers = encode(whole(generation)), _cost_headers(generation.meta_usage)
    if reply.content_type:
        headers["Content-Type"] = reply.content_type
    headers |= reply.headers or {}
    return Content.of_bytes(body, status=reply.status, headers=headers)


def event_line(event: Any) -> bytes:
    """Write an event: bytes as they are, anything else as its data."""
    if isinstance(event, bytes):
        return event
    data = encode(event).replace(b"\n", b"\ndata: ")
    return b"data: " + data + b"\n\n"


def _speaks(event: dict[str, Any]) -> bool:
    choices = event.get("event", event).get("choices", ())
    deltas = (choice.get("delta", {}) for choice in choices)
    return any(value for delta in deltas for field, value in delta.items() if field != "role")


def _cost_headers(meta_usage: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    if "credits_used" in meta_usage:
        headers["x-aimlapi-credits-used"] = str(meta_usage["credits_used"])
    if "usd_spent" in meta_usage:
        headers["x-aimlapi-usd-spent"] = f"{meta_usage['usd_spent']:.9f}".rstrip("0").rstrip(".")
    return headers
