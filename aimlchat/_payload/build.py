"""A request's fields to the JSON payload: checks, defaults, and which dialect."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import anthropic, openai
from .json_values import is_mapping, refuse, shown
from .limits import mapping, word
from .models import DEFAULT_MODEL, Dialect, route, row_of
from .thinking import room, wish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["build_payload", "check_client_request_id"]

PAYLOADS: dict[Dialect, Callable[..., dict[str, Any]]] = {
    "anthropic": anthropic.payload,
    "openai": openai.payload,
}
_CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_DIALECTS = tuple(PAYLOADS)
_MODEL_AND_MESSAGES = 2
_EMPTY: tuple[Any, ...] = ((), [])
_NOT_PARAMETERS = frozenset(
    ("model", "messages", "_system", "thinking", "dialect", "client_request_id", "extra")
)


def build_payload(fields: Mapping[str, Any], *, stream: bool) -> dict[str, Any]:
    """Return the JSON body of a request that has these fields.

    Raises `InvalidRequestError` for what the API would refuse.
    """
    get = fields.get
    model = DEFAULT_MODEL if get("model") is None else word(fields["model"], "model")
    messages = get("messages")
    _check_conversation(messages)
    if len(fields) == _MODEL_AND_MESSAGES and "model" in fields:  # nearly always
        return PAYLOADS[row_of(model).plain](model, messages, None, {}, stream=stream)
    dialect, extra = get("dialect"), get("extra")
    check_client_request_id(get("client_request_id"))
    if dialect is not None and dialect not in _DIALECTS:
        msg = f"{shown(dialect)} is no dialect; give 'openai' or 'anthropic'"
        refuse(msg, "dialect")
    parameters: dict[str, Any] = {
        name: value
        for name, value in fields.items()
        if value is not None and name not in _NOT_PARAMETERS and value not in _EMPTY
    }
    mode, budget = wish(get("thinking"))
    dialect, said = route(model, dialect, mode)
    if said:
        parameters["thinking"] = {"type": mode}
    if budget is not None:
        parameters["thinking"]["budget_tokens"] = budget
        parameters["max_tokens"] = room(budget, get("max_tokens"))
    prompt = get("_system")
    if isinstance(prompt, str) and not prompt.strip():
        prompt = None
    body = PAYLOADS[dialect](model, messages, prompt, parameters, stream=stream)
    return body if extra is None else _merged(body, extra)


def _check_conversation(messages: Any) -> None:
    if not isinstance(messages, tuple | list):
        msg = f"{shown(messages)} is not a list of messages; for a text use .user(text)"
        refuse(msg, "messages")
    if not messages or (_is_prompt(messages[-1]) and all(map(_is_prompt, messages))):
        refuse("the conversation is empty; add a message, as .user('Hello')", "messages")


def check_client_request_id(given: Any) -> None:
    """Refuse an id that the API would drop without a word."""
    if given is None:
        return
    if not isinstance(given, str) or not _CLIENT_REQUEST_ID.fullmatch(given):
        msg = f"{shown(given)} would be dropped; give 1 to 128 of A-Z a-z 0-9 . _ : -"
        refuse(msg, "client_request_id")


def _is_prompt(message: Any) -> bool:
    return is_mapping(message) and message.get("role") in ("system", "developer")


def _merged(body: dict[str, Any], extra: Any) -> dict[str, Any]:
    for name, value in mapping(extra, "extra").items():
        if name == "stream":
            refuse("the call decides whether to stream; use session.stream() for it", "extra")
        if value is None:
            body.pop(name, None)
        else:
            body[name] = value
    return body
