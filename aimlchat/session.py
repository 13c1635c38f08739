"""The session: what a user holds, and the only place that knows all the others."""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from ._client.body import body_of
from ._client.call import Call, Desk, Question
from ._client.endpoints import Endpoints
from ._client.many import CompletionIterator, Run, Streams, StreamsIterator
from ._client.pool import Adaptive, Fixed
from ._client.prepare import RawRequest, RequestFields
from ._client.rate_limit import Gate
from ._client.timers import Clock, Watchdog
from ._client.transport import HEADER, Secret, Transport
from ._payload.models import DEFAULT_MODEL
from ._protocol.whole import parse_completion
from .errors import (
    AIMLChatError,
    APIError,
    ConfigurationError,
    InvalidRequestError,
    TransportError,
)
from .iterators import DeltaStream
from .policies import Limits, RetryPolicy, Timeouts
from .request import ChatRequest

if TYPE_CHECKING:
    import ssl as ssl_module
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
    from types import TracebackType

    import aiohttp

    from ._client.call import Observer, Opened
    from .completions import Completion, Model
    from .records import CallRecord, Progress, RetryRecord

__all__ = ["ChatSession"]

_KEY_VARIABLES = ("AIMLAPI_API_KEY", "AIML_API_KEY")
_BASE_URL_VARIABLE = "AIMLAPI_BASE_URL"
_BASE_URL = "https://api.aimlapi.com/v1"
_MAX_DEPTH = 64
_SHORTEST_SECRET = 4
Request = str | ChatRequest | Sequence[Mapping[str, Any]]
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token, RFC 9110 section 5.6.2


