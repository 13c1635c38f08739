"""Which of the models that the API lists are chat models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aimlchat.completions import Model

__all__ = ["is_chat_model"]


def is_chat_model(model: Model) -> bool:
    """Return whether a model is for chat, with a type such as "openai/chat-completions".

    Other servers than the vendor's give no type at all.
    """
    return not model.type or model.type.endswith("chat-completions")
