"""The models that the page lets its user choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat.errors import InvalidRequestError
from aimlchat.request import ChatRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aimlchat.completions import Model

__all__ = ["offer"]

_CHAT = "chat-completions"
_SOME_BUDGET = 2048


def offer(models: Iterable[Model]) -> list[dict[str, Any]]:
    """Return the models for chat, in the order of their ids, and whether each takes a budget."""
    return [
        {"id": model.id, "developer": model.developer, "thinks": _thinks(model.id)}
        for model in sorted(models, key=lambda model: model.id)
        if model.type.endswith(_CHAT)
    ]


def _thinks(model: str) -> bool:
    # Asked of the request itself, so that the page and the call can never disagree.
    try:
        ChatRequest(model, thinking=_SOME_BUDGET).user("?").payload()
    except InvalidRequestError:
        return False
    return True
