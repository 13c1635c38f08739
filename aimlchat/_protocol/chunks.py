"""The msgspec structs of a chunk, and the fast decoders that fill them.

The types cover the common shapes and are strict, which keeps decoding fast. For JSON of any other
shape the decoders raise one of `DECODE_ERRORS`, and `lenient` has to read it.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DECODE_ERRORS",
    "FAILURE_REASON",
    "Chunk",
    "ChunkChoice",
    "ChunkMessage",
    "CustomFragment",
    "FunctionFragment",
    "PlainChunk",
    "ToolCallFragment",
    "build_chunk_decoder",
    "decode_chunk",
    "decode_plain_chunk",
    "is_field_name",
]


FAILURE_REASON = r"\s*(?:[\w-]*error|abort|aborted|failed|failure|insufficient_system_resource)\s*"
"""The finish reasons of an answer that the server failed to finish, as a pattern.

"error" is in the documentation of Mistral and OpenRouter, "network_error" in that of Zhipu,
"insufficient_system_resource" in that of DeepSeek. vLLM and SGLang send "abort".
"""

# The fast decoders reject these words, as they reject everything else that stands for an error.
_FinishReason = Annotated[str, msgspec.Meta(pattern=rf"(?i)^(?!{FAILURE_REASON}\Z)")]


class FunctionFragment(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The ``function`` of a tool call: its name, and a piece of its arguments (JSON text)."""

    name: str | None = None
    arguments: str | None = None


class CustomFragment(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The ``custom`` of a tool call: its name, and a piece of its input (free text)."""

    name: str | None = None
    input: str | None = None


class ToolCallFragment(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One entry of ``tool_calls``: a piece of a call in a stream, a whole call otherwise.

    The decoder rejects unknown keys, so that the lenient path reads the fragment and keeps them in
    ``extra``. That path is slower, but the servers that send such keys send few fragments: Gemini
    sends each call whole.
    """

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: FunctionFragment | None = None
    custom: CustomFragment | None = None
    # The name keeps the decoder from filling it: no server has such a key.
    extra: dict[str, Any] | None = msgspec.field(default=None, name="<unknown keys>")


class ChunkMessage(msgspec.Struct, gc=False):
    """The ``delta`` of a chunk, or the ``message`` of a whole completion: both have these keys.

    ``reasoning_content``, ``reasoning``, ``reasoning_details`` and ``thinking`` are four names for
    the reasoning; which one is used depends on the upstream. ``function_call`` was the name of a
    single tool call before 2023-11.
    """

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallFragment] | None = None
    reasoning_details: list[Any] | None = None
    thinking: str | None = None
    function_call: FunctionFragment | None = None
    audio: dict[str, Any] | None = None
    annotations: list[Any] | None = None
    images: list[Any] | None = None
    error: None = None


class ChunkChoice(msgspec.Struct, gc=False):
    """One entry of ``choices``.

    A whole completion has a ``message`` instead of a ``delta``, and so have the chunks of some
    gateways; those of the old completions endpoint have a ``text``. A stream may lack all three:
    the last event of Claude's flat stream has no ``delta``. Moonshot's streams have their ``usage``
    here.
    """

    index: int | None = None
    delta: ChunkMessage | None = None
    message: ChunkMessage | None = None
    finish_reason: _FinishReason | None = None
    logprobs: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    text: str | None = None
    error: None = None


class Chunk(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One event of a stream, or the body of a whole completion, which has the same keys.

    The decoder rejects unknown top-level keys, so that the parser notices them and can keep them in
    `Completion.raw`. It rejects an ``error`` anywhere: only the lenient path reads those.
    ``event`` and ``state`` are the envelope that Claude's streams
    had before 2026-02-13: the chunk proper is in ``event``, the token counts are in ``state``.
    """

    id: str | None = None
    choices: list[ChunkChoice] | None = None
    created: int | None = None
    model: str | None = None
    object: Any = None
    usage: dict[str, Any] | None = None
    meta: dict[str, Any] | None = None
    error: None = None
    event: Chunk | None = None
    state: dict[str, Any] | None = None


class PlainMessage(msgspec.Struct, gc=False):
    """A `ChunkMessage` that has only text: every other key is absent or null."""

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
    images: None = None
    error: None = None


class PlainChoice(msgspec.Struct, gc=False):
    """A `ChunkChoice` that has only text, and no finish reason."""

    delta: PlainMessage
    index: int = 0
    finish_reason: None = None
    logprobs: None = None
    usage: None = None
    message: None = None
    text: None = None
    error: None = None


class PlainChunk(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A `Chunk` with a piece of text for one choice and nothing else.

    Nearly every chunk is plain. Decoding it into this type proves that no other key is set, so
    the parser does not have to check each of them.
    """

    choices: tuple[PlainChoice]
    id: str | None = None
    created: int | None = None
    model: str | None = None
    object: Any = None
    usage: None = None
    meta: None = None
    error: None = None


DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""The decoders' errors: JSON of another shape, broken UTF-8, and JSON nested too deeply."""

# msgspec rejects field names with control characters, quotes, backslashes or lone surrogates. The
# cache below keeps the names for the life of the process, so that they have to be short.
_FIELD_NAME = re.compile(r"[\w.:$ -]{1,64}")


def is_field_name(key: str) -> bool:
    """Return whether `build_chunk_decoder` accepts this key."""
    return _FIELD_NAME.fullmatch(key) is not None


@functools.lru_cache(maxsize=64)
def build_chunk_decoder(extra_keys: tuple[str, ...] = ()) -> Callable[[bytes], Chunk]:
    """Return a decoder of chunks that may have these top-level keys in addition to the known ones.

    An upstream that adds a key (``obfuscation`` and ``service_tier`` were seen) adds it to every
    chunk, so the decoder for each set of keys is cached. It stores the value of ``extra_keys[i]``
    in ``chunk.extra_<i>``, which is `msgspec.UNSET` if the key is absent.
    """
    if not extra_keys:
        return msgspec.json.Decoder(Chunk).decode
    fields = [
        (f"extra_{index}", Any, msgspec.field(default=msgspec.UNSET, name=key))
        for index, key in enumerate(extra_keys)
    ]
    widened: type[Chunk] = msgspec.defstruct(  # type: ignore[assignment]
        "Chunk", fields, bases=(Chunk,), gc=False, forbid_unknown_fields=True
    )
    return msgspec.json.Decoder(widened).decode


decode_chunk = build_chunk_decoder()
decode_plain_chunk = msgspec.json.Decoder(PlainChunk).decode
