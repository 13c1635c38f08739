"""Turns of the anthropic dialect: user and assistant only, with tool results on the user's side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat.content import Message, Text, ToolCall
from aimlchat.errors import InvalidRequestError

from .anthropic_parts import result, tool_use, translated, written
from .json_values import refuse, shown, text
from .limits import word
from .message_dicts import BLANK, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["conversation"]

Turn = dict[str, Any]

# What an answer carries and a request does not: the API takes no reasoning back.
_ANSWERS_ONLY = ("reasoning_content", "reasoning", "reasoning_details", "annotations")


def conversation(messages: Iterable[Message | Mapping[str, Any]]) -> tuple[list[Turn], list[str]]:
    """Return the turns, and the system prompts that stood among the messages, in order."""
    turns: list[Turn] = []
    prompts: list[str] = []
    after_result = False
    for place, message in enumerate(messages):
        field = f"messages[{place}]"
        if isinstance(message, Message):
            role, turn = message.role, _turn(message, field)
        else:
            given = read(message, field)
            role = given["role"]
            if role in ("system", "developer"):
                prompts += _prompts(given, field)
                continue
            turn = _translated(given, field)
        if after_result and turn["role"] == "user":
            # Parallel results have to stand in one message, in front of what the user says.
            _join(turns[-1], turn)
        else:
            turns.append(turn)
        after_result = role == "tool"
    return turns, prompts


def _join(results: Turn, turn: Turn) -> None:
    content = turn.pop("content")
    results["content"] += [_said(content)] if isinstance(content, str) else content
    results |= turn


def _said(said: str) -> Turn:
    return {"type": "text", "text": said}


def _folded(parts: list[Turn], field: str) -> str | list[Turn]:
    """Return parts as content: a text alone is a plain string."""
    if not parts:
        refuse(BLANK, field)
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return parts


def _turn(message: Message, field: str) -> Turn:
    match message.role:
        case "user":
            parts = _written(message, field)
            return {"role": "user", "content": _folded(parts, f"{field}.content")}
        case "assistant":
            return _assistant(message, field)
        case "tool":
            return _result(message, field)
    msg = f"{shown(message.role)} is none of user, assistant and tool"
    raise InvalidRequestError(msg, field=f"{field}.role")


def _written(message: Message, field: str) -> list[Turn]:
    return [written(part, f"{field}.content[{place}]") for place, part in enumerate(message.parts)]


def _assistant(message: Message, field: str) -> Turn:
    parts = _written(message, field)
    if message.refusal:
        parts.append(_said(text(message.refusal, f"{field}.refusal")))
    parts += [
        tool_use(call, f"{field}.tool_calls[{place}]")
        for place, call in enumerate(message.tool_calls)
    ]
    return {"role": "assistant", "content": _folded(parts, f"{field}.content")}


def _result(message: Message, field: str) -> Turn:
    at = f"{field}.content"
    match message.parts:
        case (Text(text=said),):
            # A text alone may be empty here: a tool need not have anything to say.
            content: str | list[Turn] = text(said, f"{at}[0]")
        case parts:
            content = [result(part, f"{at}[{place}]") for place, part in enumerate(parts)]
    part: Turn = {
        "type": "tool_result",
        "tool_use_id": word(message.call_id, f"{field}.tool_call_id"),
        "content": content,
    }
    if message.is_error:
        part["is_error"] = True
    return {"role": "user", "content": [part]}


def _prompts(given: Turn, field: str) -> list[str]:
    """Return the texts of a system message, which become one string with all others."""
    _nothing_else(given, field, ("role", "content"))
    content = given["content"]
    if isinstance(content, str):
        return [content] if content.strip() else []
    for place, part in enumerate(content):
        at = f"{field}.content[{place}]"
        if part["type"] != "text":
            refuse(f"a system prompt holds text only, not {shown(part['type'])}", at)
        _nothing_else(part, at, ("type", "text"))
    return [part["text"] for part in content if part["text"].strip()]


def _nothing_else(given: Turn, field: str, known: tuple[str, ...]) -> None:
    for key, value in given.items():
        if key not in known and value is not None:
            msg = (
                "the system prompt is one string in the anthropic dialect and cannot carry"
                f" {shown(key)}; leave it out, or send it with extra={{'system': [...]}}"
            )
            refuse(msg, f"{field}.{key}")


def _translated(given: Turn, field: str) -> Turn:
    if given["role"] == "tool":
        return _wire_result(given, field)
    if given.get("name") is not None:
        msg = "the anthropic dialect has no names of speakers; say it in the text"
        refuse(msg, f"{field}.name")
    if given["role"] == "user":
        parts = _parts(given["content"], field)
        rest = _rest(given, "role", "content", "name")
        return {"role": "user", "content": _folded(parts, f"{field}.content")} | rest
    return _wire_assistant(given, field)


def _parts(content: str | list[Turn] | None, field: str) -> list[Turn]:
    if content is None or isinstance(content, str):
        return [_said(content)] if content and content.strip() else []
    return [translated(part, f"{field}.content[{place}]") for place, part in enumerate(content)]


def _rest(given: Turn, *known: str) -> Turn:
    return {key: value for key, value in given.items() if key not in known}


def _wire_assistant(given: Turn, field: str) -> Turn:
    if given.get("audio") is not None:
        msg = "the anthropic dialect takes no audio; give the transcript as content"
        refuse(msg, f"{field}.audio")
    parts = _parts(given.get("content"), field)
    refusal = given.get("refusal")
    if refusal is not None and not isinstance(refusal, str):
        refuse(f"{shown(refusal)} is not text; give a str", f"{field}.refusal")
    if refusal:
        parts.append(_said(refusal))
    parts += [
        _wire_call(call, f"{field}.tool_calls[{place}]")
        for place, call in enumerate(given.get("tool_calls") or ())
    ]
    known = ("role", "content", "name", "refusal", "audio", "tool_calls", *_ANSWERS_ONLY)
    turn = {"role": "assistant", "content": _folded(parts, f"{field}.content")}
    # Servers spell out what an answer has not, and callers send that back.
    return turn | {k: v for k, v in _rest(given, *known).items() if v is not None}


def _wire_call(call: Turn, field: str) -> Turn:
    if call.get("type") not in (None, "function"):
        msg = f"the anthropic dialect has no call of type {shown(call['type'])}; leave it out"
        refuse(msg, f"{field}.type")
    function = call["function"]
    return tool_use(ToolCall(call["id"], function["name"], function["arguments"]), field)


def _wire_result(given: Turn, field: str) -> Turn:
    content = given["content"]
    if isinstance(content, list):
        content = _parts(content, field)
    # The name is left out: the id says which call this answers.
    rest = _rest(given, "role", "content", "tool_call_id", "name")
    part = {"type": "tool_result", "tool_use_id": given["tool_call_id"], "content": content}
    return {"role": "user", "content": [part | rest]}
