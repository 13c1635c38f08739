"""The faults that the emulator can inject into a response, for tests of clients and services.

A fault is plain data. `Emulator.reply(..., fault=...)` injects it into a scripted reply,
`Emulator.fault` into the default one, and `Emulator(chaos=...)` draws faults at random.

Where `after` counts deltas, it counts the events that carry reasoning, text, a refusal or tool
calls; scripted `events` all count. A fault that lies beyond the end of a response does not happen.
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

_is_not_negative: Any = attrs.validators.ge(0)


def _is_one_of(*words: str) -> Any:
    return attrs.validators.in_(words)


@attrs.frozen
class Fault:
    """The base class of all faults."""


@attrs.frozen
class ErrorStatus(Fault):
    """An HTTP error instead of the response; `Emulator.fail` documents the fields."""

    status: int = 500
    message: str | None = None
    retry_after: float | str | None = None
    headers: Mapping[str, str] | None = None
    body: Any = None
    retry_after_ms: float | None = None


@attrs.frozen
class NoAnswer(Fault):
    """The connection ends before the response headers.

    Attributes:
        how: "close" closes the connection (FIN), "reset" resets it (RST).
    """

    how: Literal["close", "reset"] = attrs.field(
        default="close", validator=_is_one_of("close", "reset")
    )


@attrs.frozen
class Cut(Fault):
    """The body ends too early.

    Attributes:
        after: how many bytes of the body are sent; the framing of HTTP does not count.
        how: "close" closes the connection (FIN) without ending the body. "reset" resets it (RST),
            which may also discard bytes that the client has not read yet. "chunk" closes it in the
            middle of an HTTP chunk; a whole response has no chunks, so there it acts like "close".
            "end" ends the body properly, as a gateway does when it has lost its upstream.
    """

    after: int = attrs.field(default=0, validator=_is_not_negative)
    how: Literal["close", "reset", "chunk", "end"] = attrs.field(
        default="close", validator=_is_one_of("close", "reset", "chunk", "end")
    )


@attrs.frozen
class Stall(Fault):
    """Nothing more is sent until the client disconnects or the emulator closes.

    Exactly one of the two attributes has to be given.

    Attributes:
        before: "headers" sends nothing at all; "first_token" sends the response headers, and the
            events of a stream before its first delta.
        after: how many deltas of a stream are sent. Of a whole response, the headers and half of
            the body are sent, or with 0 only the headers.

    Raises:
        ValueError: neither attribute is given, or both are.
    """

    before: Literal["headers", "first_token"] | None = attrs.field(
        default=None, validator=attrs.validators.optional(_is_one_of("headers", "first_token"))
    )
    after: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_is_not_negative)
    )

    def __attrs_post_init__(self) -> None:
        if (self.before is None) == (self.after is None):
            msg = "Stall takes either before or after: give exactly one of them"
            raise ValueError(msg)


@attrs.frozen
class Pings(Fault):
    """The connection is alive, but the model is not: only comments are sent.

    They continue until the client disconnects or the emulator closes. A stream of `/v1/messages`
    gets events of the type `ping` instead, as upstream. A whole response cannot contain comments,
    so it gets line feeds instead, before its body.

    Attributes:
        seconds: the seconds between two pings.
        after: how many deltas of a stream are sent before the pings.
    """

    seconds: float = attrs.field(default=0.05, validator=_is_not_negative)
    after: int = attrs.field(default=0, validator=_is_not_negative)


@attrs.frozen
class ErrorEvent(Fault):
    """An error under the status 200: the last event of a stream, or the body of a whole response.

    Attributes:
        after: how many deltas of a stream are sent before the error.
        status: the `statusCode` in the error.
        message: the message; by default the API's own for this status.
        body: the exact error instead of the API's own: bytes, a string, or any JSON value.
    """

    after: int = attrs.field(default=0, validator=_is_not_negative)
    status: int = 500
    message: str | None = None
    body: Any = None


@attrs.frozen
class BrokenJson(Fault):
    """One event of a stream, or the body of a whole response, lacks its last character.

    Attributes:
        after: how many deltas of a stream are sent before the broken event. The events after it
            are intact.
    """

    after: int = attrs.field(default=0, validator=_is_not_negative)


@attrs.frozen
class Html(Fault):
    """An HTML page with the status 200, as a proxy in front of the API may send it."""


@attrs.frozen
class OneByte(Fault):
    """The body is sent byte by byte; it is complete."""


@attrs.frozen
class Trickle(Fault):
    """The body is sent slowly; it is complete.

    Attributes:
        seconds: the seconds between two events of a stream, or two tenths of a whole response.
    """

    seconds: float = attrs.field(default=0.05, validator=_is_not_negative)


@attrs.frozen
class WrongLength(Fault):
    """The `Content-Length` is wrong; with this fault, even a stream has one.

    The connection closes after the body.

    Attributes:
        by: how much greater the `Content-Length` is than the body, in bytes; negative if smaller.

    Raises:
        ValueError: `by` is 0.
    """

    by: int = attrs.field()

    @by.validator
    def _check_difference(self, _: attrs.Attribute[int], by: int) -> None:
        if by == 0:
            msg = "WrongLength takes a difference in bytes other than 0, or the length is right"
            raise ValueError(msg)


@attrs.frozen
class SlowClose(Fault):
    """The body ends some time after its content.

    Attributes:
        seconds: the delay before the terminating chunk of a stream, or before the last byte of a
            whole response.
    """

    seconds: float = attrs.field(validator=_is_not_negative)
