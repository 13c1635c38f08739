"""The stream as its user meets it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Self

from ._protocol.parser import StreamParser
from .completions import AnswerDelta, Completion, ReasoningDelta
from .errors import AIMLChatError, StreamInterruptedError, detach

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from ._client.call import Call, Opened
    from .completions import Delta
    from .errors import Attempt

__all__ = ["DeltaStream"]

_TAIL_SECONDS = 5.0
_BUSY = "another task reads this stream; a stream belongs to one task at a time"


class DeltaStream:
    """A streamed completion: iterate it for its deltas, then read `completion`.

    Made by `ChatSession.stream`, which sends nothing yet. ``async with`` sends the request and
    returns at the head of the answer; a bare ``async for`` does so at its first step. Leaving
    early, by an exception, cancellation, `aclose` or the end of ``async with``, closes the
    connection at once, so that the model stops writing. A bare ``break`` does so as soon as nothing
    holds the stream any more; keep a name for it only inside ``async with``.

    Whatever goes wrong with a stream is an `AIMLChatError` with ``.partial`` set. A stream belongs
    to one task at a time (a second one gets a `RuntimeError`). A task that is cancelled while it
    waits for a delta leaves the stream; deltas that had come are handed out first.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._tail_end: float | None = None
        self._opened: Opened | None = None
        self._parser: StreamParser  # of the answer, once there is one
        self._ready: list[Delta] = []  # the next one last
        self._deltas = 0
        self._first_reasoning: float | None = None
        self._first_answer: float | None = None
        self._reading = False
        self._opening: asyncio.Future[Opened] | None = None
        self._ended = False  # the parser has seen the end, or a fault
        self._over = False  # the connection is given back or closed
        self._left = False  # over before the end, by the caller's own will
        self._failure: AIMLChatError | None = None

    async def __aenter__(self) -> Self:
        if self._over:
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

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:  # noqa: C901 - a chunk pays for each more coroutine
        while not self._ready:
            if self._over:
                self._raise_failure()
                raise StopAsyncIteration
            opened = self._opened
            if opened is None:
                await self._open()
                continue
            if self._reading:
                raise RuntimeError(_BUSY)
            self._reading = True
            try:
                if self._ended:
                    await opened.release()
                    self._over = True
                    continue
                if self._parser.finished_choices < opened.question.choices:
                    self._tail_end = None
                    self._call.watch.reading()
                else:
                    self._watch_tail()
                outer, failure = sys.exception(), None
                try:
                    data = await opened.exchange.read()
                except Exception as error:  # noqa: BLE001 - it is judged there
                    data, failure = opened.exchange.rest(error, outer)
                if (fault := self._take_in(data, failure)) is not None:
                    await self._recover(fault)
            except BaseException as error:
                if not self._has_failed(error):
                    raise
            finally:
                self._reading = False
        return self._ready.pop()

    def answer_text(self, choice: int = 0) -> TextView:
        """Iterate the answer's text only; reasoning, refusals and tool calls are passed over."""
        return TextView(self, AnswerDelta, choice)

    def reasoning_text(self, choice: int = 0) -> TextView:
        """Iterate the reasoning's text only; the answer is passed over, so keep one view."""
        return TextView(self, ReasoningDelta, choice)

    async def collect(self) -> Completion:
        """Read to the end and return the completion. Cancelling leaves the stream."""
        async for _ in self:
            pass
        return self.completion

    async def aclose(self) -> None:
        """Leave the stream: close its connection, or give it back if the answer has ended.

        Safe to repeat, and to call from another task than the one that reads, which then gets a
        `StreamInterruptedError`.
        """
        await self._close("abandoned")

    @property
    def partial(self) -> Completion:
        """All that has come so far; can be read at any time."""
        if self._opened is None:
            return Completion()
        return self._parser.partial_with(**self._opened.facts | {"attempts": self.attempts})

    @property
    def completion(self) -> Completion:
        """The whole completion, after the end of the stream.

        Raises `RuntimeError` before that, and after a failure that failure.
        """
        if not self._left:
            self._raise_failure()
        if not self._ended:
            msg = "the stream has not ended; read on or collect(), or see .partial"
            raise RuntimeError(msg)
        return self.partial

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the answer, whatever the case of a name; empty before its head."""
        return self._opened.exchange.headers if self._opened else {}

    @property
    def inference_id(self) -> str | None:
        """The vendor's name for this answer (``x-inference-id``), None before its head."""
        return self.headers.get("x-inference-id")

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The tries that were made, the last one included."""
        return self._failure.attempts if self._failure is not None else self._call.tried

    async def _close(self, outcome: str) -> None:
        if self._ended and not self._over and self._failure is None and self._opened:
            self._over = True
            await self._opened.release()
        self._leave(outcome)

    async def _open(self) -> None:
        """Send the request and wait for the head of the answer."""
        if self._reading:
            raise RuntimeError(_BUSY)
        self._reading = True
        try:
            await self._start()
        except BaseException as error:
            if not self._has_failed(error):
                raise
        finally:
            self._reading = False
        self._raise_failure()

    async def _start(self, failed: AIMLChatError | None = None) -> None:
        """Open the answer; after a try that failed before its first delta, a new one."""
        # A task of its own, so that `aclose` in another task can end the wait for the head.
        opening = self._opening = asyncio.ensure_future(self._call.open(failed))
        del failed  # whose frames would hold this one
        try:
            opened = await opening
        except asyncio.CancelledError:
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                opening.result().close()  # it came in the very moment
            task = asyncio.current_task()
            if self._left and task is not None and not task.cancelling():
                self._raise_failure()
            raise
        finally:
            self._opening = None
            del opening  # a task keeps its error, whose frames would hold this one
        if self._over:  # left in the very moment
            opened.close()
            self._raise_failure()
        self._opened = opened
        self._parser = StreamParser(opened.question.model)

    def _watch_tail(self) -> None:
        """The answer has finished: wait for usage and ``[DONE]``, but only for a while."""
        watch = self._call.watch
        if self._tail_end is None:
            self._tail_end = watch.elapsed + _TAIL_SECONDS
        watch.reading_tail(self._tail_end)

    def _take_in(self, data: bytes, failure: AIMLChatError | None) -> AIMLChatError | None:
        """Take what was read, ``b""`` for the end; return what is wrong with it."""
        parser = self._parser
        deltas = parser.feed(data) if data else []
        if not data or parser.done:
            deltas += parser.end()
            self._ended = True
        if deltas:
            if not self._deltas:
                self._call.succeeded()
            self._deltas += len(deltas)
            self._call.watch.got_token()
            if self._first_answer is None:  # reasoning comes before it, or is not timed
                self._note_first(deltas)
            deltas.reverse()
            self._ready = deltas  # nothing is read before all of it was handed out
        else:
            self._call.watch.pause()
        if parser.fault is None:
            if self._ended:
                self._finish("complete")
            return None
        # A stream that was cut says why it was cut, where the parser only knows that it was.
        cut = failure is not None and isinstance(parser.fault, StreamInterruptedError)
        return failure if cut else parser.fault

    def _note_first(self, deltas: list[Delta]) -> None:
        for delta in deltas:
            if type(delta) is AnswerDelta and self._first_answer is None:
                self._first_answer = self._call.watch.elapsed
            elif type(delta) is ReasoningDelta and self._first_reasoning is None:
                self._first_reasoning = self._call.watch.elapsed

    async def _recover(self, fault: AIMLChatError) -> None:
        """Try again if no delta has come yet; else the failure is final, behind the deltas."""
        if self._over:  # left meanwhile, by another task
            return
        error = detach(fault)  # the parser keeps the fault, which must not hold any frames
        if self._deltas:
            self._call.explain(error)
            self._fail(error)
            return
        if self._opened is not None:
            self._opened.close()
        self._ended = False
        try:
            await self._start(error)
        finally:
            del error

    def _has_failed(self, error: BaseException) -> bool:
        """See to the end that an error brings; return whether it is kept for whoever reads on."""
        if isinstance(error, AIMLChatError):
            self._fail(error)
            return True
        self._leave("cancelled" if isinstance(error, asyncio.CancelledError) else "abandoned")
        return False

    def _leave(self, outcome: str) -> None:
        if not self._ended and self._failure is None:
            self._left = True
            self._keep(StreamInterruptedError("the stream was left before its end"))
            self._finish(outcome)
        self._over = True
        if self._opening is not None:
            self._opening.cancel()
        if self._opened is not None:
            self._opened.close()

    def _fail(self, error: AIMLChatError) -> None:
        """Keep a failure for whoever reads on, and close the connection."""
        self._keep(error)
        self._finish("error")
        if self._opened is not None:
            self._opened.close()

    def _keep(self, error: AIMLChatError) -> None:
        # A copy: an error that is raised holds its frames, and so this stream.
        failure = detach(error)
        failure.partial = self.partial
        failure.attempts = failure.attempts or self._call.tried
        self._failure = failure
        self._ended = False
        self._over = True

    def _finish(self, outcome: Any) -> None:
        self._call.finish(
            outcome,
            said=lambda: self.partial,
            error=self._failure if outcome == "error" else None,
            first_reasoning=self._first_reasoning,
            first_answer=self._first_answer,
            deltas=self._deltas,
        )

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise detach(self._failure)

    def __del__(self) -> None:
        """Close the connection of a stream that was dropped: aiohttp's loop would keep it open."""
        if not self._over and self._opened is not None:
            self._leave("abandoned")


class TextView:
    """One kind of text of one choice of a stream, as an async iterator of ``str``."""

    def __init__(
        self, stream: DeltaStream, kind: type[AnswerDelta | ReasoningDelta], choice: int
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
