"""The tool calls of one round, while they run."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import attrs

from aimlchat.run_events import ToolResult
from aimlchat.tool_types import Tool, ToolCall

from .conversation import check_replacement, find_argument_problem, fit_content
from .tool_results import describe_exception, render_result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aimlchat._client.timers import Clock
    from aimlchat._client.tracing import RunTrace
    from aimlchat.request import ChatRequest

    from .run_plan import RunPlan
    from .tool_results import Content

__all__ = ["RoundCalls"]

# How long a tool that was cancelled may clean up before the run continues without it.
_CLEANUP_SECONDS = 5.0
_logger = logging.getLogger("aimlchat")
# The event loop has no reference to a task that waits, and the run has none any more.
_left_behind: set[asyncio.Task[None]] = set()


class _Slot:
    """A call and, once it is known, its result."""

    __slots__ = ("call", "is_expired", "result", "task", "timer")

    def __init__(self, call: ToolCall) -> None:
        self.call = call
        self.result: ToolResult | None = None
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.is_expired = False


@attrs.frozen(eq=False)
class _BoundCall:
    """A function with the arguments of a call, decoded by its types."""

    tool: Tool
    function: Callable[[], Any]

    async def run(self) -> Any:
        """Call the function: a coroutine function in this task, any other one in a thread."""
        if _is_coroutine_function(self.tool.function):
            value = await self.function()
        else:
            value = await _run_in_thread(self.function)
        return await value if inspect.isawaitable(value) else value


def _is_coroutine_function(function: Any) -> bool:
    call = getattr(type(function), "__call__", None)  # noqa: B004 - of an object that is callable
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


async def _run_in_thread(function: Callable[[], Any]) -> Any:
    """Call a function in a thread of its own, which sees the context variables of this task.

    Not in the event loop's pool of threads: a function that hangs would take a thread away from
    everything else, such as the resolution of names, and keep the program from ending.
    """
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    done: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def finish(outcome: tuple[Any, BaseException | None]) -> None:
        if not done.done():
            done.set_result(outcome)

    def work() -> None:
        try:
            outcome: tuple[Any, BaseException | None] = context.run(function), None
        except BaseException as error:  # noqa: BLE001 - raised in the task that waits
            outcome = None, error  # as a value, since a future cannot hold a `StopIteration`
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(finish, outcome)

    threading.Thread(target=work, name="aimlchat tool", daemon=True).start()
    value, error = await done
    if error is not None:
        raise error
    return value


class RoundCalls:
    """The calls of one round that run here, and their results in the same order.

    They run at once, but no other call runs beside one of a sequential tool. It never refers to the
    run, so that a dropped run can be freed.

    Args:
        calls: the calls.
        plan: the tools, and the hook.
        conversation: with the turn that the calls are in.
        clock: measures the timeouts.
        trace: traces the calls, None if nothing does.
    """

    def __init__(
        self,
        calls: Sequence[ToolCall],
        plan: RunPlan,
        conversation: ChatRequest,
        *,
        clock: Clock,
        trace: RunTrace | None,
    ) -> None:
        self._slots = [_Slot(call) for call in calls]
        self._plan = plan
        self._conversation = conversation
        self._clock = clock
        self._trace = trace
        self._taken = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._change = asyncio.Event()
        self._is_stopped = False
        self._failure: BaseException | None = None
        self._timers: list[asyncio.TimerHandle] = []

    # --- the owner's side ---------------------------------------------------------------------

    def start(self) -> None:
        """Begin to run the calls, in the running loop and with the caller's context variables."""
        if self._slots:
            self._begin(self._work(), "the calls of a round")

    def refuse(self, reason: str) -> None:
        """Give each call an error as its result, instead of running it."""
        for slot in self._slots:
            slot.result = ToolResult(slot.call, reason, is_error=True)

    def fail_after(self, seconds: float, error: Exception) -> None:
        """Stop the calls after this time, and raise an error in `next_result`."""
        self._timers.append(self._clock.call_later(seconds, lambda: self._fail(error)))

    async def next_result(self) -> ToolResult | None:
        """Return the next result, None after the last one and if the calls were stopped.

        Raises the failure that stopped them, if any. Cancelling stops nothing.
        """
        while not self._is_stopped and self._taken < len(self._slots):
            result = self._slots[self._taken].result
            if result is not None:
                self._taken += 1
                return result
            await self._wait_for_change()
        if self._failure is not None:
            await self.wait_until_over()
            raise self._failure
        self.stop()
        return None

    @property
    def results(self) -> list[ToolResult]:
        """The results so far, in the order of the calls."""
        return [slot.result for slot in self._slots if slot.result is not None]

    def stop(self) -> None:
        """Cancel the calls that still run; safe to repeat.

        Calls that have not ended after five seconds are abandoned.
        """
        if not self._is_stopped:
            self.cancel()
            if self._tasks:
                self._timers = [self._clock.call_later(_CLEANUP_SECONDS, self._leave_behind)]

    def cancel(self) -> None:
        """Cancel the calls that still run, for an owner that cannot wait for them."""
        self._is_stopped = True
        self._cancel_timers()
        for slot in self._slots:
            if slot.timer is not None and not slot.is_expired:
                slot.timer.cancel()
        cleaning_up = {slot.task for slot in self._slots if slot.is_expired}
        for task in self._tasks - cleaning_up:
            if not task.get_loop().is_closed():
                task.cancel()

    async def wait_until_over(self) -> None:
        """Return once no call runs, or once those that do were abandoned; cancelling is safe."""
        while self._tasks:
            await self._wait_for_change()

    # --- running ------------------------------------------------------------------------------

    def _begin(self, work: Any, name: str) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)
        if self._is_stopped and not self._tasks:
            self._cancel_timers()
        self._change.set()

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()

    async def _wait_for_change(self) -> None:
        self._change.clear()
        await self._change.wait()

    def _fail(self, error: BaseException) -> None:
        if self._failure is None and not self._is_stopped:
            self._failure = error
        self.stop()
        self._change.set()

    def _settle(self, slot: _Slot, content: Any, *, is_error: bool) -> None:
        if slot.timer is not None:
            slot.timer.cancel()
        if slot.result is None:
            slot.result = ToolResult(slot.call, content, is_error)
            self._change.set()

    async def _work(self) -> None:
        """Ask the hook about each call in turn, and start the calls that may run."""
        try:
            for slot in self._slots:
                bound = await self._prepare(slot)
                if bound is None:
                    continue
                if bound.tool.sequential:
                    await self._wait_for_running()
                slot.task = self._begin(self._execute(slot, bound), f"tool {slot.call.name}")
                if bound.tool.sequential:
                    await self._wait_for_running()
        except BaseException as error:  # noqa: BLE001 - raised in the task of the run
            self._fail(error)

    async def _wait_for_running(self) -> None:
        while any(slot.task is not None and slot.result is None for slot in self._slots):
            await self._wait_for_change()

    async def _prepare(self, slot: _Slot) -> _BoundCall | None:
        """Return the function to run, None if the result is known without it."""
        bound = self._bind(slot)
        on_tool = self._plan.on_tool
        if bound is None or on_tool is None:
            return bound
        try:
            decision = on_tool(slot.call)
            if inspect.isawaitable(decision):
                decision = await decision
            if decision is None:
                return bound
            if isinstance(decision, ToolCall):
                check_replacement(decision)
            elif isinstance(decision, ToolResult):
                content = self._fit(slot, render_result(decision.content))
                self._settle(slot, content, is_error=decision.is_error)
                return None
            else:
                self._settle(slot, self._fit(slot, render_result(decision)), is_error=False)
                return None
        except (Exception, asyncio.CancelledError) as error:
            if self._is_stopped:
                raise
            _logger.debug("on_tool refused %s", slot.call.name, exc_info=error)
            content = f"The call was refused: {describe_exception(error)}"
            self._settle(slot, content, is_error=True)
            return None
        slot.call = attrs.evolve(decision, id=slot.call.id)
        return self._bind(slot)

    def _bind(self, slot: _Slot) -> _BoundCall | None:
        """Find the function of a call and decode its arguments; what is wrong is the result."""
        call, tools = slot.call, self._plan.tools
        tool = tools.get(call.name)
        if tool is None or tool.function is None:
            what = "cannot be called here" if call.name in tools else "does not exist"
            names = ", ".join(name for name, tool in tools.items() if tool is not None)
            content = f"The tool {call.name!r} {what}. The tools are: {names or 'none'}."
            self._settle(slot, content, is_error=True)
            return None
        problem = find_argument_problem(call)
        if problem is None:
            try:
                return _BoundCall(tool, tool.bind(call))
            except Exception as error:  # noqa: BLE001 - types of the caller check the arguments
                problem = str(error)
        self._settle(slot, f"The call did not run: {problem}", is_error=True)
        return None

    async def _execute(self, slot: _Slot, bound: _BoundCall) -> None:
        timeout, call = bound.tool.timeout, slot.call
        trace = self._trace.start_tool(bound.tool, call) if self._trace is not None else None
        if timeout is not None:
            slot.timer = self._clock.call_later(timeout, lambda: self._expire(slot, timeout))
        error: BaseException | None = None
        content: Any = ""
        try:
            with nullcontext() if trace is None else trace.active():
                content = self._fit(slot, render_result(await bound.run()))
        except BaseException as raised:  # noqa: BLE001 - sorted below
            error = raised
        if slot.is_expired:
            error = TimeoutError(_describe_timeout(timeout))
        if trace is not None:
            trace.end(content if error is None else None, error)
        if error is None:
            self._settle(slot, content, is_error=False)
        elif isinstance(error, Exception | asyncio.CancelledError):
            _logger.debug("the tool %s failed", call.name, exc_info=error)
            self._settle(slot, describe_exception(error), is_error=True)
        else:
            self._fail(error)  # KeyboardInterrupt, SystemExit and the like are for the caller

    def _fit(self, slot: _Slot, content: Content) -> Content:
        """Return a result that each model accepts, else raise `ResultError`."""
        return fit_content(self._conversation, self._plan.models, slot.call.id, content)

    def _expire(self, slot: _Slot, timeout: float) -> None:
        slot.is_expired = True
        if slot.task is not None:
            slot.task.cancel()

        def go_on() -> None:
            content = describe_exception(TimeoutError(_describe_timeout(timeout)))
            self._settle(slot, content, is_error=True)

        slot.timer = self._clock.call_later(_CLEANUP_SECONDS, go_on)

    def _leave_behind(self) -> None:
        for task in self._tasks:
            _logger.warning("%s was cancelled and still runs; it is abandoned", task.get_name())
            _left_behind.add(task)
            task.add_done_callback(_left_behind.discard)
        self._tasks.clear()
        self._change.set()


def _describe_timeout(timeout: float | None) -> str:
    return f"the tool did not finish within {timeout:g} s"
