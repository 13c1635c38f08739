"""The batch endpoint: many requests submitted at once, whose results are fetched later."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from .answers import generate
from .encoding import dump_json, encode_body
from .errors import RejectedRequestError
from .field_checks import check_object, reject, require
from .models import family_of
from .records import RequestIds
from .request import ParsedRequest
from .responses import PlannedResponse
from .script import DEFAULT_REPLY
from .validation import validate_request
from .wire_fields import to_claude_finish_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .generation import GeneratedChoice, Generation
    from .script import Script

__all__ = ["Batches"]

_CUSTOM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LIFETIME = timedelta(days=1)

# The ids of a batch's results derive from its own request number times this, plus their index.
_MAX_RESULTS = 1_000_000


@attrs.define
class _Batch:
    id: str
    identities: RequestIds
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

    def __init__(self, script: Script, *, polls: int = 1) -> None:
        self.polls = polls
        self._script = script
        self._batches: dict[str, _Batch] = {}

    def create(self, body: Any, identities: RequestIds) -> PlannedResponse:
        """Accept a batch.

        Raises:
            RejectedRequestError: 400 with the field's name in the message.
        """
        requests = _validate_requests(body)
        batch = _Batch(
            id=f"msgbatch_01{identities.make_token('batch', 22)}",
            identities=identities,
            requests=requests,
            created=datetime.now(UTC),
            polls_left=self.polls,
        )
        self._batches[batch.id] = batch
        return PlannedResponse.from_bytes(encode_body(_build_state(batch)))

    def poll(self, batch_id: str) -> tuple[PlannedResponse, int]:
        """Return the state of a batch or its results, and how many results this call generated.

        Raises:
            RejectedRequestError: 404 for an unknown batch.
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
            results = list(self._generate_results(batch))
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
            raise RejectedRequestError(400, f"400 {dump_json({'type': 'error', 'error': error})}")
        batch.cancelled = datetime.now(UTC)
        return PlannedResponse.from_bytes(encode_body(_build_state(batch)))

    def _find(self, batch_id: str) -> _Batch:
        if batch_id not in self._batches:
            raise RejectedRequestError(404, f"Batch {batch_id} not found")
        return self._batches[batch_id]

    def _generate_results(self, batch: _Batch) -> Iterator[dict[str, Any]]:
        for index, request in enumerate(batch.requests):
            number = batch.identities.number * _MAX_RESULTS + index
            ids = RequestIds(batch.identities.seed, number)
            result = self._generate_result(request["params"], ids)
            yield {"custom_id": request["custom_id"], "result": result}

    def _generate_result(self, params: dict[str, Any], ids: RequestIds) -> dict[str, Any]:
        try:
            require(params.get("max_tokens") is not None, "max_tokens", "Required, an integer")
            request = ParsedRequest.from_body(validate_request(params))
        except RejectedRequestError as rejection:
            error = {"type": "invalid_request_error", "message": rejection.message}
            return {"type": "errored", "error": {"type": "error", "error": error}}
        generation = generate(request, self._script.take_reply() or DEFAULT_REPLY, ids)
        with_thinking = request.thinking_budget is not None
        message = _build_message(generation, with_thinking=with_thinking)
        return {"type": "succeeded", "message": message}


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


def _build_message(generation: Generation, *, with_thinking: bool) -> dict[str, Any]:
    """Build a result in Anthropic's own message format."""
    choice = generation.choices[0]
    usage = generation.usage
    return {
        "model": generation.model,
        "id": generation.id,
        "type": "message",
        "role": "assistant",
        "content": _build_content(choice, with_thinking=with_thinking),
        "stop_reason": to_claude_finish_reason(choice.finish),
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": usage.prompt,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": usage.completion,
            "service_tier": "batch",
            "inference_geo": "not_available",
        },
    }


def _build_content(choice: GeneratedChoice, *, with_thinking: bool) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if with_thinking and choice.reasoning:
        parts.append({"type": "thinking", "thinking": choice.reasoning, "signature": "emulated"})
    if choice.text:
        parts.append({"type": "text", "text": choice.text})
    for call in choice.calls:
        arguments = json.loads(call.arguments)
        parts.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
    return parts
