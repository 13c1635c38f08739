"""What comes back over the wire, in every shape that it was seen in.

Each chunk is decoded twice at most: by a typed msgspec decoder, which is fast and takes the shapes
that are common, and, where that refuses, by way of plain dictionaries, which takes anything that is
a JSON object. Every oddity of the wire is handled here, and says where it was seen.
"""

from __future__ import annotations

import functools
import json
import math
import re
from typing import TYPE_CHECKING, Any

import msgspec

from aimlchat.completions import Cost, Model, Usage
from aimlchat.errors import ProtocolError

from .surrogates import mend_surrogates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "REFUSED",
    "Choice",
    "Chunk",
    "Function",
    "Message",
    "PlainChunk",
    "ToolFragment",
    "as_stream",
    "can_be_field",
    "chunk_from",
    "cost_of",
    "finish_reason_of",
    "models_of",
    "plain_chunk",
    "reasoning_of",
    "typed_decoder",
    "typed_whole",
    "usage_of",
]


class Function(msgspec.Struct, gc=False):
    """The function that a tool call names."""

    name: str | None = None
    arguments: str | None = None


class ToolFragment(msgspec.Struct, gc=False):
    """A piece of a tool call."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Message(msgspec.Struct, gc=False):
    """The ``delta`` of a chunk, or the ``message`` of a whole completion: the same keys."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolFragment] | None = None
    reasoning_details: list[Any] | None = None
    thinking: str | None = None
    function_call: Function | None = None
    audio: dict[str, Any] | None = None
    annotations: list[Any] | None = None


class Choice(msgspec.Struct, gc=False):
    """One choice of a chunk; ``delta`` is absent in the last event of Claude's flat stream."""

    index: int | None = None
    delta: Message | None = None
    message: Message | None = None  # of a whole completion, in place of the delta
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None