class ChatSession:
    """A connection pool to the API, and the calls that go through it.

    Make one for a service and share it between its tasks; it is opened lazily inside the running
    loop, so that it can be made anywhere, and belongs to that loop. Close it with ``async with``
    or `close`.

    Args:
        api_key: the key; default the environment's ``AIMLAPI_API_KEY``, else ``AIML_API_KEY``.
        base_url: default the environment's ``AIMLAPI_BASE_URL``, else the AI/ML API's.
        model: the model of requests that name none.
        timeouts: how long each phase of a call may take.
        retry: how often a call is tried.
        limits: what the session allows itself.
        headers: sent with every request; a call's own win.
        proxy: the URL of a proxy; default the environment's, unless ``trust_env`` is False.
        ssl: a context, or False to check no certificates.
        trust_env: whether the environment's proxies count.
        http: an open ``aiohttp.ClientSession`` to borrow; it is never closed from here.
        on_retry: called with a `aimlchat.records.RetryRecord` before the wait for another try.
        on_finish: called with a `aimlchat.records.CallRecord`, once for each call however it ends.

    Raises `ConfigurationError` for a key that is missing or cannot be sent, or a bad setting.
    """

    # A subclass tells its own time; only tests want that.
    _clock = Clock()

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        model: str = DEFAULT_MODEL,
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
        # Masked at once: the frames of an error below show what this name holds.
        api_key = Secret(api_key) if api_key is not None else None
        api_key = _checked_key(api_key)
        limits = limits or Limits()
        self._id = os.urandom(8).hex()
        self._calls = itertools.count(1)
        self._model = model
        self._timeouts = timeouts or Timeouts()
        self._retry = retry or RetryPolicy()
        headers = _masked(headers)
        self._headers = _checked_headers(headers)
        self._usual_headers = {
            HEADER["Authorization"]: Secret(f"Bearer {api_key}"),
            HEADER["Content-Type"]: "application/json",
            **self._headers,
        }
        self._transport = Transport(
            base_url or os.environ.get(_BASE_URL_VARIABLE) or _BASE_URL,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
            http=http,
            limits=limits,
        )
        self._desk = Desk(
            transport=self._transport,
            gate=Gate(limits, self._clock),
            watchdog=Watchdog(self._clock),
            redact=functools.partial(_redact, api_key),
            on_retry=on_retry,
            on_finish=on_finish,
        )
        self._endpoints = Endpoints(
            self._desk, self._headers, self._usual_headers, self._timeouts, self._retry
        )

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
        """Close the pool, and end what still runs.

        A stream ends with a `StreamInterruptedError`, and a call that waits for its answer, or for
        its turn, with a `ConnectionFailedError`. Safe to repeat.
        """
        self._desk.watchdog.close()
        await self._transport.close()

    async def complete(
        self,
        request: Request,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Completion:
        """Send a request and return its whole completion.

        ``request`` is a text (one user message), a `ChatRequest`, or a list of messages in OpenAI's
        form; ``options`` are `ChatRequest` fields and win over the request's own. Raises an
        `AIMLChatError`. Cancelling closes the connection.
        """
        headers = _masked(headers)
        asked = self._request_of(request, options)
        call = self._call(asked, timeouts, retry, headers, stream=False)
        return await _completion_of(call)

    def stream(
        self,
        request: Request,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> DeltaStream:
        """Return the stream of a completion; nothing is sent until it is entered or iterated.

        Takes what `complete` takes.
        """
        headers = _masked(headers)
        asked = self._request_of(request, options)
        if isinstance(asked, RequestFields) and (options or not isinstance(request, str)):
            asked = asked.to_request()  # it is sent later, and the caller may change what is in it
        return DeltaStream(self._call(asked, timeouts, retry, headers, stream=True))

    def complete_many(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        concurrency: int | Literal["auto"] = 32,
        ordered: bool = True,
        budget_usd: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> CompletionIterator:
        """Return the outcomes of many requests, in their order or as they come.

        Nothing is sent before its first step. The requests, each as for `complete`, are taken from
        any iterable or async iterable as they are needed: at most ``concurrency`` are in flight
        (``"auto"`` finds out how many the server bears), and at most twice as many are taken and
        not yielded yet. No new call is begun once the server has charged ``budget_usd`` dollars;
        then `CompletionIterator.is_out_of_budget` is True. ``on_progress`` gets a
        `aimlchat.records.Progress` after each call. The rest is as for `complete`, for each call.

        Raises `ConfigurationError` for a concurrency that is none.
        """
        limit = Adaptive(self._desk.gate.most) if concurrency == "auto" else Fixed(concurrency)
        headers = _masked(headers)

        def complete(request: Request, observer: Observer) -> Awaitable[Completion]:
            asked = self._request_of(request, dict(options))
            call = self._call(asked, timeouts, retry, headers, stream=False, observer=observer)
            return _completion_of(call)

        run = Run(
            requests,
            complete,
            limit=limit,
            ordered=ordered,
            budget_usd=budget_usd,
            on_progress=on_progress,
            clock=self._clock,
        )
        return CompletionIterator(run)

    def stream_many(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        concurrency: int = 32,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> StreamsIterator:
        """Return the deltas of many streams as they come, each with the index of its request.

        At most ``concurrency`` streams are open; each gets its turn, however fast the others are.
        The rest is as for `complete_many` and `stream`.
        """
        headers = _masked(headers)

        def stream(request: Request) -> DeltaStream:
            return self.stream(
                request, timeouts=timeouts, retry=retry, headers=headers, **dict(options)
            )

        return StreamsIterator(Streams(requests, stream, Fixed(concurrency)))

    @property
    def model(self) -> str:
        """The model of requests that name none."""
        return self._model

    async def models(self) -> list[Model]:
        """Return what the vendor offers. The endpoint takes no key, so none is sent.

        Raises what `complete` raises. Cancelling closes the connection.
        """
        return await self._endpoints.models()

    def _call(
        self,
        request: ChatRequest | RequestFields | RawRequest,
        timeouts: Timeouts | None,
        retry: RetryPolicy | None,
        headers: Mapping[str, str] | None,
        *,
        stream: bool,
        observer: Observer | None = None,
    ) -> Call:
        def ask() -> Question:
            return self._question(request, headers, stream=stream)

        return Call(self._desk, ask, timeouts or self._timeouts, retry or self._retry, observer)

    def _request_of(
        self, request: Request | RawRequest, options: dict[str, Any]
    ) -> ChatRequest | RequestFields | RawRequest:
        """Return what is to be sent now."""
        if isinstance(request, ChatRequest):
            if options.get("model", request.model) is None:
                options["model"] = self._model
            return request.options(**options) if options else request
        if isinstance(request, RawRequest):
            return request
        if isinstance(request, str):
            request = ({"role": "user", "content": request},)
        if not isinstance(request, list | tuple):
            msg = (
                f"cannot send {type(request).__name__}; give a text, a ChatRequest"
                " or a list of messages"
            )
            raise InvalidRequestError(msg, field="request")
        fields = {"messages": request, **options}
        if fields.get("model") is None:
            fields["model"] = self._model
        return RequestFields(fields)

    def _question(
        self,
        request: ChatRequest | RequestFields | RawRequest,
        headers: Mapping[str, str] | None,
        *,
        stream: bool,
    ) -> Question:
        payload, body = body_of(request, stream=stream)
        client_request_id = request.client_request_id or self._next_request_id()
        sent_headers = {HEADER["X-Client-Request-Id"]: client_request_id, **self._usual_headers}
        if headers:
            sent_headers |= _checked_headers(headers)
        if stream:
            sent_headers[HEADER["Accept"]] = "text/event-stream"
            # A compressed stream comes in lumps, when the compressor's buffer is full.
            sent_headers[HEADER["Accept-Encoding"]] = "identity"
        return Question(
            "chat/completions",
            sent_headers,
            body,
            str(payload.get("model", "")),
            _whole(payload.get("n")) or 1,
            client_request_id,
            stream,
            _whole(payload.get("max_tokens")),
        )

    def _next_request_id(self) -> str:
        # Random for the session and counted within it: unique, and cheaper than a random one each.
        return f"{self._id}-{next(self._calls)}"


def endpoints_of(session: ChatSession) -> Endpoints:
    """Return a session's way to the endpoints that are no chat, for `aimlchat.batch`."""
    return session._endpoints  # noqa: SLF001 - of this module, and kept from users


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None


async def _completion_of(call: Call) -> Completion:
    try:
        completion = await call.answer(_completion)
    except AIMLChatError as error:
        call.finish("error", error=error)
        raise
    except asyncio.CancelledError:
        call.finish("cancelled")
        raise
    except BaseException:
        call.finish("error")
        raise
    call.finish("complete", said=lambda: completion)
    return completion


def _completion(data: bytes, opened: Opened) -> Completion:
    return parse_completion(data, opened.question.model, **opened.facts)


def _redact(key: str, error: AIMLChatError) -> None:
    """Take the key out of an error that quotes a server which quotes it back."""
    if isinstance(error, TransportError) or len(key) < _SHORTEST_SECRET:
        return  # these are our own words; and a key of a letter or two would tear any word apart
    link: BaseException | None = error
    while link is not None:
        link.args = _hidden(key, link.args)
        if isinstance(link, APIError):
            for fact in ("message", "body", "request_id", "inference_id", "path"):
                setattr(link, fact, _hidden(key, getattr(link, fact)))
        elif isinstance(
            getattr(link, "message", None), str
        ):  # aiohttp's quote what they could not read
            link.message = _hidden(key, link.message)  # type: ignore[attr-defined]
        link = link.__cause__


def _hidden(key: str, value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value.replace(key, "***")
    if depth > _MAX_DEPTH:
        return None  # a body nested to exhaust the stack; nobody says anything down there
    if isinstance(value, dict):
        return {_hidden(key, name): _hidden(key, item, depth + 1) for name, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)([_hidden(key, item, depth + 1) for item in value])
    return value


def _checked_key(given: Secret | None) -> Secret:
    """Find the key and refuse one that no header can carry, without ever showing it."""
    key = given
    for variable in _KEY_VARIABLES:
        if key is None and variable in os.environ:
            key = Secret(os.environ[variable])
    names = " or ".join(_KEY_VARIABLES)
    if key is None or not key.strip():
        msg = f"no API key: pass api_key=, or set {names} (get one at https://aimlapi.com/app/keys)"
        raise ConfigurationError(msg)
    if not (key.isascii() and key.isprintable()):
        msg = (
            "the API key holds control or non-ASCII characters, which no header can carry;"
            f" look for a stray line break where it was pasted (api_key=, {names})"
        )
        raise ConfigurationError(msg)
    return key


def _masked(headers: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Mask the values: any header may hold a secret, and the frames of an error show names."""
    if not headers:
        return None
    return {
        name: Secret(value) if isinstance(value, str) else value for name, value in headers.items()
    }


def _checked_headers(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            msg = f"{name!r} cannot be the name of a header"
            raise ConfigurationError(msg)
        if not isinstance(value, str) or _CONTROL.search(value):
            msg = f"the value of the header {name!r} is not text, or holds control characters"
            raise ConfigurationError(msg)
    return headers or {}
