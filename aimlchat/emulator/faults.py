"""What can go wrong with an answer, for tests of those who have to live with it.

A fault is plain data: `Emulator.reply(..., fault=...)` puts it on a scripted answer,
`Emulator.fault` on the usual one, and `Emulator(chaos=...)` draws them. Where `after` counts
deltas, those are the pieces of reasoning, text, refusal and tool calls; of scripted `events` each
one counts. A fault for which the answer is too short does not happen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BrokenJson",
    "Cut",
    "ErrorEvent",
    "ErrorStatus",
    "Fault",
    "Html",
    "NoAnswer",
    "OneByte",
    "Pings",
    "SlowClose",
    "Stall",
    "Trickle",
    "WrongLength",
]

_not_negative: Any = attrs.validators.ge(0)


def _one_of(*words: str) -> Any:
    return attrs.validators.in_(words)


@attrs.frozen
class Fault:
    """Anything of this module."""


@attrs.frozen
class ErrorStatus(Fault):
    """An HTTP error in place of the answer; `Emulator.fail` says what the fields mean."""

    status: int = 500
    message: str | None = None
    retry_after: float | str | None = None
    headers: Mapping[str, str] | None = None
    body: Any = None
    retry_after_ms: float | None = None


@attrs.frozen
class NoAnswer(Fault):
    """The connection ends before the head of the answer.

    Attributes:
        how: "close" ends it properly (FIN), "reset" does not (RST).
    """

    how: Literal["close", "reset"] = attrs.field(
        default="close", validator=_one_of("close", "reset")
    )


@attrs.frozen
class Cut(Fault):
    """The body ends too early.

    Attributes:
        after: how many bytes of the body still come, the framing of HTTP not counted.
        how: "close" ends the connection properly (FIN), but not the body; "reset" resets it (RST),
            which may take along what a client had no room for yet; "chunk" closes it in the middle
            of an HTTP chunk, which a whole answer has none of, so that it is "close" there; "end"
            ends the body as if that had been all, which is what a gateway does that has lost its
            upstream.
    """

    after: int = attrs.field(default=0, validator=_not_negative)
    how: Literal["close", "reset", "chunk", "end"] = attrs.field(
        default="close", validator=_one_of("close", "reset", "chunk", "end")
    )


@attrs.frozen
class Stall(Fault):
    """Nothing more comes, until the client leaves or the emulator closes. Exactly one is given.

    Attributes:
        before: "head" for no byte at all, "first_token" for the head and what a stream says
            before its first delta.
        after: how many deltas of a stream come; of a whole answer comes the head, and half of
            the body unless this is 0.

    Raises:
        ValueError: neither is given, or both.
    """

    before: Literal["head", "first_token"] | None = attrs.field(
        default=None, validator=attrs.validators.optional(_one_of("head", "first_token"))
    )
    after: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_not_negative)
    )

    def __attrs_post_init__(self) -> None:
        if (self.before is None) == (self.after is None):
            msg = "a Stall takes either before or after, and not both"
            raise ValueError(msg)


@attrs.frozen
class Pings(Fault):
    """The connection lives, the model does not: comments only, until the client leaves.

    Before a whole answer, which has no comments, line feeds come in their place.

    Attributes:
        seconds: the time between two pings.
        after: how many deltas of a stream come before them.
    """

    seconds: float = attrs.field(default=0.05, validator=_not_negative)
    after: int = attrs.field(default=0, validator=_not_negative)


@attrs.frozen
class ErrorEvent(Fault):
    """An error under the status 200: the last event of a stream, or the body of a whole answer.

    Attributes:
        after: how many deltas of a stream come before it.
        status: the status that the error names.
        message: its message; by default what the API says with this status.
        body: the exact error in place of the API's own: bytes, a string, or any JSON value.
    """

    after: int = attrs.field(default=0, validator=_not_negative)
    status: int = 500
    message: str | None = None
    body: Any = None


@attrs.frozen
class BrokenJson(Fault):
    """An event, or the body of a whole answer, lacks its last character.

    Attributes:
        after: how many deltas of a stream come before it. The events after it are whole again.
    """

    after: int = attrs.field(default=0, validator=_not_negative)


@attrs.frozen
class Html(Fault):
    """A 200 that holds a page of HTML, as a proxy in front may send it."""


@attrs.frozen
class OneByte(Fault):
    """The body comes one byte at a time; nothing is missing."""


@attrs.frozen
class Trickle(Fault):
    """The body comes slowly; nothing is missing.

    Attributes:
        seconds: the time between two events of a stream, or two tenths of a whole answer.
    """

    seconds: float = attrs.field(default=0.05, validator=_not_negative)


@attrs.frozen
class WrongLength(Fault):
    """The `Content-Length`, which a stream then has too, is wrong.

    The connection closes after the body.

    Attributes:
        by: how many bytes more are promised than come; below 0, how many fewer.

    Raises:
        ValueError: `by` is 0.
    """

    by: int = attrs.field()

    @by.validator
    def _is_wrong(self, _: attrs.Attribute[int], by: int) -> None:
        if by == 0:
            msg = "a WrongLength by 0 is right"
            raise ValueError(msg)


@attrs.frozen
class SlowClose(Fault):
    """The body does not end with its content.

    Attributes:
        seconds: how much later the end of the chunked body comes, or the last byte of a whole
            answer.
    """

    seconds: float = attrs.field(validator=_not_negative)
