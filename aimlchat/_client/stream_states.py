"""The states of a stream, and how they follow each other."""

from __future__ import annotations

import enum

__all__ = ["NEXT_STATES", "OVER", "State"]


class State(enum.Enum):
    """The states of a `DeltaStream`; `NEXT_STATES` lists the transitions."""

    OPENING = enum.auto()  # no response yet; initially nothing has been sent either
    OPEN = enum.auto()  # the response headers have arrived, and the body is being read
    ENDED = enum.auto()  # the completion is whole; its last deltas may not have been taken yet
    CLOSED = enum.auto()  # the completion is whole, the connection was given back or closed
    FAILED = enum.auto()  # an error ended the stream
    LEFT = enum.auto()  # the caller left the stream before its end


OVER = (State.CLOSED, State.FAILED, State.LEFT)
NEXT_STATES = {
    State.OPENING: (State.OPEN, State.FAILED, State.LEFT),
    # Back to OPENING for another attempt if this one failed before its first delta.
    State.OPEN: (State.OPENING, State.ENDED, State.FAILED, State.LEFT),
    State.ENDED: (State.CLOSED,),
    **dict.fromkeys(OVER, ()),
}
