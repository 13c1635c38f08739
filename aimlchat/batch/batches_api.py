"""The vendor's batch endpoint: create a batch, fetch its results, cancel it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs
import msgspec

from aimlchat._json import decode_json
from aimlchat._printable import excerpt
from aimlchat._protocol.api_errors import error_from_body, is_error_body
from aimlchat._protocol.surrogates import mend_surrogates
from aimlchat.errors import ProtocolError
from aimlchat.session import endpoints_of

if TYPE_CHECKING:
    from aimlchat.session import ChatSession

__all__ = ["FetchedResults", "cancel_batch", "create_batch", "fetch_results"]

_PATH = "batches"
# The states of a batch that has ended without results.
_ENDED = ("cancelled", "canceled", "failed", "expired")


@attrs.frozen
class FetchedResults:
    """The results of a batch: dictionaries with ``custom_id`` and, as a rule, ``result``.

    ``unreadable`` is the number of results that are not JSON, or have no ``custom_id``.
    """

    # Not in the ``repr``, which a traceback may show: the server may have echoed the key.
    results: list[dict[str, Any]] = attrs.field(repr=False)
    unreadable: int = 0


async def create_batch(session: ChatSession, requests: list[bytes]) -> str:
    """Create a batch and return its id.

    There is one attempt only: a second one could create, and bill, a second batch.

    Args:
        session: sends the request.
        requests: the requests in JSON, each an object with ``custom_id`` and ``params``.

    Raises an `AIMLChatError`.
    """
    body = b'{"requests":[' + b",".join(requests) + b"]}"
    return await endpoints_of(session).send("POST", _PATH, _parse_batch_id, body, once=True)


def _parse_batch_id(data: bytes) -> str:
    response = decode_json(data)
    batch_id = response.get("id") if isinstance(response, dict) else None
    if batch_id is None and isinstance(response, dict) and is_error_body(response):
        raise error_from_body(response)
    if type(batch_id) not in (str, int) or batch_id == "":
        msg = (
            "the response to a new batch has no id, so its results cannot be fetched; it begins"
            f" with {excerpt(data.decode('utf-8', 'replace'))}"
        )
        raise ProtocolError(msg)
    return mend_surrogates(str(batch_id))


async def fetch_results(session: ChatSession, batch_id: str) -> FetchedResults | None:
    """Return the results of a batch: None while it runs, an empty list if it ended without any.

    Raises an `AIMLChatError`. Cancelling is safe.
    """
    path = f"{_PATH}?batch_id={_quote(batch_id)}"
    return await endpoints_of(session).send("GET", path, partial(_parse_results, batch_id))


def _parse_results(batch_id: str, data: bytes) -> FetchedResults | None:
    documents = _parse_documents(data)
    results = [
        document for document in documents if isinstance(document, dict) and "custom_id" in document
    ]
    if results:
        return FetchedResults(results, unreadable=len(documents) - len(results))
    if len(documents) == 1 and isinstance(documents[0], dict):
        if documents[0].get("status") in _ENDED:
            return FetchedResults([])
        if is_error_body(documents[0]):
            raise error_from_body(documents[0])
        return None
    msg = (
        f"the response about the batch {batch_id} holds neither its state nor its results;"
        " run the same command again to fetch them"
    )
    raise ProtocolError(msg)


async def cancel_batch(session: ChatSession, batch_id: str) -> None:
    """Cancel a batch. Requests that have finished keep their results, and are charged.

    Raises an `AIMLChatError`: a `BadRequestError` for a batch that has ended.
    """
    path = f"{_PATH}/cancel/{_quote(batch_id)}"
    await endpoints_of(session).send("POST", path, lambda _: None, b"{}")


def _quote(batch_id: str) -> str:
    """Quote an id, which the server or the user may give in any form, as a part of a URL."""
    return quote(batch_id, safe="")


def _parse_documents(data: bytes) -> list[Any]:
    """Parse one JSON document, an array of them, or JSON lines; a broken line becomes None."""
    try:
        document = decode_json(data)
    except ProtocolError:
        return [_parse_line(line) for line in data.splitlines() if line.strip()]
    return document if isinstance(document, list) else [document]


def _parse_line(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)  # several times faster, and there may be 10,000 lines
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return decode_json(line)
    except ProtocolError:
        return None  # a broken line must not hide the results around it, which were paid for
