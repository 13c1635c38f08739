"""Frames as they are sent: each is encoded once, however many pages it goes to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from aimlchat._protocol.surrogates import mend_surrogates

from .frames import HEARTBEAT

if TYPE_CHECKING:
    from .frames import Frame

__all__ = ["HEARTBEAT_FRAME", "EncodedFrame", "encode_frame"]


def encode_frame(frame: Frame) -> bytes:
    """Encode a frame as JSON in UTF-8."""
    try:
        return msgspec.json.encode(frame)
    except UnicodeEncodeError:  # a lone surrogate, escaped in the arguments of a tool call
        return mend_surrogates(json.dumps(frame, ensure_ascii=False)).encode()


class EncodedFrame:
    """A frame in the forms in which servers take it, each made when it is first asked for."""

    __slots__ = ("_event", "_frame", "_json", "_text", "number")

    def __init__(self, frame: Frame) -> None:
        self.number: int = frame.get("number", 0)  # 0 for a frame without a number
        self._frame = frame
        # Not cached properties, which take a lock before Python 3.12.
        self._json: bytes | None = None
        self._text: str | None = None
        self._event: bytes | None = None

    @property
    def json(self) -> bytes:
        """The message of a web socket, in UTF-8."""
        if self._json is None:
            self._json = encode_frame(self._frame)
        return self._json

    @property
    def text(self) -> str:
        """The message of a web socket, for a library that takes only a ``str``."""
        if self._text is None:
            self._text = self.json.decode()
        return self._text

    @property
    def event(self) -> bytes:
        """The server-sent event; the number of the frame is its id."""
        if self._event is None:
            self._event = self._encode_event()
        return self._event

    def _encode_event(self) -> bytes:
        if self._frame is HEARTBEAT:
            return b": heartbeat\n\n"  # a comment, which every reader ignores
        if not self.number:
            return b"data: %b\n\n" % self.json
        fields = {name: value for name, value in self._frame.items() if name != "number"}
        return b"id: %d\ndata: %b\n\n" % (self.number, encode_frame(fields))


HEARTBEAT_FRAME = EncodedFrame(HEARTBEAT)
