"""`Model`, an entry of the list of models."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["Model"]


@attrs.frozen
class Model:
    """One model of ``GET /v1/models``; a field that the vendor leaves out is empty or None.

    Prices, modalities and capabilities are present only if `ChatSession.models` requested them.

    Attributes:
        id: the name that requests use.
        aliases: other names that requests may use.
        type: the endpoint that serves the model, ``openai/chat-completions`` for chat.
        name: the display name.
        developer: who made the model.
        description: a short description.
        context_length: the size of the context window, in tokens.
        max_output: the most tokens that the model generates for one request.
        tags: the vendor's tags, such as ``playground:chat``.
        capabilities: what the model can do, in the vendor's terms.
        input_modalities: what the model accepts, such as ``text`` and ``image``.
        output_modalities: what the model returns.
        input_price: US dollars for a million tokens of text in the prompt; None if the vendor
            quotes no such price.
        output_price: US dollars for a million tokens of text in the answer; None if the vendor
            quotes no such price.
        raw: the whole entry as the server sent it.
    """

    id: str
    aliases: tuple[str, ...] = ()
    type: str = ""
    name: str = ""
    developer: str = ""
    description: str = ""
    context_length: int | None = None
    max_output: int | None = None
    tags: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()
    input_price: float | None = None
    output_price: float | None = None
    raw: dict[str, Any] = attrs.field(factory=dict, repr=False)

    def goes_by(self, name: str) -> bool:
        """Return whether ``name`` is this model's id or one of its aliases."""
        return name == self.id or name in self.aliases
