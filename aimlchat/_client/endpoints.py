"""The endpoints other than chat completions: the list of models, and plain JSON requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from aimlchat._json import decode_json
from aimlchat._protocol.metadata import parse_models
from aimlchat.errors import APIError
from aimlchat.policies import RetryPolicy

from .call import Call
from .prepare import EndpointSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimlchat.completions import Balance, Model
    from aimlchat.policies import Timeouts

    from .context import CallContext
    from .response import OpenResponse

__all__ = ["Endpoints"]

_T = TypeVar("_T")
_NO_SUCH_ENDPOINT = (404, 405, 410)


class Endpoints:
    """A session's access to the endpoints other than chat completions.

    These calls are not reported to ``on_finish``, since they use no model, and do not count in
    ``Limits.tokens_per_minute``.
    """

    def __init__(self, context: CallContext, timeouts: Timeouts, retry: RetryPolicy) -> None:
        self._context = context
        self._timeouts = timeouts
        self._retry = retry

    async def models(self) -> list[Model]:
        """Return the models that the API offers. The endpoint takes no key, so none is sent.

        Raises an `AIMLChatError`. Cancelling closes the connection.
        """
        headers = self._context.keyless_headers
        spec = EndpointSpec("GET", "models", headers, self._timeouts, self._retry)
        return await self._read(spec, lambda data, _: parse_models(decode_json(data)))

    async def balance(self) -> Balance:
        """Return the balance of the account, from the newer endpoint that the server has.

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
