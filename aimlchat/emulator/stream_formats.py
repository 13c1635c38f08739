"""The events of a stream, in three formats: Claude's flat and enveloped ones, and OpenAI's."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

from .generation import cut_text
from .wire_fields import (
    ZERO_USAGE,
    build_claude_usage,
    build_openai_usage,
    build_reasoning_detail,
    build_thinking_part,
    to_claude_finish_reason,
    to_openai_finish_reason,
    wrap_in_think_tags,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .generation import GeneratedCall, GeneratedChoice, Generation, ReasoningAs

__all__ = ["StreamFormat", "build_events"]

StreamFormat = Literal["flat", "enveloped", "openai"]
_Json = dict[str, Any]


def build_events(generation: Generation, stream_format: StreamFormat) -> Iterator[_Json]:
    """Yield the events of a stream; the last one carries the cost."""
    match stream_format:
        case "flat":
            return _build_flat(generation)
        case "enveloped":
            return _build_enveloped(generation)
        case "openai":
            return _build_openai(generation)


def _build_flat(generation: Generation) -> Iterator[_Json]:
    yield from _build_claude_deltas(generation)
    last = len(generation.choices) - 1
    for index, choice in enumerate(generation.choices):
        reason = to_openai_finish_reason(choice.finish)
        yield _build_claude_chunk(generation, _build_claude_choice(index, {}))
        ending = _build_claude_choice(index, {}) | {"finish_reason": reason}
        usage = build_claude_usage(generation.usage) if index == last else None
        yield _build_claude_chunk(generation, ending) | {"usage": usage}
        # The API repeats the finish reason, the second time in a choice without a delta.
        yield _build_claude_chunk(generation, {"index": index, "finish_reason": reason})
    if generation.meta_usage:
        yield _build_meta(generation)


def _build_enveloped(generation: Generation) -> Iterator[_Json]:
    usage = build_claude_usage(generation.usage) or ZERO_USAGE
    first = True
    for chunk in _build_claude_deltas(generation):
        state_usage: _Json = {"input_tokens": 0, "output_tokens": 0}
        if first:
            state_usage = {
                "input_tokens": usage.get("prompt_tokens", 0),
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": min(1, usage.get("completion_tokens", 0)),
                "service_tier": "standard",
            }
        yield _wrap_in_envelope(chunk, state_usage)
        first = False
    for index, choice in enumerate(generation.choices):
        no_usage = {"input_tokens": 0, "output_tokens": 0}
        empty = _build_claude_chunk(generation, _build_claude_choice(index, {}))
        yield _wrap_in_envelope(empty | {"usage": ZERO_USAGE}, no_usage)
        # Only the state beside the chunk has the real count; that in the chunk is null or zero.
        state_usage = {"input_tokens": 0, "output_tokens": usage.get("completion_tokens", 0)}
        yield _wrap_in_envelope(empty, state_usage, finish=to_claude_finish_reason(choice.finish))
        reason = to_openai_finish_reason(choice.finish)
        ending = _build_claude_chunk(generation, {"index": index, "finish_reason": reason})
        yield _wrap_in_envelope(ending | {"usage": ZERO_USAGE}, no_usage)
    if generation.meta_usage:
        yield _build_meta(generation)


def _build_openai(generation: Generation) -> Iterator[_Json]:
    shared = {
        "id": generation.id,
        "object": "chat.completion.chunk",
        "created": int(generation.clock()),
        "model": generation.model,
    }
    choices = [
        {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        for index, delta, finish_reason in _build_openai_deltas(generation)
    ]
    usage = build_openai_usage(generation.usage) if generation.include_usage else None
    for number, choice in enumerate(choices):
        chunk = shared | {"choices": [choice], "usage": None}
        if number == len(choices) - 1 and usage is None:
            chunk |= _build_meta(generation)
        yield _add_gpt_fields(generation, chunk, number)
    if usage is not None:
        chunk = shared | {"choices": [], "usage": usage} | _build_meta(generation)
        yield _add_gpt_fields(generation, chunk, len(choices))


def _build_claude_deltas(generation: Generation) -> Iterator[_Json]:
    """Yield the chunks that both of Claude's formats begin with: empty deltas, then the text."""
    for index in range(len(generation.choices)):
        yield _build_claude_chunk(generation, _build_claude_choice(index, {}), first=index == 0)
    yield _build_claude_chunk(generation, _build_claude_choice(0, {}))
    for index, delta in _interleave_deltas(generation):
        yield _build_claude_chunk(generation, _build_claude_choice(index, delta))


