"""The endpoints that are no chat: the list of models, and whatever else takes plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimlchat._json import decode_json
from aimlchat._protocol.metadata import parse_models

from .body import Body
from .call import Call, Question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aimlchat.completions import Model
    from aimlchat.policies import RetryPolicy, Timeouts

    from .call import Desk

__all__ = ["Endpoints"]


class Endpoints:
    """A session's way to the endpoints that are no chat."""

    def __init__(
        self,
        desk: Desk,
        open_headers: Mapping[str, str],
        headers: Mapping[str, str],
        timeouts: Timeouts,
        retry: RetryPolicy,
    ) -> None:
        self._desk = desk
        self._open_headers = open_headers
        self._headers = headers
        self._timeouts = timeouts
        self._retry = retry

    async def models(self) -> list[Model]:
        """Return the models that the API offers. The endpoint takes no key, so none is sent."""
        request = Question("models", self._open_headers, method="GET")
        data = await self._answer(request, self._retry)
        return parse_models(decode_json(data))

    async def send(
        self, method: str, path: str, body: bytes | None = None, *, retry: RetryPolicy | None = None
    ) -> bytes:
        """Send JSON and return the body of the response.

        Raises an `AIMLChatError`. Cancelling closes the connection.
        """
        request = Question(path, self._headers, Body((body,)) if body else None, method=method)
        return await self._answer(request, retry or self._retry)

    async def _answer(self, request: Question, retry: RetryPolicy) -> bytes:
        call = Call(self._desk, lambda: request, self._timeouts, retry)
        try:
            return await call.answer(lambda data, _: data)
        finally:
            call.close()  # no record of it: no model was asked
