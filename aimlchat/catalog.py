"""What the vendor offers."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["Model"]


@attrs.frozen
class Model:
    """One entry of ``GET /v1/models``.

    ``type`` is the endpoint that serves it, ``openai/chat-completions`` for chat. What the vendor
    did not say is empty or None; ``raw`` is the whole entry. Lengths are in tokens.
    """

    id: str
    aliases: tuple[str, ...] = ()
    type: str = ""
    name: str = ""
    developer: str = ""
    description: str = ""
    context_length: int | None = None
    max_output: int | None = None
    capabilities: tuple[str, ...] = ()
    raw: dict[str, Any] = attrs.field(factory=dict, repr=False)

    def goes_by(self, name: str) -> bool:
        """Return whether ``name`` is this model's id or one of its aliases."""
        return name == self.id or name in self.aliases
