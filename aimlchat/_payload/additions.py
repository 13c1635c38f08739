"""Additions to a conversation by methods of `ChatRequest`: turns of the model, and breakpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from aimlchat.completions import Completion
from aimlchat.content import Message, Text
from aimlchat.errors import InvalidRequestError, ProtocolError

from .cache_control import (
    CACHE_KEY,
    MAX_BREAKPOINTS,
    TOO_MANY,
    MarkedPrompt,
    build_cache_control,
    check_ttl,
)
from .json_values import describe, freeze, is_mapping, refuse
from .kept_turns import BLOCKS, THINKING_TYPES, TURN_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["freeze_turn", "mark_last"]


def freeze_turn(turn: Any, field: str) -> Message | Mapping[str, Any]:
    """Return a text, a completion, or the dict of one, as an immutable message.

    Raises `InvalidRequestError` for any other value, and for a turn that has nothing to send back
    or whose tool calls were cut off.
    """
    if isinstance(turn, str):
        return Message("assistant", (Text(turn),))
    if isinstance(turn, Completion):
        return _build_turn(turn, field)
    if not is_mapping(turn):
        refuse(f"{describe(turn)} is not a str or a Completion", f"{field}.content")
    if turn.get("role") != "assistant":
        msg = f"{describe(turn.get('role'))} is not 'assistant', as in Completion.as_message()"
        refuse(f"{msg}; give other messages as messages=[...]", f"{field}.role")
    frozen: Mapping[str, Any] = freeze(turn)
    return frozen


def _build_turn(completion: Completion, field: str) -> Message:
    try:
        message = completion.as_message()
    except ProtocolError as error:
        raise InvalidRequestError(str(error), field=f"{field}.tool_calls") from error
    turn = {key: message[key] for key in TURN_KEYS if key in message}
    blocks = turn.get(BLOCKS, ())
    text, refusal, calls = completion.text, completion.refusal, completion.tool_calls
    has_block = any(block["type"] not in (*THINKING_TYPES, "text") for block in blocks)
    if not (text.strip() or refusal or calls or has_block):
        msg = "the completion has neither text, refusal nor tool calls; leave it out"
        refuse(msg, f"{field}.content")
    return Message(
        "assistant",
        (Text(text),) if text else (),
        tool_calls=tuple(
            attrs.evolve(call, extra=freeze(call.extra)) if call.extra else call for call in calls
        ),
        refusal=refusal,
        turn=freeze(turn) if turn else None,
    )


def mark_last(messages: Any, system: str | None, ttl: Any) -> dict[str, Any]:
    """Return the fields of a request that change with a breakpoint after what was added last.

    Without messages, the breakpoint is after the system prompt. Raises `InvalidRequestError` for a
    fifth breakpoint, and if there is nothing to mark.
    """
    check_ttl(ttl, "cache")
    if not messages:
        if not isinstance(system, str) or not system.strip():
            refuse("there is nothing to mark; call .system() or .user() before .cache()", "cache")
        return {"system": MarkedPrompt(system, ttl)}
    if not isinstance(messages, tuple):
        refuse(f"{describe(messages)} is not a list of messages", "messages")
    *earlier, last = messages
    if isinstance(system, MarkedPrompt) + sum(map(_is_marked, earlier)) >= MAX_BREAKPOINTS:
        refuse(TOO_MANY, "cache")
    if isinstance(last, Message):
        last = attrs.evolve(last, cache_ttl=ttl)
    elif is_mapping(last):
        last = freeze({**last, CACHE_KEY: build_cache_control(ttl)})
    else:
        refuse(f"{describe(last)} is not a message", f"messages[{len(earlier)}]")
    return {"messages": (*earlier, last)}


def _is_marked(message: Any) -> bool:
    if isinstance(message, Message):
        return message.cache_ttl is not None
    return is_mapping(message) and CACHE_KEY in message
