"""One call over its tries: who may start, what is tried again, and what is told of it."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

from aimlchat._protocol.api_errors import error_from_response
from aimlchat.errors import (
    AIMLChatError,
    APIError,
    Attempt,
    ConnectionFailedError,
    RateLimitError,
    RequestTimeoutError,
    detach,
)
from aimlchat.records import CallRecord, RetryRecord

from .retry import RetryBudget, may_retry
from .tally import count_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aimlchat.completions import Completion
    from aimlchat.policies import RetryPolicy, Timeouts

    from .body import Body
    from .rate_limit import Gate, Place
    from .timers import Watch, Watchdog
    from .transport import Exchange, Transport

__all__ = ["Call", "Desk", "Observer", "Opened", "Question", "tell"]

_logger = logging.getLogger("aimlchat")
_SUCCESS = range(200, 300)
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]{1000,}")
_TOKENS_OF_A_FILE = 1500  # an image that fills Claude's 1.15 megapixels
_USUAL_ANSWER = 1024
_T = TypeVar("_T")


@attrs.define
class Question:
    """What is sent, the same at every try.

    Not frozen, which would triple the cost of making one.
    """

    path: str
    headers: Mapping[str, str]
    body: Body | None = None
    model: str = ""
    choices: int = 1
    client_request_id: str = ""
    streamed: bool = False
    max_tokens: int | None = None
    method: str = "POST"

    def estimate_tokens(self) -> int:
        """Guess what it will take: four bytes of prompt a token, and as much answer as it may have.

        A file in it is worth many fewer tokens than bytes.
        """
        texts = self.body.texts if self.body is not None else ()
        size, files = 0, len(self.body.files) if self.body is not None else 0
        for text in texts:
            rest, found = _BASE64.subn(b"", text)
            size, files = size + len(rest), files + found
        return size // 4 + files * _TOKENS_OF_A_FILE + (self.max_tokens or _USUAL_ANSWER)


_UNASKED = Question("", {})
_AT_FIRST = (Attempt(1),)


@attrs.define(eq=False)
class Desk:
    """What the calls of a session share."""

    transport: Transport
    gate: Gate
    watchdog: Watchdog
    redact: Callable[[AIMLChatError], None]  # takes the key out of what the server said
    on_retry: Callable[[RetryRecord], object] | None = None
    on_finish: Callable[[CallRecord], object] | None = None
    budget: RetryBudget = attrs.field(factory=RetryBudget)


@attrs.define(eq=False)
class Opened:
    """An answer whose head has come. It has a place in the gate until it is closed."""

    exchange: Exchange
    question: Question
    attempts: tuple[Attempt, ...]
    _place: Place | None

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of a completion that only the HTTP layer knows."""
        headers = self.exchange.headers
        said = headers.get("x-client-request-id")
        return {
            "inference_id": headers.get("x-inference-id"),
            "client_request_id": said or self.question.client_request_id,
            "attempts": self.attempts,
            "headers": headers,
        }

    def close(self) -> None:
        """Close the connection, or give it back if the body was read; safe to repeat."""
        self.exchange.close()
        if self._place is not None:
            self._place.leave()

    async def release(self) -> None:
        """Close it, but see first whether the end of the body is near."""
        try:
            await self.exchange.release()
        finally:
            self.close()


class Observer(Protocol):
    """Who is told how a call fares while it runs."""

    def began_try(self) -> None:
        """A try is sent now."""

    def failed_try(self, error: AIMLChatError) -> None:
        """A try has failed, or the wait for it."""


