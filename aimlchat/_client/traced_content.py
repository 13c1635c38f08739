"""The content of a call in the JSON of OpenTelemetry's GenAI conventions, for `aimlchat.otel`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aimlchat.completions import Choice, Completion

__all__ = ["describe_input", "describe_output"]

_INSTRUCTIONS = ("system", "developer")
# Parts that carry a file, and what is in it. The data itself is left out: spans are no storage.
_MODALITIES = {
    "image": "image",
    "image_url": "image",
    "document": "document",
    "file": "document",
    "input_audio": "audio",
}


def describe_input(payload: bytes) -> dict[str, str]:
    """Return the attributes of the conversation that a request's JSON contains.

    Content in another form, which the caller's ``extra`` may have, is left out.
    """
    body = msgspec.json.decode(payload)
    instructions = list(_describe_parts(body.get("system")))
    messages = []
    for message in _find_dicts(body.get("messages")):
        if message.get("role") in _INSTRUCTIONS:
            instructions += _describe_parts(message.get("content"))
        else:
            messages.append(_describe_message(message))
    attributes = {"gen_ai.input.messages": _dump(messages)}
    if instructions:
        attributes["gen_ai.system_instructions"] = _dump(instructions)
    return attributes


def describe_output(completion: Completion) -> dict[str, str]:
    """Return the attribute of the messages that a completion contains."""
    messages = [_describe_choice(choice) for choice in completion.choices]
    return {"gen_ai.output.messages": _dump(messages)} if messages else {}


def _describe_message(message: dict[str, Any]) -> dict[str, Any]:
    role = str(message.get("role"))
    content = message.get("content")
    if role == "tool":
        return {"role": role, "parts": [_describe_result(message.get("tool_call_id"), content)]}
    parts = list(_describe_parts(content))
    for call in _find_dicts(message.get("tool_calls")):
        function = call.get(str(call.get("type", "function")))  # "custom" for a tool without JSON
        if isinstance(function, dict):
            arguments = function.get("arguments", function.get("input"))
            parts.append(_describe_call(call.get("id"), function.get("name"), arguments))
    return {"role": role, "parts": parts}


def _describe_parts(content: Any) -> Iterator[dict[str, Any]]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    for part in _find_dicts(content):
        kind = str(part.get("type"))
        match kind:
            case "text":
                yield {"type": "text", "content": part.get("text")}
            case "thinking":
                yield {"type": "reasoning", "content": part.get("thinking")}
            case "tool_use":
                yield _describe_call(part.get("id"), part.get("name"), part.get("input"))
            case "tool_result":
                yield _describe_result(part.get("tool_use_id"), part.get("content"))
            case _ if kind in _MODALITIES:
                yield {"type": "file", "modality": _MODALITIES[kind]}
            case _:
                yield {"type": kind}


def _describe_result(call_id: Any, content: Any) -> dict[str, Any]:
    """Describe what a tool returned: its text, or its parts, without the data of files."""
    response = list(_describe_parts(content)) if isinstance(content, list) else content
    return {"type": "tool_call_response", "id": call_id, "response": response}


def _describe_choice(choice: Choice) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    if choice.reasoning:
        parts.append({"type": "reasoning", "content": choice.reasoning})
    texts = filter(None, (choice.text, choice.refusal))
    parts += [{"type": "text", "content": text} for text in texts]
    parts += [_describe_call(call.id, call.name, call.raw_arguments) for call in choice.tool_calls]
    return {"role": "assistant", "parts": parts, "finish_reason": choice.finish_reason or ""}


def _describe_call(call_id: Any, name: Any, arguments: Any) -> dict[str, Any]:
    if isinstance(arguments, str):
        # Arguments that are cut off, broken or nested too deep are shown as the model wrote them.
        with suppress(msgspec.DecodeError, RecursionError):
            arguments = msgspec.json.decode(arguments)
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}


def _find_dicts(value: Any) -> list[dict[str, Any]]:
    """Return the dicts in a list, and none of anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _dump(value: Any) -> str:
    return msgspec.json.encode(value).decode()