class Chunk(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One event of a stream, or a whole completion read as one.

    Unknown top-level keys are refused, so that they are noticed: the completion's ``raw`` has them.
    ``event`` and ``state`` are the envelope of Claude's streams before 2026-02-13.
    """

    id: str | None = None
    choices: list[Choice] | None = None
    created: int | None = None
    model: str | None = None
    object: Any = None
    usage: dict[str, Any] | None = None
    meta: dict[str, Any] | None = None
    error: Any = None
    event: Chunk | None = None
    state: dict[str, Any] | None = None


class PlainMessage(msgspec.Struct, gc=False):
    """A `Message` with nothing in it but text: every other key is absent or null."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: None = None
    refusal: None = None
    tool_calls: None = None
    reasoning_details: None = None
    thinking: None = None
    function_call: None = None
    audio: None = None
    annotations: None = None


class PlainChoice(msgspec.Struct, gc=False):
    """A `Choice` that goes on."""

    delta: PlainMessage
    index: int = 0
    finish_reason: None = None
    logprobs: None = None


class PlainChunk(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A `Chunk` that brings a piece of text for one choice, and nothing else.

    Nearly every chunk is one, and once it was decoded as one nothing of it has to be looked at.
    """

    choices: tuple[PlainChoice]
    id: str | None = None
    created: int | None = None
    model: str | None = None
    object: Any = None
    usage: None = None
    meta: None = None
    error: None = None


# What the typed decoder raises for JSON that it does not take. UnicodeDecodeError is broken UTF-8.
REFUSED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_KNOWN_KEYS = frozenset(Chunk.__struct_fields__)
# msgspec takes no control characters, quotes, backslashes or lone surrogates in a field's name.
_FIELD_NAME = re.compile(r"[\w.:$ -]+")


def can_be_field(key: str) -> bool:
    """Return whether `typed_decoder` takes this key."""
    return _FIELD_NAME.fullmatch(key) is not None


@functools.lru_cache(maxsize=64)
def typed_decoder(extra_keys: tuple[str, ...] = ()) -> Callable[[bytes], Chunk]:
    """Return the fast decoder of chunks that have these top-level keys besides the known ones.

    An upstream that adds keys (``obfuscation``, ``service_tier``) adds them to every chunk. Made
    once for each set of keys that is met; the values are ``chunk.extra_0`` and so on, in order.
    """
    if not extra_keys:
        return msgspec.json.Decoder(Chunk).decode
    fields = [
        (f"extra_{place}", Any, msgspec.field(default=msgspec.UNSET, name=key))
        for place, key in enumerate(extra_keys)
    ]
    widened: type[Chunk] = msgspec.defstruct(  # type: ignore[assignment]
        "Chunk", fields, bases=(Chunk,), gc=False, forbid_unknown_fields=True
    )
    return msgspec.json.Decoder(widened).decode


plain_chunk = msgspec.json.Decoder(PlainChunk).decode


def _text(value: Any) -> str | None:
    """Take a number where text was promised (an ``id`` was seen to be one)."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def _name(value: Any) -> str | None:
    """Take a text that is never continued, so that half a character in it stays alone."""
    text = _text(value)
    return text and mend_surrogates(text)


def _whole(value: Any) -> int | None:
    """Take a number in a string, or with a fraction of zero, where an integer was promised."""
    if type(value) is int:
        return value
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
        return int(value) if isinstance(value, int | str) else int(number)
    except (TypeError, ValueError, OverflowError):
        return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def chunk_from(body: dict[str, Any], *, whole: bool = False) -> tuple[Chunk, dict[str, Any]]:
    """Read a chunk from a dictionary whatever the types in it; return also its unknown keys.

    ``whole`` reads a whole completion, whose choices have a ``message``. Some have a ``delta``
    besides (perplexity's sonar), some streams a final ``message`` that repeats all deltas; both are
    read over.
    """
    key = "message" if whole else "delta"
    chunk = Chunk(
        id=_name(body.get("id")),
        model=_name(body.get("model")),
        created=_whole(body.get("created")),
        usage=body.get("usage") if isinstance(body.get("usage"), dict) else None,
        meta=body.get("meta") if isinstance(body.get("meta"), dict) else None,
        error=body.get("error"),
        state=body.get("state") if isinstance(body.get("state"), dict) else None,
    )
    if isinstance(body.get("choices"), list):
        chunk.choices = [
            _choice_from(choice, key) for choice in body["choices"] if isinstance(choice, dict)
        ]
    extra = {name: value for name, value in body.items() if name not in _KNOWN_KEYS}
    if isinstance(body.get("event"), dict):
        # There is one envelope; what is nested deeper must not exhaust the stack.
        chunk.event, inner_extra = chunk_from({**body["event"], "event": None})
        extra |= inner_extra
    return chunk, extra


def typed_whole(data: bytes) -> Chunk | None:
    """Read a whole completion the fast way, or return None if its shape is another."""
    try:
        return typed_decoder()(data)
    except REFUSED:
        return None


def as_stream(chunk: Chunk) -> None:
    """Put the messages of a typed whole completion where a stream has its deltas."""
    for choice in chunk.choices or ():
        _number_calls(choice.message)
        choice.delta = choice.message


def _number_calls(message: Message | None) -> None:
    """Number the calls of a whole message, which have no index there, or all of them 0."""
    for place, call in enumerate((message and message.tool_calls) or ()):
        call.index = place


def _choice_from(choice: dict[str, Any], key: str) -> Choice:
    said = choice.get(key)
    message = _message_from(said) if isinstance(said, dict) else None
    if key == "message":
        _number_calls(message)
    return Choice(
        index=_whole(choice.get("index")),
        delta=message,
        finish_reason=_name(choice.get("finish_reason")),
        logprobs=choice.get("logprobs") if isinstance(choice.get("logprobs"), dict) else None,
    )


def _message_from(message: dict[str, Any]) -> Message:
    content = message.get("content")
    text, thoughts = _parts_text(content) if isinstance(content, list) else (_text(content), None)
    audio = message.get("audio")
    return Message(
        content=text,
        reasoning_content=_text(message.get("reasoning_content")),
        reasoning=_text(message.get("reasoning")),
        refusal=_text(message.get("refusal")),
        tool_calls=[
            _fragment_from(fragment)
            for fragment in _list(message.get("tool_calls"))
            if isinstance(fragment, dict)
        ],
        reasoning_details=_list(message.get("reasoning_details")) or None,
        thinking=thoughts or _text(message.get("thinking")),
        function_call=_function_from(message.get("function_call")),
        audio=audio if isinstance(audio, dict) else None,
        annotations=_list(message.get("annotations")) or None,
    )


def _fragment_from(fragment: dict[str, Any]) -> ToolFragment:
    return ToolFragment(
        index=_whole(fragment.get("index")),
        id=_name(fragment.get("id")),
        function=_function_from(fragment.get("function")),
    )


def _function_from(function: Any) -> Function | None:
    if not isinstance(function, dict):
        return None
    arguments = function.get("arguments")
    if isinstance(arguments, dict | list):  # some gateways parse the arguments
        arguments = json.dumps(arguments)
    return Function(name=_name(function.get("name")), arguments=_text(arguments))


def _parts_text(parts: list[Any]) -> tuple[str, str]:
    """Read content that comes as a list of parts: the text in it, and the thinking."""
    text: list[str] = []
    thoughts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            text.append(part)
            continue
        kind = _dict(part).get("type")
        if kind in ("text", "output_text"):
            text.append(_text(part.get("text")) or "")
        elif kind in ("thinking", "reasoning"):
            thought = part.get("thinking", part.get("reasoning", part.get("text")))
            # Mistral's thinking is a list of text parts again.
            pieces = [_dict(piece).get("text") for piece in _list(thought)] or [thought]
            thoughts += (_text(piece) or "" for piece in pieces)
    return "".join(text), "".join(thoughts)


def reasoning_of(message: Message) -> str:
    """Return the reasoning in a message, once, whichever of its names it goes by.

    Gateways repeat it under a second name: ``reasoning_details`` repeats ``reasoning``, and some
    send ``reasoning`` and ``reasoning_content`` side by side.
    """
    if message.reasoning_content:
        return message.reasoning_content
    if message.reasoning:
        return message.reasoning
    if message.reasoning_details:
        details = [
            _text(detail.get("text")) or _text(detail.get("summary")) or ""
            for detail in message.reasoning_details
            if isinstance(detail, dict)
        ]
        if any(details):
            return "".join(details)
    return message.thinking or ""


# --- what stands beside the text -----------------------------------------------------------------

_FINISH_REASONS = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}
_CREDITS_PER_USD = 2_000_000
_BARE_USAGE = 3  # a usage of the three counts that were found, and nothing else


def finish_reason_of(native: str | None) -> str | None:
    """Return the usual word for a wire's finish reason, or the wire's own if there is none."""
    return None if native is None else _FINISH_REASONS.get(native.lower(), native)


def usage_of(said: Any) -> Usage | None:
    """Read a usage object; None for one of zeros only (Claude's enveloped streams send those)."""
    if not isinstance(said, dict):
        return None
    get = said.get
    prompt = _whole(get("prompt_tokens", get("input_tokens")))
    completion = _whole(get("completion_tokens", get("output_tokens")))
    total = _whole(get("total_tokens"))
    if not (prompt or completion or total):
        return None
    if len(said) == _BARE_USAGE and None not in (prompt, completion, total):
        return Usage(prompt, completion, total, None, None, said)
    out = _dict(get("completion_tokens_details") or get("output_tokens_details"))
    into = _dict(get("prompt_tokens_details") or get("input_tokens_details"))
    return Usage(
        prompt,
        completion,
        total,
        reasoning_tokens=_whole(out.get("reasoning_tokens", get("reasoning_tokens"))),
        cached_tokens=_whole(into.get("cached_tokens", get("cache_read_input_tokens"))),
        raw=said,
    )


def cost_of(
    meta: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
) -> Cost | None:
    """Read what was charged from ``meta.usage`` of a body, or else from the answer's headers."""
    usd = used = None
    if meta:
        said = _dict(meta.get("usage"))
        usd, used = _amount(said.get("usd_spent")), _amount(said.get("credits_used"))
    if usd is None and used is None and headers:
        usd = _amount(headers.get("x-aimlapi-usd-spent"))
        used = _amount(headers.get("x-aimlapi-credits-used"))
    if usd is None:
        if used is None:
            return None
        usd = used / _CREDITS_PER_USD
    return Cost(usd=usd, credits=usd * _CREDITS_PER_USD if used is None else used)


def _amount(value: Any) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        amount = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return amount if math.isfinite(amount) else None


def models_of(body: Any) -> list[Model]:
    """Read the answer of ``GET /v1/models``. Raises `ProtocolError` if it holds no list."""
    entries = body.get("data") if isinstance(body, dict) else body
    if not isinstance(entries, list):
        msg = f"the list of models is not a list: {str(body)[:120]!r}"
        raise ProtocolError(msg)
    return [_model_from(entry) for entry in entries if _text(_dict(entry).get("id"))]


def _model_from(entry: dict[str, Any]) -> Model:
    info = _dict(entry.get("info"))
    return Model(
        id=_text(entry.get("id")) or "",
        aliases=tuple(alias for alias in _list(entry.get("aliases")) if isinstance(alias, str)),
        type=_text(entry.get("type")) or "",
        name=_text(info.get("name")) or "",
        developer=_text(info.get("developer")) or "",
        description=_text(info.get("description")) or "",
        context_length=_whole(info.get("contextLength")),
        max_output=_whole(info.get("outputMax")),
        capabilities=tuple(c for c in _list(entry.get("capabilities")) if isinstance(c, str)),
        raw=entry,
    )
