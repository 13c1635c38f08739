"""The lenient path: reads a chunk from any JSON object, whatever the types in it.

It is slower than the decoders in `chunks` and accepts what they reject: a value of an unexpected
type, content as a list of parts, unknown keys at the top level and in a tool call. A value that
cannot be understood counts as absent, so that the text next to it is not lost.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from aimlchat._json import decode_json
from aimlchat._printable import excerpt
from aimlchat.errors import ProtocolError

from .chunks import (
    Chunk,
    ChunkChoice,
    ChunkMessage,
    CustomFragment,
    FunctionFragment,
    ToolCallFragment,
)
from .surrogates import mend_surrogates

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AMOUNT_BITS",
    "decode_object",
    "is_object",
    "parse_chunk",
    "read_amount",
    "read_count",
    "read_dict",
    "read_fields",
    "read_finish_reason",
    "read_float",
    "read_int",
    "read_list",
    "read_reasoning",
    "read_text",
]

_KNOWN_KEYS = frozenset(Chunk.__struct_fields__)
# The names of the arguments of a call: those of OpenAI, Llama, Anthropic and LangChain.
_ARGUMENT_KEYS = ("arguments", "parameters", "input", "args")
_FUNCTION_KEYS = frozenset(("name", "arguments"))
_CALL_KEYS = _FUNCTION_KEYS | {"index", "id", "type", "function", "custom"}
_CUSTOM_KEYS = frozenset(("name", "input"))
_CALL_PART = "tool_use"  # Anthropic's type of a tool call among parts of content
# A larger number is not exact as a float, and sums of such numbers soon become infinite.
AMOUNT_BITS = 53
_MAX_AMOUNT = 2**AMOUNT_BITS - 1
_IMAGE_PARTS = ("image_url", "image", "output_image")  # the types of images among parts of content


def decode_object(data: bytes) -> dict[str, Any]:
    """Decode a JSON object, or an array of one object, in which Google's API sends an error.

    Raises `ProtocolError` for anything else.
    """
    body = decode_json(data)
    if isinstance(body, list) and len(body) == 1 and data.lstrip().startswith(b"["):
        (body,) = body
    if not isinstance(body, dict):
        msg = f"expected a JSON object: {excerpt(data)}"
        raise ProtocolError(msg)
    return body


def is_object(data: bytes) -> bool:
    """Return whether `decode_object` accepts this."""
    try:
        decode_object(data)
    except ProtocolError:
        return False
    return True


def read_text(value: Any) -> str | None:
    """Return a string as it is and a number as text; None for any other value.

    Gateways were seen to send a number as ``id`` or as ``content``.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def read_int(value: Any) -> int | None:
    """Return an integer, even from a string of digits or a float; None for any other value.

    Gateways were seen to send ``"index": "1"`` and ``"created": 1750000000.0``. A fraction is
    dropped. NaN, infinity, a bool, and a string with more digits than Python converts (4,300)
    become None.
    """
    if type(value) is int:
        return value
    if value is None or isinstance(value, bool):
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def read_float(value: Any) -> float | None:
    """Return a finite number, even from a string; None for any other value.

    Response headers give the cost as text. NaN, infinity and a bool become None.
    """
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def read_amount(value: Any) -> float | None:
    """Return a number from 0 to 2**53, even from a string; None for any other value.

    A negative amount would lift a budget, and an infinite one would make every sum infinite. NaN
    and a bool become None, too.
    """
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return abs(number) if 0 <= number <= _MAX_AMOUNT else None


def read_count(value: Any) -> int | None:
    """Return a number of tokens of at least 0, as `read_amount` reads it; a fraction is dropped."""
    amount = read_amount(value)
    return None if amount is None else int(amount)


def read_dict(value: Any) -> dict[str, Any]:
    """Return the value if it is a JSON object, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def read_list(value: Any) -> list[Any]:
    """Return the value if it is a JSON array, otherwise an empty one."""
    return value if isinstance(value, list) else []


def read_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object with its keys in lower case and without ``_`` and ``-``.

    The same key is ``message``, ``Message``, ``errorMessage`` and ``error_message`` elsewhere.
    """
    return {key.replace("_", "").replace("-", "").lower(): value for key, value in body.items()}


def parse_chunk(body: dict[str, Any]) -> tuple[Chunk, dict[str, Any]]:
    """Read a chunk, or the body of a whole completion; return it and its unknown top-level keys."""
    choices = body.get("choices")
    chunk = Chunk(
        id=_read_identifier(body.get("id")),
        model=_read_identifier(body.get("model")),
        created=read_int(body.get("created")),
        usage=_dict_or_none(body.get("usage")),
        meta=_dict_or_none(body.get("meta")),
        state=_dict_or_none(body.get("state")),
    )
    if isinstance(choices, list):
        chunk.choices = [_parse_choice(choice) for choice in choices if isinstance(choice, dict)]
    extra = {name: value for name, value in body.items() if name not in _KNOWN_KEYS}
    if isinstance(body.get("event"), dict):
        # Only one level of envelope exists; reading deeper ones could exhaust the stack.
        chunk.event, inner_extra = parse_chunk({**body["event"], "event": None})
        extra |= inner_extra
    return chunk, extra


def read_reasoning(message: ChunkMessage) -> str:
    """Return the reasoning in a message once, whichever of its four names is used.

    Gateways repeat it under a second name: ``reasoning_details`` repeats ``reasoning``, and some
    send ``reasoning`` and ``reasoning_content`` side by side. An encrypted detail has no text.
    """
    if message.reasoning_content:
        return message.reasoning_content
    if message.reasoning:
        return message.reasoning
    if message.reasoning_details:
        details = [
            read_text(detail.get("text")) or read_text(detail.get("summary")) or ""
            for detail in message.reasoning_details
            if isinstance(detail, dict)
        ]
        if any(details):
            return "".join(details)
    return message.thinking or ""


