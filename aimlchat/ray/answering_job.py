"""The data that `answer` sends to its actors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from aimlchat._schema.output_types import read_output_type
from aimlchat._schema.plain_outputs import PlainOutput

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.iterators import CompletionIterator
    from aimlchat.session import ChatSession

    from .shared_ledger import SharedLedger

__all__ = ["AnsweringJob"]


@attrs.frozen
class AnsweringJob:
    """The settings that every actor gets.

    Attributes:
        prompt: the column of the prompts, or a function of the row.
        id_column: the column that must hold an id, None if ids are not needed.
        session: a session that has made no call.
        ledger: what all actors have spent, and the batches in which they died.
        arguments: arguments of `ChatSession.complete_many`.
        output_type: the type of the answers, None for texts.
    """

    prompt: str | Callable[[dict[str, Any]], Any]
    id_column: str | None
    session: ChatSession
    ledger: SharedLedger
    arguments: dict[str, Any]
    output_type: Any = None

    def complete_many(self, requests: Any) -> CompletionIterator:
        """Return the outcomes of requests, as they finish."""
        output_type = self.output_type
        if output_type is not None:  # its values have to be JSON, for the column
            output_type = PlainOutput.of(read_output_type(output_type))
        return self.session.complete_many(
            requests, ordered=False, output_type=output_type, **self.arguments
        )