class Call:
    """One call: tries until a good answer begins, and reports once how it ended.

    ``ask`` makes the question once the call begins, which is when `open` is first awaited; it can
    be made where no loop runs. `finish` has to be called once it is over.
    """

    __slots__ = (
        "_ask",
        "_attempts",
        "_delays",
        "_desk",
        "_has_begun",
        "_is_over",
        "_is_trying",
        "_observer",
        "_place",
        "_policy",
        "_question",
        "_timeouts",
        "watch",
    )

    def __init__(
        self,
        desk: Desk,
        ask: Callable[[], Question],
        timeouts: Timeouts,
        policy: RetryPolicy,
        observer: Observer | None = None,
    ) -> None:
        self._desk = desk
        self._ask: Callable[[], Question] | None = ask
        self._timeouts = timeouts
        self._policy = policy
        self._observer = observer
        self._delays: Iterator[float] | None = None
        self._attempts: list[Attempt] = []
        self.watch: Watch
        """The clocks of this call; there are none before it is opened."""
        self._has_begun = False
        self._question = _UNASKED
        self._is_over = False
        self._is_trying = False
        self._place: Place | None = None

    async def open(self, failed: AIMLChatError | None = None) -> Opened:
        """Return at the head of a good answer, trying as often as the policy allows.

        ``failed`` is what ended the try before, behind its head: it is raised if it is final.
        Cancelling closes the connection.
        """
        if not self._has_begun:
            self._desk.transport.check()
            self._has_begun = True
            self.watch = self._desk.watchdog.watch(self._timeouts)
        watch = self.watch
        try:
            if self._ask is not None:
                self._question = self._ask()
                self._ask = None  # which holds the request
            delay: float | None = None
            while True:
                if failed is not None:
                    delay = self._delay_after(failed)
                    if delay is None:
                        raise failed
                    if not watch.fits(delay):  # to wait for it would be in vain
                        raise self._late() from failed
                    self._announce(failed, delay)
                try:
                    with watch:
                        if delay is not None:
                            watch.sleeping()
                            await self._desk.watchdog.clock.sleep(delay)
                        return await self._try(self._question)
                except AIMLChatError as error:
                    # Without its frames, one of which is this one and would hold it.
                    failed = error.with_traceback(None)
        finally:
            del failed

    async def answer(self, read: Callable[[bytes, Opened], _T]) -> _T:
        """Return what ``read`` makes of the whole answer. Cancelling closes the connection."""
        failed: AIMLChatError | None = None
        try:
            while True:
                opened = await self.open(failed)
                try:
                    self.watch.whole()
                    data = await opened.exchange.read_whole(self.watch.reading)
                    result = read(data, opened)
                except AIMLChatError as error:
                    if isinstance(error, APIError):
                        error.inference_id = opened.exchange.headers.get("x-inference-id")
                    failed = error.with_traceback(None)
                else:
                    self.succeeded()
                    return result
                finally:
                    opened.close()
        finally:
            del failed

    def succeeded(self) -> None:
        """Note that a try came to something: its first delta, or a whole answer."""
        self._desk.budget.note(failed=False)
        self._question.body = None  # it is not sent again, and a stream may hold it for long

    def explain(self, error: AIMLChatError) -> None:
        """Put on an error behind the first delta, which is final, what was tried."""
        self._desk.redact(error)
        self._note(error, 0.0)

    @property
    def tried(self) -> tuple[Attempt, ...]:
        """The tries so far, the one that is under way included."""
        before = self._attempts
        if not self._is_trying:
            return tuple(before)
        return (*before, Attempt(len(before) + 1)) if before else _AT_FIRST

    def close(self) -> None:
        """Stop the clocks, without a report; safe to repeat."""
        self._is_over = True
        if self._has_begun:
            self.watch.stop()

    def finish(
        self,
        outcome: Any,
        *,
        said: Callable[[], Completion] | None = None,
        error: AIMLChatError | None = None,
        first_reasoning: float | None = None,
        first_answer: float | None = None,
        deltas: int = 0,
    ) -> None:
        """Stop the clocks and report; a second time does nothing, nor a call that never began."""
        if self._is_over or not (self._has_begun or error):
            return
        self.close()
        if self._desk.gate.counts_tokens and said is not None:
            self._settle(count_tokens(said().usage))
        hook = self._desk.on_finish
        if hook is None and not _logger.isEnabledFor(logging.DEBUG):
            return
        question = self._question
        completion = said() if said else None
        record = CallRecord(
            outcome=outcome,
            model=question.model,
            client_request_id=question.client_request_id,
            inference_id=completion.inference_id if completion else _inference_id(error),
            duration=self.watch.elapsed if self._has_begun else 0.0,
            first_reasoning=first_reasoning,
            first_answer=first_answer,
            deltas=deltas,
            usage=completion.usage if completion else None,
            cost=completion.cost if completion else None,
            attempts=error.attempts if error else self._tried_until(outcome),
            error=error and detach(error),
        )
        _logger.debug(
            "call %s of %s: %s after %.3f s, %d tries",
            record.client_request_id,
            record.model,
            outcome,
            record.duration,
            len(record.attempts),
        )
        tell(hook, record)

    def _tried_until(self, outcome: str) -> tuple[Attempt, ...]:
        tried = self.tried
        if outcome == "complete" or not self._is_trying:
            return tried
        return (*tried[:-1], attrs.evolve(tried[-1], cause=outcome))

    async def _try(self, question: Question) -> Opened:
        watch, gate = self.watch, self._desk.gate
        place: Place | None = None
        if not gate.is_open:
            watch.queueing()
            tokens = question.estimate_tokens() if gate.counts_tokens else 0
            place = self._place = await gate.enter(question.model, tokens)
        exchange = None
        try:
            self._is_trying = True
            if self._observer is not None:
                self._observer.began_try()
            watch.asking()
            exchange = await self._desk.transport.send(
                question.method,
                question.path,
                body=question.body,
                headers=question.headers,
                timeouts=self._timeouts,
            )
            watch.answered(exchange.fail)
            if exchange.status not in _SUCCESS:
                await self._refuse(exchange)
        except BaseException:
            if exchange is not None:
                exchange.close()
            if place is not None:
                place.leave()
            raise
        return Opened(exchange, question, self.tried, place)

    async def _refuse(self, exchange: Exchange) -> None:
        self.watch.whole()
        body = await exchange.read_refusal(self.watch.reading)
        now = self._desk.watchdog.clock.wall_time()
        error = error_from_response(exchange.status, body, exchange.headers, now)
        del body  # the frame of an error is no place for what the server said either
        raise error

    def _delay_after(self, error: AIMLChatError) -> float | None:
        """Note that a try failed; return the wait before the next one, or None if it is final."""
        self._desk.redact(error)
        if self._observer is not None:
            self._observer.failed_try(error)
        delay = self._delay(error)
        self._note(error, delay or 0.0)
        if isinstance(error, APIError):
            self._settle(0)  # who is refused has used nothing
        return delay

    def _settle(self, tokens: int | None) -> None:
        """Count the tokens of the last try, if they are counted at all, as what they came to."""
        entry = self._place.entry if self._place is not None else None
        if entry is not None and tokens is not None:
            self._desk.gate.settle(entry, tokens)

    def _late(self) -> RequestTimeoutError:
        error = self.watch.deadline_error()
        self._note(error, 0.0)
        return error

    def _note(self, error: AIMLChatError, delay: float) -> None:
        if self._is_trying:
            self._is_trying = False
            sent = not (isinstance(error, ConnectionFailedError) and not error.sent)
            if isinstance(error, RequestTimeoutError) and error.phase == "connect":
                sent = False
            number = len(self._attempts) + 1
            self._attempts.append(Attempt(number, cause=str(error), delay=delay, sent=sent))
        error.attempts = tuple(self._attempts)

    def _announce(self, error: AIMLChatError, delay: float) -> None:
        model, request_id = self._question.model, self._question.client_request_id
        number = len(self._attempts)
        # Without the server's own words, which may quote the conversation.
        why = f"{type(error).__name__} {getattr(error, 'status', '')}".rstrip()
        _logger.info("call %s: try %d failed, %s; next in %.2f s", request_id, number, why, delay)
        tell(self._desk.on_retry, RetryRecord(model, request_id, number, delay, error))

    def _delay(self, error: AIMLChatError) -> float | None:
        again = may_retry(error, streamed=self._question.streamed)
        if self._is_trying:
            self._desk.budget.note(failed=again)
        floor = error.retry_after if isinstance(error, APIError) else None
        if not again or self._desk.transport.is_closed:
            return None
        if floor is not None and floor > self._policy.max_retry_after:
            return None
        if self._delays is None:
            self._delays = self._policy.delays(self._desk.watchdog.clock.chance)
        jitter = next(self._delays, None)
        if isinstance(error, RateLimitError):
            rest = jitter if floor is None else floor
            if rest is not None:
                self._desk.gate.rest(self._question.model, rest)
        if jitter is None:
            return None
        if self._desk.budget.is_spent:
            error.add_note("not tried again: most of what this session tried of late has failed")
            return None
        return (floor or 0.0) + jitter


def _inference_id(error: AIMLChatError | None) -> str | None:
    if isinstance(error, APIError):
        return error.inference_id
    return error.partial.inference_id if error is not None and error.partial else None


def tell(hook: Callable[[Any], object] | None, record: object) -> None:
    """Call a hook, if there is one; what it raises is logged and breaks nothing."""
    if hook is None:
        return
    try:
        hook(record)
    except Exception:  # a hook that fails is not the call's fault
        _logger.exception("the hook %r failed", hook)
