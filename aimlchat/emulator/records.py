"""What came in, and how it went."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .faults import Fault
    from .identities import Identities

__all__ = ["Happening", "RequestRecord"]


class Happening:
    """Something that happens once, and can be awaited from any event loop in any thread."""

    def __init__(self) -> None:
        self._future: Future[None] = Future()
        # A running future cannot be cancelled: one waiter that gives up must not end it for all.
        self._future.set_running_or_notify_cancel()

    def happen(self) -> None:
        """Wake all who wait; a second time does nothing."""
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self) -> None:
        """Return once it has happened. Cancelling is safe."""
        await asyncio.wrap_future(self._future)


@attrs.define(eq=False)
class RequestRecord:
    """One request as it came in, to be read and not written.

    Attributes:
        method: the HTTP method.
        path: the path without the query, such as `/v1/chat/completions`.
        headers: what the client sent; names are case-insensitive.
        raw_body: the body's bytes.
        body: the body as parsed JSON, or None if it was not JSON.
        inference_id: the `x-inference-id` of the answer.
        client_request_id: the client's own id, or None if it sent none or an invalid one.
        identities: where the emulator takes the ids of the answer from.
        fault: what was to go wrong with the answer, by script or by chaos; None for nothing.
        billed: whether it counts in `Emulator.billed`.
        outcome: None while the answer runs, "done" once all was sent that its fault leaves of it,
            "left" if the connection ended before.
    """

    method: str = attrs.field(on_setattr=attrs.setters.frozen)
    path: str = attrs.field(on_setattr=attrs.setters.frozen)
    # The headers hold the key and the bodies can be megabytes: neither belongs into a repr.
    headers: Mapping[str, str] = attrs.field(repr=False, on_setattr=attrs.setters.frozen)
    raw_body: bytes = attrs.field(repr=False, on_setattr=attrs.setters.frozen)
    body: Any = attrs.field(repr=False, on_setattr=attrs.setters.frozen)
    inference_id: str = attrs.field(on_setattr=attrs.setters.frozen)
    client_request_id: str | None = attrs.field(on_setattr=attrs.setters.frozen)
    identities: Identities = attrs.field(repr=False, on_setattr=attrs.setters.frozen)
    fault: Fault | None = None
    billed: bool = False
    outcome: Literal["done", "left"] | None = None
    _ended: Happening = attrs.field(factory=Happening, init=False, repr=False)

    @property
    def stream(self) -> bool:
        """Whether a stream was asked for."""
        return isinstance(self.body, dict) and self.body.get("stream") is True

    async def finished(self) -> None:
        """Return once `outcome` is known. May be awaited from any event loop."""
        await self._ended.wait()

    def end(self, outcome: Literal["done", "left"]) -> None:
        """Note how it went, for the emulator; only the first time counts."""
        if self.outcome is None:
            self.outcome = outcome
            self._ended.happen()
