"""The batch endpoint: many requests submitted at once, whose results are fetched later."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from .answers import generate
from .encoding import dump_json, encode_body
from .errors import RejectedRequestError, default_message, error_type_of, reject_as_upstream
from .faults import ErrorStatus
from .field_checks import check_object, reject, require
from .message_format import build_message
from .models import family_of
from .records import RequestIds
from .responses import PlannedResponse
from .script import DEFAULT_REPLY, Reply
from .validation import read_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .catalog import Catalog
    from .records import RequestRecord
    from .script import Script
    from .signatures import Signer

__all__ = ["Batches"]

_CUSTOM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LIFETIME = timedelta(days=1)

# The ids of a batch's results derive from its own request number times this, plus their index.
_MAX_RESULTS = 1_000_000


@attrs.define
class _Batch:
    id: str
    record: RequestRecord
    requests: list[dict[str, Any]]
    created: datetime
    polls_left: int
    cancelled: datetime | None = None
    results: bytes | None = None


class Batches:
    """The submitted batches, kept for the life of the emulator.

    A batch is in progress for the first `polls` polls; the next one gets its results. A batch that
    is cancelled before that has no results and costs nothing.
    """

    def __init__(self, script: Script, catalog: Catalog, signer: Signer, *, polls: int = 1) -> None:
        self.polls = polls
        self._signer = signer
        self._script = script
        self._catalog = catalog
        self._batches: dict[str, _Batch] = {}

    def create(self, record: RequestRecord) -> PlannedResponse:
        """Accept a batch.

        Raises:
            RejectedRequestError: 400 with the field's name in the message.
        """
        requests = _validate_requests(record.body)
        batch = _Batch(
            id=f"msgbatch_01{record.identities.make_token('batch', 22)}",
            record=record,
            requests=requests,
            created=datetime.now(UTC),
            polls_left=self.polls,
        )
        self._batches[batch.id] = batch
        return PlannedResponse.from_bytes(encode_body(_build_state(batch)))

    async def poll(self, batch_id: str) -> tuple[PlannedResponse, int]:
        """Return the state of a batch or its results, and how many results this call generated.

        Raises:
            RejectedRequestError: 404 for an unknown batch.
            ScriptError: a function of the script failed.
        """
        batch = self._find(batch_id)
        if batch.cancelled is not None:
            state = {**_build_state(batch), "status": "cancelled"}
            return PlannedResponse.from_bytes(encode_body(state)), 0
        if batch.polls_left > 0:
            batch.polls_left -= 1
            state = {"id": batch.id, "status": "generating"}
            return PlannedResponse.from_bytes(encode_body(state)), 0
        billed = 0
        if batch.results is None:
            results = [result async for result in self._generate_results(batch)]
            billed = sum(result["result"]["type"] == "succeeded" for result in results)
            batch.results = b"".join(dump_json(result).encode() + b"\n" for result in results)
        headers = {"Content-Type": "application/x-jsonl"}
        return PlannedResponse.from_bytes(batch.results, headers=headers), billed

    def cancel(self, batch_id: str) -> PlannedResponse:
        """Cancel a batch.

        Raises:
            RejectedRequestError: 404 for an unknown batch, 400 for one that has its results.
        """
        batch = self._find(batch_id)
        if batch.results is not None:
            message = (
                f"Batch {batch_id} cannot be canceled because it has already finished processing."
            )
            error = {"type": "invalid_request_error", "message": message}
            reject_as_upstream({"type": "error", "error": error})
        batch.cancelled = datetime.now(UTC)
        return PlannedResponse.from_bytes(encode_body(_build_state(batch)))

    def _find(self, batch_id: str) -> _Batch:
        if batch_id not in self._batches:
            raise RejectedRequestError(404, f"Batch {batch_id} not found")
        return self._batches[batch_id]

    async def _generate_results(self, batch: _Batch) -> AsyncIterator[dict[str, Any]]:
        ids = batch.record.identities
        for index, request in enumerate(batch.requests):
            # The script sees each request of the batch as it would see it alone.
            record = attrs.evolve(
                batch.record,
                body=request["params"],
                identities=RequestIds(ids.seed, ids.number * _MAX_RESULTS + index),
            )
            result = await self._generate_result(record)
            yield {"custom_id": request["custom_id"], "result": result}

    async def _generate_result(self, record: RequestRecord) -> dict[str, Any]:
        try:
            limit = record.body.get("max_tokens")
            require(limit is not None, "max_tokens", "Required, an integer")
            request = read_request(record.body, self._catalog, self._signer)
        except RejectedRequestError as rejection:
            return _build_error(rejection.status, rejection.message)
        reply: Reply | ErrorStatus = DEFAULT_REPLY
        step = self._script.find(record, is_chat=True)
        if step is not None and isinstance(step.content, Reply):
            self._script.use(step)
            reply = await step.compute(record)
        if isinstance(reply, ErrorStatus):
            return _build_error(reply.status, reply.message or default_message(reply.status))
        generation = generate(request, reply, record.identities, self._signer)
        message = build_message(generation, self._signer, service_tier="batch")
        message.pop("meta", None)
        return {"type": "succeeded", "message": message}


def _build_error(status: int, message: str) -> dict[str, Any]:
    error = {"type": error_type_of(status), "message": message}
    return {"type": "errored", "error": {"type": "error", "error": error}}


def _validate_requests(body: Any) -> list[dict[str, Any]]:
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list) or not requests:
        reject("requests", "Required, an array of at least 1 element(s)")
    custom_ids: set[str] = set()
    for index, request in enumerate(requests):
        field = f"requests[{index}]"
        check_object(request, field)
        custom_id, params = request.get("custom_id"), request.get("params")
        valid = isinstance(custom_id, str) and _CUSTOM_ID.fullmatch(custom_id) is not None
        pattern = f"String should match pattern '^{_CUSTOM_ID.pattern}$'"
        require(valid, f"{field}.custom_id", pattern)
        require(custom_id not in custom_ids, f"{field}.custom_id", "Must be unique")
        custom_ids.add(custom_id)
        check_object(params, f"{field}.params")
        is_claude = family_of(str(params.get("model"))) == "claude"
        require(is_claude, f"{field}.params.model", "Batches take only Claude models")
    return requests


def _build_state(batch: _Batch) -> dict[str, Any]:
    counts = dict.fromkeys(("succeeded", "errored", "canceled", "expired"), 0)
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "canceling" if batch.cancelled else "in_progress",
        "request_counts": {"processing": len(batch.requests), **counts},
        "ended_at": None,
        "created_at": batch.created.isoformat(),
        "expires_at": (batch.created + _LIFETIME).isoformat(),
        "archived_at": None,
        "cancel_initiated_at": batch.cancelled.isoformat() if batch.cancelled else None,
        "results_url": None,
    }
