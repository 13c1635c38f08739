"""`Emulator`, the public interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from .cassette_option import open_cassette
from .catalog import Catalog
from .chaos import Chaos
from .faults import ErrorStatus
from .http import Listener
from .script import DefaultReply, Reply, Step, check_function
from .scripted_output import NO_OUTPUT
from .service import Service

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from .faults import Fault
    from .generation import ReasoningAs
    from .records import RequestRecord
    from .script import ToolCallLike
    from .scripted_output import Broken
    from .stream_formats import StreamFormat

    Rule = Callable[[RequestRecord], object]
    Computed = str | Reply | ErrorStatus
    ReplyFunction = Callable[[RequestRecord], Computed | Awaitable[Computed]]

__all__ = ["Emulator"]


class Emulator:
    """The AI/ML API on loopback: no key, no network, no bill.

    It validates requests as the API does, responds whole or as a stream in the API's own formats,
    and records every request. `reply` and `fail` script the responses, and `fault` scripts what
    goes wrong on the way. Without a script the emulator builds an answer from the prompt, always
    the same one for the same request, and reasoning if the request asks for it or the model always
    reasons.

        async with Emulator() as emulator:
            emulator.reply("Hello", reasoning="They greet me.")
            session = ChatSession("any key", base_url=emulator.base_url)

    As at the API, an unknown model and a retired one get a 404, and a prompt that is longer than
    the model's context a 400. Scripting and reading the records are safe from any thread.

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
        balance_usd: the balance of the account, in US dollars; `GET /v2/billing` returns what is
            left. Once nothing is left, each chat request gets a 403. None for no limit.
        cassette: a file of recorded exchanges, one JSON object a line, to respond from: to any
            endpoint, with the recorded pieces and pauses. A request that is not recorded gets a 400
            that names the nearest one. Scripts still come first.
        record_from: the base URL of a real server, such as `https://api.aimlapi.com/v1`. Requests
            that the cassette lacks are passed on to it, with the client's key, and the exchanges
            are appended to the cassette: without request headers and keys.
        replay_speed: how much faster than recorded the responses are sent; `math.inf` leaves out
            all pauses.
        models: ids of models that are served in addition to those of the emulator's table, such as
            `["my/fine-tune"]`; a model that is retired in the table is served again. A model that
            is not in the table has no limit of its context, and reasons on request.
        retire: ids or aliases of models that are retired in addition to those of the table.

    Raises:
        OSError: the cassette cannot be read.
        TypeError: `models` or `retire` is not a collection of names.
        ValueError: an argument has a value other than those above, the cassette is damaged, or a
            model is in both `models` and `retire`.
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
        models: Iterable[str] = (),
        retire: Iterable[str] = (),
    ) -> None:
        if form not in ("flat", "enveloped"):
            msg = f'form is {form!r}; it takes "flat" or "enveloped"'
            raise ValueError(msg)
        self._playback = open_cassette(cassette, record_from, replay_speed)
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
            catalog=Catalog(models, retire),
        )
        self._listener: Listener | None = None

    async def start(self) -> None:
        """Start listening. Cancelling is safe while the name of the host is looked up.

        Raises:
            OSError: the address cannot be bound.
            RuntimeError: the emulator is already running.
        """
        if self._listener is not None:
            msg = "the emulator is already running: close it before you start it again"
            raise RuntimeError(msg)
        self._listener = await Listener.open(self._service.handle, self._host, self._port)

    async def close(self) -> None:
        """Stop at once and abort the responses in progress; a second call has no effect.

        Cancelling is safe: the responses are aborted first.
        """
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
        if exc is None:
            self.raise_script_errors()

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
    def script_errors(self) -> list[Exception]:
        """The failures of the functions given to `reply`, `fail` and `fault`, oldest first.

        The request got a 500 that says the same. An `async with` block and the pytest fixture raise
        these errors at their end, so that the test fails; clear the list to prevent that.
        """
        return self._service.script_errors

    def raise_script_errors(self) -> None:
        """Raise the first of the `script_errors`, if there is one."""
        for error in self.script_errors:
            raise error

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
        text: str | ReplyFunction = "",
        *,
        reasoning: str = "",
        reasoning_as: ReasoningAs | None = None,
        tool_calls: Iterable[ToolCallLike] = (),
        blocks: Iterable[Mapping[str, Any]] = (),
        output: Any = NO_OUTPUT,
        broken: Broken | None = None,
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
        times: int | None = 1,
        when: Rule | None = None,
    ) -> None:
        """Script the response to the next valid chat request, or to those that a rule selects.

        The same reply serves requests for a stream and for a whole completion. Of all replies,
        errors and faults that are meant for a request, the one that was scripted first is used.

        Args:
            text: the answer, or a function that computes it from the `RequestRecord` of the
                request. The function may be a coroutine function; it returns the text, a `Reply`,
                or an `ErrorStatus`. With a text, the other arguments apply too. If it raises, the
                request gets a 500 that says so, and `script_errors` lists it. It runs in the
                emulator's event loop, which a plain function blocks.
            reasoning: the reasoning before the answer.
            reasoning_as: the field that carries the reasoning: "reasoning_content"; "reasoning",
                which `reasoning_details` repeats; "reasoning_details" alone; "thinking", a part of
                the content; or "inline", between `<think>` tags. The default is the model's own.
            tool_calls: pairs of a name and arguments, or mappings with `name`, `arguments` and
                optionally `id`. Arguments are an object, or a string that is sent unchanged. Other
                keys of a mapping are sent with the call.
            blocks: the content as blocks of Claude's own message format, instead of all the above:
                thinking, text and tool calls in any order; `docs/emulator.md` has an example.
            output: the answer as a value, in the way that the request asks for: as JSON text, or as
                the arguments of a tool; rewritten to fit the schema of the request if it can. JSON,
                or a dataclass, an attrs class, a struct, an enum or the like.
            broken: what is wrong with `output`: "truncated", it is cut by its length; "invalid", a
                part has the wrong type; "fenced", it is text in a Markdown fence; "prose", there is
                text around it. A call that the request forces has no fence.
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
            times: how many requests get this reply; None for all.
            when: a plain function that is called with the `RequestRecord` of a valid chat request,
                and returns whether it gets this reply; None for every request.

        Raises:
            TypeError: an argument has another type than those above, or is not JSON.
            ValueError: an argument has a value other than those above.
        """
        function = None if isinstance(text, str) else check_function(text)
        self._service.script.add(
            Step(
                Reply(
                    text=text if isinstance(text, str) else "",
                    reasoning=reasoning,
                    reasoning_as=reasoning_as,
                    tool_calls=tool_calls,
                    blocks=blocks,
                    output=output,
                    broken=broken,
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
                ),
                function=function,
                when=when,
                times=times,
            )
        )

    def fault(self, fault: Fault, *, times: int | None = 1, when: Rule | None = None) -> None:
        """Inject a fault into the next response, which keeps its unscripted content.

        The fault waits with the replies, for the next valid chat request, or for the next valid
        request about a batch: that request is carried out, and only its response is affected.

        Args:
            fault: the fault.
            times: how many responses get the fault; None for all.
            when: see `reply`; a fault with a rule is for chat requests only.

        Raises:
            TypeError: `fault` is not a `Fault`, or `when` is not a function.
            ValueError: `times` is less than 1.
        """
        self._service.script.add(Step(DefaultReply(fault=fault), when=when, times=times))

    def fail(
        self,
        *,
        status: int = 500,
        message: str | None = None,
        retry_after: float | str | None = None,
        retry_after_ms: float | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        times: int | None = 1,
        when: Rule | None = None,
    ) -> None:
        """Script an error for the next request to any endpoint, valid or not.

        The error waits with the replies.

        Args:
            status: the HTTP status.
            message: the message; the default is the API's own for this status.
            retry_after: the header `Retry-After`: seconds, or a date as a string.
            retry_after_ms: the header `retry-after-ms`: milliseconds.
            headers: additional response headers.
            body: the exact body instead of the API's own: bytes, a string, or any JSON value.
            times: how many requests get the error; None for all.
            when: see `reply`; here it is called for all requests whose body is a JSON object.

        Raises:
            TypeError: `when` is not a function.
            ValueError: `times` is less than 1.
        """
        error = ErrorStatus(
            status,
            message,
            retry_after,
            headers=headers,
            body=body,
            retry_after_ms=retry_after_ms,
        )
        self._service.script.add(Step(error, when=when, times=times))
