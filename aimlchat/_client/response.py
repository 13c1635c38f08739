"""The life of a response: headers arrive, the body is read, the connection is released."""

from __future__ import annotations

import asyncio
import functools
import sys
from typing import TYPE_CHECKING, Any

import msgspec
from multidict import CIMultiDict

from aimlchat._protocol.api_errors import error_from_response
from aimlchat._protocol.kept_size import body_too_large
from aimlchat._protocol.parser import StreamParser
from aimlchat.errors import AIMLChatError, ProtocolError, StreamInterruptedError, detach

from . import aiohttp_hooks, body_hooks
from .content_coding import find_decoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.errors import APIError, Attempt

    from .content_coding import BodyDecoder
    from .prepare import PreparedRequest
    from .rate_limit import Slot
    from .timers import CallTimers
    from .typed_answers import TypedAnswer
    from .typed_parser import TypedParser

__all__ = ["OpenResponse", "Response", "read_api_error"]

_MAX_ERROR_BODY_BYTES = 1024 * 1024
_DRAIN_SECONDS = 0.05
# How many pieces of a compressed body are still decoded once a timeout has ended it.
_LAST_PIECES = 8


class Response:
    """A response whose headers have arrived.

    ``response`` is an ``aiohttp.ClientResponse``. ``interruption`` turns the error that its body
    raises when the connection breaks into a `StreamInterruptedError`; it returns None for any other
    error. Its second argument is the exception that the caller was handling before the read.
    ``max_answer_bytes`` is the limit of the same name.
    """

    __slots__ = (
        "_closed",
        "_decoder",
        "_failure",
        "_interruption",
        "_last_pieces",
        "_response",
        "error_body_fault",
        "headers",
        "max_answer_bytes",
        "read",
        "status",
    )

    def __init__(
        self,
        response: Any,
        interruption: Callable[[Exception, BaseException | None], StreamInterruptedError | None],
        max_answer_bytes: int = sys.maxsize,
    ) -> None:
        self._response = response
        self.max_answer_bytes = max_answer_bytes
        self._interruption = interruption
        self._failure: AIMLChatError | None = None
        # Not a method of this class: a coroutine around it would cost time for each chunk.
        self.read = response.content.readany
        """Return the bytes that have arrived, after waiting for some; ``b""`` at the end.

        Pass an exception that it raises to `recover`. Cancelling loses nothing.
        """
        self.status: int = response.status
        self.error_body_fault: str
        """Why `read_error_body` did not return the whole body; ``""`` if it did."""
        self.headers = CIMultiDict(response.headers)
        self._decoder: BodyDecoder | None = None
        if "Content-Encoding" in self.headers and (decoder := find_decoder(self.headers)):
            self._decoder, self._last_pieces = decoder, _LAST_PIECES
            # Not a method of this object, which would be a reference cycle.
            self.read = functools.partial(_read_decoded, response.content, decoder)
        self._closed = body_hooks.closed_future(response)
        if self._closed is not None:
            # Stays on each connection, once: a connection may also be lost while it is idle.
            self._closed.remove_done_callback(_retrieve_exception)
            self._closed.add_done_callback(_retrieve_exception)
            self._closed.add_done_callback(self._connection_lost)

    def begin_stream(self) -> None:
        """Make `read` cheaper, for a body that is read chunk by chunk."""
        if self._decoder is None:
            self.read = body_hooks.stream_reader(self._response.content)

    def recover(
        self, error: Exception, outer: BaseException | None
    ) -> tuple[bytes, AIMLChatError | None]:
        """Return what is left once `read` has raised: bytes that had arrived, or the failure.

        A lost connection is a `StreamInterruptedError`. ``outer`` is the exception that the caller
        was handling before the read. An error that does not concern the connection is re-raised.
        """
        failure = self._failure_of(error, outer)
        if failure is None:
            raise error
        # The body keeps the error, whose frames refer to the reader.
        error.with_traceback(None)
        # aiohttp raises before it returns what it has buffered, which may be the end of the stream.
        buffered = body_hooks.take_buffered(self._response.content)
        if self._decoder is not None:
            self._decoder.feed(buffered)
            buffered = self._decoder.take() if self._last_pieces else b""
            if self._failure is not None and buffered:
                self._last_pieces -= 1  # what is left may be gigabytes
        return (buffered, None) if buffered else (b"", failure)

    def _failure_of(self, error: Exception, outer: BaseException | None) -> AIMLChatError | None:
        if isinstance(error, AIMLChatError):  # from `fail`
            return error
        return self._failure or self._interruption(error, outer)

    async def _read_or_recover(self) -> tuple[bytes, AIMLChatError | None]:
        outer = sys.exception()
        try:
            return await self.read(), None
        except Exception as error:  # noqa: BLE001 - `recover` re-raises what it does not handle
            return self.recover(error, outer)

    async def read_whole(self, before_each_read: Callable[[], None]) -> bytes:
        """Return the rest of the body; at its end the connection goes back to the pool.

        Raises `ProtocolError` if the body was cut, or exceeds the limit. Cancelling loses what was
        read.
        """
        content, limit = self._response.content, self.max_answer_bytes
        if content.is_eof() and content.exception() is None and self._decoder is None:
            whole: bytes = content.read_nowait()  # the usual case: it came with the headers
            if len(whole) > limit:
                raise body_too_large(limit)
            return whole
        body = bytearray()  # not a list of pieces, which may be tiny
        while True:
            before_each_read()
            data, failure = await self._read_or_recover()
            if isinstance(failure, StreamInterruptedError):
                raise ProtocolError(str(failure)) from failure.__cause__
            if failure is not None:
                raise failure
            if not data:
                return bytes(body)
            body += data
            if len(body) > limit:
                raise body_too_large(limit)

    async def read_error_body(self, before_each_read: Callable[[], None]) -> bytes:
        """Return the body of an error response, as far as it arrives, and close the connection.

        Reading stops at 1 MiB. A body that breaks off, takes too long or cannot be decoded is no
        failure: the status matters more. `error_body_fault` is then the reason.
        """
        self.error_body_fault = ""
        body = bytearray()
        try:
            while len(body) < _MAX_ERROR_BODY_BYTES:
                before_each_read()
                data, failure = await self._read_or_recover()
                body += data
                if failure is not None:
                    self.error_body_fault = str(failure)
                if not data:
                    return bytes(body)
            self.error_body_fault = "the response body is longer than 1 MiB"
        finally:
            self.close()
        return bytes(body)

    def fail(self, error: AIMLChatError) -> None:
        """Close the connection; the reader gets this error after all data that has arrived."""
        self._failure = error
        body_hooks.set_body_error(self._response.content, error)
        self.close()

    async def release(self) -> None:
        """Give the connection back to the pool if the body ends within 50 ms, else close it.

        A connection whose body was not read to its end cannot be used again.
        """
        content, outer = self._response.content, sys.exception()
        read = self.read if self._decoder is None else content.readany
        try:
            if not content.is_eof():
                async with asyncio.timeout(_DRAIN_SECONDS):
                    while await read():
                        pass
        except Exception as error:
            # The completion is whole by now: a timeout or a broken connection is no failure.
            if self._failure_of(error, outer) is None:
                raise
            error.with_traceback(None)  # the body keeps it
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection, unless the body was read to its end; safe to repeat."""
        if self._closed is not None:
            self._closed.remove_done_callback(self._connection_lost)
            self._closed = None
        self._response.close()
        if self._response.connection is not None:  # its loop is closed
            aiohttp_hooks.abandon_connection(self._response)

    def _connection_lost(self, _: asyncio.Future[None]) -> None:
        """Make sure that the body's reader notices a lost connection.

        When a chunk size is malformed, aiohttp closes the connection and does not tell the reader,
        which would wait forever.
        """
        content = self._response.content
        if not content.is_eof() and content.exception() is None:
            body_hooks.set_body_error(content, body_hooks.malformed_body_error())


class OpenResponse(msgspec.Struct, eq=False):
    """A response whose headers have arrived; it occupies a slot until it is closed."""

    response: Response
    request: PreparedRequest
    attempts: tuple[Attempt, ...]
    _slot: Slot | None

    def begin_parser(
        self, timers: CallTimers
    ) -> tuple[StreamParser | TypedParser, TypedAnswer | None]:
        """Return the parser of a stream, and its answer if that has a type."""
        self.response.begin_stream()
        request, limit = self.request, self.response.max_answer_bytes
        parser = StreamParser(model=request.model, n=request.n, max_answer_bytes=limit)
        if request.output is None:
            return parser, None
        from .typed_answers import TypedAnswer  # noqa: PLC0415 - few calls have one
        from .typed_parser import TypedParser  # noqa: PLC0415

        answer = TypedAnswer(request.output)
        return TypedParser(parser, answer, timers.note_hidden_token), answer

    @property
    def metadata(self) -> dict[str, Any]:
        """The fields of a `Completion` that only the HTTP layer knows."""
        headers = self.response.headers
        return {
            "inference_id": headers.get("x-inference-id"),
            "client_request_id": (
                headers.get("x-client-request-id") or self.request.client_request_id
            ),
            "attempts": self.attempts,
            "headers": headers,
        }

    def add_headers_to(self, error: APIError, now: float) -> None:
        """Add what the headers say to an error that was in the body; ``now`` is the wall time."""
        from aimlchat._protocol.retry_after import find_retry_after  # noqa: PLC0415 - few need it

        headers, in_body = self.response.headers, {"retry_after": error.retry_after}
        error.inference_id = headers.get("x-inference-id")
        error.retry_after = find_retry_after(error.status, in_body, "", headers, now)

    def close(self) -> None:
        """Close the connection, or give it back if the body was read; safe to repeat."""
        self.response.close()
        if self._slot is not None:
            self._slot.release()

    async def release(self) -> None:
        """Close it, after reading a body that is about to end, so that its connection is reused."""
        try:
            await self.response.release()
        finally:
            self.close()


async def read_api_error(
    response: Response, start_read: Callable[[], None], now: float
) -> APIError:
    """Read the body of a response with an error status, and return its error.

    The error is returned and not raised here: its frames would show the body, which may quote the
    key. ``now`` is the time in seconds since the epoch. Cancelling is safe.
    """
    body = await response.read_error_body(start_read)
    return error_from_response(
        response.status, body, response.headers, now, unreadable=response.error_body_fault
    )


async def _read_decoded(content: Any, decoder: BodyDecoder) -> bytes:
    """Do what `Response.read` does for a body that has a content coding."""
    while True:
        if decoder.fault is not None:
            raise detach(decoder.fault)
        if decoder.has_more:
            await asyncio.sleep(0)  # the bytes of one read may become many pieces
            if (error := content.exception()) is not None:
                raise error
        else:
            data = await content.readany()
            if not data:
                return b""
            decoder.feed(data)
        if piece := decoder.take():
            return piece


def _retrieve_exception(future: asyncio.Future[None]) -> None:
    """Retrieve how a connection was lost; otherwise asyncio logs an unretrieved exception."""
    if not future.cancelled():
        future.exception()
