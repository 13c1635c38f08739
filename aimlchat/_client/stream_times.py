"""What a stream measures: how many deltas arrived, and when the first ones did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aimlchat.completions import AnswerDelta, ReasoningDelta

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimlchat.completions import Delta

__all__ = ["StreamTimes"]


class StreamTimes(msgspec.Struct, eq=False):
    """The number of deltas, and the seconds until the first of a kind; None if there was none."""

    deltas: int = 0
    first_reasoning: float | None = None
    first_answer: float | None = None

    def note_first(self, deltas: Sequence[Delta], elapsed: float) -> None:
        """Note the time of the first reasoning and the first answer, if they are among these.

        Reasoning that comes after the beginning of the answer is not timed.
        """
        for delta in deltas:
            if self.first_answer is not None:
                return
            if type(delta) is AnswerDelta:
                self.first_answer = elapsed
            elif type(delta) is ReasoningDelta and self.first_reasoning is None:
                self.first_reasoning = elapsed
