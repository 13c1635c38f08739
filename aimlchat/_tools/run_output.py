"""The typed answer at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat._client.typed_answers import add_correction, is_correctable
from aimlchat.errors import detach

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aimlchat._client.spending import Spending
    from aimlchat._client.typed_answers import TypedAnswer
    from aimlchat.completions import Completion
    from aimlchat.errors import OutputError
    from aimlchat.request import ChatRequest
    from aimlchat.tool_types import ToolCall

__all__ = ["RunOutput"]


class RunOutput:
    """Checks the answer of the last round, which may be requested again, in a further round.

    Args:
        budgets: the budgets of the run and of the session, None where there is none.
        retries: how often the answer may be requested again.
    """

    def __init__(self, budgets: Iterable[Spending | None], retries: int) -> None:
        self._budgets = [budget for budget in budgets if budget is not None]
        self._retries = retries
        self._error: OutputError | None = None

    def judge(
        self, completion: Completion[Any], stream: Any, pending: Sequence[ToolCall]
    ) -> Completion[Any]:
        """Return the completion of the last round, with its output if there is one.

        The calls in ``pending`` wait for their results. Any other calls were refused, so there is
        no answer if the text is not one.
        """
        answer: TypedAnswer = stream._typed  # noqa: SLF001 - a stream of our own
        if completion.tool_calls and not pending and answer.error is None:
            error = answer.judge(completion, is_last=True)
            if error is not None:
                stream._call.redact(error)  # noqa: SLF001 - as above
        self._error = answer.error
        return answer.read(completion)

    def correct(self, conversation: ChatRequest) -> tuple[ChatRequest, bool]:
        """Return the conversation, and whether another round tells the model what is wrong."""
        error = self._error
        if error is None or not self._retries or not is_correctable(error):
            return conversation, False
        if not all(budget.has_left_after(None) for budget in self._budgets):
            return conversation, False
        self._retries -= 1
        self._error = None
        return add_correction(conversation, error), True

    def check(self) -> None:
        """Raise what is wrong with the answer, if it has been checked."""
        if self._error is not None:
            raise detach(self._error)
