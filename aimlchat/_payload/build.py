"""The payload of a request: checks of its fields, defaults, and the choice of the dialect."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .cache_control import check_breakpoints
from .json_values import describe, refuse
from .kept_turns import holds_thinking
from .limits import check_dict, check_model
from .models import (
    choose_dialect,
    default_model,
    find_model_row,
    parse_thinking,
    resolve_max_tokens,
    take_out_refused_fields,
)
from .openai import build_openai_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .model_table import Dialect, ModelRow

__all__ = ["build_payload", "check_client_request_id"]


# Most programs send requests in one dialect only, so that the others are loaded on use.
def _build_anthropic_payload(*args: Any, **keywords: Any) -> dict[str, Any]:
    from .anthropic import build_anthropic_payload  # noqa: PLC0415

    return build_anthropic_payload(*args, **keywords)


def _build_messages_payload(*args: Any, **keywords: Any) -> dict[str, Any]:
    from .messages import build_messages_payload  # noqa: PLC0415

    return build_messages_payload(*args, **keywords)


_BUILDERS: dict[Dialect, Callable[..., dict[str, Any]]] = {
    "anthropic": _build_anthropic_payload,
    "messages": _build_messages_payload,
    "openai": build_openai_payload,
}
_DIALECTS = tuple(_BUILDERS)  # A tuple, since `in` on a dict raises TypeError for a list.
_CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_SIGNED_MODES = ("enabled", "adaptive")
_MODEL_AND_MESSAGES = 2
# The choices that have no effect without tools, in either dialect.
_NO_CHOICE: tuple[Any, ...] = ("auto", "none", {"type": "auto"}, {"type": "none"})
_NOT_PARAMETERS = frozenset(
    ("model", "messages", "_system", "thinking", "dialect", "client_request_id", "extra")
)


def build_payload(fields: Mapping[str, Any], *, stream: bool) -> dict[str, Any]:
    """Return the payload of a request as a new dict of JSON values.

    Args:
        fields: all fields of `aimlchat.ChatRequest`, or only those that are set; the system prompt
            is ``_system``.
        stream: whether the payload requests a stream.

    Raises:
        InvalidRequestError: for what the API would refuse or silently drop.
    """
    get = fields.get
    model = default_model() if get("model") is None else check_model(fields["model"])
    messages: Any = get("messages")
    if not isinstance(messages, tuple | list):
        msg = f"{describe(messages)} is not a list of messages; to add a text use .user(text)"
        refuse(msg, "messages")
    row = find_model_row(model)
    if (
        len(fields) == _MODEL_AND_MESSAGES
        and "model" in fields
        and len(messages) == 1
        and type(messages[0]) is dict
        and type(messages[0].get("content")) is str
    ):
        # Nearly all requests: a text, in which nothing has to be searched.
        payload = _BUILDERS[row.dialects[0]](model, messages, None, {}, stream=stream)
        if row.refused_fields:
            _remove_stream_options(payload, row)
        return payload
    dialect, extra = get("dialect"), get("extra")
    check_client_request_id(get("client_request_id"))
    if dialect is not None and dialect not in _DIALECTS:
        wanted = "'openai', 'anthropic' or 'messages'"
        refuse(f"{describe(dialect)} is not a dialect; give {wanted}", "dialect")
    parameters: dict[str, Any] = {
        name: value
        for name, value in fields.items()
        if value is not None and name not in _NOT_PARAMETERS and not _is_empty_list(value)
    }
    take_out_refused_fields(model, parameters)
    mode, budget = parse_thinking(get("thinking"))
    is_signed = row.is_claude and (
        (mode in _SIGNED_MODES and "tools" in parameters) or holds_thinking(messages)
    )
    dialect, sends_thinking = choose_dialect(model, dialect, mode, needs_signatures=is_signed)
    if sends_thinking:
        parameters["thinking"] = {"type": mode}
    if budget is not None:
        parameters["thinking"]["budget_tokens"] = budget
        parameters["max_tokens"] = resolve_max_tokens(budget, get("max_tokens"))
    system = get("_system")
    if isinstance(system, str) and not system.strip():
        system = None
    payload = _BUILDERS[dialect](model, messages, system, parameters, stream=stream)
    _remove_stream_options(payload, row)
    check_breakpoints(payload)
    extra = {} if extra is None else check_dict(extra, "extra")
    if payload.get("tool_choice") in _NO_CHOICE and not (payload.keys() | extra) & {"tools"}:
        del payload["tool_choice"]  # the API refuses it, but callers give it with any list of tools
    return _merge_extra(payload, extra)


def _remove_stream_options(payload: dict[str, Any], row: ModelRow) -> None:
    """Do not request usage from a model that refuses the field; it sends the usage anyway."""
    if "stream_options" in row.refused_fields:
        payload.pop("stream_options", None)


def _is_empty_list(value: Any) -> bool:
    return isinstance(value, tuple | list) and not value


def check_client_request_id(value: Any) -> None:
    """Raise `InvalidRequestError` for an id that the API would silently drop; None is valid."""
    if value is None:
        return
    if not isinstance(value, str) or not _CLIENT_REQUEST_ID.fullmatch(value):
        msg = f"the API would drop {describe(value)}; give 1 to 128 of A-Z a-z 0-9 . _ : -"
        refuse(msg, "client_request_id")


def _merge_extra(payload: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    for name, value in extra.items():
        if name == "stream":
            msg = "extra cannot decide whether to stream; call session.stream() or .complete()"
            refuse(msg, "extra")
        if value is None:
            payload.pop(name, None)
        else:
            payload[name] = value
    return payload
