"""The vendor's batch endpoint: create, look, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat._json import decode_json
from aimlchat.errors import ProtocolError
from aimlchat.policies import RetryPolicy
from aimlchat.session import endpoints_of

if TYPE_CHECKING:
    from aimlchat.session import ChatSession

__all__ = ["cancel", "create", "look"]

_PATH = "batches"
# The states in which no results will come any more.
_OVER = frozenset({"cancelled", "canceled", "failed", "expired"})


async def create(session: ChatSession, requests: list[bytes]) -> str:
    """Hand over requests, each an object of ``custom_id`` and ``params``; return the batch's id.

    It is tried once, since a second try could make, and bill, a second batch; only where a reused
    connection dies before a byte of the answer is it sent again. Raises an `AIMLChatError`.
    """
    body = b'{"requests":[' + b",".join(requests) + b"]}"
    said = decode_json(
        await endpoints_of(session).send("POST", _PATH, body, retry=RetryPolicy(attempts=1))
    )
    if not isinstance(said, dict) or not isinstance(said.get("id"), str):
        msg = "the answer to a new batch has no id"
        raise ProtocolError(msg)
    return str(said["id"])


async def look(session: ChatSession, batch_id: str) -> list[dict[str, Any]] | None:
    """Return the results of a batch; None while it runs, nothing if it ended without any.

    Each result has ``custom_id`` and ``result``. Raises an `AIMLChatError`. Cancelling is safe.
    """
    data = await endpoints_of(session).send("GET", f"{_PATH}?batch_id={batch_id}")
    said = _documents(data)
    if said and all(isinstance(one, dict) and "custom_id" in one for one in said):
        return said
    if len(said) == 1 and isinstance(said[0], dict):
        return [] if said[0].get("status") in _OVER else None
    msg = f"what the server says about the batch {batch_id} is neither its state nor results"
    raise ProtocolError(msg)


async def cancel(session: ChatSession, batch_id: str) -> None:
    """Ask for the end of a batch; what is finished keeps its result, and its price.

    Raises an `AIMLChatError`: a `BadRequestError` for a batch that is over.
    """
    await endpoints_of(session).send("POST", f"{_PATH}/cancel/{batch_id}", b"{}")


def _documents(data: bytes) -> list[Any]:
    try:
        return [decode_json(data)]
    except ProtocolError:
        return [decode_json(line) for line in data.splitlines() if line.strip()]
