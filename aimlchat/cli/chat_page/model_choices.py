"""The models that the chat page offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat._protocol.model_list import is_chat_model
from aimlchat.errors import InvalidRequestError
from aimlchat.request import ChatRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aimlchat.completions import Model

__all__ = ["list_model_choices"]

# Any budget within the limits will do for the test below.
_VALID_BUDGET = 2048


def list_model_choices(models: Iterable[Model]) -> list[dict[str, Any]]:
    """Return the chat models sorted by id, and whether each takes a thinking budget."""
    return [
        {
            "id": model.id,
            "developer": model.developer,
            "takes_budget": _takes_thinking_budget(model.id),
        }
        for model in sorted(models, key=lambda model: model.id)
        if is_chat_model(model)
    ]


def _takes_thinking_budget(model: str) -> bool:
    # Building a request gives the answer, so the page never offers what the request would refuse.
    try:
        ChatRequest(model, thinking=_VALID_BUDGET).user("?").payload()
    except InvalidRequestError:
        return False
    return True
