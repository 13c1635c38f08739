"""The emulator as its users see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from .chaos import Chaos
from .faults import ErrorStatus
from .http import Listener
from .script import Reply
from .service import Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from .faults import Fault
    from .generation import ReasoningAs
    from .records import RequestRecord
    from .script import ToolCallLike
    from .stream_formats import Form

__all__ = ["Emulator"]


class Emulator:
    """The AI/ML API on loopback: no key, no network, no bill.

    It checks requests as the API does, answers them whole or as a stream in the API's own shapes,
    and keeps what came in. What it says is scripted with `reply` and `fail`, what goes wrong on the
    way with `fault`; without a script it makes up a reasoned answer out of the prompt, always the
    same one for the same request.

        async with Emulator() as emulator:
            emulator.reply("Hello", reasoning="They greet me.")
            session = ChatSession("any key", base_url=emulator.base_url)

    The model `no-such-model` is answered with 404; every other name is served. Scripting, and
    reading what came in, is safe from any thread.

    Args:
        host: the address to listen on.
        port: the port; 0 takes one that is free.
        api_key: the one key that is accepted; None accepts every key that is not blank.
        pace: seconds between two events of a stream.
        form: how Claude's streams are shaped: "flat" as today, or "enveloped" as until
            February 2026.
        seed: makes other ids and, where there is a choice, other words and other faults.
        chaos: the share of chat requests, from 0 to 1, that meet a fault drawn by lot; only those
            that find no script take part. The n-th request draws the same for the same seed.
        faults: the classes to draw from, such as `[Cut, Stall]`; None for all.
        capacity: how many chat requests are worked on at once; one more is refused with 429, and
            nothing says so beforehand. None for no limit.
        latency: seconds before the head of each answer.

    Raises:
        ValueError: `form`, `chaos` or `faults` is none of these.
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
        latency: float = 0.0,
    ) -> None:
        if form not in ("flat", "enveloped"):
            msg = f'form is {form!r}; it takes "flat" or "enveloped"'
            raise ValueError(msg)
        self._host = host
        self._port = port
        self._service = Service(
            api_key=api_key,
            pace=pace,
            form=form,
            seed=seed,
            chaos=Chaos(chaos, seed, faults),
            capacity=capacity,
            latency=latency,
        )
        self._listener: Listener | None = None

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the address cannot be had.
            RuntimeError: it runs already.
        """
        if self._listener is not None:
            msg = "the emulator runs already"
            raise RuntimeError(msg)
        self._listener = await Listener.open(self._service.handle, self._host, self._port)

    async def close(self) -> None:
        """Stop at once: answers that still run are cut. A second time does nothing."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()

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
        """What to give to a client as its base URL; it ends in `/v1`.

        Raises:
            RuntimeError: the emulator does not run.
        """
        if self._listener is None:
            msg = "the emulator does not run: use `async with Emulator()`, or `await start()`"
            raise RuntimeError(msg)
        host, port = self._listener.address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request since the start, refused ones too, oldest first; may be cleared."""
        return self._service.requests

    @property
    def billed(self) -> int:
        """How many calls a model worked on, and so would have cost money.

        That it never came through, as with a `NoAnswer` or a `Stall`, does not help; but errors
        are free, be it by status, as HTML, or as an `ErrorEvent` that nothing comes before.
        """
        return self._service.billed

    @property
    def open_connections(self) -> int:
        """How many sockets clients hold open now, idle ones too."""
        return self._listener.connections if self._listener is not None else 0

    async def no_connections(self) -> None:
        """Return once no socket is open. May be awaited from any event loop."""
        if self._listener is not None:
            await self._listener.no_connections()

    def reply(
        self,
        text: str = "",
        *,
        reasoning: str = "",
        reasoning_as: ReasoningAs | None = None,
        tool_calls: Iterable[ToolCallLike] = (),
        refusal: str | None = None,
        finish_reason: str | None = None,
        form: Form | None = None,
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
        """Script the answer to the next valid chat request; replies wait in a queue.

        It serves a client that asks for a stream and one that asks for a whole completion alike.

        Args:
            text: the answer.
            reasoning: the reasoning in front of it.
            reasoning_as: where the reasoning stands: "reasoning_content"; "reasoning", with
                `reasoning_details` that repeat it; "reasoning_details" alone; "thinking", a part
                of the content; or "inline", between `<think>` tags. By default as the model does.
            tool_calls: pairs of a name and arguments, or mappings with `name`, `arguments` and
                perhaps `id`. Arguments are an object, or a string that is sent as it is.
            refusal: what stands in the field `refusal`.
            finish_reason: "stop", "length", "tool_calls" or "content_filter", which are put in
                the model's own words; any other word is sent as it is.
            form: the form of the stream; by default that of the model.
            chunks: the exact pieces of the answer, in place of `text`.
            usage: the exact `usage`; an empty mapping sends none.
            cost: US dollars, or the exact `meta.usage`; an empty mapping sends none.
            model: the name that the answer bears.
            headers: more headers of the answer.
            done: whether a stream ends with `[DONE]`; by default OpenAI's form does.
            pace: seconds between two events, in place of the emulator's own.
            events: the exact events of the stream: bytes as they are, a string or any JSON value
                as a `data:` line. A client that wants a whole completion gets `text`.
            body: the exact body, for both kinds of client: bytes, a string, or any JSON value.
            status: the HTTP status.
            content_type: the `Content-Type`; by default `text/event-stream` for a stream, and
                `application/json` for all else, a scripted `body` included.
            fault: what goes wrong with the answer.

        Raises:
            TypeError: `fault` is no fault.
            ValueError: `reasoning_as` or `form` is none of those above.
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
        """Script what goes wrong with the next answer, which is made up as without a script.

        It waits in the same queue as the replies, for the next valid chat request.

        Raises:
            TypeError: it is no fault.
        """
        self._service.script.add(Reply(made_up=True, fault=fault))

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
        """Script an error for the next request of any endpoint, whether it is valid or not.

        It waits in the same queue as the replies.

        Args:
            status: the HTTP status.
            message: the message; by default what the API says with this status.
            retry_after: the header `Retry-After`: seconds, or a date as a string.
            retry_after_ms: the header `retry-after-ms`: milliseconds.
            headers: more headers of the answer.
            body: the exact body in place of the API's own: bytes, a string, or any JSON value.
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
