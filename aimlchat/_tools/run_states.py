"""The states of a run, and how they follow each other."""

from __future__ import annotations

import enum

__all__ = ["NEXT_STATES", "State"]


class State(enum.Enum):
    """The states of a `ToolRun`; `NEXT_STATES` lists the transitions."""

    READY = enum.auto()  # the next step asks the model
    READING = enum.auto()  # the stream of a round is being read
    CALLING = enum.auto()  # the calls of the round run
    ENDED = enum.auto()  # the last round has ended
    FAILED = enum.auto()  # an error ended the run
    LEFT = enum.auto()  # the caller left the run before its end


_OVER = (State.ENDED, State.FAILED, State.LEFT)
NEXT_STATES = {
    State.READY: (State.READING, State.FAILED, State.LEFT),
    State.READING: (State.CALLING, State.FAILED, State.LEFT),
    State.CALLING: (State.READY, State.ENDED, State.FAILED, State.LEFT),
    **dict.fromkeys(_OVER, ()),
}
