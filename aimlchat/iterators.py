"""The stream as its user meets it."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from typing import TYPE_CHECKING, Any, Self

import attrs

from .completions import AnswerDelta, ReasoningDelta
from .errors import AIMLChatError, StreamInterruptedError
from .stream import StreamParser, with_facts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from .completions import Completion, Delta
    from .errors import Attempt
    from .transport import Exchange

__all__ = ["DeltaStream", "Opened"]

_TAIL_SECONDS = 5.0


@attrs.frozen
class Opened:
    """An answer whose head has come, and what was asked for."""

    exchange: Exchange
    model: str
    choices: int
    client_request_id: str
    attempts: tuple[Attempt, ...]
    redact: Callable[[AIMLChatError], None]  # takes the key out of what the server said

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of a completion that only the HTTP layer knows."""
        headers = self.exchange.headers
        return {
            "inference_id": headers.get("x-inference-id"),
            "client_request_id": headers.get("x-client-request-id") or self.client_request_id,
            "attempts": self.attempts,
            "headers": headers,
        }


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

    def __init__(
        self, open_: Callable[[], Awaitable[Opened]], *, tail: float = _TAIL_SECONDS
    ) -> None:
        self._open = open_
        self._tail = tail
        self._tail_end: float | None = None
        self._opened: Opened | None = None
        self._parser = StreamParser()
        self._ready: deque[Delta] = deque()
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
            await self._step(self._start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:
        while not self._ready:
            if self._over:
                self._raise_failure()
                raise StopAsyncIteration
            await self._step(self._advance)
        return self._ready.popleft()

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
        if self._ended and not self._over and self._failure is None and self._opened:
            self._over = True
            await self._opened.exchange.release()
        self._leave()

    @property
    def partial(self) -> Completion:
        """All that has come so far; can be read at any time."""
        partial = self._parser.partial
        return with_facts(partial, self._opened.facts) if self._opened else partial

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
        if self._failure is not None:
            return self._failure.attempts
        return self._opened.attempts if self._opened else ()

    async def _step(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do one step of the stream's life, and make sure of its end if that fails."""
        if self._reading:
            msg = "another task reads this stream; a stream belongs to one task at a time"
            raise RuntimeError(msg)
        self._reading = True
        try:
            await step()
        except AIMLChatError as error:
            self._fail(error)
        except BaseException:
            self._leave()
            raise
        else:
            return
        finally:
            self._reading = False
        self._raise_failure()

    async def _start(self) -> None:
        # A task of its own, so that `aclose` in another task can end the wait for the head.
        self._opening = asyncio.ensure_future(self._open())
        try:
            opened = await self._opening
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._left and task is not None and not task.cancelling():
                self._raise_failure()
            raise
        finally:
            self._opening = None
        if self._over:  # left in the very moment
            opened.exchange.close()
            self._raise_failure()
        self._opened = opened
        self._parser = StreamParser(opened.model)

    async def _advance(self) -> None:
        """Get hold of more deltas, or of the end."""
        if self._opened is None:
            await self._start()
            return
        if self._ended:
            await self._opened.exchange.release()
            self._over = True
            return
        interruption: StreamInterruptedError | None = None
        try:
            data = await self._read(self._opened)
        except StreamInterruptedError as error:
            # Without its frames, one of which is this: the two would hold each other.
            interruption, data = error.with_traceback(None), b""
        if data:
            self._ready.extend(self._parser.feed(data))
        if not data or self._parser.done:
            self._ready.extend(self._parser.end())
            self._ended = True
        if self._parser.fault is not None:
            is_cut = isinstance(self._parser.fault, StreamInterruptedError)
            self._fail(interruption if interruption and is_cut else self._parser.fault)

    async def _read(self, opened: Opened) -> bytes:
        """Read on; once the answer has finished wait but a while for usage and ``[DONE]``."""
        if self._parser.finished_choices < opened.choices:
            return await opened.exchange.read()
        if self._tail_end is None:
            self._tail_end = asyncio.get_running_loop().time() + self._tail
        try:
            async with asyncio.timeout_at(self._tail_end):
                return await opened.exchange.read()
        except TimeoutError:
            return b""

    def _leave(self) -> None:
        if not self._ended and self._failure is None:
            self._left = True
            self._fail(StreamInterruptedError("the stream was left before its end"))
        self._over = True
        if self._opening is not None:
            self._opening.cancel()
        if self._opened is not None:
            self._opened.exchange.close()

    def _fail(self, error: AIMLChatError) -> None:
        """Keep a failure for whoever reads on, and close the connection.

        What is kept is a copy: an error that is raised holds its frames, and so this stream.
        """
        failure = copy.copy(error)
        failure.__cause__ = error.__cause__
        failure.partial = self.partial
        if self._opened is not None:
            self._opened.redact(failure)
            *before, last = self._opened.attempts
            failure.attempts = (*before, attrs.evolve(last, cause=str(failure)))
        self._failure = failure
        self._ended = False
        self._over = True
        if self._opened is not None:
            self._opened.exchange.close()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise copy.copy(self._failure) from self._failure.__cause__

    def __del__(self) -> None:
        """Close the connection of a stream that was dropped: aiohttp's loop would keep it open."""
        if not self._over and self._opened is not None:
            self._opened.exchange.close()


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
