"""The endpoints: from a request to the response that is sent."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from .answers import generate
from .batches import Batches
from .completion_body import build_completion_body
from .encoding import encode_body
from .errors import RejectedRequestError, default_message
from .fault_injection import is_billed, send_response
from .faults import ErrorStatus
from .http import ResponseWriter
from .message_format import build_message, build_message_events
from .model_query import select_models
from .prompt_cache import PromptCache
from .records import MESSAGES_PATH, RequestIds, RequestRecord
from .request import ParsedRequest
from .responses import PlannedResponse, build_stream_parts, build_whole
from .script import DEFAULT_REPLY, DefaultReply, Script, ScriptError
from .signatures import Signer
from .stream_formats import build_events
from .validation import read_request

if TYPE_CHECKING:
    from aiohttp import web

    from .catalog import Catalog
    from .chaos import Chaos
    from .faults import Fault
    from .generation import Generation
    from .playback import Playback
    from .script import Reply, Step
    from .stream_formats import StreamFormat

__all__ = ["Service"]

_CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_CHAT_PATH = "/v1/chat/completions"
_MODELS_PATH = "/v1/models"
_BATCHES_PATH = "/v1/batches"
_BALANCE_PATH = "/v2/billing"
_CHAT_PATHS = (_CHAT_PATH, MESSAGES_PATH)
_METHODS = {_CHAT_PATH: "POST", MESSAGES_PATH: "POST", _MODELS_PATH: "GET", _BALANCE_PATH: "GET"}
_ENDLESS_BALANCE = 1000.0
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class Service:
    """Responds to requests and records them; `Emulator` documents the parameters.

    Attributes:
        script: the replies and errors that wait for a request.
        requests: the records of all requests, oldest first.
        billed: how many calls would have cost money.
        batches: the submitted batches.
        script_errors: the failures of the functions of the script, oldest first.
    """

    def __init__(
        self,
        *,
        api_key: str | None,
        pace: float,
        form: StreamFormat,
        seed: int,
        chaos: Chaos,
        capacity: int | None,
        requests_per_second: int | None,
        latency: float,
        balance_usd: float | None,
        catalog: Catalog,
        playback: Playback | None = None,
    ) -> None:
        self.script = Script()
        self.requests: list[RequestRecord] = []
        self.billed = 0
        self._signer = Signer()
        self._prompt_cache = PromptCache()
        self.batches = Batches(self.script, catalog, self._signer)
        self.script_errors: list[Exception] = []
        self._catalog = catalog
        self._api_key = api_key
        self._pace = pace
        self._claude_format = form
        self._seed = seed
        self._chaos = chaos
        self._capacity = capacity
        self._requests_per_second = requests_per_second
        self._accepted: deque[float] = deque()  # the times of the requests of the last second
        self._latency = latency
        self._balance = Decimal(repr(_ENDLESS_BALANCE if balance_usd is None else balance_usd))
        self._ends_with_balance = balance_usd is not None
        self._playback = playback
        self._in_flight = 0
        self._request_count = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Respond to one request and record how that ended."""
        record = await self._build_record(request)
        self.requests.append(record)
        writer = ResponseWriter(request, record)
        try:
            await self._respond(record, writer)
            record.end("done")
        except ConnectionResetError:
            pass  # the client has disconnected, which the record shows
        finally:
            record.end("left")
        return writer.response

    async def _build_record(self, request: web.BaseRequest) -> RequestRecord:
        self._request_count += 1
        ids = RequestIds(self._seed, self._request_count)
        # `request.read()` would refuse more than a megabyte, and images are larger.
        raw = await request.content.read()
        client_id = request.headers.get("x-client-request-id", "")
        return RequestRecord(
            method=request.method,
            path=request.path,
            query=request.query_string,
            headers=request.headers,
            raw_body=raw,
            body=_parse_json(raw),
            inference_id=ids.make_uuid("inference"),
            # The API drops an invalid id silently.
            client_request_id=client_id if _CLIENT_REQUEST_ID.fullmatch(client_id) else None,
            identities=ids,
        )

    async def _respond(self, record: RequestRecord, writer: ResponseWriter) -> None:
        try:
            request = self._read_chat(record) if record.path in _CHAT_PATHS else None
            step = self.script.find(record, is_chat=isinstance(request, ParsedRequest))
            # A cassette has endpoints and models of its own; only the script comes before it.
            plays = self._playback if step is None or not step.is_scripted_reply else None
            if plays is None:
                _check_path(record)
            if step is not None and isinstance(step.content, ErrorStatus):
                self.script.use(step)
                record.fault = step.content
                await send_response(step.content, PlannedResponse(), writer)
            elif plays is not None:
                await self._play(plays, record, step, writer)
            elif isinstance(request, RejectedRequestError):
                raise request
            elif request is not None:
                await self._handle_chat(record, request, step, writer)
            else:
                await self._handle_other(record, step, writer)
        except RejectedRequestError as rejection:
            message = rejection.message
            if record.is_message and rejection.upstream_message is not None:
                message = rejection.upstream_message
            error = ErrorStatus(rejection.status, message, headers=rejection.headers)
            await send_response(error, PlannedResponse(), writer)
        except ScriptError as failure:
            self.script_errors.append(failure)
            await send_response(ErrorStatus(500, str(failure)), PlannedResponse(), writer)

    def _read_chat(self, record: RequestRecord) -> ParsedRequest | RejectedRequestError:
        # Returned, because a scripted error comes before the refusal of an invalid request.
        try:
            self._check_key(record)
            return read_request(
                record.body, self._catalog, self._signer, is_message=record.is_message
            )
        except RejectedRequestError as rejection:
            return rejection

    async def _handle_other(
        self, record: RequestRecord, step: Step | None, writer: ResponseWriter
    ) -> None:
        if record.path == _MODELS_PATH:
            await self._handle_models(record, writer)
        elif record.path == _BALANCE_PATH:
            await self._handle_balance(record, writer)
        else:
            await self._handle_batch(record, step, writer)

    async def _handle_models(self, record: RequestRecord, writer: ResponseWriter) -> None:
        body = encode_body(select_models(self._catalog.build_listing(), writer.request.query))
        etag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
        response = PlannedResponse.from_bytes(body, headers={"ETag": etag})
        if_none_match = record.headers.get("If-None-Match", "")
        if etag in if_none_match or if_none_match.strip() == "*":
            response = PlannedResponse(status=304, headers={"ETag": etag})
        await send_response(None, response, writer)

    async def _handle_chat(
        self,
        record: RequestRecord,
        request: ParsedRequest,
        step: Step | None,
        writer: ResponseWriter,
    ) -> None:
        if self._ends_with_balance and self._balance <= 0:
            raise RejectedRequestError(403, default_message(403))
        self._check_rate()
        if self._capacity is not None and self._in_flight >= self._capacity:
            raise RejectedRequestError(429, default_message(429))
        self._in_flight += 1
        try:
            response = await self._prepare(record, request, step)
            await asyncio.sleep(self._latency)
            if response.streamed:
                await send_response(record.fault, response, writer)
        finally:
            # A whole response frees its capacity before it is sent, because a client that has
            # received it may send its next request at once.
            self._in_flight -= 1
        if not response.streamed:
            await send_response(record.fault, response, writer)

    async def _prepare(
        self, record: RequestRecord, request: ParsedRequest, step: Step | None
    ) -> PlannedResponse:
        """Plan the response and decide on its fault, by the script or by chaos."""
        reply: Reply | ErrorStatus = DEFAULT_REPLY
        if step is not None:
            self.script.use(step)
            reply = await step.compute(record)
        if isinstance(reply, ErrorStatus):
            record.fault = reply
            return PlannedResponse()
        now = asyncio.get_running_loop().time()
        cache_use = self._prompt_cache.look_up(request.model, request.segments, now)
        generation = generate(request, reply, record.identities, self._signer, cache_use)
        response = self._plan_response(record, reply, generation)
        record.fault = reply.fault
        if step is None:
            record.fault = self._chaos.draw(record.identities.number, response)
        record.billed = is_billed(record.fault, response)
        self.billed += record.billed
        if record.billed:
            self._prompt_cache.keep(cache_use, now)
            self._balance -= Decimal(repr(generation.meta_usage.get("usd_spent", 0.0)))
        return response

    async def _handle_balance(self, record: RequestRecord, writer: ResponseWriter) -> None:
        self._check_key(record)
        body = {"current_balance": float(self._balance), "currency": "USD"}
        await send_response(None, PlannedResponse.from_bytes(encode_body(body)), writer)

    async def _play(
        self,
        playback: Playback,
        record: RequestRecord,
        step: Step | None,
        writer: ResponseWriter,
    ) -> None:
        if record.path != _MODELS_PATH:
            self._check_key(record)
        record.fault = self._use_fault(step)
        try:
            await playback.respond(record, writer, record.fault)
        finally:
            self.billed += record.billed

    def _use_fault(self, step: Step | None) -> Fault | None:
        """Use up a step that is only a fault, and return the fault."""
        if step is None or not isinstance(step.content, DefaultReply):
            return None
        self.script.use(step)
        return step.content.fault

    async def _handle_batch(
        self, record: RequestRecord, step: Step | None, writer: ResponseWriter
    ) -> None:
        self._check_key(record)
        match (record.method, record.path.removeprefix(_BATCHES_PATH).split("/")):
            case ("POST", [""]):
                response = self.batches.create(record)
            case ("GET", [""]):
                batch_id = writer.request.query.get("batch_id", "")
                response, billed = await self.batches.poll(batch_id)
                self.billed += billed
            case ("POST", ["", "cancel", batch_id]):
                response = self.batches.cancel(batch_id)
            case _:
                raise RejectedRequestError(404, f"Cannot {record.method} {record.path}")
        record.fault = self._use_fault(step)
        await send_response(record.fault, response, writer)

    def _check_rate(self) -> None:
        if self._requests_per_second is None:
            return
        now = asyncio.get_running_loop().time()
        accepted = self._accepted
        while accepted and accepted[0] <= now - 1:
            accepted.popleft()
        if len(accepted) >= self._requests_per_second:
            raise RejectedRequestError(429, default_message(429), headers={"Retry-After": "1"})
        accepted.append(now)

    def _plan_response(
        self, record: RequestRecord, reply: Reply, generation: Generation
    ) -> PlannedResponse:
        is_message = record.is_message
        if is_message:
            body = build_message(generation, self._signer)
        else:
            body = build_completion_body(generation)
        if reply.body is not None or not record.stream:
            return build_whole(reply, body)
        if is_message:
            events, done = build_message_events(body, generation.choices[0]), False
        else:
            form = reply.form or (
                "openai" if generation.family != "claude" else self._claude_format
            )
            events, done = build_events(generation, form), form == "openai"
        return PlannedResponse(
            tuple(build_stream_parts(reply, events, named=is_message, done=done)),
            status=reply.status,
            headers={
                "Content-Type": reply.content_type or "text/event-stream",
                "Cache-Control": "no-cache",
                **(reply.headers or {}),
            },
            streamed=True,
            named=is_message,
            pace=self._pace if reply.pace is None else reply.pace,
        )

    def _check_key(self, record: RequestRecord) -> None:
        bearer = _BEARER.fullmatch(record.headers.get("Authorization", ""))
        key = bearer[1] if bearer is not None else None
        if key is None and record.is_message:
            # Anthropic's own package sends the key like this.
            key = record.headers.get("x-api-key", "").strip() or None
        if key is None or self._api_key not in (None, key):
            raise RejectedRequestError(401, default_message(401))


def _check_path(record: RequestRecord) -> None:
    if record.path.startswith(_BATCHES_PATH):
        return
    if record.path not in _METHODS:
        raise RejectedRequestError(404, f"Cannot {record.method} {record.path}")
    method = _METHODS[record.path]
    if record.method != method:
        message = f"Cannot {record.method} {record.path}"
        raise RejectedRequestError(405, message, headers={"Allow": method})


def _parse_json(raw: bytes) -> Any:
    """Parse a body; None for anything that is not JSON."""
    try:
        return json.loads(raw, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        return None


def _reject_constant(name: str) -> None:
    """Reject NaN and the infinities, which `json` reads although they are not JSON."""
    msg = f"{name} is not valid JSON"
    raise ValueError(msg)
