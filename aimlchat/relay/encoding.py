"""Frames as they are sent: each is encoded once, however many pages it goes to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

import msgspec

from aimlchat._protocol.surrogates import mend_surrogates

from .frames import HEARTBEAT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .frames import Frame

__all__ = ["HEARTBEAT_FRAMES", "EncodedFrames", "encode_frame", "take_frames"]

# Types of frames without text, of which any number may come before another frame.
_SHORT_TYPES = {
    "start",
    "start-step",
    "reasoning-start",
    "reasoning-end",
    "text-start",
    "text-end",
    "finish-step",
}


_encode = msgspec.json.Encoder().encode
_T = TypeVar("_T")


class SupportsTake(Protocol):
    """What frames are taken from."""

    def take(self) -> Frame | None:
        """Remove and return the next frame; None if there is none at the moment."""


def encode_frame(frame: Frame) -> bytes:
    """Encode a frame as JSON in UTF-8."""
    try:
        return _encode(frame)
    except UnicodeEncodeError:  # a lone surrogate, escaped in the arguments of a tool call
        return mend_surrogates(json.dumps(frame, ensure_ascii=False)).encode()


class _Form(Generic[_T]):
    """A form of frames, made when it is first read, and an attribute of the object from then on.

    This is a `functools.cached_property` without the lock that it takes before Python 3.12.
    """

    def __init__(self, make: Callable[[Any], _T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, frames: None, owner: type) -> _Form[_T]: ...
    @overload
    def __get__(self, frames: object, owner: type) -> _T: ...

    def __get__(self, frames: object | None, owner: type) -> _Form[_T] | _T:
        if frames is None:
            return self
        form = vars(frames)[self._name] = self._make(frames)
        return form


class EncodedFrames:
    """Frames that are sent together, in the forms in which servers take them.

    Each form is made when it is first needed, however many pages the frames go to.
    """

    def __init__(self, frames: Sequence[Frame], number: int = 0) -> None:
        self._frames = frames
        self.number = number
        """The number of the last frame; 0 if frames have no numbers."""

    @_Form
    def messages(self) -> list[bytes]:
        """The messages of a web socket, in UTF-8."""
        return [encode_frame(frame) for frame in self._frames]

    @_Form
    def texts(self) -> list[str]:
        """The messages of a web socket, for a library that takes only a ``str``."""
        return [message.decode() for message in self.messages]

    @_Form
    def events(self) -> list[bytes]:
        """The server-sent events; the number of a frame is its id."""
        return [_encode_event(frame) for frame in self._frames]

    @_Form
    def framed_messages(self) -> bytes:
        """The messages as a server sends them that masks and compresses nothing (RFC 6455, 5.2)."""
        if len(self._frames) == 1:
            return _frame_message(encode_frame(self._frames[0]))
        return b"".join([_frame_message(encode_frame(frame)) for frame in self._frames])

    @_Form
    def chunk(self) -> bytes:
        """The events as one chunk of a response of HTTP/1.1."""
        events = b"".join(self.events)
        return b"%x\r\n%b\r\n" % (len(events), events)


def take_frames(source: SupportsTake) -> EncodedFrames | None:
    """Take the next frame of a source, and before it the frames that only open or close something.

    Returns None if there is none at the moment. These are sent together: a write costs more than
    a frame. Not more of them: a page may take its time for each long frame.
    """
    frames = []
    while (frame := source.take()) is not None:
        frames.append(frame)
        if frame["type"] not in _SHORT_TYPES:
            break
    return EncodedFrames(frames, frames[-1].get("number", 0)) if frames else None


def _encode_event(frame: Frame) -> bytes:
    if frame is HEARTBEAT:
        return b": heartbeat\n\n"  # a comment, which every reader ignores
    number = frame.get("number", 0)
    if not number:
        return b"data: %b\n\n" % encode_frame(frame)
    fields = {name: value for name, value in frame.items() if name != "number"}
    return b"id: %d\ndata: %b\n\n" % (number, encode_frame(fields))


def _frame_message(message: bytes) -> bytes:
    """Return a text message of a web socket after the header that a server sends."""
    length = len(message)
    if length < 126:  # noqa: PLR2004 - RFC 6455, section 5.2
        return b"\x81%c%b" % (length, message)
    if length < 65_536:  # noqa: PLR2004
        return b"\x81\x7e%b%b" % (length.to_bytes(2, "big"), message)
    return b"\x81\x7f%b%b" % (length.to_bytes(8, "big"), message)


HEARTBEAT_FRAMES = EncodedFrames([HEARTBEAT])
