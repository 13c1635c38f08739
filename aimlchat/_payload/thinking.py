"""What a request may say of thinking, before it is known whether the model can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat.content import Thinking
from aimlchat.errors import InvalidRequestError

from .json_values import refuse, shown
from .limits import whole

if TYPE_CHECKING:
    from .models import Mode

__all__ = ["room", "wish"]

_SMALLEST_BUDGET = 1024
# Room for the answer itself, where a budget is given and no max_tokens.
_ROOM_FOR_ANSWER = 4096

_FIELD = "thinking.budget_tokens"
_budget = whole(_SMALLEST_BUDGET)
_at_least_one = whole(1)


def wish(thinking: Any) -> tuple[Mode | None, int | None]:
    """Return the mode that a value asks for, and its budget if it has one."""
    if thinking is None:
        return None, None
    if thinking is False:
        return "disabled", None
    if isinstance(thinking, Thinking):
        return "enabled", _budget(thinking.budget_tokens, _FIELD)
    if isinstance(thinking, int) and thinking is not True:
        return "enabled", _budget(thinking, _FIELD)
    if isinstance(thinking, str) and thinking == "adaptive":
        return "adaptive", None
    what = "True says no number" if thinking is True else f"{shown(thinking)} is none of its values"
    msg = f"{what}; give a budget of tokens, as thinking=2048, or 'adaptive', or False"
    raise InvalidRequestError(msg, field="thinking")


def room(budget: int, max_tokens: Any) -> int:
    """Return the ``max_tokens`` to send with a budget, which has to leave room for the answer."""
    if max_tokens is None:
        return budget + _ROOM_FOR_ANSWER
    most: int = _at_least_one(max_tokens, "max_tokens")
    if budget >= most:
        msg = (
            f"the budget of {budget} tokens is not below max_tokens, {most}; raise max_tokens, or"
            f" leave it out for the budget + {_ROOM_FOR_ANSWER}"
        )
        refuse(msg, _FIELD)
    return most
