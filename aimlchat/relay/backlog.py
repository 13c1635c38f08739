"""Frames that wait for a page, with neighbouring deltas of one part joined. No I/O, no clock."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from .frames import Frame

__all__ = ["Backlog"]

# Where the text of a delta stands, and which part it belongs to.
_TEXT_AND_PART = {
    "text-delta": ("delta", "id"),
    "reasoning-delta": ("delta", "id"),
    "tool-input-delta": ("inputTextDelta", "toolCallId"),
}
# A joined delta is not made longer than this, in characters: the Python package `websockets`
# refuses a message over 1 MiB, and a character may take four bytes.
_LONGEST = 200_000
# What a frame counts for beside its text, in characters, so that empty ones are not free.
_FRAME = 64


@attrs.define
class _Waiting:
    frame: Frame
    texts: list[str]  # joined once, when it leaves: not the whole text anew with each delta
    size: int


class Backlog:
    """First in, first out; nothing is lost and the order is kept.

    ``size`` is what waits, in characters of text and 64 for each frame.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, frame: Frame) -> None:
        """Put a frame at the end, or its text to that of the frame there. It is not changed."""
        place = _TEXT_AND_PART.get(frame["type"])
        if place is None:
            self._append(_Waiting(frame, [], _FRAME))
            return
        field, part = place
        text = frame[field]
        last = self._waiting[-1] if self._waiting else None
        if (
            last is None
            or last.frame["type"] != frame["type"]
            or last.frame[part] != frame[part]
            or last.size + len(text) > _LONGEST
        ):
            self._append(_Waiting(frame, [text], _FRAME + len(text)))
            return
        last.texts.append(text)
        last.frame = frame  # the later one has the later number
        last.size += len(text)
        self.size += len(text)

    def take(self) -> Frame:
        """Take the frame that has waited longest. Raises `IndexError` if none waits."""
        waiting = self._waiting.popleft()
        self.size -= waiting.size
        if len(waiting.texts) < 2:  # noqa: PLR2004 - there is nothing to join
            return waiting.frame
        field, _ = _TEXT_AND_PART[waiting.frame["type"]]
        return waiting.frame | {field: "".join(waiting.texts)}

    def clear(self) -> None:
        """Drop all that waits."""
        self._waiting.clear()
        self.size = 0

    def _append(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self.size += waiting.size