def _build_openai_deltas(generation: Generation) -> Iterator[tuple[int, _Json, str | None]]:
    """Yield the index of a choice, a delta and a finish reason for each chunk."""
    for index, choice in enumerate(generation.choices):
        opening: _Json = {"role": "assistant", "content": "", "refusal": None}
        if choice.reasoning and generation.reasoning_as == "reasoning_content":
            opening |= {"content": None, "reasoning_content": ""}
        yield index, opening, None
    for index, delta in _interleave_deltas(generation):
        yield index, delta, None
    for index, choice in enumerate(generation.choices):
        yield index, {}, to_openai_finish_reason(choice.finish)


def _build_claude_chunk(generation: Generation, choice: _Json, *, first: bool = False) -> _Json:
    return {
        # Only the first event carries the id.
        "id": generation.id if first else "",
        "choices": [choice],
        "created": int(generation.clock()),
        "model": generation.model,
        "object": "chat.completion.chunk",
        "usage": None,
    }


def _build_claude_choice(index: int, delta: _Json) -> _Json:
    # Every delta repeats the role and the refusal, not only the first.
    return {"index": index, "delta": {"content": "", "role": "assistant", "refusal": None} | delta}


def _wrap_in_envelope(chunk: _Json, usage: _Json, *, finish: str | None = None) -> _Json:
    state: _Json = {"generationId": chunk["id"], "tools": [], "usage": usage}
    if finish is not None:
        state["finishReason"] = finish
    return {"event": chunk, "state": state}


def _build_meta(generation: Generation) -> _Json:
    return {"meta": {"usage": dict(generation.meta_usage)}} if generation.meta_usage else {}


def _add_gpt_fields(generation: Generation, chunk: _Json, number: int) -> _Json:
    """Add the fields that only OpenAI's own models send, which a client has to ignore."""
    if generation.family != "gpt":
        return chunk
    noise = blake2b(f"{generation.id}/{number}".encode(), digest_size=8).hexdigest()
    return chunk | {
        "service_tier": "default",
        "system_fingerprint": "fp_emulator",
        "obfuscation": noise[: 2 + number % 14],
    }


def _interleave_deltas(generation: Generation) -> Iterator[tuple[int, _Json]]:
    """Yield the deltas of all choices in rotation, each with the index of its choice."""
    running = [
        (index, _build_deltas(choice, generation.reasoning_as))
        for index, choice in enumerate(generation.choices)
    ]
    while running:
        for turn in tuple(running):
            index, deltas = turn
            delta = next(deltas, None)
            if delta is None:
                running.remove(turn)
            else:
                yield index, delta


def _build_deltas(choice: GeneratedChoice, reasoning_as: ReasoningAs) -> Iterator[_Json]:
    """Yield the deltas of one choice: reasoning, text, refusal, then tool calls."""
    if choice.reasoning and reasoning_as == "inline":
        yield from _build_inline_deltas(choice)
    else:
        yield from _build_reasoning_deltas(choice.reasoning, reasoning_as)
        yield from _build_text_deltas(choice, reasoning_as)
    for piece in cut_text(choice.refusal or ""):
        yield {"content": None, "refusal": piece}
    for index, call in enumerate(choice.calls):
        yield from _build_call_deltas(index, call)


def _build_inline_deltas(choice: GeneratedChoice) -> Iterator[_Json]:
    tagged = wrap_in_think_tags(choice.reasoning)
    if choice.chunks is None:
        # Cut the text as a whole, so that some pieces span the closing tag and the answer.
        pieces = cut_text(tagged + choice.text)
    else:
        pieces = iter((*cut_text(tagged), *choice.chunks))
    for piece in pieces:
        yield {"content": piece}


def _build_reasoning_deltas(text: str, reasoning_as: ReasoningAs) -> Iterator[_Json]:
    for piece in cut_text(text):
        details = [build_reasoning_detail(piece)]
        match reasoning_as:
            case "reasoning":
                yield {"content": "", "reasoning": piece, "reasoning_details": details}
            case "reasoning_details":
                yield {"content": "", "reasoning": None, "reasoning_details": details}
            case "thinking":
                yield {"content": [build_thinking_part(piece)]}
            case _:
                yield {"content": None, "reasoning_content": piece}


def _build_text_deltas(choice: GeneratedChoice, reasoning_as: ReasoningAs) -> Iterator[_Json]:
    for piece in choice.cut_answer():
        if choice.reasoning and reasoning_as == "thinking":
            yield {"content": [{"type": "text", "text": piece}]}
        elif choice.reasoning and reasoning_as == "reasoning_content":
            yield {"content": piece, "reasoning_content": None}
        else:
            yield {"content": piece}


def _build_call_deltas(index: int, call: GeneratedCall) -> Iterator[_Json]:
    function = {"name": call.name, "arguments": ""}
    announcement = {"index": index, "id": call.id, "type": "function", "function": function}
    announcement |= call.extra
    yield {"content": None, "tool_calls": [announcement]}
    for piece in cut_text(call.arguments):
        fragment = {"index": index, "function": {"arguments": piece}}
        yield {"content": None, "tool_calls": [fragment]}
