"""The session: what a user holds, and the only place that knows all the others."""

from __future__ import annotations

import functools
import itertools
import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import msgspec

from . import wire
from .errors import (
    AIMLChatError,
    APIError,
    Attempt,
    ConfigurationError,
    InvalidRequestError,
)
from .iterators import DeltaStream, Opened
from .jsontext import json_of
from .policies import Limits, RetryPolicy, Timeouts
from .refusals import refusal_in_body
from .request import DEFAULT_MODEL, ChatRequest
from .stream import completion_from
from .transport import Secret, Transport

if TYPE_CHECKING:
    import ssl as ssl_module
    from types import TracebackType

    import aiohttp

    from .catalog import Model
    from .completions import Completion
    from .transport import Exchange

__all__ = ["ChatSession"]

_KEY_VARIABLES = ("AIMLAPI_API_KEY", "AIML_API_KEY")
_BASE_URL_VARIABLE = "AIMLAPI_BASE_URL"
_BASE_URL = "https://api.aimlapi.com/v1"
_SUCCESS = range(200, 300)
_MAX_DEPTH = 64
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

    Raises `ConfigurationError` for a key that is missing or cannot be sent, or a bad setting.
    """

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
    ) -> None:
        # Masked at once: the frames of an error below show what this name holds.
        api_key = Secret(api_key) if api_key is not None else None
        api_key = _checked_key(api_key)
        self._id = os.urandom(8).hex()
        self._calls = itertools.count(1)
        self._model = model
        self._timeouts = timeouts or Timeouts()
        self._retry = retry or RetryPolicy()
        self._headers = _checked_headers(headers)
        self._key = api_key
        self._authorization = Secret(f"Bearer {api_key}")
        self._transport = Transport(
            base_url or os.environ.get(_BASE_URL_VARIABLE) or _BASE_URL,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
            http=http,
            limits=limits or Limits(),
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
        """Close the pool; streams that still run end with a `StreamInterruptedError`."""
        await self._transport.close()

    async def complete(
        self,
        request: Request,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,  # noqa: ARG002 - its place; a call is tried once so far
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Completion:
        """Send a request and return its whole completion.

        ``request`` is a text (one user message), a `ChatRequest`, or a list of messages in OpenAI's
        form; ``options`` are `ChatRequest` fields and win over the request's own. Raises an
        `AIMLChatError`. Cancelling closes the connection.
        """
        opened = await self._open(
            self._request_of(request, options), timeouts or self._timeouts, headers, stream=False
        )
        data = await opened.exchange.read_whole()
        try:
            return completion_from(data, opened.model, **opened.facts)
        except AIMLChatError as error:
            if isinstance(error, APIError):
                error.inference_id = opened.exchange.headers.get("x-inference-id")
            opened.redact(error)
            raise _with_attempt(error) from error.__cause__

    def stream(
        self,
        request: Request,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,  # noqa: ARG002 - its place; a call is tried once so far
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> DeltaStream:
        """Return the stream of a completion; nothing is sent until it is entered or iterated.

        Takes what `complete` takes.
        """
        asked = self._request_of(request, options)

        async def open_() -> Opened:
            return await self._open(asked, timeouts or self._timeouts, headers, stream=True)

        return DeltaStream(open_)

    async def models(self) -> list[Model]:
        """Return what the vendor offers. The endpoint takes no key, so none is sent."""
        exchange = await self._transport.send(
            "GET", "models", headers=self._headers, timeouts=self._timeouts
        )
        await self._raise_refusal(exchange)
        return wire.models_of(json_of(await exchange.read_whole()))

    def _request_of(self, request: Request, options: dict[str, Any]) -> ChatRequest:
        if isinstance(request, ChatRequest):
            if options.get("model", request.model) is None:
                options["model"] = self._model
            return request.options(**options) if options else request
        if options.get("model") is None:
            options["model"] = self._model
        if isinstance(request, str):
            request = ({"role": "user", "content": request},)
        if not isinstance(request, list | tuple):
            msg = (
                f"cannot send {type(request).__name__}; give a text, a ChatRequest"
                " or a list of messages"
            )
            raise InvalidRequestError(msg, field="request")
        return ChatRequest(**{"messages": request, **options})

    async def _open(
        self,
        request: ChatRequest,
        timeouts: Timeouts,
        headers: Mapping[str, str] | None,
        *,
        stream: bool,
    ) -> Opened:
        """Send a request and return at the head of a good answer."""
        payload = request.payload(stream=stream)
        client_request_id = request.client_request_id or self._next_request_id()
        sent_headers = {
            "Authorization": self._authorization,
            "Content-Type": "application/json",
            "X-Client-Request-Id": client_request_id,
            **self._headers,
            **_checked_headers(headers),
        }
        if stream:
            sent_headers["Accept"] = "text/event-stream"
            # A compressed stream comes in lumps, when the compressor's buffer is full.
            sent_headers["Accept-Encoding"] = "identity"
        try:
            exchange = await self._transport.send(
                "POST",
                "chat/completions",
                body=msgspec.json.encode(payload),
                headers=sent_headers,
                timeouts=timeouts,
            )
            await self._raise_refusal(exchange)
        except AIMLChatError as error:
            raise _with_attempt(error) from error.__cause__
        return Opened(
            exchange=exchange,
            model=payload["model"],
            choices=request.n or 1,
            client_request_id=client_request_id,
            attempts=(Attempt(1),),
            redact=self._redact,
        )

    def _next_request_id(self) -> str:
        # Random for the session and counted within it: unique, and cheaper than a random one each.
        return f"{self._id}-{next(self._calls)}"

    async def _raise_refusal(self, exchange: Exchange) -> None:
        if exchange.status in _SUCCESS:
            return
        body = await exchange.read_refusal()
        error = refusal_in_body(exchange.status, body, exchange.headers, time.time())
        del body  # the frame of an error is no place for what the server said either
        self._redact(error)
        raise error

    def _redact(self, error: AIMLChatError) -> None:
        """Take the key out of an error that quotes a server which quotes it back."""
        hide = functools.partial(_hidden, self._key)
        error.args = hide(error.args)
        if isinstance(error, APIError):
            error.message = hide(error.message)
            error.body = hide(error.body)


def _with_attempt(error: AIMLChatError) -> AIMLChatError:
    error.attempts = (Attempt(1, cause=str(error)),)
    return error


def _hidden(key: str, value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value.replace(key, "***")
    if depth > _MAX_DEPTH:
        return None  # a body nested to exhaust the stack; nobody says anything down there
    if isinstance(value, dict):
        return {_hidden(key, name): _hidden(key, item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
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


def _checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    if not headers:
        return {}
    # Masked before they are checked: any header may hold a secret, and frames show what they hold.
    checked: dict[str, str] = {
        name: Secret(value) if isinstance(value, str) else value for name, value in headers.items()
    }
    headers = None
    for name, value in checked.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            msg = f"{name!r} cannot be the name of a header"
            raise ConfigurationError(msg)
        if not isinstance(value, str) or _CONTROL.search(value):
            msg = f"the value of the header {name!r} is not text, or holds control characters"
            raise ConfigurationError(msg)
    return checked
