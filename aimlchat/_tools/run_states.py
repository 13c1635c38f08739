"""The states of a run, how they follow each other, and the good ends of a round."""

from __future__ import annotations

import enum

__all__ = ["GOOD_ENDS", "NEXT_STATES", "State"]

# With any other finish reason the model was stopped, or filtered. A stream that ended with only
# [DONE] has None.
GOOD_ENDS = ("tool_calls", "stop", None)


class State(enum.Enum):
    """The states of a `ToolRun`; `NEXT_STATES` lists the transitions."""

    READY = enum.auto()  # the next step sends a request
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
