"""`ToolRun`, an async iterator over a conversation in which the model calls tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, cast

import attrs

from ._client.tally import Tally
from ._tools.call_ids import CallIds, find_call_ids
from ._tools.conversation import add_result, add_turn
from ._tools.round_calls import RoundCalls
from ._tools.run_states import GOOD_ENDS, NEXT_STATES, State
from .completions import Completion, T_co
from .errors import AIMLChatError, BudgetExceededError, StreamInterruptedError, detach
from .run_events import CallsBegin, RoundEnd, ToolResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from ._client.call import Call
    from ._client.context import CallContext
    from ._client.tracing import RunTrace
    from ._tools.run_plan import RunPlan
    from .completions import Cost, Delta, Usage
    from .errors import Attempt
    from .policies import Timeouts
    from .request import ChatRequest
    from .stream import DeltaStream
    from .tool_types import ToolCall

__all__ = ["ToolRun"]

_BUSY = "another task is reading this run; a run belongs to one task at a time"
_LEFT = "the run was closed before its end"


class ToolRun(Generic[T_co]):
    """A conversation in which the model calls tools, which run locally, until it gives an answer.

    Created by `ChatSession.run`, which sends nothing. Iterating yields the deltas of each round,
    then a `ToolResult` for each call of its turn, in the order of the calls, and then a `RoundEnd`.
    ``async with`` sends the first request and returns once its response headers have arrived; a
    bare ``async for`` does so at its first step.

    Only a round that reached its end runs tools: never one that was cut, filtered or stopped at its
    length limit; such a round is the last one. The calls of a round run at once, except that no
    other call runs beside one of a `Tool.sequential` tool. A call that raises, whose arguments are
    invalid, that takes longer than `Tool.timeout` or whose tool does not exist gets an error as its
    result, and the other calls continue. A coroutine function runs in a task of its own, any other
    function in a thread; both see the context variables of the task that iterates. A call of a tool
    without a function ends the run after its round; it is in `pending_calls`, and
    ``run.request.tool_result(...)`` continues the conversation.

    Leaving early, by an exception, cancellation, `aclose` or the end of ``async with``, closes the
    connection and cancels the running tools at once, and then waits until they have cleaned up, at
    most five seconds; a tool that still runs then is abandoned, as is a tool five seconds after its
    timeout. A thread cannot be cancelled: its function continues, and its result is dropped. A
    failure of a round is raised as an `AIMLChatError`, as a stream raises it; `request` then still
    has the rounds before it. A run belongs to one task at a time.
    """

    def __init__(
        self,
        plan: RunPlan,
        ask: Callable[[ChatRequest, Timeouts], DeltaStream[Any]],
        context: CallContext,
    ) -> None:
        self._plan = plan
        self._ask = ask
        self._context = context
        self._clock = context.scheduler.clock
        self._state = State.READY
        self._is_busy = False  # whether a task is iterating
        self._request = plan.request
        self._used_ids = find_call_ids(plan.request.messages)
        self._tally = Tally()
        self._rounds = 0
        self._start = 0.0
        self._trace: RunTrace | None = None
        self._stream: DeltaStream[Any] | None = None  # the stream of the current round
        self._ids = CallIds(self._used_ids)
        self._completion: Completion[Any] = Completion()  # of the last round that reached its end
        self._output = plan.begin_output(context.spending)  # None in a run without output_type
        self._calls: RoundCalls | None = None  # those of the current round
        self._pending: tuple[ToolCall, ...] = ()  # those of the round that the caller has to run
        self._has_next = False  # whether another round follows the current one
        self._tells_calls = False  # whether it also yields `CallsBegin`, for the relay
        self._failure: AIMLChatError | None = None  # what the next step raises

    async def __aenter__(self) -> Self:
        if self._state is State.READY and not self._rounds:
            await self._guard(self._open)
        elif self._failure is not None:
            raise detach(self._failure)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._leave(error)

    def __reduce__(self) -> NoReturn:
        msg = (
            "a run is a connection and running tools, and cannot be copied or pickled; keep its"
            " .request, which has the conversation"
        )
        raise TypeError(msg)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta | ToolResult | RoundEnd:
        event: Any = await self._guard(self._step)
        if event is None:
            raise StopAsyncIteration
        return cast("Delta | ToolResult | RoundEnd", event)

    async def collect(self) -> Completion[T_co]:
        """Run to the end and return the completion of the last round. Cancelling leaves the run.

        Raises:
            AIMLChatError: a round failed, or the answer is not of ``output_type``.
        """
        try:
            async for _ in self:
                pass
        finally:
            _ = None  # a delta may quote the key, and an error's frames would show it
        if self._output is not None:
            self._output.check()
        return self.completion

    async def aclose(self) -> None:
        """Leave the run: close the connection, cancel the tools, and wait for their cleanup.

        Safe to repeat, to cancel, and to call from another task than the one that iterates, which
        then gets a `StreamInterruptedError`.
        """
        await self._leave(None)

    # --- what is known so far -----------------------------------------------------------------

    @property
    def output(self) -> T_co:
        """The answer of the last round as a value of ``output_type``; None if the run has no type.

        It is None as well if the run ended with calls of tools that have no function.

        Raises:
            OutputError: it is not such a value; neither iterating nor `completion` raises this.
            AIMLChatError, RuntimeError: as for `completion`.
        """
        if self._output is not None:
            self._output.check()
        return self.completion.output

    @property
    def completion(self) -> Completion[T_co]:
        """The whole completion of the last round, available after the end of the run.

        Raises:
            AIMLChatError: the failure of a failed run.
            RuntimeError: the run has not ended, or it was left.
        """
        if self._state is State.FAILED and self._failure is not None:
            raise detach(self._failure)
        if self._state is not State.ENDED:
            what = _LEFT if self._state is State.LEFT else "the run has not ended; collect() it"
            msg = f"{what}; see .partial and .request"
            raise RuntimeError(msg)
        return self._completion

    @property
    def partial(self) -> Completion[T_co]:
        """What has been received in the current round; can be read at any time."""
        if self._state is State.READING and self._stream is not None:
            return self._ids.rename(self._stream.partial)
        if self._failure is not None and self._state is State.FAILED:
            return cast("Completion[T_co]", self._failure.partial)
        return self._completion

    @property
    def request(self) -> ChatRequest:
        """The conversation up to the last `RoundEnd`, with the options of the run, to be continued.

        All calls in it have results, except `pending_calls`. It does not include a last turn that
        was cut off within its calls.
        """
        return self._request

    @property
    def pending_calls(self) -> tuple[ToolCall, ...]:
        """The calls that ended the run, since their tools have no function; usually empty.

        They wait for your results: to continue, add a ``tool_result`` for each to `request`.
        """
        return self._pending if self._state is State.ENDED else ()

    @property
    def rounds(self) -> int:
        """How many rounds have begun."""
        return self._rounds

    @property
    def usage(self) -> Usage:
        """The sum of the tokens of all rounds that have ended; 0 where the server reported none."""
        return self._tally.usage

    @property
    def cost(self) -> Cost:
        """The amount charged for all rounds that have ended, as the server reported it."""
        return self._tally.cost

    @property
    def headers(self) -> Mapping[str, str]:
        """The response headers of the current round; empty before they have arrived."""
        return self._stream.headers if self._stream is not None else {}

    @property
    def inference_id(self) -> str | None:
        """The vendor's id of the current round's response; None before it has arrived."""
        return self.headers.get("x-inference-id")

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts of the current round."""
        return self._stream.attempts if self._stream is not None else ()

    @property
    def _call(self) -> Call | None:
        return self._stream._call if self._stream is not None else None  # noqa: SLF001 - ours

    # --- the rounds ---------------------------------------------------------------------------

    async def _guard(self, step: Any) -> Any:
        """Take a step, and end the run if it raises."""
        if self._is_busy:
            raise RuntimeError(_BUSY)
        self._is_busy = True
        try:
            return await step()
        except AIMLChatError as error:
            await self._fail(error)
        except BaseException as error:
            await self._leave(error)
            raise
        finally:
            self._is_busy = False
        if self._failure is not None:
            raise detach(self._failure)
        return None

    async def _open(self) -> None:
        self._begin_round()
        if self._stream is not None:
            await self._stream.__aenter__()

    async def _step(self) -> Delta | CallsBegin | ToolResult | RoundEnd | None:
        """Return the next event, None after the last one."""
        while True:
            match self._state:
                case State.READY:
                    self._begin_round()
                case State.READING:
                    try:
                        delta = await anext(self._stream)  # type: ignore[arg-type]
                    except StopAsyncIteration:
                        has_begun = self._begin_calls()
                        if has_begun and self._tells_calls:
                            return CallsBegin(self._completion)
                    else:
                        return self._ids.rename_delta(delta)
                case State.CALLING if self._calls is not None:
                    result = await self._calls.next_result()
                    if self._state is State.CALLING:  # else another task has left
                        return self._end_round(self._calls) if result is None else result
                case _:
                    if self._failure is not None:
                        raise detach(self._failure)
                    return None

    def _begin_round(self) -> None:
        """Send the request of a round, unless the budget is spent or the deadline has passed."""
        if not self._rounds:
            self._start = self._clock.time()
            if self._context.tracing is not None:
                self._trace = self._context.tracing.start_run()
        if self._plan.budget is not None:
            self._plan.budget.check()
        timeouts = self._plan.timeouts
        if (seconds := self._seconds_left()) is not None:
            if seconds <= 0:
                raise self._plan.build_deadline_error()
            timeouts = attrs.evolve(timeouts, deadline=seconds)
        request = self._plan.build_round(self._request, self._rounds)
        self._rounds += 1
        self._ids = CallIds(self._used_ids)
        self._stream = self._ask(request, timeouts)
        self._enter(State.READING)

    def _begin_calls(self) -> bool:
        """Run the calls of a round whose stream has reached its end; False if the run was left."""
        if (stream := self._stream) is None or not self._enter(State.CALLING):
            return False
        self._completion = completion = self._ids.rename(stream.completion)
        self._count(completion)
        is_good = completion.finish_reason in GOOD_ENDS
        calls = completion.tool_calls if is_good else ()
        own, self._pending = self._plan.split_calls(calls)
        self._has_next = bool(own) and not self._pending
        conversation = add_turn(self._request, completion) if is_good else self._request
        self._calls = running = RoundCalls(
            own, self._plan, conversation, clock=self._clock, trace=self._trace
        )
        if self._rounds > self._plan.max_rounds:
            self._has_next = False
            rounds = self._plan.max_rounds
            running.refuse(f"The call did not run: the run may have {rounds} rounds of calls.")
            return True
        if (seconds := self._seconds_left()) is not None:
            running.fail_after(seconds, self._plan.build_deadline_error())
        running.start()
        return True

    def _end_round(self, calls: RoundCalls) -> RoundEnd:
        """Add a round to the conversation."""
        completion = self._completion
        if completion.finish_reason in GOOD_ENDS or not completion.tool_calls:
            request = add_turn(self._request, completion)
            for result in calls.results:
                request = add_result(request, result)
            self._request = request
        self._calls = None
        if not self._has_next and self._output is not None:
            self._completion = self._output.judge(self._completion, self._stream, self._pending)
            self._request, self._has_next = self._output.correct(self._request)
        self._enter(State.READY if self._has_next else State.ENDED)
        return RoundEnd(self._completion, pending_calls=self._pending)

    def _count(self, completion: Completion) -> None:
        self._tally.add(usage=completion.usage, cost=completion.cost)
        if self._plan.budget is not None:
            self._plan.budget.add(completion.cost)

    def _seconds_left(self) -> float | None:
        deadline = self._plan.timeouts.deadline
        return None if deadline is None else self._start + deadline - self._clock.time()

    # --- the end ------------------------------------------------------------------------------

    def _enter(self, state: State) -> bool:
        """Change the state; return False if that is not allowed, as when another task has left."""
        if state not in NEXT_STATES[self._state]:
            return False
        self._state = state
        return True

    async def _fail(self, error: AIMLChatError) -> None:
        """Keep a failure for this step and for the next ones."""
        failure = detach(error)
        was_reading = self._state is State.READING
        if not self._enter(State.FAILED):  # left meanwhile, by another task
            return
        if was_reading:
            self._count(failure.partial)
            failure.partial = self._ids.rename(failure.partial)
        if isinstance(failure, BudgetExceededError) or not was_reading:
            failure.partial = self._completion
        self._plan.explain_deadline(failure)
        self._failure = failure
        await self._stop(None)

    async def _leave(self, error: BaseException | None) -> None:
        """Close the connection and stop the tools, whatever the state."""
        was_reading = self._state is State.READING
        if self._enter(State.LEFT):
            if was_reading and self._stream is not None:
                self._count(self._stream.partial)
            self._failure = StreamInterruptedError(_LEFT, partial=self._completion)
        await self._stop(error)

    async def _stop(self, error: BaseException | None) -> None:
        calls, stream = self._calls, self._stream
        if calls is not None:
            calls.stop()
        if stream is not None:
            await stream.__aexit__(type(error) if error is not None else None, error, None)
        if calls is not None:
            await calls.wait_until_over()

    def __del__(self) -> None:
        """Cancel the tools of a dropped run; its stream closes its own connection."""
        if self._calls is not None:
            self._calls.cancel()
