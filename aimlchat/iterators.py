"""Async iterators over the results of many calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from ._client.many import CompletionProducer, DeltaProducer, ResultIterator
from .completions import T_co
from .records import Outcome

if TYPE_CHECKING:
    from ._client.many import Converter
    from .completions import Cost, Delta, Usage

__all__ = ["CompletionIterator", "StreamsIterator"]


class CompletionIterator(ResultIterator[Outcome[T_co]], Generic[T_co]):
    """The outcomes of many requests: ``async for`` yields an `Outcome` for each.

    Created by `ChatSession.complete_many`; nothing is sent before the first step. One request that
    fails does not stop the others. A request that is rejected because of a rate limit or an
    overload is put back, and the run pauses. A failure that would affect all of them (an invalid
    key, no credits, a closed session, a server that was never reached, or no success for
    ``RetryPolicy.max_retry_after``) stops the run: calls in flight are cancelled, outcomes that
    have arrived are yielded, and then the failure is raised. Leaving early (``break``, an
    exception, cancelling, `aclose`, or dropping the iterator) cancels the calls in flight.
    """

    _producer: CompletionProducer

    def _convert(self, convert: Converter) -> None:
        """Queue the result of ``convert`` for each call, instead of its outcome."""
        self._producer.convert = convert

    def _take_ready(self) -> list[Any]:
        """Return the results that have arrived but were not yielded yet."""
        return self._producer.pop_all()

    async def gather(self) -> list[Outcome[T_co]]:
        """Return all outcomes that have not been yielded yet, once the last call has ended.

        Cancelling cancels the calls in flight, and the outcomes collected so far are lost.

        Raises:
            AIMLChatError: the run was stopped, as described for the class.
        """
        return [outcome async for outcome in self]

    @property
    def done(self) -> int:
        """How many calls have ended, the failed ones included."""
        return self._producer.tally.done

    @property
    def failed(self) -> int:
        """How many calls have failed."""
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
        """The tokens of all completions so far, as the server reported them."""
        return self._producer.tally.usage

    @property
    def cost(self) -> Cost:
        """The amount charged so far, as the server reported it."""
        return self._producer.tally.cost


class StreamsIterator(ResultIterator[tuple[int, "Delta"]], Generic[T_co]):
    """The deltas of many streams, as they arrive: ``async for`` yields ``(index, delta)``.

    Created by `ChatSession.stream_many`; nothing is sent before the first step. A stream that fails
    does not stop the others: after all deltas have been yielded, the failure with the lowest index
    is raised. A failure that would affect all of them stops them, as in `CompletionIterator`. The
    `OutputError` of an answer that is not of its type is only in `outcomes`. Leaving early, or
    cancelling a step, closes all streams.
    """

    _producer: DeltaProducer

    @property
    def outcomes(self) -> dict[int, Outcome[T_co]]:
        """The outcomes of the streams that have ended, by the index of their request."""
        return self._producer.outcomes
