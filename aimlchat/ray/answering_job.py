"""What `answer` sends to its actors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.iterators import CompletionIterator
    from aimlchat.session import ChatSession

    from .shared_ledger import SharedLedger

__all__ = ["AnsweringJob"]


@attrs.frozen
class AnsweringJob:
    """What every actor gets.

    Attributes:
        prompt: the column of the prompts, or a function of the row.
        id_column: the column that must hold an id, None if ids are not needed.
        session: a session that has made no call.
        ledger: what all actors have spent, and in which batches they have died.
        arguments: those of `ChatSession.complete_many`.
    """

    prompt: str | Callable[[dict[str, Any]], Any]
    id_column: str | None
    session: ChatSession
    ledger: SharedLedger
    arguments: dict[str, Any]

    def complete_many(self, requests: Any) -> CompletionIterator:
        """Return the outcomes of requests, as they finish."""
        return self.session.complete_many(requests, ordered=False, **self.arguments)
