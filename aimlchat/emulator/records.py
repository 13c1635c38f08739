"""The record of one request: what was received, which ids it got, and how it ended."""

from __future__ import annotations

import asyncio
import string
import uuid
from concurrent.futures import Future
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

import attrs

from .request import find_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .faults import Fault

__all__ = ["MESSAGES_PATH", "OneShotEvent", "RequestIds", "RequestRecord"]

MESSAGES_PATH = "/v1/messages"

_ALPHABET = string.digits + string.ascii_letters


@attrs.frozen
class RequestIds:
    """The ids of one request, in the API's format.

    They are derived from the emulator's seed and the number of the request, so they are the same in
    every run.
    """

    seed: int
    number: int

    def make_uuid(self, purpose: str) -> str:
        """Derive a UUID; each purpose gets a different one."""
        return str(uuid.UUID(bytes=self._digest(purpose)[:16], version=4))

    def make_token(self, purpose: str, length: int) -> str:
        """Derive a string of letters and digits; each purpose gets a different one."""
        value = int.from_bytes(self._digest(purpose), "big")
        letters = []
        for _ in range(length):
            value, letter = divmod(value, len(_ALPHABET))
            letters.append(_ALPHABET[letter])
        return "".join(letters)

    def _digest(self, purpose: str) -> bytes:
        return blake2b(f"{self.seed}/{self.number}/{purpose}".encode(), digest_size=32).digest()


class OneShotEvent:
    """An event that is set once, and can be awaited from any event loop in any thread."""

    def __init__(self) -> None:
        self._future: Future[None] = Future()
        # A running future cannot be cancelled, so one cancelled waiter does not cancel the others.
        self._future.set_running_or_notify_cancel()

    def set(self) -> None:
        """Wake all waiters; setting it again has no effect."""
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self) -> None:
        """Return once the event is set. Cancelling is safe."""
        await asyncio.wrap_future(self._future)


@attrs.define(eq=False)
class RequestRecord:
    """One request that the emulator received; for reading only.

    Attributes:
        method: the HTTP method.
        path: the path without the query, such as `/v1/chat/completions`.
        query: the query as it was sent, `""` for none.
        headers: the request headers; their names are case-insensitive.
        raw_body: the bytes of the body.
        body: the body as parsed JSON, or None if it was not JSON.
        inference_id: the `x-inference-id` of the response.
        client_request_id: the client's own id, or None if it sent none or an invalid one.
        identities: the source of the ids in the response.
        fault: the fault that was injected, by script or by chaos; None for none.
        billed: whether the request counts in `Emulator.billed`.
        outcome: None while the response is being sent; "done" once everything was sent that the
            fault leaves to send; "left" if the connection ended before that.
    """

    method: str = attrs.field(on_setattr=attrs.setters.frozen)
    path: str = attrs.field(on_setattr=attrs.setters.frozen)
    query: str = attrs.field(on_setattr=attrs.setters.frozen)
    # The headers contain the key, and a body can be megabytes long: both stay out of the repr.
    headers: Mapping[str, str] = attrs.field(repr=False, on_setattr=attrs.setters.frozen)
    raw_body: bytes = attrs.field(repr=False, on_setattr=attrs.setters.frozen)
    body: Any = attrs.field(repr=False, on_setattr=attrs.setters.frozen)
    inference_id: str = attrs.field(on_setattr=attrs.setters.frozen)
    client_request_id: str | None = attrs.field(on_setattr=attrs.setters.frozen)
    identities: RequestIds = attrs.field(repr=False, on_setattr=attrs.setters.frozen)
    fault: Fault | None = None
    billed: bool = False
    outcome: Literal["done", "left"] | None = None
    _ended: OneShotEvent = attrs.field(factory=OneShotEvent, init=False, repr=False)

    @property
    def stream(self) -> bool:
        """Whether the request asks for a stream."""
        return isinstance(self.body, dict) and self.body.get("stream") is True

    @property
    def is_message(self) -> bool:
        """Whether the request is for Claude's own message format."""
        return self.path == MESSAGES_PATH

    @property
    def message_request_id(self) -> str:
        """The id of the request in Claude's own message format."""
        return f"req_01{self.identities.make_token('request', 22)}"

    @property
    def prompt(self) -> str:
        """The text of the last user message that has any; "" if there is none."""
        return find_prompt(self.body.get("messages")) if isinstance(self.body, dict) else ""

    async def finished(self) -> None:
        """Wait until `outcome` is set. Can be awaited from any event loop; cancelling is safe."""
        await self._ended.wait()

    def end(self, outcome: Literal["done", "left"]) -> None:
        """Set the ``outcome``, which only the emulator does; a second call has no effect."""
        if self.outcome is None:
            self.outcome = outcome
            self._ended.set()
