"""The endpoints: from a request to the bytes of an answer."""

from __future__ import annotations

import asyncio
import json
import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .asked import Asked
from .bodies import whole
from .catalogue import listing
from .checks import check
from .composing import compose
from .forms import events
from .identities import Identities
from .records import RequestRecord
from .refusals import Refusal, error_body, usual_message
from .script import Fault, Reply, Script, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from .forms import Form
    from .generation import Generation

    Endpoint = Callable[[web.BaseRequest, RequestRecord], Awaitable[web.StreamResponse]]

__all__ = ["Service"]

_CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class Service:
    """Answers requests, and remembers them."""

    def __init__(self, *, api_key: str | None, pace: float, form: Form, seed: int) -> None:
        self.script = Script()
        self.requests: list[RequestRecord] = []
        self.billed = 0
        self._api_key = api_key
        self._pace = pace
        self._form = form
        self._seed = seed
        self._number = 0
        self._endpoints: dict[str, tuple[str, Endpoint]] = {
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/models": ("GET", self._models),
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request and note how that went."""
        record = await self._take_in(request)
        self.requests.append(record)
        try:
            response = await self._answer(request, record)
            record.end("done")
        finally:
            record.end("left")
        return response

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

    async def _answer(self, request: web.BaseRequest, record: RequestRecord) -> web.StreamResponse:
        try:
            endpoint = self._endpoint(record)
            fault = self.script.fault()
            if fault is not None:
                return await self._fail(request, record, fault)
            return await endpoint(request, record)
        except Refusal as refusal:
            body = self._error_body(record, refusal.status, refusal.message)
            return await _send(
                request, record, encode(body), status=refusal.status, headers=refusal.headers
            )

    def _endpoint(self, record: RequestRecord) -> Endpoint:
        if record.path not in self._endpoints:
            raise Refusal(404, f"Cannot {record.method} {record.path}")
        method, endpoint = self._endpoints[record.path]
        if record.method != method:
            message = f"Cannot {record.method} {record.path}"
            raise Refusal(405, message, headers={"Allow": method})
        return endpoint

    async def _models(self, request: web.BaseRequest, record: RequestRecord) -> web.StreamResponse:
        content = encode(listing())
        tag = f'"{blake2b(content, digest_size=16).hexdigest()}"'
        headers = {"ETag": tag}
        known = record.headers.get("If-None-Match", "")
        if tag in known or known.strip() == "*":
            return await _send(request, record, None, status=304, headers=headers)
        return await _send(request, record, content, headers=headers)

    async def _chat(self, request: web.BaseRequest, record: RequestRecord) -> web.StreamResponse:
        self._check_key(record)
        asked = Asked.from_body(check(record.body))
        reply = self.script.reply()
        generation = compose(asked, reply, record.identities)
        if reply is None:
            reply = Reply()
        self.billed += reply.status < 400  # noqa: PLR2004 - where errors begin
        if reply.body is not None:
            return await _send(
                request,
                record,
                encode(reply.body),
                status=reply.status,
                headers=reply.headers,
                content_type=reply.content_type,
            )
        if record.stream:
            return await self._stream(request, record, reply, generation)
        headers = _cost_headers(generation.meta_usage) | dict(reply.headers or {})
        return await _send(
            request,
            record,
            encode(whole(generation)),
            status=reply.status,
            headers=headers,
            content_type=reply.content_type,
        )

    def _check_key(self, record: RequestRecord) -> None:
        bearer = _BEARER.fullmatch(record.headers.get("Authorization", ""))
        if bearer is None or self._api_key not in (None, bearer[1]):
            raise Refusal(401, usual_message(401))

    async def _stream(
        self, request: web.BaseRequest, record: RequestRecord, reply: Reply, generation: Generation
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            status=reply.status,
            headers={
                **_usual_headers(record),
                "Content-Type": reply.content_type or "text/event-stream",
                "Cache-Control": "no-cache",
                **(reply.headers or {}),
            },
        )
        await response.prepare(request)
        pace = self._pace if reply.pace is None else reply.pace
        for number, line in enumerate(_lines(reply, generation, self._form_of(reply, generation))):
            if number:
                # Without a pace too: others get their turn, and a client that left is noticed.
                await asyncio.sleep(pace)
            await response.write(line)
        await response.write_eof()
        return response

    def _form_of(self, reply: Reply, generation: Generation) -> Form:
        return reply.form or (self._form if generation.kin == "claude" else "openai")

    async def _fail(
        self, request: web.BaseRequest, record: RequestRecord, fault: Fault
    ) -> web.StreamResponse:
        message = usual_message(fault.status) if fault.message is None else fault.message
        body = fault.body
        if body is None:
            body = self._error_body(record, fault.status, message)
        headers = dict(fault.headers or {})
        if fault.retry_after is not None:
            headers["Retry-After"] = str(fault.retry_after)
        return await _send(request, record, encode(body), status=fault.status, headers=headers)

    def _error_body(self, record: RequestRecord, status: int, message: str) -> dict[str, Any]:
        request_id = record.identities.uuid("request")
        return error_body(status, message, path=record.path, request_id=request_id)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return None


def _no_json(name: str) -> None:
    msg = f"{name} is not JSON, though Python reads it"
    raise ValueError(msg)


def _usual_headers(record: RequestRecord) -> dict[str, str]:
    headers = {"Server": "aimlchat-emulator", "x-inference-id": record.inference_id}
    if record.client_request_id is not None:
        headers["x-client-request-id"] = record.client_request_id
    return headers


def _cost_headers(meta_usage: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    if "credits_used" in meta_usage:
        headers["x-aimlapi-credits-used"] = str(meta_usage["credits_used"])
    if "usd_spent" in meta_usage:
        headers["x-aimlapi-usd-spent"] = f"{meta_usage['usd_spent']:.9f}".rstrip("0").rstrip(".")
    return headers


def _lines(reply: Reply, generation: Generation, form: Form) -> Iterator[bytes]:
    if reply.events is None:
        for event in events(generation, form):
            yield _line(event)
    else:
        yield from map(_line, reply.events)
    usually_done = form == "openai" and reply.events is None
    if usually_done if reply.done is None else reply.done:
        yield _line("[DONE]")


def _line(event: Any) -> bytes:
    if isinstance(event, bytes):
        return event
    data = encode(event).replace(b"\n", b"\ndata: ")
    return b"data: " + data + b"\n\n"


async def _send(
    request: web.BaseRequest,
    record: RequestRecord,
    content: bytes | None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str | None = None,
) -> web.StreamResponse:
    """Send a whole answer to its last byte, so that the record can say it is done."""
    all_headers = {**_usual_headers(record), **(headers or {})}
    if content is not None:
        all_headers.setdefault("Content-Type", content_type or "application/json")
    response = web.Response(status=status, body=content, headers=all_headers)
    await response.prepare(request)
    await response.write_eof()
    return response
