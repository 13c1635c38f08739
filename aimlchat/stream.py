"""`DeltaStream`, an async iterator over the deltas of a streamed completion."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, Self, cast

from ._client.content_coding import MAX_READ_BYTES
from ._client.stream_states import NEXT_STATES, OVER, State
from ._client.stream_times import StreamTail, StreamTimes
from .completions import AnswerDelta, Completion, ReasoningDelta, T_co
from .errors import AIMLChatError, StreamInterruptedError, detach
from .text_view import TextView

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from ._client.call import Call
    from ._client.response import OpenResponse
    from ._client.typed_answers import TypedAnswer
    from ._client.typed_parser import TypedParser
    from ._output.draft_view import DraftView
    from ._protocol.parser import StreamParser
    from .completions import Delta
    from .errors import Attempt
    from .records import CallOutcome

__all__ = ["DeltaStream"]

_BUSY = "another task is reading this stream; a stream belongs to one task at a time"
_OPEN, _ENDED = State.OPEN, State.ENDED


class DeltaStream(Generic[T_co]):
    """A streamed completion: iterate over its deltas, then read `completion`.

    Created by `ChatSession.stream`, which sends nothing. ``async with`` sends the request and
    returns once the response headers have arrived; a bare ``async for`` does so at its first step.
    Leaving early, by an exception, cancellation, `aclose` or the end of ``async with``, closes the
    connection at once, so that the model stops generating. A bare ``break`` does so as soon as
    nothing refers to the stream any more, so keep a reference to it only inside ``async with``.

    A failure is raised as an `AIMLChatError` with ``.partial`` set, after all deltas that had
    arrived. A stream belongs to one task at a time (a second one gets a `RuntimeError`). A task
    that is cancelled while it waits for a delta leaves the stream.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._state = State.OPENING
        self._is_busy = False  # whether a task is opening or reading it
        self._opening: asyncio.Future[OpenResponse] | None = None
        self._opened: OpenResponse | None = None  # the last response, also after it is over
        self._parser: StreamParser | TypedParser  # the parser of that response
        self._ready: list[Delta] = []  # in reverse: the next one is the last
        self._failure: AIMLChatError | None = None  # what the next read raises
        self._tail = StreamTail()
        self._deltas = 0
        self._first_reasoning: float | None = None
        self._first_answer: float | None = None
        self._typed: TypedAnswer | None = None  # that of the last response, in a typed call

    async def __aenter__(self) -> Self:
        if self._state in OVER:
            self._raise_failure()
        elif self._opened is None:
            await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        cancelled = isinstance(error, asyncio.CancelledError)
        await self._close("cancelled" if cancelled else "abandoned")

    def __reduce__(self) -> NoReturn:
        msg = "a stream is a connection and cannot be copied or pickled; collect() its completion"
        raise TypeError(msg)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:
        while not self._ready:
            if self._state is not _OPEN:
                await self._advance()
                continue
            if self._is_busy:
                raise RuntimeError(_BUSY)
            self._is_busy = True
            opened: Any = self._opened  # set while the stream is open; not checked for each chunk
            try:
                if self._parser.finished_choices < opened.request.n:
                    self._tail.until = None
                    self._call.timers.start_read()
                else:
                    self._tail.start_read(self._call.timers, self._deltas)
                outer, failure = sys.exception(), None
                try:
                    data = await opened.response.read()
                except Exception as error:  # noqa: BLE001 - `recover` re-raises what it does not handle
                    data, failure = opened.response.recover(error, outer)
                if (fault := self._feed(data, failure)) is not None:
                    data = failure = None  # they may quote the key, and a traceback shows locals
                    await self._retry_or_fail(fault, opened)
                elif not self._ready and len(data) >= MAX_READ_BYTES:
                    await self._call.timers.let_others_run(self._tail.until)
            except BaseException as error:
                if not self._end_with(error):
                    raise
            finally:
                self._is_busy = False
        return self._ready.pop()

    def answer_text(self, choice: int = 0) -> TextView:
        """Return an async iterator over the answer of a choice; all other deltas are skipped.

        Args:
            choice: the index of the choice, 0 unless ``n`` is above 1.
        """
        return TextView(self, AnswerDelta, choice)

    def reasoning_text(self, choice: int = 0) -> TextView:
        """Return an async iterator over the reasoning of a choice; all other deltas are skipped.

        That includes the answer, so use one view at a time. Takes ``choice`` as `answer_text` does.
        """
        return TextView(self, ReasoningDelta, choice)

    def drafts(self) -> DraftView:
        """Return an async iterator over the growing value of a JSON answer; reasoning is skipped.

        It yields plain dicts, lists and scalars, never validated, each at most once, the last one
        whole. A later draft extends an earlier one: strings grow, keys and items are added, and
        anything else is shown once it is whole. A draft never changes after it was yielded; it
        shares its finished parts with others, so do not change it either. Beyond 16,384 characters
        not every delta makes one, so that the time stays linear. Use one view at a time.
        """
        from ._output.draft_view import DraftView  # noqa: PLC0415 - loaded on use

        return DraftView(self, lambda: self._typed.schema if self._typed is not None else None)

    async def collect(self) -> Completion[T_co]:
        """Read to the end and return the completion.

        Cancelling leaves the stream; see `partial`.

        Raises:
            AIMLChatError: the stream failed, or its answer is not of ``output_type``.
        """
        try:
            async for _ in self:
                pass
        finally:
            _ = None  # a delta may quote the key, and an error's frames would show it
        if self._typed is not None:
            self._typed.check()
        return self.completion

    async def aclose(self) -> None:
        """Leave the stream: close its connection, or give it back if the completion is whole.

        Safe to repeat, to cancel, and to call from another task than the one that reads, which then
        gets a `StreamInterruptedError`.
        """
        await self._close("abandoned")

    @property
    def partial(self) -> Completion[T_co]:
        """What has been received so far; can be read at any time."""
        if self._opened is None:
            return Completion()
        fields = self._opened.metadata | {"attempts": self.attempts}
        return cast("Completion[T_co]", self._parser.partial_with(**fields))

    @property
    def output(self) -> T_co:
        """The answer as a value of ``output_type``, after the end; None if the call has no type.

        It is None as well if the model called tools instead, as in `Completion.tool_calls`.

        Raises:
            OutputError: the answer is not such a value; iterating and `completion` do not raise.
            AIMLChatError, RuntimeError: as `completion`.
        """
        if self._typed is not None:
            self._typed.check()
        return self.completion.output

    @property
    def completion(self) -> Completion[T_co]:
        """The whole completion, available after the end of the stream.

        It can be read whatever the answer is; what is not of ``output_type`` is no ``output``.

        Raises:
            AIMLChatError: the failure of a failed stream.
            RuntimeError: the stream has not ended, or it was left.
        """
        if self._state is State.FAILED:
            self._raise_failure()
        if self._state not in (_ENDED, State.CLOSED):
            is_left = self._state is State.LEFT
            what = "was closed before its end;" if is_left else "has not ended; collect() it, or"
            msg = f"the stream {what} see .partial"
            raise RuntimeError(msg)
        return self.partial

    @property
    def headers(self) -> Mapping[str, str]:
        """The response headers, with case-insensitive names; empty before they have arrived."""
        return self._opened.response.headers if self._opened else {}

    @property
    def inference_id(self) -> str | None:
        """The vendor's id of this response (``x-inference-id``); None before it has arrived."""
        return self.headers.get("x-inference-id")

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts that were made, the current one included."""
        return self._failure.attempts if self._failure is not None else self._call.attempts

    # --- opening ------------------------------------------------------------------------------

    async def _advance(self) -> None:
        """Take the next step in a state other than OPEN: open, release, raise or stop."""
        if self._state in OVER:
            self._raise_failure()
            raise StopAsyncIteration
        if self._opened is None:
            await self._open()
            return
        if self._is_busy:  # another task is opening the next attempt
            raise RuntimeError(_BUSY)
        await self._release()

    async def _open(self) -> None:
        """Send the request and wait for the response headers."""
        if self._is_busy:
            raise RuntimeError(_BUSY)
        self._is_busy = True
        try:
            await self._start()
        except BaseException as error:
            if not self._end_with(error):
                raise
        finally:
            self._is_busy = False
        self._raise_failure()

    async def _start(self, failure: AIMLChatError | None = None) -> None:
        """Open a response; ``failure`` is what ended the previous attempt."""
        # In a task of its own, so that `aclose` in another task can end the wait for the headers.
        opening = self._opening = asyncio.ensure_future(self._call.open(failure))
        del failure  # its frames would refer to this one
        try:
            opened = await opening
        except asyncio.CancelledError:
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                opening.result().close()  # the headers arrived at the same moment
            task = asyncio.current_task()
            if self._state is State.LEFT and task is not None and not task.cancelling():
                self._raise_failure()
            raise
        finally:
            self._opening = None
            del opening  # a task keeps its error, whose frames would refer to this one
        if not self._enter(_OPEN):  # left at the same moment
            opened.close()
            self._raise_failure()
        self._opened = opened
        self._parser, self._typed = opened.begin_parser(self._call.timers)

    # --- reading ------------------------------------------------------------------------------

    def _feed(self, data: bytes, failure: AIMLChatError | None) -> AIMLChatError | None:
        """Parse what was read, ``b""`` for the end; return the fault if there is one."""
        parser = self._parser
        deltas = parser.feed(data) if data else []
        if not data or parser.done:
            deltas += parser.end(cut=isinstance(failure, StreamInterruptedError))
            if parser.fault is None:
                self._enter(_ENDED)
        if deltas:
            if not self._deltas:
                self._call.attempt_succeeded()
            self._deltas += len(deltas)
            self._call.timers.note_token()
            if self._first_answer is None:  # reasoning that comes later is not timed
                self._note_first(deltas)
            deltas.reverse()
            self._ready = deltas  # nothing more is read before all of these are taken
        else:
            self._call.timers.pause()
        if parser.fault is None:
            if self._state is _ENDED:
                error = None
                if self._typed is not None:
                    error = self._typed.end(self.partial, self._call.fail_attempt)
                self._finish("complete" if error is None else "error", error)
            return None
        # The parser knows only that the stream was cut; the response knows why.
        cut = failure is not None and isinstance(parser.fault, StreamInterruptedError)
        return failure if cut else parser.fault

    def _note_first(self, deltas: list[Delta]) -> None:
        for delta in deltas:
            if type(delta) is AnswerDelta and self._first_answer is None:
                self._first_answer = self._call.timers.elapsed
            elif type(delta) is ReasoningDelta and self._first_reasoning is None:
                self._first_reasoning = self._call.timers.elapsed

    async def _retry_or_fail(self, fault: AIMLChatError, opened: OpenResponse) -> None:
        """Make another attempt if no delta has arrived yet; else fail the stream."""
        if self._state in OVER:  # left meanwhile, by another task
            return
        self._call.redact(fault)
        error = detach(fault)  # the parser keeps the fault
        self._call.read_headers(error, opened)
        if self._deltas:
            self._call.fail_attempt(error)
            self._fail(error)
            return
        opened.close()
        self._enter(State.OPENING)
        try:
            await self._start(error)
        finally:
            del error

    # --- the end ------------------------------------------------------------------------------

    async def _close(self, outcome: Literal["cancelled", "abandoned"]) -> None:
        await self._release()
        self._leave(outcome)

    async def _release(self) -> None:
        """Give the connection back if the completion is whole."""
        if self._enter(State.CLOSED) and self._opened is not None:
            await self._opened.release()

    def _enter(self, state: State) -> bool:
        """Change the state; return False if that is not allowed, as when another task has left."""
        if state not in NEXT_STATES[self._state]:
            return False
        self._state = state
        return True

    def _end_with(self, error: BaseException) -> bool:
        """End the stream because of an error; return whether the next read raises it."""
        if isinstance(error, AIMLChatError):
            self._fail(error)
            return True
        self._leave("cancelled" if isinstance(error, asyncio.CancelledError) else "abandoned")
        return False

    def _leave(self, outcome: Literal["cancelled", "abandoned"]) -> None:
        """Close the connection, whatever the state."""
        if not self._enter(State.CLOSED) and self._enter(State.LEFT):
            self._keep_failure(StreamInterruptedError("the stream was closed before its end"))
            self._finish(outcome)
        if self._opening is not None:
            self._opening.cancel()
        if self._opened is not None:
            self._opened.close()

    def _fail(self, error: AIMLChatError) -> None:
        """Keep a failure for the next read, and close the connection."""
        if not self._enter(State.FAILED):  # left meanwhile, by another task
            return
        self._keep_failure(error)
        self._finish("error", self._failure)
        if self._opened is not None:
            self._opened.close()

    def _keep_failure(self, error: AIMLChatError) -> None:
        failure = detach(error)
        failure.partial = self.partial
        failure.attempts = failure.attempts or self._call.attempts
        self._call.redact(failure)
        self._failure = failure

    def _finish(self, outcome: CallOutcome, error: AIMLChatError | None = None) -> None:
        times = StreamTimes(self._deltas, self._first_reasoning, self._first_answer)
        self._call.finish(outcome, completion=lambda: self.partial, error=error, times=times)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise detach(self._failure)

    def __del__(self) -> None:
        """Close the connection of a dropped stream, which the event loop would keep open."""
        if self._state not in OVER and self._opened is not None:
            self._leave("abandoned")
