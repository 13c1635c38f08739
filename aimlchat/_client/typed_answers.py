"""Typed answers, read from a response and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from aimlchat._output.judging import judge_output
from aimlchat._protocol.output_calls import count_answers, take_output_call
from aimlchat.errors import OutputError, detach

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat._payload.output_plan import OutputPlan
    from aimlchat._schema.strict import RewrittenSchema
    from aimlchat.completions import Completion
    from aimlchat.request import ChatRequest


__all__ = ["TypedAnswer", "add_correction", "fail_answer", "is_correctable"]

# With these reasons the model was stopped, whatever tool it has called.
_STOPPED = ("length", "content_filter")
# A cut answer would be cut again, and a refused one refused again.
_CORRECTABLE = ("not_json", "invalid")
_CORRECTION = (
    "Your answer cannot be used: {error}\n\nGive the whole answer again, in the same form, with"
    " that corrected."
)


class TypedAnswer:
    """The typed answer in one response.

    Attributes: error: what is wrong with the answer, once it has been checked; None if nothing is.
    """

    __slots__ = ("_answers", "_output", "_plan", "error")

    def __init__(self, plan: OutputPlan) -> None:
        self._plan = plan
        self._answers = 1  # how many different answers the completion that was read last had
        self._output: Any = None
        self.error: OutputError | None = None

    @property
    def tool_name(self) -> str | None:
        """The name of the tool whose arguments are the answer; None without one."""
        return self._plan.tool_name

    @property
    def schema(self) -> RewrittenSchema:
        """The schema that was sent."""
        return self._plan.schema

    def read(self, completion: Completion[Any]) -> Completion[Any]:
        """Return a completion, or a part of one, with the answer as its text.

        Once the answer has been checked, its value is the output.
        """
        name = self._plan.tool_name
        if name is not None:
            # None in a completion whose calls have been taken before.
            self._answers = count_answers(completion, name) or self._answers
            completion = take_output_call(completion, name)
        return completion if self._output is None else attrs.evolve(completion, output=self._output)

    def judge(self, completion: Completion[Any], *, is_last: bool = False) -> OutputError | None:
        """Decode the output of a whole completion that `read` has returned; return what is wrong.

        A completion with calls that wait for their results has no output, and nothing is wrong with
        it. ``is_last`` is whether there will be no results.
        """
        is_waiting = bool(completion.tool_calls) and completion.finish_reason not in _STOPPED
        if is_last or not is_waiting:
            try:
                self._output = judge_output(completion, self._plan, self._answers)
            except OutputError as error:
                self.error = detach(error)
        return self.error

    def end(
        self, completion: Completion[Any], fail_attempt: Callable[[OutputError], None]
    ) -> OutputError | None:
        """Check the answer of a response that is complete; return what is wrong with it.

        ``fail_attempt`` records the error as that of the attempt.
        """
        error = self.judge(completion)
        if error is not None:
            fail_answer(error, fail_attempt)
        return error

    def check(self) -> None:
        """Raise what is wrong with the answer, if it has been checked."""
        if self.error is not None:
            raise detach(self.error)


def fail_answer(error: OutputError, fail_attempt: Callable[[OutputError], None]) -> None:
    """Record the error of an answer as that of the attempt, also in the completion of the error."""
    fail_attempt(error)
    error.partial = attrs.evolve(error.partial, attempts=error.attempts)


def is_correctable(error: OutputError) -> bool:
    """Return whether the model may give a better answer if it is told what is wrong."""
    return error.reason in _CORRECTABLE


def add_correction(conversation: ChatRequest, error: OutputError) -> ChatRequest:
    """Return a conversation in which the model is told what is wrong with its last turn."""
    return conversation.user(_CORRECTION.format(error=error))
