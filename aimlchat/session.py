"""Public entry point: wires transport, limits, retries and streams."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeVar, Unpack, overload

from ._client.call import Call
from ._client.completing import complete
from ._client.context import build_context
from ._client.credentials import check_headers, mask_headers, require_api_key
from ._client.masking import mask, mask_url
from ._client.prepare import CallSpec
from ._client.settings import SessionSettings, check_policy
from ._client.timers import Clock
from ._payload.models import default_model
from .policies import Limits, RetryPolicy, Timeouts
from .request import check_options
from .stream import DeltaStream

if TYPE_CHECKING:
    import ssl as ssl_module
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    import aiohttp

    from ._client.endpoints import Endpoints, ModelFilters
    from ._client.prepare import Request, RequestDefaults
    from ._client.run_control import RunCall
    from ._schema.output_types import OutputType
    from .completions import Balance, Completion
    from .iterators import CompletionIterator, StreamsIterator
    from .model_types import Model
    from .records import CallRecord, Progress, RetryRecord
    from .request import ChatRequest, RequestOptions
    from .runs import ToolRun
    from .tool_types import Tool, ToolCall

__all__ = ["ChatSession", "endpoints_of"]

_T = TypeVar("_T")
_BASE_URL_VARIABLE = "AIMLAPI_BASE_URL"
_BASE_URL = "https://api.aimlapi.com/v1"


class ChatSession:
    """A connection pool to the API, and the calls that go through it.

    Create one for a service and share it between tasks. It does not remember conversations. It can
    be created anywhere: the pool is opened by the first call, and belongs to the event loop of that
    call. Close it with ``async with`` or `close`.

    A session that has made no call yet can be copied and pickled, with its key and its hooks; after
    its first call that raises `TypeError`. In a forked process a session starts with an empty pool,
    whatever its parent has done with it, and its request ids differ from the parent's.

    Args:
        api_key: by default the environment variable ``AIMLAPI_API_KEY``, else ``AIML_API_KEY``.
        base_url: by default the environment variable ``AIMLAPI_BASE_URL``, else the AI/ML API.
        model: the model of requests that do not name one; by default the environment variable
            ``AIMLAPI_MODEL``, else ``anthropic/claude-3.7-sonnet``.
        budget_usd: once the server has charged this many US dollars for the calls of the session,
            the next one raises `BudgetExceededError`; calls in flight continue. None for no limit.
        timeouts: how long each phase of a call may take.
        retry: how many attempts a call may make, and the delays between them.
        limits: concurrency, rates and connections of all calls together, by default none; and the
            size of a response.
        headers: sent with every request; a call's own headers replace them.
        proxy: the URL of a proxy; by default the environment's, unless ``trust_env`` is False.
        ssl: an SSL context, or False to disable the verification of certificates.
        trust_env: whether to use the proxies that the environment names.
        http: an open ``aiohttp.ClientSession`` to borrow; this session never closes it.
        on_retry: called with a `RetryRecord` before the wait for another attempt.
        on_finish: called with a `CallRecord` once for each call, however it ends.

    Raises:
        ConfigurationError: there is no key, or no header can carry it; or a setting is invalid or
            of the wrong type: a key is a str, never an object that wraps one.
    """

    # Only tests override it, in a subclass.
    _clock = Clock()

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        model: str | None = None,
        budget_usd: float | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        ssl: ssl_module.SSLContext | bool | None = None,
        trust_env: bool = True,
        http: aiohttp.ClientSession | None = None,
        on_retry: Callable[[RetryRecord], object] | None = None,
        on_finish: Callable[[CallRecord], object] | None = None,
    ) -> None:
        # Masked at once, since the traceback of an error below shows the values of these locals.
        api_key, headers = mask(api_key), mask_headers(headers)
        base_url, proxy = mask_url(base_url), mask_url(proxy)
        if base_url is None or base_url == "":
            base_url = mask_url(os.environ.get(_BASE_URL_VARIABLE)) or _BASE_URL
        self._settings = SessionSettings(
            api_key=require_api_key(api_key),
            base_url=base_url,
            model=default_model() if model is None else model,
            budget_usd=budget_usd,
            timeouts=Timeouts() if timeouts is None else timeouts,
            retry=RetryPolicy() if retry is None else retry,
            limits=Limits() if limits is None else limits,
            headers=check_headers(headers),
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
            http=http,
            on_retry=on_retry,
            on_finish=on_finish,
        )
        self._prepare()

    def _prepare(self) -> None:
        """Build everything that the settings decide; nothing is opened yet."""
        settings = self._settings
        self._timeouts, self._retry = settings.timeouts, settings.retry
        self._context = build_context(settings, self._clock)

    @cached_property
    def _endpoints(self) -> Endpoints:
        from ._client.endpoints import Endpoints  # noqa: PLC0415 - few sessions need them

        return Endpoints(self._context, self._timeouts, self._retry)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle takes over: the settings, and a subclass's attributes."""
        if self._context.scheduler.has_started or self._context.transport.is_closed:
            msg = (
                "a ChatSession that has made a call, or is closed, cannot be copied or pickled: its"
                " connections belong to one event loop. Share the session between tasks, or make a"
                " new one with the same arguments in each process"
            )
            raise TypeError(msg)
        built = ("_context", "_endpoints")
        return {name: value for name, value in vars(self).items() if name not in built}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the pool, and end the calls that are still running.

        A stream ends with a `StreamInterruptedError`, and a call that waits for its response, or in
        the queue, with a `ConnectionFailedError`. Afterwards a call raises `ConfigurationError`.
        Safe to repeat, and to cancel: the calls are ended and the connections closed at once, and
        then it only waits for them.
        """
        self._context.scheduler.close()
        await self._context.transport.close()

    @property
    def model(self) -> str:
        """The model of requests that do not name one."""
        return self._context.defaults.model

    @overload
    async def complete(
        self,
        request: Request,
        *,
        output_type: None = None,
        output_retries: int = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> Completion: ...
    @overload
    async def complete(
        self,
        request: Request,
        *,
        output_type: type[_T],
        output_retries: int = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> Completion[_T]: ...
    @overload
    async def complete(
        self,
        request: Request,
        *,
        output_type: Any,
        output_retries: int = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> Completion[Any]: ...

    async def complete(
        self,
        request: Request,
        *,
        output_type: Any = None,
        output_retries: int = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> Completion[Any]:
        """Send a request and return its whole completion.

        Args:
            request: a text (one user message), a `ChatRequest`, or a list of message dicts in
                OpenAI's form.
            output_type: the type of the answer, which is then in `Completion.output`: a builtin
                type, a collection, a union, ``Literal``, an enum, a date, ``Decimal``, ``UUID``, a
                dataclass, an attrs class, a msgspec struct, a ``TypedDict``, a ``NamedTuple`` or a
                pydantic model, and any of these nested in each other. How it is requested depends
                on the model. None for a text.
            output_retries: how many more requests the model gets if its answer is not of the type;
                each of them says what is wrong with the answer. Each is an attempt, and all of them
                are included in the usage and the cost of the completion. An answer that was
                truncated or refused is not requested again.
            models: instead of ``model``, the models that get the request in turn: the next one if
                the previous one cannot respond, only before the first delta, and within the same
                deadline. `Attempt.model` says which models did not respond.
            timeouts: replaces the session's for this call.
            retry: replaces the session's for this call.
            headers: added to the session's headers; they override those of the same name.
            **options: fields of `ChatRequest`, which override the request's own.

        Raises:
            AIMLChatError: the call failed; its subclasses say how.
            OutputError: the answer is not of ``output_type``.
            InvalidRequestError: the API would refuse the request; or JSON schema cannot describe
                ``output_type``, and ``field`` is the path of the part that it cannot describe.
            TypeError: an option is unknown.

        Cancelling closes the connection.
        """
        headers = mask_headers(headers)
        check_options(self.complete, options)
        spec = CallSpec(
            request,
            options,
            self._timeouts if timeouts is None else check_policy(timeouts, Timeouts),
            self._retry if retry is None else check_policy(retry, RetryPolicy),
            headers,
            models=() if models is None else _check_models(models, options),
        )
        if output_type is not None or output_retries:
            _ask_for_type(spec, output_type, output_retries, self._context.defaults)
        return await complete(self._context, spec)

    @overload
    def stream(
        self,
        request: Request,
        *,
        output_type: None = None,
        output_retries: Literal[0] = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> DeltaStream: ...
    @overload
    def stream(
        self,
        request: Request,
        *,
        output_type: type[_T],
        output_retries: Literal[0] = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> DeltaStream[_T]: ...
    @overload
    def stream(
        self,
        request: Request,
        *,
        output_type: Any,
        output_retries: Literal[0] = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> DeltaStream[Any]: ...

    def stream(
        self,
        request: Request,
        *,
        output_type: Any = None,
        output_retries: Literal[0] = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> DeltaStream[Any]:
        """Return the stream of a completion; nothing is sent until it is entered or iterated.

        Takes the arguments of `complete` and copies them: later changes to the request have no
        effect. With ``output_type`` the deltas are pieces of the JSON, `DeltaStream.drafts` yields
        its growing value, and `DeltaStream.output` is the answer. A stream never requests an answer
        again.

        Raises:
            InvalidRequestError: the request is of the wrong type, or JSON schema cannot describe
                ``output_type``; other errors are the stream's.
            TypeError: an option is unknown, or ``output_retries`` is not 0.
        """
        headers = mask_headers(headers)
        check_options(self.stream, options)
        if output_retries:
            _refuse_retries("stream")
        names = () if models is None else _check_models(models, options)
        return self._stream(request, options, names, timeouts, retry, headers, output_type)

    @overload
    def complete_many(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        concurrency: int | Literal["auto"] = 32,
        ordered: bool = True,
        budget_usd: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        output_type: None = None,
        output_retries: int = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> CompletionIterator: ...
    @overload
    def complete_many(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        concurrency: int | Literal["auto"] = 32,
        ordered: bool = True,
        budget_usd: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        output_type: type[_T],
        output_retries: int = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> CompletionIterator[_T]: ...
    @overload
    def complete_many(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        concurrency: int | Literal["auto"] = 32,
        ordered: bool = True,
        budget_usd: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        output_type: Any,
        output_retries: int = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> CompletionIterator[Any]: ...

    def complete_many(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        concurrency: int | Literal["auto"] = 32,
        ordered: bool = True,
        budget_usd: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        output_type: Any = None,
        output_retries: int = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> CompletionIterator[Any]:
        """Return the outcomes of many requests, in their order or as they finish.

        Nothing is sent before the first step.

        Args:
            requests: any iterable or async iterable; each item is a request as for `complete`.
                Items are taken as they are needed: at most twice ``concurrency`` are taken but not
                yet yielded.
            concurrency: how many calls may be in flight; ``"auto"`` adapts to what the server can
                sustain.
            ordered: whether outcomes are yielded in the order of the requests.
            budget_usd: no new call is started once the server has charged this many US dollars;
                then `CompletionIterator.is_out_of_budget` is True.
            on_progress: called with a `Progress` after each call.
            output_type: as for `complete`. An answer that is not of the type is an `Outcome` with
                the `OutputError`.
            output_retries: as for `complete`, for each call.
            models: as for `complete`, for each call.
            timeouts: as for `complete`, for each call.
            retry: as for `complete`, for each call.
            headers: as for `complete`, for each call.
            **options: as for `complete`, for each call.

        Raises:
            ConfigurationError: the concurrency or the budget is invalid.
            InvalidRequestError: JSON schema cannot describe ``output_type``.
            TypeError: an option is unknown, or the requests cannot be iterated.
        """
        # Loaded on first use, so that a session can send sooner.
        from ._client.concurrency import AdaptiveConcurrency, FixedConcurrency  # noqa: PLC0415
        from ._client.many import CompletionProducer  # noqa: PLC0415
        from .iterators import CompletionIterator  # noqa: PLC0415

        headers = mask_headers(headers)
        check_options(self.complete_many, options)
        names = () if models is None else _check_models(models, options)
        call_timeouts = self._timeouts if timeouts is None else check_policy(timeouts, Timeouts)
        call_retry = self._retry if retry is None else check_policy(retry, RetryPolicy)
        is_typed = output_type is not None or output_retries != 0
        if is_typed:
            _check_output(output_type, output_retries)

        context = self._context

        # Not a coroutine of its own, since each coroutine costs time for each call.
        def complete_one(request: Request, observer: RunCall) -> Awaitable[Completion[Any]]:
            spec = CallSpec(request, options, call_timeouts, call_retry, headers, models=names)
            if is_typed:
                _ask_for_type(spec, output_type, output_retries, context.defaults)
            return complete(context, spec, observer)

        producer = CompletionProducer(
            requests,
            complete_one,
            concurrency=(
                AdaptiveConcurrency(self._context.limiter.concurrency)
                if concurrency == "auto"
                else FixedConcurrency(concurrency)
            ),
            ordered=ordered,
            budget_usd=budget_usd,
            on_progress=on_progress,
            clock=self._clock,
        )
        return CompletionIterator(producer)

    @overload
    def stream_many(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        concurrency: int = 32,
        output_type: None = None,
        output_retries: Literal[0] = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> StreamsIterator: ...
    @overload
    def stream_many(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        concurrency: int = 32,
        output_type: type[_T],
        output_retries: Literal[0] = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> StreamsIterator[_T]: ...
    @overload
    def stream_many(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        concurrency: int = 32,
        output_type: Any,
        output_retries: Literal[0] = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> StreamsIterator[Any]: ...

    def stream_many(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        concurrency: int = 32,
        output_type: Any = None,
        output_retries: Literal[0] = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> StreamsIterator[Any]:
        """Return the deltas of many streams as they arrive, each with the index of its request.

        Takes the arguments of `complete_many`. At most ``concurrency`` streams are open at once.
        Each gets its turn, however fast the others are. With ``output_type`` the answers, and the
        errors of answers that are not of the type, are in `StreamsIterator.outcomes`.

        Raises:
            ConfigurationError: the concurrency is invalid.
            InvalidRequestError: JSON schema cannot describe ``output_type``.
            TypeError: an option is unknown, the requests cannot be iterated, or ``output_retries``
                is not 0.
        """
        from ._client.concurrency import FixedConcurrency  # noqa: PLC0415
        from ._client.many import DeltaProducer  # noqa: PLC0415 - as in `complete_many`
        from .iterators import StreamsIterator  # noqa: PLC0415

        headers = mask_headers(headers)
        check_options(self.stream_many, options)
        if output_retries:
            _refuse_retries("stream_many")
        names = () if models is None else _check_models(models, options)
        if output_type is not None:
            _check_output(output_type, 0)

        def stream(request: Request, observer: RunCall) -> DeltaStream[Any]:
            return self._stream(
                request, options, names, timeouts, retry, headers, output_type, observer
            )

        producer = DeltaProducer(
            requests, stream, concurrency=FixedConcurrency(concurrency), clock=self._clock
        )
        return StreamsIterator(producer)

    @overload
    def run(  # type: ignore[misc]  # as below
        self,
        request: Request,
        *,
        tools: Iterable[Tool | Mapping[str, Any] | Callable[..., Any]] | None,
        max_rounds: int = 10,
        on_tool: Callable[[ToolCall], object] | None = None,
        budget_usd: float | None = None,
        output_type: None = None,
        output_retries: int = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> ToolRun: ...
    @overload
    def run(  # type: ignore[misc]  # as below
        self,
        request: Request,
        *,
        tools: Iterable[Tool | Mapping[str, Any] | Callable[..., Any]] | None,
        max_rounds: int = 10,
        on_tool: Callable[[ToolCall], object] | None = None,
        budget_usd: float | None = None,
        output_type: type[_T],
        output_retries: int = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> ToolRun[_T]: ...
    @overload
    def run(  # type: ignore[misc]  # as below
        self,
        request: Request,
        *,
        tools: Iterable[Tool | Mapping[str, Any] | Callable[..., Any]] | None,
        max_rounds: int = 10,
        on_tool: Callable[[ToolCall], object] | None = None,
        budget_usd: float | None = None,
        output_type: Any,
        output_retries: int = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> ToolRun[Any]: ...

    def run(  # type: ignore[misc]  # `tools` is an option too, which here has to be given
        self,
        request: Request,
        *,
        tools: Iterable[Tool | Mapping[str, Any] | Callable[..., Any]] | None,
        max_rounds: int = 10,
        on_tool: Callable[[ToolCall], object] | None = None,
        budget_usd: float | None = None,
        output_type: Any = None,
        output_retries: int = 0,
        models: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> ToolRun[Any]:
        """Return a run: the model calls tools, which run locally, until it gives an answer.

        Nothing is sent before the run is entered or iterated. Each round is a call of its own, with
        its own attempts, limits and hooks; only the deadline applies to the whole run. A
        ``tool_choice`` that forces a call applies to the first round only.

        Args:
            request: as for `complete`.
            tools: the tools, as for `ChatRequest`; None for those of the request. `Tool.function`
                is called; a tool without one ends the run.
            max_rounds: how many rounds may call tools. After them the model gets one more request,
                with the same tools and ``tool_choice`` none, so that it gives an answer.
            on_tool: called with each call before it runs, one call after the other; a plain
                function, which must not block, or a coroutine function. If it returns None, the
                call runs; if it returns a `ToolCall`, that one runs instead; anything else becomes
                the call's result. If it raises, the call does not run, and its result is the error.
            budget_usd: once the server has charged this many US dollars for the run, the next round
                raises `BudgetExceededError`. None for no limit.
            output_type: as for `complete`, but of the answer of the last round; rounds that call
                tools are not checked. The answer is in `ToolRun.output`.
            output_retries: as for `complete`. Each is a round of its own.
            models: as for `complete`, for each round.
            timeouts: as for `complete`, for each round; the deadline applies to the whole run,
                including tools and ``on_tool``.
            retry: as for `complete`, for each round.
            headers: as for `complete`, for each round.
            **options: as for `complete`, for each round. A thinking budget is left out of rounds in
                which Claude would refuse it, since earlier calls were made without thinking.

        Raises:
            InvalidRequestError: the request, a tool or an argument of the run is invalid, or JSON
                schema cannot describe ``output_type``; other errors are the run's.
            ConfigurationError: the budget is invalid.
            TypeError: an option is unknown.
        """
        from ._tools.run_plan import build_plan  # noqa: PLC0415 - as in `complete_many`
        from .runs import ToolRun  # noqa: PLC0415

        headers = mask_headers(headers)
        check_options(self.run, options)
        names = () if models is None else _check_models(models, options)
        call_retry = self._retry if retry is None else check_policy(retry, RetryPolicy)
        if output_type is not None or output_retries:
            _check_output(output_type, output_retries)
        plan = build_plan(
            request,
            options if tools is None else {**options, "tools": tools},
            self._context.defaults.model,
            max_rounds=max_rounds,
            on_tool=on_tool,
            budget_usd=budget_usd,
            timeouts=self._timeouts if timeouts is None else check_policy(timeouts, Timeouts),
            models=names,
            output_retries=None if output_type is None else output_retries,
        )

        def ask(request: ChatRequest, timeouts: Timeouts) -> DeltaStream[Any]:
            return self._stream(request, {}, names, timeouts, call_retry, headers, output_type)

        return ToolRun(plan, ask, self._context)

    async def balance(self) -> Balance:
        """Return the balance of the account, as far as the vendor reports it.

        Cancelling closes the connection.

        Raises:
            AIMLChatError: the call failed, as for `complete`.
        """
        return await self._endpoints.balance()

    async def models(self, **filters: Unpack[ModelFilters]) -> list[Model]:
        """Return the models that the API offers. The endpoint needs no key, so none is sent.

        Args:
            **filters: which models: ``id``, ``type``, ``tags``, ``modalities``,
                ``input_modalities``, ``output_modalities`` and ``capabilities``, each a text or a
                list of alternatives; by default all. ``include`` adds sections: ``pricing``,
                ``modalities``, ``capabilities`` or ``all``; by default none.

        Raises:
            AIMLChatError: as `complete`.
            TypeError: a filter is unknown.

        Cancelling closes the connection.
        """
        return await self._endpoints.models(filters)

    def _stream(  # noqa: PLR0917 - the arguments of `stream`, in their order
        self,
        request: Request,
        options: Mapping[str, Any],
        models: tuple[str, ...],
        timeouts: Timeouts | None,
        retry: RetryPolicy | None,
        headers: Mapping[str, str] | None,
        output_type: Any = None,
        observer: RunCall | None = None,
    ) -> DeltaStream[Any]:
        spec = CallSpec(
            request,
            options,
            self._timeouts if timeouts is None else check_policy(timeouts, Timeouts),
            self._retry if retry is None else check_policy(retry, RetryPolicy),
            headers,
            is_stream=True,
            models=models,
        )
        if output_type is not None:
            _ask_for_type(spec, output_type, 0, self._context.defaults)
        spec.freeze(self._context.defaults)
        return DeltaStream(Call(self._context, spec, observer))


def _check_models(models: Sequence[str], options: Mapping[str, Any]) -> tuple[str, ...]:
    from ._client.fallback import check_models  # noqa: PLC0415 - few calls name several models

    return check_models(models, options)


def _check_output(output_type: Any, output_retries: Any) -> OutputType | None:
    from ._client.output_options import check_output  # noqa: PLC0415 - few calls have a type

    return check_output(output_type, output_retries)


def _ask_for_type(
    spec: CallSpec, output_type: Any, output_retries: Any, defaults: RequestDefaults
) -> None:
    spec.output_type = _check_output(output_type, output_retries)
    spec.output_retries = output_retries
    if output_retries:  # it is needed again
        spec.freeze(defaults)


def _refuse_retries(method: str) -> NoReturn:
    from ._client.output_options import refuse_retries  # noqa: PLC0415 - as above

    refuse_retries(method)


def endpoints_of(session: ChatSession) -> Endpoints:
    """Return a session's access to endpoints other than chat completions, for `aimlchat.batch`."""
    return session._endpoints  # noqa: SLF001 - an attribute of this module, hidden from users
