"""The frames of a broadcast, numbered, with the text of neighboring deltas kept once."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING

from .frames import DELTA_FIELDS, MAX_JOINED_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .frames import Frame

__all__ = ["FrameHistory"]

# How many deltas are joined at a time: a string of its own costs about 50 bytes.
_BLOCK_LENGTH = 512
# The size that counts for a frame that is kept by itself, and for a delta besides its text: about
# the bytes that they take.
_FRAME_SIZE = 400
_DELTA_SIZE = 12


class FrameHistory:
    """Numbers frames from 1 in the order in which they are added, and keeps all of them.

    A frame that has a number keeps it: a store may have joined the deltas before it. Neighboring
    deltas of one part are kept as one text, with the number and the end of each delta, so that a
    reader can continue after any frame.
    """

    def __init__(self) -> None:
        self._entries: list[_SingleFrame | _DeltaRun] = []
        self.last_number = 0
        """The number of the last frame; without any frame, the number before the first one."""
        self.size = 0
        """About how many bytes the frames take, if their text is ASCII."""

    def add(self, frame: Frame) -> Frame:
        """Keep a frame; return it with its number. ``frame`` is not changed."""
        number = self.last_number = frame.get("number", self.last_number + 1)
        numbered = frame | {"number": number}
        fields = DELTA_FIELDS.get(frame["type"])
        if fields is None:
            self._entries.append(_SingleFrame(numbered))
            self.size += _FRAME_SIZE
            return numbered
        text_field, part_field = fields
        part = (frame["type"], frame[part_field])
        run = self._entries[-1] if self._entries else None
        if not isinstance(run, _DeltaRun) or run.part != part:
            run = _DeltaRun(numbered, part, text_field)
            self._entries.append(run)
            self.size += _FRAME_SIZE
        run.add(frame[text_field], number)
        self.size += _DELTA_SIZE + len(frame[text_field])
        return numbered

    def read(self, after: int) -> list[Frame]:
        """Return the frames numbered above ``after``; neighboring deltas of one part are joined.

        Returns no more than about 200,000 characters at a time, so that a reader that is slow to
        pass them on holds no second copy of a long answer.
        """
        frames: list[Frame] = []
        size = 0
        index = bisect_right(self._entries, after + 1, key=attrgetter("first_number")) - 1
        for position in range(max(index, 0), len(self._entries)):
            for frame, length in self._entries[position].read(after):
                frames.append(frame)
                size += length
                if size >= MAX_JOINED_LENGTH:
                    return frames
        return frames


class _SingleFrame:
    """A frame that is not a delta."""

    __slots__ = ("_frame", "first_number")

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self.first_number: int = frame["number"]

    def read(self, after: int) -> Iterator[tuple[Frame, int]]:
        """Yield the frame if its number is above ``after``, and the size that counts for it."""
        if self.first_number > after:
            yield self._frame, _FRAME_SIZE


class _DeltaRun:
    """Neighboring deltas of one part: their text in blocks, and where each of them ends."""

    __slots__ = (
        "_blocks",
        "_ends",
        "_frame",
        "_numbers",
        "_pieces",
        "_text_field",
        "first_number",
        "part",
    )

    def __init__(self, frame: Frame, part: tuple[str, str], text_field: str) -> None:
        self.first_number: int = frame["number"]
        self.part = part  # the type of the frames and the id of their part
        self._frame = frame  # supplies every field but the text and the number
        self._text_field = text_field
        self._numbers = array("I")  # of each delta, counted from the first one
        self._ends = array("Q")  # of each delta, counted in characters from the first one
        self._blocks: list[str] = []
        self._pieces: list[str] = []  # what is not in a block yet

    def add(self, text: str, number: int) -> None:
        """Add the text of the next delta."""
        self._numbers.append(number - self.first_number)
        self._ends.append(len(text) + (self._ends[-1] if self._ends else 0))
        self._pieces.append(text)
        if len(self._pieces) == _BLOCK_LENGTH:
            self._blocks.append("".join(self._pieces))
            self._pieces.clear()

    def read(self, after: int) -> Iterator[tuple[Frame, int]]:
        """Yield the deltas numbered above ``after`` in as few frames as possible.

        Each comes with the length of its text. A joined frame has the number of its last delta.
        """
        index = bisect_right(self._numbers, after - self.first_number)
        while index < len(self._ends):
            start = self._ends[index - 1] if index else 0
            stop = max(bisect_right(self._ends, start + MAX_JOINED_LENGTH), index + 1)
            text = self._join(index, stop)
            yield (
                self._frame
                | {self._text_field: text, "number": self.first_number + self._numbers[stop - 1]},
                len(text),
            )
            index = stop

    def _join(self, index: int, stop: int) -> str:
        """Return the text of the deltas from ``index`` up to, but not including, ``stop``."""
        first_block = index // _BLOCK_LENGTH
        last_block = (stop - 1) // _BLOCK_LENGTH
        texts = self._blocks[first_block : last_block + 1]
        if last_block >= len(self._blocks):
            texts += self._pieces
        offset = self._ends[first_block * _BLOCK_LENGTH - 1] if first_block else 0
        start = self._ends[index - 1] if index else 0
        return "".join(texts)[start - offset : self._ends[stop - 1] - offset]