def read_finish_reason(choice: dict[str, Any]) -> str | None:
    """Return the finish reason of a choice; SGLang's own API has an object with a ``type``."""
    reason = choice.get("finish_reason")
    return _read_identifier(reason.get("type") if isinstance(reason, dict) else reason)


def _read_identifier(value: Any) -> str | None:
    """Read text that no later chunk continues, and replace lone surrogates in it."""
    text = read_text(value)
    return text and mend_surrogates(text)


def _dict_or_none(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _parse_choice(choice: dict[str, Any]) -> ChunkChoice:
    delta, message = choice.get("delta"), choice.get("message")
    logprobs = choice.get("logprobs")
    return ChunkChoice(
        index=read_int(choice.get("index")),
        delta=_parse_message(delta) if isinstance(delta, dict) else None,
        message=_parse_message(message) if isinstance(message, dict) else None,
        finish_reason=read_finish_reason(choice),
        logprobs=logprobs if isinstance(logprobs, dict) else None,
        text=read_text(choice.get("text")),
        usage=_dict_or_none(choice.get("usage")),
    )


def _parse_message(message: dict[str, Any]) -> ChunkMessage:
    content, audio = message.get("content"), message.get("audio")
    thinking = ""
    images = _wrap_object(message.get("images"))
    calls = _wrap_object(message.get("tool_calls"))
    if isinstance(content, dict):  # a single part instead of a list of parts
        content = [content]
    if isinstance(content, list):
        images += [part for part in content if read_dict(part).get("type") in _IMAGE_PARTS]
        calls = calls or [part for part in content if read_dict(part).get("type") == _CALL_PART]
        content, thinking = _split_parts(content)
    return ChunkMessage(
        content=read_text(content),
        reasoning_content=read_text(message.get("reasoning_content")),
        reasoning=read_text(message.get("reasoning")),
        refusal=read_text(message.get("refusal")),
        tool_calls=[_parse_fragment(call) for call in calls if isinstance(call, dict)],
        reasoning_details=read_list(message.get("reasoning_details")),
        thinking=thinking or read_text(message.get("thinking")),
        function_call=_parse_function(message.get("function_call")),
        audio=audio if isinstance(audio, dict) else None,
        annotations=read_list(message.get("annotations")),
        images=images,
    )


def _wrap_object(value: Any) -> list[Any]:
    """Return a copy of a JSON array; an object instead of the array counts as its only item."""
    return [value] if isinstance(value, dict) else list(read_list(value))


def _parse_fragment(fragment: dict[str, Any]) -> ToolCallFragment:
    """Read a fragment of a tool call, and keep its unknown keys.

    Some gateways leave out ``function``, or put its keys beside the id.
    """
    function, custom = _name_arguments(read_dict(fragment.get("function"))), fragment.get("custom")
    if not function.get("arguments") and not custom:
        fragment = _name_arguments(fragment)
    extra = _find_unknown(fragment, _CALL_KEYS)
    if unknown := _find_unknown(function, _FUNCTION_KEYS):
        extra["function"] = unknown
    if unknown := _find_unknown(read_dict(custom), _CUSTOM_KEYS):
        extra["custom"] = unknown
    for key in _FUNCTION_KEYS:
        if not function.get(key) and fragment.get(key) is not None:
            function = function | {key: fragment[key]}
    type_ = _read_identifier(fragment.get("type"))
    return ToolCallFragment(
        index=read_int(fragment.get("index")),
        id=_read_identifier(fragment.get("id")),
        type="function" if type_ == _CALL_PART else type_,
        function=_parse_function(function),
        custom=_parse_custom(custom),
        extra=extra,
    )


def _name_arguments(holder: dict[str, Any]) -> dict[str, Any]:
    """Return a function, or a fragment, with its arguments under ``arguments``."""
    for key in _ARGUMENT_KEYS:
        if holder.get(key) not in (None, ""):
            others = {name: value for name, value in holder.items() if name != key}
            return others | {"arguments": holder[key]}
    return holder


def _find_unknown(holder: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return the keys that are not known and not null."""
    return {key: value for key, value in holder.items() if key not in known and value is not None}


def _parse_custom(custom: Any) -> CustomFragment | None:
    if not isinstance(custom, dict):
        return None
    return CustomFragment(
        name=_read_identifier(custom.get("name")), input=read_text(custom.get("input"))
    )


def _parse_function(function: Any) -> FunctionFragment | None:
    if not isinstance(function, dict):
        return None
    arguments = _name_arguments(function).get("arguments")
    if isinstance(arguments, dict | list):  # some gateways send them as JSON instead of as text
        arguments = json.dumps(arguments)
    return FunctionFragment(
        name=_read_identifier(function.get("name")), arguments=read_text(arguments)
    )


def _split_parts(parts: list[Any]) -> tuple[str, str]:
    """Return the text and the reasoning of content that is a list of parts.

    Mistral's reasoning models send such content; their ``thinking`` is itself a list of text parts.
    """
    text: list[str] = []
    reasoning: list[str] = []
    for part in parts:
        if isinstance(part, str):
            text.append(part)
            continue
        part = read_dict(part)  # noqa: PLW2901 - any other value has no text
        kind = part.get("type")
        if kind in ("text", "output_text", None):
            text.append(read_text(part.get("text")) or "")
        elif kind in ("thinking", "reasoning"):
            thinking = part.get("thinking", part.get("reasoning", part.get("text")))
            pieces = [read_dict(piece).get("text") for piece in read_list(thinking)] or [thinking]
            reasoning += (read_text(piece) or "" for piece in pieces)
    return "".join(text), "".join(reasoning)
