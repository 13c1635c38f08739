"""`TextView`, an async iterator over one kind of text of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .completions import AnswerDelta, Delta, ReasoningDelta

__all__ = ["TextView"]


class TextView:
    """An async iterator over one kind of text of one choice of a stream; yields ``str``."""

    def __init__(
        self, stream: AsyncIterator[Delta], kind: type[AnswerDelta | ReasoningDelta], choice: int
    ) -> None:
        self._stream = stream
        self._kind = kind
        self._choice = choice

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            delta = await self._stream.__anext__()
            if type(delta) is self._kind and delta.choice == self._choice:
                return delta.text
