"""The results of many calls as ``async for`` meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._client.many import CompletionProducer, DeltaProducer, ResultIterator
from .records import Outcome

if TYPE_CHECKING:
    from .completions import Cost, Delta, Usage

__all__ = ["CompletionIterator", "StreamsIterator"]


class CompletionIterator(ResultIterator[Outcome]):
    """The outcomes of many requests: ``async for`` yields an `Outcome` for each.

    Made by `ChatSession.complete_many`; nothing is sent before the first step. One request that
    fails does not stop the others. A failure that must hit all of them (an invalid key, no credits,
    a closed session) does: outcomes that have arrived are yielded, calls in flight are cancelled,
    and then the failure is raised. Leaving early (``break``, an exception, cancelling, `aclose`, or
    dropping the iterator) cancels what is in flight.
    """

    _producer: CompletionProducer

    async def gather(self) -> list[Outcome]:
        """Return all outcomes that have not been yielded yet."""
        return [outcome async for outcome in self]

    @property
    def done(self) -> int:
        """How many calls have ended, the failed ones included."""
        return self._producer.tally.done

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return self._producer.tally.failed

    @property
    def in_flight(self) -> int:
        """How many calls are running."""
        return self._producer.pool.in_flight

    @property
    def is_out_of_budget(self) -> bool:
        """Whether ``budget_usd`` was reached, so that no further request was started."""
        return self._producer.is_out_of_budget

    @property
    def usage(self) -> Usage:
        """The tokens of all completions so far."""
        return self._producer.tally.usage

    @property
    def cost(self) -> Cost:
        """What the server charged so far, as it reported."""
        return self._producer.tally.cost


class StreamsIterator(ResultIterator[tuple[int, "Delta"]]):
    """The deltas of many streams, as they arrive: ``async for`` yields ``(index, delta)``.

    Made by `ChatSession.stream_many`. A stream that fails does not stop the others: the first
    failure is raised after all deltas of the others were yielded. Leaving early closes all streams.
    """

    _producer: DeltaProducer

    @property
    def outcomes(self) -> dict[int, Outcome]:
        """The outcomes of the streams that have ended, by the index of their request."""
        return self._producer.outcomes
