"""The preparation of a request: from a caller's `CallSpec` to a `PreparedRequest` to send."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
from multidict import CIMultiDict

from aimlchat._payload.build import build_payload, check_client_request_id
from aimlchat._payload.json_values import (
    freeze_choice,
    freeze_messages,
    freeze_tools,
    refuse,
)
from aimlchat.errors import InvalidRequestError
from aimlchat.request import ChatRequest

from .body import Body, encode_request
from .credentials import HEADER_NAMES, check_headers, override_headers
from .fork import renew_in_child

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aimlchat._payload.output_plan import OutputPlan
    from aimlchat._schema.output_types import OutputType
    from aimlchat.policies import RetryPolicy, Timeouts

__all__ = [
    "CallSpec",
    "EndpointSpec",
    "PreparedRequest",
    "RawRequest",
    "Request",
    "RequestDefaults",
    "RequestFields",
    "ask_for_type",
    "resolve_request",
]

Request = str | ChatRequest | Sequence[Mapping[str, Any]]
"""What a caller may pass as a request: a text, a `ChatRequest`, or a list of message dicts."""

_CLIENT_REQUEST_ID = HEADER_NAMES["X-Client-Request-Id"]
_ACCEPT = HEADER_NAMES["Accept"]
_ACCEPT_ENCODING = HEADER_NAMES["Accept-Encoding"]
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]{1000,}")
_TOKENS_OF_A_FILE = 1500  # an image of 1.15 megapixels, the most that Claude does not scale down
_USUAL_ANSWER_TOKENS = 1024


# The data classes of this folder are msgspec structs, which are defined and created in C at a
# fraction of the cost of attrs classes: each call creates several of them.
class RequestFields(msgspec.Struct, eq=False, frozen=True):
    """The fields of a request that is sent at once, so that nothing has to be copied.

    Its payload is that of a `ChatRequest` with these fields, but it skips the constructor, which
    takes a fifth of the CPU time of a whole completion.
    """

    fields: dict[str, Any]

    def __post_init__(self) -> None:
        """Convert the fields to the form that a `ChatRequest` stores."""
        if "system" in self.fields:
            self.fields["_system"] = self.fields.pop("system")
        if "tools" in self.fields:
            self.fields["tools"] = freeze_tools(self.fields["tools"])
        if "tool_choice" in self.fields:
            self.fields["tool_choice"] = freeze_choice(self.fields["tool_choice"])

    @property
    def client_request_id(self) -> str | None:
        """The caller's own id for the call, None if there is none."""
        return self.fields.get("client_request_id")

    def to_request(self) -> ChatRequest:
        """Return a `ChatRequest` with these fields, which can be kept."""
        fields = dict(self.fields)
        return ChatRequest(system=fields.pop("_system", None), **fields)

    def payload(self, stream: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - public
        """Return what `ChatRequest.payload` returns. Raises `InvalidRequestError`."""
        return build_payload(self.fields, stream=stream)


class RawRequest(msgspec.Struct, frozen=True):
    """A body that is sent unchanged and unchecked, in the dialect in which it was written.

    A `MessagesPayload` goes to ``/v1/messages``, any other to chat completions. For whole
    completions only: a body that asks for a stream raises `InvalidRequestError`.
    """

    body: Mapping[str, Any]
    client_request_id: str | None = None

    def payload(self, stream: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - as above
        """Return the body. Raises `InvalidRequestError`."""
        if stream or self.body.get("stream"):
            refuse("a body that is sent unchanged cannot ask for a stream; leave it out", "stream")
        check_client_request_id(self.client_request_id)
        return copy(self.body) if isinstance(self.body, dict) else dict(self.body)

    def to_request(self) -> ChatRequest:
        """Return a request with the same content, which can be extended."""
        refuse("a body that is sent unchanged cannot ask for a type", "output_type")


class PreparedRequest(msgspec.Struct, eq=False):
    """A request as it is sent, the same for every attempt."""

    path: str
    headers: Mapping[str, str]
    body: Body | None = None
    model: str = ""
    n: int = 1
    """The number of requested choices."""
    client_request_id: str = ""
    is_stream: bool = False
    max_tokens: int | None = None
    method: str = "POST"
    uses_tokens: bool = True
    is_repeatable: bool = True
    """Whether it may be sent again on a new connection if it met a stale one."""
    output: OutputPlan | None = None
    """How it requests a typed answer, None if it does not."""
    fallback: PreparedRequest | None = None
    """The same request to the next model of ``models=``, in case this one cannot respond."""

    def estimate_tokens(self) -> int:
        """Estimate the tokens of prompt and completion, for the limit per minute.

        Four bytes of prompt are counted as a token, and a file as a constant: it takes far fewer
        tokens than it has bytes. The completion counts as ``max_tokens``, or as 1,024 without it.
        """
        if self.body is None or not self.uses_tokens:
            return 0
        size, files = 0, len(self.body.files)
        for text in self.body.texts:
            rest, found = _BASE64.subn(b"", text)
            size, files = size + len(rest), files + found
        return size // 4 + files * _TOKENS_OF_A_FILE + (self.max_tokens or _USUAL_ANSWER_TOKENS)


class RequestDefaults(msgspec.Struct, eq=False, weakref=True):
    """What a session adds to its requests."""

    model: str
    """The model of requests that do not name one."""
    headers: Mapping[str, str]
    """The headers of every request with the key; a call's own headers replace them."""
    _session_id: str = msgspec.field(default_factory=lambda: os.urandom(8).hex())
    _counter: Iterator[int] = msgspec.field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        """Draw a new id in each forked process, which would otherwise continue its parent's ids."""
        renew_in_child(self, RequestDefaults._renew)

    def _renew(self) -> None:
        self._session_id = os.urandom(8).hex()

    def next_request_id(self) -> str:
        """Return a new ``X-Client-Request-Id``.

        A random id of the session and a counter: unique, and cheaper than a random id each time.
        """
        return f"{self._session_id}-{next(self._counter)}"


class CallSpec(msgspec.Struct, eq=False):
    """A chat call as specified by its caller; `Call` prepares it once, when it begins."""

    request: Request | RawRequest
    options: Mapping[str, Any]
    timeouts: Timeouts
    retry: RetryPolicy
    headers: Mapping[str, str] | None = None
    is_stream: bool = False
    models: tuple[str, ...] = ()
    """The models that get the request in turn; empty for the model of the request."""
    output_type: OutputType | None = None
    """The type of the answer, None for a text."""
    output_retries: int = 0
    """How often an answer that is not of the type is requested again."""

    def freeze(self, defaults: RequestDefaults) -> None:
        """Copy what the caller could still change before the call begins.

        Raises what `prepare` raises for a request of the wrong type.
        """
        if isinstance(self.request, str) and not self.options:
            return
        request = resolve_request(self.request, self.options, defaults.model)
        self.request = request.to_request() if isinstance(request, RequestFields) else request
        self.options = {}

    def prepare(self, defaults: RequestDefaults) -> PreparedRequest:
        """Build the payload, the body and the headers, for every model before anything is sent.

        Raises `InvalidRequestError` for what the API would refuse, and `ConfigurationError` for a
        header that HTTP cannot carry.
        """
        if self.models:
            return self._prepare_each(defaults)
        request = resolve_request(self.request, self.options, defaults.model)
        plan = None
        if self.output_type is not None:
            request, plan = ask_for_type(request, self.output_type)
        payload, body = encode_request(request, stream=self.is_stream)
        given = request.client_request_id
        client_request_id = str.__str__(given) if given else defaults.next_request_id()
        headers = {_CLIENT_REQUEST_ID: client_request_id, **defaults.headers}
        if self.headers:
            headers = override_headers(headers, check_headers(self.headers))
            client_request_id = str.__str__(CIMultiDict(headers)[_CLIENT_REQUEST_ID])
            check_client_request_id(client_request_id)
        if self.is_stream:
            headers[_ACCEPT] = "text/event-stream"
            # A compressed stream arrives in lumps, whenever the compressor's buffer is full.
            headers[_ACCEPT_ENCODING] = "identity"
        n, max_tokens = payload.get("n"), payload.get("max_tokens")
        return PreparedRequest(
            getattr(payload, "path", "chat/completions"),  # the path of a `MessagesPayload`
            headers,
            body,
            str(payload.get("model", "")),
            n if type(n) is int and n else 1,
            client_request_id,
            self.is_stream,
            max_tokens if type(max_tokens) is int else None,
            output=plan,
        )

    def _prepare_each(self, defaults: RequestDefaults) -> PreparedRequest:
        """Prepare the request to each model; return the first, which refers to the next one.

        All have the same id, since they belong to one call.
        """
        requests: list[PreparedRequest] = []
        for model in self.models:
            options = {**self.options, "model": model}
            if requests:
                options["client_request_id"] = requests[0].client_request_id
            spec = CallSpec(
                self.request,
                options,
                self.timeouts,
                self.retry,
                self.headers,
                self.is_stream,
                output_type=self.output_type,
            )
            try:
                requests.append(spec.prepare(defaults))
            except InvalidRequestError as error:
                error.add_note(f"models= names {model}, which does not take this request")
                raise
        for request, fallback in itertools.pairwise(requests):
            request.fallback = fallback
        return requests[0]


class EndpointSpec(msgspec.Struct, eq=False):
    """A call to an endpoint other than chat completions."""

    method: str
    path: str
    headers: Mapping[str, str]
    timeouts: Timeouts
    retry: RetryPolicy
    body: bytes | None = None
    is_repeatable: bool = True

    def prepare(self, _: RequestDefaults) -> PreparedRequest:
        """Return the request as it is sent."""
        return PreparedRequest(
            self.path,
            self.headers,
            Body((self.body,)) if self.body else None,
            method=self.method,
            uses_tokens=False,
            is_repeatable=self.is_repeatable,
        )


def ask_for_type(
    request: ChatRequest | RequestFields | RawRequest, output_type: OutputType
) -> tuple[ChatRequest, OutputPlan]:
    """Return the request with the fields that request the type, and how the answer is read.

    Raises `InvalidRequestError`.
    """
    from aimlchat._payload.output_plan import plan_output  # noqa: PLC0415 - few calls need it

    if not isinstance(request, ChatRequest):
        request = request.to_request()
    given = vars(request)
    planned, plan = plan_output(given, output_type)
    names = ("tools", "tool_choice", "response_format")
    changes = {name: planned.get(name) for name in names if planned.get(name) != given[name]}
    if planned.get("_system") != given["_system"]:
        changes["system"] = planned["_system"]
    return attrs.evolve(request, **changes), plan


def resolve_request(
    request: Request | RawRequest, options: Mapping[str, Any], default_model: str
) -> ChatRequest | RequestFields | RawRequest:
    """Join a request and the options of its call, which override the request's own."""
    if isinstance(request, ChatRequest):
        if options.get("model", request.model) is None:
            options = {**options, "model": default_model}
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
    if "messages" in options:
        fields["messages"] = freeze_messages(options["messages"])
    if fields.get("model") is None:
        fields["model"] = default_model
    return RequestFields(fields)
