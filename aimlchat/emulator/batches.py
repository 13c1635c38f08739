"""The batch endpoint: many requests handed in at once, their answers fetched later."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from .composing import compose
from .encoding import as_json, encode
from .errors import Refusal
from .field_checks import refuse, require
from .identities import Identities
from .naming import kin
from .request import Asked
from .responses import Content
from .script import MADE_UP
from .validation import check
from .wire_fields import finish_native

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .generation import Answer, Generation
    from .script import Script

__all__ = ["Batches"]

_CUSTOM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LIFETIME = timedelta(days=1)
_ROOM_FOR_IDS = 1_000_000


@attrs.define
class _Batch:
    id: str
    identities: Identities
    requests: list[dict[str, Any]]
    created: datetime
    looks_left: int
    cancelled: datetime | None = None
    results: bytes | None = None


class Batches:
    """What was handed in, until the emulator ends.

    A batch runs while it has been looked at fewer than `looks` times; the look after those finds
    its results. One that is cancelled before has none, and costs nothing.
    """

    def __init__(self, script: Script, *, looks: int = 1) -> None:
        self.looks = looks
        self._script = script
        self._batches: dict[str, _Batch] = {}

    def create(self, body: Any, identities: Identities) -> Content:
        """Take in a batch.

        Raises:
            Refusal: 400 with the field's name in the message.
        """
        requests = _checked(body)
        batch = _Batch(
            id=f"msgbatch_01{identities.word('batch', 22)}",
            identities=identities,
            requests=requests,
            created=datetime.now(UTC),
            looks_left=self.looks,
        )
        self._batches[batch.id] = batch
        return Content.of_bytes(encode(_state(batch)))

    def look(self, batch_id: str) -> tuple[Content, int]:
        """Say how a batch is doing, or what came of it; and how many answers were written just now.

        Raises:
            Refusal: 404 for a batch that nobody has handed in.
        """
        batch = self._find(batch_id)
        if batch.cancelled is not None:
            return Content.of_bytes(encode({**_state(batch), "status": "cancelled"})), 0
        if batch.looks_left > 0:
            batch.looks_left -= 1
            return Content.of_bytes(encode({"id": batch.id, "status": "generating"})), 0
        billed = 0
        if batch.results is None:
            results = list(self._results(batch))
            billed = sum(result["result"]["type"] == "succeeded" for result in results)
            batch.results = b"".join(as_json(result).encode() + b"\n" for result in results)
        headers = {"Content-Type": "application/x-jsonl"}
        return Content.of_bytes(batch.results, headers=headers), billed

    def cancel(self, batch_id: str) -> Content:
        """End a batch.

        Raises:
            Refusal: 404 for a batch that nobody has handed in, 400 for one that has its results.
        """
        batch = self._find(batch_id)
        if batch.results is not None:
            sentence = (
                f"Batch {batch_id} cannot be canceled because it has already finished processing."
            )
            error = {"type": "invalid_request_error", "message": sentence}
            raise Refusal(400, f"400 {as_json({'type': 'error', 'error': error})}")
        batch.cancelled = datetime.now(UTC)
        return Content.of_bytes(encode(_state(batch)))

    def _find(self, batch_id: str) -> _Batch:
        if batch_id not in self._batches:
            raise Refusal(404, f"Batch {batch_id} not found")
        return self._batches[batch_id]

    def _results(self, batch: _Batch) -> Iterator[dict[str, Any]]:
        for place, request in enumerate(batch.requests):
            number = batch.identities.number * _ROOM_FOR_IDS + place
            result = self._result(request["params"], Identities(batch.identities.seed, number))
            yield {"custom_id": request["custom_id"], "result": result}

    def _result(self, params: dict[str, Any], identities: Identities) -> dict[str, Any]:
        try:
            require(params.get("max_tokens") is not None, "max_tokens", "Required, an integer")
            asked = Asked.from_body(check(params))
        except Refusal as refusal:
            error = {"type": "invalid_request_error", "message": refusal.message}
            return {"type": "errored", "error": {"type": "error", "error": error}}
        generation = compose(asked, self._script.reply() or MADE_UP, identities)
        thinks = asked.budget is not None
        return {"type": "succeeded", "message": _message(generation, thinks=thinks)}


def _checked(body: Any) -> list[dict[str, Any]]:
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list) or not requests:
        refuse("requests", "Required, an array of at least 1 element(s)")
    names: set[str] = set()
    for place, request in enumerate(requests):
        field = f"requests[{place}]"
        require(isinstance(request, dict), field, "Expected an object")
        name, params = request.get("custom_id"), request.get("params")
        fits = isinstance(name, str) and _CUSTOM_ID.fullmatch(name) is not None
        require(fits, f"{field}.custom_id", f"String should match pattern '^{_CUSTOM_ID.pattern}$'")
        require(name not in names, f"{field}.custom_id", "Must be unique")
        names.add(name)
        require(isinstance(params, dict), f"{field}.params", "Expected an object")
        is_claude = kin(str(params.get("model"))) == "claude"
        require(is_claude, f"{field}.params.model", "Only Claude can be asked in batches")
    return requests


def _state(batch: _Batch) -> dict[str, Any]:
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


def _message(generation: Generation, *, thinks: bool) -> dict[str, Any]:
    answer = generation.answers[0]
    usage = generation.usage
    return {
        "model": generation.model,
        "id": generation.id,
        "type": "message",
        "role": "assistant",
        "content": _content(answer, thinks=thinks),
        "stop_reason": finish_native(answer.finish),
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


def _content(answer: Answer, *, thinks: bool) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if thinks and answer.reasoning:
        parts.append({"type": "thinking", "thinking": answer.reasoning, "signature": "emulated"})
    if answer.text:
        parts.append({"type": "text", "text": answer.text})
    for call in answer.calls:
        arguments = json.loads(call.arguments)
        parts.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
    return parts
