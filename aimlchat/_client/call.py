"""One call with all its attempts, and the record of how it ended."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

from aimlchat.completions import Completion
from aimlchat.errors import (
    SERVER_ERRORS,
    AIMLChatError,
    APIError,
    Attempt,
    RequestTimeoutError,
    detach,
)

from .attempts import AttemptLog
from .hooks import logs_calls
from .prepare import PreparedRequest
from .response import OpenResponse, Response, read_api_error
from .tally import count_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.errors import OutputError
    from aimlchat.records import CallOutcome

    from .bills import Bills
    from .context import CallContext
    from .prepare import CallSpec, EndpointSpec
    from .rate_limit import Slot
    from .retries import Retries
    from .run_control import RunCall
    from .stream_times import StreamTimes
    from .timers import CallTimers
    from .tracing import CallTrace

__all__ = ["Call"]

_SUCCESS = range(200, 300)
_UNPREPARED = PreparedRequest("", {})
_T = TypeVar("_T")


class Call:
    """One call: makes attempts until a good response begins, and reports once how it ended.

    The spec is prepared when `open` is first awaited, so that a call can be created while no
    event loop is running. `finish` or `close` has to be called once it is over.
    """

    __slots__ = (
        "_context",
        "_has_begun",
        "_is_over",
        "_log",
        "_observer",
        "_retries",
        "_retry",
        "_slot",
        "_spec",
        "_timeouts",
        "_trace",
        "bills",
        "request",
        "timers",
    )

    def __init__(
        self,
        context: CallContext,
        spec: CallSpec | EndpointSpec,
        observer: RunCall | None = None,
    ) -> None:
        self._context = context
        self._spec: CallSpec | EndpointSpec | None = spec
        self._timeouts = spec.timeouts
        self._retry = spec.retry
        self._observer = observer
        self.bills: Bills | None = None
        """What the answers that were requested again have cost."""
        self._retries: Retries | None = None
        self._log = AttemptLog()
        self.timers: CallTimers
        """The timeouts of this call; not set before it is opened."""
        self._has_begun = False
        self.request = _UNPREPARED
        """The request of the next attempt, or of the last one."""
        self._is_over = False
        self._slot: Slot | None = None
        self._trace: CallTrace | None = None

    # --- attempts -----------------------------------------------------------------------------

    async def open(self, failure: AIMLChatError | None = None) -> OpenResponse:
        """Return once the headers of a good response have arrived.

        Makes as many attempts as the policy allows. ``failure`` is the error that ended the
        previous attempt after its response headers; it is raised if it is final. Cancelling
        closes the connection.
        """
        if not self._has_begun:
            self._begin()
        timers, is_put_back = self.timers, False
        try:
            delay: float | None = None
            while True:
                if failure is not None:
                    delay, is_put_back = self._delay_after(failure)
                    fallback = self._find_fallback(failure) if delay is None else None
                    if fallback is not None:
                        delay = 0.0
                    if delay is None:
                        await self._name_living_models(failure)
                        raise failure
                    if not timers.can_wait(delay):
                        raise self._deadline_error() from failure
                    self._report_retry(failure, delay, is_put_back=is_put_back)
                    self._switch_to(fallback)
                try:
                    with timers:
                        if delay is not None:
                            timers.start_retry_delay()
                            await self._context.scheduler.clock.sleep(delay)
                        return await self._attempt(self.request)
                except AIMLChatError as error:
                    failure = detach(error)
        finally:
            del failure

    def _begin(self) -> None:
        context = self._context
        context.transport.check()
        self._has_begun = True
        self.timers = context.scheduler.start(self._timeouts)
        if self._spec is not None:
            self.request = self._spec.prepare(context.defaults)
            self._spec = None  # it holds the caller's request
            if self.request.fallback is not None:
                self._switch_to(self.request)
            if context.tracing is not None and self.request.uses_tokens:
                self._trace = context.tracing.start(self.request)

    async def read_whole(self, parse: Callable[[bytes, OpenResponse], _T]) -> _T:
        """Return the result of ``parse`` for the whole body. Cancelling closes the connection."""
        failure: AIMLChatError | None = None
        try:
            while True:
                opened = await self.open(failure)
                try:
                    self.timers.start_whole_body()
                    read = self.timers.start_whole_read
                    # The body may quote the key, so it is not kept in a local, which a traceback
                    # may show.
                    result = parse(await opened.response.read_whole(read), opened)
                except AIMLChatError as error:
                    failure = detach(error)
                    self.read_headers(failure, opened)
                else:
                    self.attempt_succeeded()
                    return result
                finally:
                    opened.close()
        finally:
            del failure

    async def _attempt(self, request: PreparedRequest) -> OpenResponse:
        context, timers = self._context, self.timers
        limiter = context.limiter
        slot: Slot | None = None
        observer = self._observer
        if observer and not observer.enter_at_once(pacer := limiter.pacer(request.model)):
            timers.start_retry_delay()
            await observer.enter(pacer)
        if not limiter.is_unlimited:
            timers.start_queue()
            tokens = request.estimate_tokens() if limiter.counts_tokens else 0
            slot = self._slot = await limiter.acquire(
                request.model, tokens, is_paced=observer is not None
            )
        response = None
        try:
            if context.spending is not None and request.uses_tokens:
                context.spending.check()
            self._log.is_open = True
            if observer is not None:
                observer.attempt_started()
            timers.start_attempt(is_stream=request.is_stream)
            response = await context.transport.send(
                request.method,
                request.path,
                body=request.body,
                headers=request.headers,
                timeouts=self._timeouts,
                on_stale=self._replace_connection if request.is_repeatable else None,
            )
            timers.start_body(response.fail)
            if response.status not in _SUCCESS:
                await self._raise_api_error(response)
        except BaseException:
            if response is not None:
                response.close()
            if slot is not None:
                slot.release()
            raise
        return OpenResponse(response, request, self.attempts, slot)

    async def _raise_api_error(self, response: Response) -> None:
        self.timers.start_whole_body(is_error=True)
        now = self._context.scheduler.clock.wall_time()
        raise await read_api_error(response, self.timers.start_whole_read, now)

    # --- the result of an attempt -------------------------------------------------------------

    def attempt_succeeded(self) -> None:
        """Note that an attempt has yielded its first delta, or a whole completion."""
        self._context.retry_budget.record(failed=False)
        if self._trace is not None and self.request.is_stream:
            self._trace.first_delta(self.timers.elapsed)
        if self._observer is not None:
            self._observer.attempt_succeeded()
        self.request.body = self.request.fallback = None  # not sent again, and streams last long

    def ask_again(self, error: OutputError, request: PreparedRequest, bills: Bills) -> None:
        """Make the next attempt a correction of an answer, whose bill has been added."""
        self.bills = bills
        self._settle(error.partial)
        if self._observer is not None:
            self._observer.attempt_ended()
        self._report_retry(error, 0.0, is_put_back=False)
        self.request, self._retries = request, None

    def read_headers(self, error: AIMLChatError, opened: OpenResponse) -> None:
        """Add facts from the headers of a response to an error that was in its body."""
        if isinstance(error, APIError):
            opened.add_headers_to(error, self._context.scheduler.clock.wall_time())

    def fail_attempt(self, error: AIMLChatError) -> None:
        """Record an error that came after the first delta, or an invalid answer."""
        self.redact(error)
        self._log.record(error)

    def redact(self, error: AIMLChatError) -> None:
        """Replace the secrets of this call in an error."""
        from .redaction import redact  # noqa: PLC0415 - most calls do not fail

        context = self._context
        redact(error, (context.api_key, *context.transport.secrets), self.request.headers)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts so far, the one in progress included."""
        return self._log.attempts

    def _delay_after(self, error: AIMLChatError) -> tuple[float | None, bool]:
        """Record a failed attempt; return the delay before the next one, None if it is final.

        The second value is whether the run puts the request back, so that the attempt does not
        count.
        """
        self.redact(error)
        if self._retries is None:
            from .retries import Retries  # noqa: PLC0415 - as in `redact`

            self._retries = Retries(self._context, self._retry, self._log, self._observer)
        delay, is_put_back = self._retries.delay_after(error, self.request)
        if is_put_back or isinstance(error, APIError):
            self._settle_tokens(0)  # a rejected request uses no tokens
        return delay, is_put_back

    def _find_fallback(self, error: AIMLChatError) -> PreparedRequest | None:
        """Return the request to the next model, if there is one that may respond after an error."""
        request = self.request
        if request.fallback is None or self._context.transport.is_closed:
            return None
        from .fallback import is_curable  # noqa: PLC0415 - as in `redact`

        return request.fallback if is_curable(error, is_stream=request.is_stream) else None

    def _switch_to(self, request: PreparedRequest | None) -> None:
        if request is None:
            return
        while request.fallback is not None and self._context.limiter.is_paused(request.model):
            request = request.fallback  # it can respond at once
        self.request = request
        self._log.model = request.model
        self._retries = None  # each model gets the attempts of the policy

    async def _name_living_models(self, error: AIMLChatError) -> None:
        """Name similar available models in a final error that says that there is no such model.

        Cancelling closes the connection.
        """
        context, model = self._context, self.request.model  # other endpoints have no model
        if not model or not isinstance(error, APIError) or error.status in SERVER_ERRORS:
            return
        if context.model_hints is None:
            from .model_hints import ModelHints  # noqa: PLC0415 - as in `redact`

            context.model_hints = ModelHints(context.scheduler, context.keyless_headers)
        make_call = functools.partial(Call, context)
        await context.model_hints.add_to(error, model, make_call, self.timers.seconds_left)
        self.redact(error)  # the list may echo the key

    def _replace_connection(self, error: AIMLChatError) -> None:
        """Record an attempt on a stale connection; the transport sends the request again at once.

        It counts neither in the retry policy nor in the retry budget, since the server had closed
        the connection before it could see the request.
        """
        self.redact(error)
        self._log.record(error)
        self._report_retry(error, 0.0, is_put_back=False)
        self._log.is_open = True
        self.timers.start_attempt(is_stream=self.request.is_stream)

    def _count(
        self, completion: Callable[[], Completion[Any]] | None, error: AIMLChatError | None
    ) -> Callable[[], Completion[Any]]:
        """Count what was received; return it, with the bills of earlier answers added."""
        partial: Completion[Any] = Completion() if error is None else error.partial
        received = partial if completion is None else completion()
        self._settle(received)
        if self.bills is not None:
            received = self.bills.add_to(received)
            if error is not None:
                error.partial = received
        return lambda: received

    def _settle(self, completion: Completion[Any]) -> None:
        """Count a response against the limit of tokens, and the budget of the session."""
        if self._context.limiter.counts_tokens:
            # Zeros do not say what was used, so the estimate stays.
            self._settle_tokens(count_tokens(completion.usage) or None)
        if self._context.spending is not None:
            self._context.spending.add(completion.cost)

    def _settle_tokens(self, tokens: int | None) -> None:
        """Replace the estimate of the last attempt, if there is one, with the tokens used."""
        reservation = self._slot.reservation if self._slot is not None else None
        if reservation is not None and tokens is not None:
            self._context.limiter.settle(reservation, tokens)

    def _deadline_error(self) -> RequestTimeoutError:
        error = self.timers.deadline_error()
        self._log.record(error)
        return error

    # --- reports ------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop the timeouts without a report; safe to repeat."""
        self._is_over = True
        if self._has_begun:
            self.timers.stop()

    def finish(
        self,
        outcome: CallOutcome,
        *,
        completion: Callable[[], Completion[Any]] | None = None,
        error: AIMLChatError | None = None,
        times: StreamTimes | None = None,
    ) -> None:
        """Stop the timeouts and report how the call ended.

        Does nothing if called again, or if the call never began. ``completion`` is called only
        if its result is needed.
        """
        if self._is_over or not (self._has_begun or error):
            return
        self.close()
        context = self._context
        if context.limiter.counts_tokens or context.spending is not None or self.bills is not None:
            completion = self._count(completion, error)
        hook = context.on_finish
        if hook is None and self._trace is None and not logs_calls():
            return
        from .call_records import report_call  # noqa: PLC0415 - most sessions report nothing

        report_call(
            self.request,
            outcome,
            self.attempts,
            hook,
            self._trace,
            duration=self.timers.elapsed if self._has_begun else 0.0,
            received=completion() if completion is not None else None,
            error=error,
            times=times,
        )

    def _report_retry(self, error: AIMLChatError, delay: float, *, is_put_back: bool) -> None:
        from .call_records import report_retry  # noqa: PLC0415 - as in `finish`

        attempt, hook = self._log.failed_count + is_put_back, self._context.on_retry
        facts = {"attempt": attempt, "delay": delay, "error": error, "is_put_back": is_put_back}
        report_retry(self.request, hook, self._trace, **facts)
