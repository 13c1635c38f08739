"""The endpoints: from a request to the bytes of an answer."""

from __future__ import annotations

import asyncio
import json
import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from .batches import Batches
from .composing import compose
from .encoding import encode
from .errors import Refusal, usual_message
from .fault_injection import deliver, is_billed
from .faults import ErrorStatus
from .identities import Identities
from .models import listing
from .outlet import Outlet
from .records import RequestRecord
from .request import Asked
from .responses import Content, stream_of, whole_of
from .script import MADE_UP, Reply, Script
from .validation import check

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from .chaos import Chaos
    from .generation import Generation
    from .stream_formats import Form

    Endpoint = Callable[[RequestRecord, Outlet], Awaitable[None]]

__all__ = ["Service"]

_CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class Service:
    """Answers requests, and remembers them."""

    def __init__(
        self,
        *,
        api_key: str | None,
        pace: float,
        form: Form,
        seed: int,
        chaos: Chaos,
        capacity: int | None,
        latency: float,
    ) -> None:
        self.script = Script()
        self.requests: list[RequestRecord] = []
        self.billed = 0
        self._api_key = api_key
        self._pace = pace
        self._form = form
        self._seed = seed
        self._chaos = chaos
        self._capacity = capacity
        self._latency = latency
        self._in_flight = 0
        self._number = 0
        self.batches = Batches(self.script)
        self._endpoints: dict[str, tuple[str, Endpoint]] = {
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/models": ("GET", self._models),
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request and note how that went."""
        record = await self._take_in(request)
        self.requests.append(record)
        outlet = Outlet(request, record)
        try:
            await self._answer(record, outlet)
            record.end("done")
        except ConnectionResetError:
            pass  # the client has left, which the record says
        finally:
            record.end("left")
        return outlet.response

    async def _take_in(self, request: web.BaseRequest) -> RequestRecord:
        self._number += 1
        identities = Identities(self._seed, self._number)
        # Not `request.read()`, which takes a megabyte at most: pictures are larger.
        raw = await request.content.read()
        client_id = request.headers.get("x-client-request-id", "")
        return RequestRecord(
            method=request.method,
            path=request.path,
            headers=request.headers,
            raw_body=raw,
            body=_parsed(raw),
            inference_id=identities.uuid("inference"),
            # One that does not fit is dropped without a word.
            client_request_id=client_id if _CLIENT_REQUEST_ID.fullmatch(client_id) else None,
            identities=identities,
        )

    async def _answer(self, record: RequestRecord, outlet: Outlet) -> None:
        try:
            endpoint = self._endpoint(record)
            failure = self.script.failure()
            if failure is None:
                await endpoint(record, outlet)
            else:
                record.fault = failure
                await deliver(failure, Content(), outlet)
        except Refusal as refusal:
            error = ErrorStatus(refusal.status, refusal.message, headers=refusal.headers)
            await deliver(error, Content(), outlet)

    def _endpoint(self, record: RequestRecord) -> Endpoint:
        if record.path.startswith("/v1/batches"):
            return self._batch
        if record.path not in self._endpoints:
            raise Refusal(404, f"Cannot {record.method} {record.path}")
        method, endpoint = self._endpoints[record.path]
        if record.method != method:
            message = f"Cannot {record.method} {record.path}"
            raise Refusal(405, message, headers={"Allow": method})
        return endpoint

    async def _models(self, record: RequestRecord, outlet: Outlet) -> None:
        listed = encode(listing())
        tag = f'"{blake2b(listed, digest_size=16).hexdigest()}"'
        content = Content.of_bytes(listed, headers={"ETag": tag})
        known = record.headers.get("If-None-Match", "")
        if tag in known or known.strip() == "*":
            content = Content(status=304, headers={"ETag": tag})
        await deliver(None, content, outlet)

    async def _chat(self, record: RequestRecord, outlet: Outlet) -> None:
        self._check_key(record)
        asked = Asked.from_body(check(record.body))
        scripted = self.script.reply()
        reply = scripted or MADE_UP
        content = self._content(record, reply, compose(asked, reply, record.identities))
        record.fault = reply.fault
        if scripted is None:
            record.fault = self._chaos.draw(record.identities.number, content)
        if self._capacity is not None and self._in_flight >= self._capacity:
            raise Refusal(429, usual_message(429))
        record.billed = is_billed(record.fault, content)
        self.billed += record.billed
        self._in_flight += 1
        try:
            await asyncio.sleep(self._latency)
            if content.streamed:
                await deliver(record.fault, content, outlet)
        finally:
            # Before a whole answer goes out: whoever has it may come back at once.
            self._in_flight -= 1
        if not content.streamed:
            await deliver(record.fault, content, outlet)

    async def _batch(self, record: RequestRecord, outlet: Outlet) -> None:
        self._check_key(record)
        match (record.method, record.path.removeprefix("/v1/batches").split("/")):
            case ("POST", [""]):
                content = self.batches.create(record.body, record.identities)
            case ("GET", [""]):
                query = outlet._request.query  # noqa: SLF001 - no record has it
                content, billed = self.batches.look(query.get("batch_id", ""))
                self.billed += billed
            case ("POST", ["", "cancel", batch_id]):
                content = self.batches.cancel(batch_id)
            case _:
                raise Refusal(404, f"Cannot {record.method} {record.path}")
        await deliver(None, content, outlet)

    def _content(self, record: RequestRecord, reply: Reply, generation: Generation) -> Content:
        if reply.body is not None or not record.stream:
            return whole_of(reply, generation)
        form = reply.form or (self._form if generation.kin == "claude" else "openai")
        return Content(
            tuple(stream_of(reply, generation, form)),
            status=reply.status,
            headers={
                "Content-Type": reply.content_type or "text/event-stream",
                "Cache-Control": "no-cache",
                **(reply.headers or {}),
            },
            streamed=True,
            pace=self._pace if reply.pace is None else reply.pace,
        )

    def _check_key(self, record: RequestRecord) -> None:
        bearer = _BEARER.fullmatch(record.headers.get("Authorization", ""))
        if bearer is None or self._api_key not in (None, bearer[1]):
            raise Refusal(401, usual_message(401))


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return None


def _no_json(name: str) -> None:
    msg = f"{name} is not JSON, though Python reads it"
    raise ValueError(msg)
