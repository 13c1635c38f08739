"""The endpoints other than chat completions: the list of models, and plain JSON requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypedDict, TypeVar
from urllib.parse import urlencode

from aimlchat._json import decode_json
from aimlchat._payload.json_values import describe
from aimlchat._protocol.model_list import parse_models
from aimlchat.errors import APIError, InvalidRequestError
from aimlchat.policies import RetryPolicy

from .call import Call
from .prepare import EndpointSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aimlchat.completions import Balance
    from aimlchat.model_types import Model
    from aimlchat.policies import Timeouts

    from .context import CallContext
    from .response import OpenResponse

__all__ = ["Endpoints", "ModelFilters"]

_T = TypeVar("_T")
_NO_SUCH_ENDPOINT = (404, 405, 410)
_NOT_MODIFIED = 304


class ModelFilters(TypedDict, total=False):
    """The parameters of ``GET /v1/models``, each a value or several of them.

    The values of one are alternatives, and case does not matter; all parameters have to match. See
    https://docs.aimlapi.com, "Model Catalogue API".

    - ``id``: an id or an alias.
    - ``type``: an endpoint, such as ``openai/chat-completions``.
    - ``tags``: a tag, such as ``playground:chat``.
    - ``modalities``: what the model accepts or returns, such as ``image``; ``input_modalities``,
      ``output_modalities``: only what it accepts, or only what it returns.
    - ``capabilities``: what the model can do, such as ``tools``.
    - ``include``: the sections to add: ``pricing``, ``modalities``, ``capabilities``, or ``all``.
    """

    id: str | Sequence[str]
    type: str | Sequence[str]
    tags: str | Sequence[str]
    modalities: str | Sequence[str]
    input_modalities: str | Sequence[str]
    output_modalities: str | Sequence[str]
    capabilities: str | Sequence[str]
    include: str | Sequence[str]


class _ModelList(NamedTuple):
    path: str
    etag: str
    models: list[Model]


class Endpoints:
    """A session's access to the endpoints other than chat completions.

    These calls are not reported to ``on_finish``, since they use no model, and do not count in
    ``Limits.tokens_per_minute``.
    """

    def __init__(self, context: CallContext, timeouts: Timeouts, retry: RetryPolicy) -> None:
        self._context = context
        self._timeouts = timeouts
        self._retry = retry
        self._last_models: _ModelList | None = None

    def check_budget(self) -> None:
        """Raise `BudgetExceededError` if the session's budget is spent."""
        if self._context.spending is not None:
            self._context.spending.check()

    async def models(self, filters: ModelFilters) -> list[Model]:
        """Return the models that the API offers. The endpoint needs no key, so none is sent.

        The last list is kept, and returned again while the server says that it has not changed.

        Raises an `AIMLChatError`. Cancelling closes the connection.
        """
        path = _build_models_path(filters)
        headers, known = self._context.keyless_headers, self._last_models
        if known is not None and known.path == path:
            headers = {**headers, "If-None-Match": known.etag}
        spec = EndpointSpec("GET", path, headers, self._timeouts, self._retry)
        try:
            models, etag = await self._read(spec, _read_models)
        except APIError as error:
            if known is None or error.status != _NOT_MODIFIED:
                raise
            return list(known.models)
        self._last_models = _ModelList(path, etag, models) if etag else None
        return list(models)

    async def balance(self) -> Balance:
        """Return the balance of the account, from the newest endpoint that the server has.

        Raises an `AIMLChatError`. Cancelling closes the connection.
        """
        from aimlchat._protocol.balance import parse_balance  # noqa: PLC0415 - few sessions ask

        def parse(data: bytes) -> Balance:
            return parse_balance(decode_json(data))

        try:
            return await self.send("GET", "../v2/billing", parse)
        except APIError as error:
            if error.status not in _NO_SUCH_ENDPOINT:
                raise
        return await self.send("GET", "billing/balance", parse)

    async def send(
        self,
        method: str,
        path: str,
        parse: Callable[[bytes], _T],
        body: bytes | None = None,
        *,
        once: bool = False,
    ) -> _T:
        """Send JSON, with the key, and return the result of ``parse`` for the body of the response.

        An error that ``parse`` raises ends the attempt: the key is taken out of it, and its frames,
        whose locals are the body, are dropped. With ``once`` the request is never sent a second
        time, whatever happens: not by the retry policy, and not on a new connection instead of a
        stale one. Raises an `AIMLChatError`. Cancelling closes the connection.
        """
        spec = EndpointSpec(
            method,
            path,
            self._context.defaults.headers,
            self._timeouts,
            RetryPolicy(attempts=1) if once else self._retry,
            body,
            is_repeatable=not once,
        )
        return await self._read(spec, lambda data, _: parse(data))

    async def _read(self, spec: EndpointSpec, parse: Callable[[bytes, OpenResponse], _T]) -> _T:
        call = Call(self._context, spec)
        try:
            return await call.read_whole(parse)
        finally:
            call.close()


def _build_models_path(filters: ModelFilters) -> str:
    """Return the path of the list, with its query.

    Raises `TypeError` for an unknown parameter, and `InvalidRequestError` for a value that is
    neither a text nor a list of texts.
    """
    query = {}
    for name, value in filters.items():
        if name not in ModelFilters.__optional_keys__:
            known = ", ".join(sorted(ModelFilters.__optional_keys__))
            msg = f"models() got an unexpected keyword argument {name!r}; it takes {known}"
            raise TypeError(msg)
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list | tuple | set | frozenset) or not all(
            isinstance(item, str) for item in values
        ):
            msg = f"{describe(value)} is neither a text nor a list of texts"
            raise InvalidRequestError(msg, field=name)
        query[name] = ",".join(values)
    return f"models?{urlencode(query)}" if query else "models"


def _read_models(data: bytes, opened: OpenResponse) -> tuple[list[Model], str]:
    return parse_models(decode_json(data)), opened.response.headers.get("etag", "")
