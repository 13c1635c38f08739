"""`Emulator`, the public interface, and how to run one in a background thread."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from .chaos import Chaos
from .faults import ErrorStatus
from .http import Listener
from .script import Reply
from .service import Service

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from .faults import Fault
    from .generation import ReasoningAs
    from .playback import Playback
    from .records import RequestRecord
    from .script import ToolCallLike
    from .stream_formats import StreamFormat

__all__ = ["Emulator", "run_in_thread"]


class Emulator:
    """The AI/ML API on loopback: no key, no network, no bill.

    It validates requests as the API does, responds whole or as a stream in the API's own formats,
    and records every request. `reply` and `fail` script the responses, and `fault` scripts what
    goes wrong on the way. Without a script the emulator builds reasoning and an answer from the
    prompt, always the same ones for the same request.

        async with Emulator() as emulator:
            emulator.reply("Hello", reasoning="They greet me.")
            session = ChatSession("any key", base_url=emulator.base_url)

    The model `no-such-model` gets a 404; every other name is served. Scripting and reading the
    records are safe from any thread.

    Args:
        host: the address to listen on.
        port: the port; 0 picks a free one.
        api_key: the only key that is accepted; None accepts every key that is not blank.
        pace: the seconds between two events of a stream.
        form: the format of Claude's streams: "flat", the current one, or "enveloped", the one until
            February 2026.
        seed: another seed gives other ids, other wordings and other random faults.
        chaos: the share of chat requests, from 0 to 1, that get a random fault. Scripted replies
            are exempt. The n-th request gets the same fault in every run with the same seed.
        faults: the classes that `chaos` draws from, such as `[Cut, Stall]`; None for all.
        capacity: how many chat requests are processed at the same time. Any further one gets a 429,
            and no response header announces the limit. None for no limit.
        requests_per_second: how many chat requests are accepted in any second. Any further one gets
            a 429 with `Retry-After`, in whole seconds. None for no limit.
        latency: the seconds before the headers of each response to a chat request.
        balance_usd: what is on the account, in US dollars; `GET /v2/billing` says what is left.
            Once that is nothing, each chat request gets a 403. None never ends.
        cassette: a file of recorded exchanges, one JSON object a line, to respond from: to any
            endpoint, with the recorded pieces and pauses. A request that is not recorded gets a 400
            that names the nearest one. Scripts still come first.
        record_from: the base URL of a real server, such as `https://api.aimlapi.com/v1`. Requests
            that the cassette lacks are passed on to it, with the client's key, and the exchanges
            are appended to the cassette: without request headers and keys.
        replay_speed: how much faster than recorded the responses are sent; `math.inf` leaves out
            all pauses.

    Raises:
        OSError: the cassette cannot be read.
        ValueError: an argument has a value other than those above, or the cassette is damaged.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        pace: float = 0.0,
        form: Literal["flat", "enveloped"] = "flat",
        seed: int = 0,
        chaos: float = 0.0,
        faults: Sequence[type[Fault]] | None = None,
        capacity: int | None = None,
        requests_per_second: int | None = None,
        latency: float = 0.0,
        balance_usd: float | None = None,
        cassette: str | os.PathLike[str] | None = None,
        record_from: str | None = None,
        replay_speed: float = 1.0,
    ) -> None:
        if form not in ("flat", "enveloped"):
            msg = f'form is {form!r}; it takes "flat" or "enveloped"'
            raise ValueError(msg)
        self._playback = _open_cassette(cassette, record_from, replay_speed)
        self._host = host
        self._port = port
        self._service = Service(
            api_key=api_key,
            pace=pace,
            form=form,
            seed=seed,
            chaos=Chaos(chaos, seed, faults),
            capacity=capacity,
            requests_per_second=requests_per_second,
            latency=latency,
            balance_usd=balance_usd,
            playback=self._playback,
        )
        self._listener: Listener | None = None

    async def start(self) -> None:
        """Start listening.

        Raises:
            OSError: the address cannot be bound.
            RuntimeError: the emulator is already running.
        """
        if self._listener is not None:
            msg = "the emulator is already running: close it before you start it again"
            raise RuntimeError(msg)
        self._listener = await Listener.open(self._service.handle, self._host, self._port)

    async def close(self) -> None:
        """Stop at once and abort the responses in progress; a second call has no effect."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()
        if self._playback is not None:
            await self._playback.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def base_url(self) -> str:
        """The base URL for a client; it ends in `/v1`.

        Raises:
            RuntimeError: the emulator is not running.
        """
        if self._listener is None:
            msg = "the emulator is not running: use `async with Emulator()`, or `await start()`"
            raise RuntimeError(msg)
        host, port = self._listener.address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"

    @property
    def requests(self) -> list[RequestRecord]:
        """The records of all requests, rejected ones included, oldest first; may be cleared."""
        return self._service.requests

    @property
    def billed(self) -> int:
        """How many calls would have cost money, because a model worked on them.

        A response counts even if it never arrived, as with `NoAnswer` or `Stall`. Errors are free,
        whether they come by status, as HTML, or as an `ErrorEvent` before the first delta.
        """
        return self._service.billed

    @property
    def open_connections(self) -> int:
        """How many sockets are open now, idle ones included."""
        return self._listener.connection_count if self._listener is not None else 0

    async def no_connections(self) -> None:
        """Wait until no socket is open.

        Can be awaited from any event loop; cancelling is safe.
        """
        if self._listener is not None:
            await self._listener.wait_for_no_connections()

    def reply(
        self,
        text: str = "",
        *,
        reasoning: str = "",
        reasoning_as: ReasoningAs | None = None,
        tool_calls: Iterable[ToolCallLike] = (),
        refusal: str | None = None,
        finish_reason: str | None = None,
        form: StreamFormat | None = None,
        chunks: Iterable[str] | None = None,
        usage: Mapping[str, Any] | None = None,
        cost: float | Mapping[str, Any] | None = None,
        model: str | None = None,
        headers: Mapping[str, str] | None = None,
        done: bool | None = None,
        pace: float | None = None,
        events: Iterable[Any] | None = None,
        body: Any = None,
        status: int = 200,
        content_type: str | None = None,
        fault: Fault | None = None,
    ) -> None:
        """Script the response to the next valid chat request; replies wait in a queue.

        The same reply serves requests for a stream and for a whole completion.

        Args:
            text: the answer.
            reasoning: the reasoning before the answer.
            reasoning_as: the field that carries the reasoning: "reasoning_content"; "reasoning",
                which `reasoning_details` repeats; "reasoning_details" alone; "thinking", a part of
                the content; or "inline", between `<think>` tags. The default is the model's own.
            tool_calls: pairs of a name and arguments, or mappings with `name`, `arguments` and
                optionally `id`. Arguments are an object, or a string that is sent unchanged.
            refusal: the field `refusal`.
            finish_reason: "stop", "length", "tool_calls" or "content_filter", which are translated
                to the model's own words; any other word is sent unchanged.
            form: the format of the stream; the default is the model's own.
            chunks: the exact pieces of the answer, instead of `text`.
            usage: the exact `usage`; an empty mapping sends none.
            cost: US dollars, or the exact `meta.usage`; an empty mapping sends none.
            model: the model's name in the response.
            headers: additional response headers.
            done: whether a stream ends with `[DONE]`; by default only OpenAI's format does.
            pace: the seconds between two events, instead of the emulator's own.
            events: the exact events of the stream: bytes are sent unchanged, a string or any JSON
                value as a `data:` line. A request for a whole completion gets `text`.
            body: the exact body for either kind of request: bytes, a string, or any JSON value.
            status: the HTTP status.
            content_type: the `Content-Type`; the default is `text/event-stream` for a stream, and
                `application/json` for anything else, including a scripted `body`.
            fault: the fault to inject into the response.

        Raises:
            TypeError: `fault` is not a `Fault`.
            ValueError: `reasoning_as` or `form` has a value other than those above.
        """
        self._service.script.add(
            Reply(
                text=text,
                reasoning=reasoning,
                reasoning_as=reasoning_as,
                tool_calls=tool_calls,
                refusal=refusal,
                finish_reason=finish_reason,
                form=form,
                chunks=chunks,
                usage=usage,
                cost=cost,
                model=model,
                headers=headers,
                done=done,
                pace=pace,
                events=events,
                body=body,
                status=status,
                content_type=content_type,
                fault=fault,
            )
        )

    def fault(self, fault: Fault) -> None:
        """Inject a fault into the next response, which keeps its unscripted content.

        The fault waits in the same queue as the replies, for the next valid chat request, or for
        the next valid request about a batch: that is carried out, and only its response suffers.

        Raises:
            TypeError: `fault` is not a `Fault`.
        """
        self._service.script.add(Reply(is_default=True, fault=fault))

    def fail(
        self,
        *,
        status: int = 500,
        message: str | None = None,
        retry_after: float | str | None = None,
        retry_after_ms: float | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> None:
        """Script an error for the next request to any endpoint, valid or not.

        The error waits in the same queue as the replies.

        Args:
            status: the HTTP status.
            message: the message; the default is the API's own for this status.
            retry_after: the header `Retry-After`: seconds, or a date as a string.
            retry_after_ms: the header `retry-after-ms`: milliseconds.
            headers: additional response headers.
            body: the exact body instead of the API's own: bytes, a string, or any JSON value.
        """
        self._service.script.add(
            ErrorStatus(
                status,
                message,
                retry_after,
                headers=headers,
                body=body,
                retry_after_ms=retry_after_ms,
            )
        )


def _open_cassette(
    cassette: str | os.PathLike[str] | None, record_from: str | None, replay_speed: float
) -> Playback | None:
    if cassette is not None:
        # Loaded on use: most emulators have no cassette.
        from .playback import Playback  # noqa: PLC0415

        return Playback(cassette, record_from, replay_speed)
    if record_from is not None:
        msg = "record_from needs a file to record to; add cassette="
        raise ValueError(msg)
    return None


@contextmanager
def run_in_thread() -> Iterator[Emulator]:
    """Run an emulator on its own event loop, in a background thread, until the block ends.

    Raises:
        OSError: no socket could be opened.
    """
    emulator = Emulator()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(emulator, started)),
        name="aimlchat-emulator",
        daemon=True,
    )
    thread.start()
    loop, stop = started.result()
    try:
        yield emulator
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _serve(
    emulator: Emulator, started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]
) -> None:
    stop = asyncio.Event()
    try:
        await emulator.start()
    except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for the start
        started.set_exception(error)
        return
    started.set_result((asyncio.get_running_loop(), stop))
    try:
        await stop.wait()
    finally:
        await emulator.close()
