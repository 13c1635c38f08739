"""Frames as they are sent: each is encoded once, however many pages it goes to."""

from __future__ import annotations

import json
from functools import cached_property
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

    def __init__(self, frame: Frame) -> None:
        self.number: int = frame.get("number", 0)  # 0 for a frame without a number
        self._frame = frame

    @cached_property
    def json(self) -> bytes:
        """The message of a web socket, in UTF-8."""
        return encode_frame(self._frame)

    @cached_property
    def text(self) -> str:
        """The message of a web socket, for a library that takes only a ``str``."""
        return self.json.decode()

    @cached_property
    def event(self) -> bytes:
        """The server-sent event; the number of the frame is its id."""
        if self._frame is HEARTBEAT:
            return b": heartbeat\n\n"  # a comment, which every reader ignores
        if not self.number:
            return b"data: %b\n\n" % self.json
        fields = {name: value for name, value in self._frame.items() if name != "number"}
        return b"id: %d\ndata: %b\n\n" % (self.number, encode_frame(fields))


HEARTBEAT_FRAME = EncodedFrame(HEARTBEAT)
