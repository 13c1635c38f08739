"""The three forms of a stream: Claude's flat one, Claude's enveloped one, and OpenAI's."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

from .deltas import deltas
from .wire_fields import NO_USAGE, claude_usage, finish_in_stream, finish_native, openai_usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .generation import Generation

__all__ = ["Form", "events"]

Form = Literal["flat", "enveloped", "openai"]
Event = dict[str, Any]


def events(generation: Generation, form: Form) -> Iterator[Event]:
    """Give the events of a stream one by one, the cost in the last."""
    match form:
        case "flat":
            return _flat(generation)
        case "enveloped":
            return _enveloped(generation)
        case "openai":
            return _openai(generation)


def _interleaved(generation: Generation) -> Iterator[tuple[int, Event]]:
    """Give the deltas of all choices, each with its choice, in turn as long as they last."""
    running = [
        (index, deltas(answer, generation.reasoning_as))
        for index, answer in enumerate(generation.answers)
    ]
    while running:
        for turn in tuple(running):
            index, rest = turn
            delta = next(rest, None)
            if delta is None:
                running.remove(turn)
            else:
                yield index, delta


def _meta(generation: Generation) -> Event:
    return {"meta": {"usage": dict(generation.meta_usage)}} if generation.meta_usage else {}


def _claude_chunk(generation: Generation, choice: Event, *, first: bool = False) -> Event:
    return {
        # Only the first event names the answer.
        "id": generation.id if first else "",
        "choices": [choice],
        "created": int(generation.now()),
        "model": generation.model,
        "object": "chat.completion.chunk",
        "usage": None,
    }


def _claude_choice(index: int, delta: Event) -> Event:
    # Role and refusal stand in every delta, not only in the first.
    return {"index": index, "delta": {"content": "", "role": "assistant", "refusal": None} | delta}


def _claude_body(generation: Generation) -> Iterator[Event]:
    """Give what both of Claude's forms begin with: two empty deltas, and all that has text."""
    for index in range(len(generation.answers)):
        yield _claude_chunk(generation, _claude_choice(index, {}), first=index == 0)
    yield _claude_chunk(generation, _claude_choice(0, {}))
    for index, delta in _interleaved(generation):
        yield _claude_chunk(generation, _claude_choice(index, delta))


def _flat(generation: Generation) -> Iterator[Event]:
    yield from _claude_body(generation)
    last = len(generation.answers) - 1
    for index, answer in enumerate(generation.answers):
        reason = finish_in_stream(answer.finish)
        yield _claude_chunk(generation, _claude_choice(index, {}))
        ending = _claude_choice(index, {}) | {"finish_reason": reason}
        usage = claude_usage(generation.usage) if index == last else None
        yield _claude_chunk(generation, ending) | {"usage": usage}
        # It says so twice, and the second time it has no delta.
        yield _claude_chunk(generation, {"index": index, "finish_reason": reason})
    if generation.meta_usage:
        yield _meta(generation)


def _enveloped(generation: Generation) -> Iterator[Event]:
    usage = claude_usage(generation.usage) or NO_USAGE
    first = True
    for chunk in _claude_body(generation):
        spent: Event = {"input_tokens": 0, "output_tokens": 0}
        if first:
            spent = {
                "input_tokens": usage.get("prompt_tokens", 0),
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": min(1, usage.get("completion_tokens", 0)),
                "service_tier": "standard",
            }
        yield _envelope(chunk, spent)
        first = False
    for index, answer in enumerate(generation.answers):
        nothing = {"input_tokens": 0, "output_tokens": 0}
        empty = _claude_chunk(generation, _claude_choice(index, {}))
        yield _envelope(empty | {"usage": NO_USAGE}, nothing)
        # The true count comes here, beside the chunk, whose own says nothing or zero.
        spent = {"input_tokens": 0, "output_tokens": usage.get("completion_tokens", 0)}
        yield _envelope(empty, spent, finish=finish_native(answer.finish))
        reason = finish_in_stream(answer.finish)
        ending = _claude_chunk(generation, {"index": index, "finish_reason": reason})
        yield _envelope(ending | {"usage": NO_USAGE}, nothing)
    if generation.meta_usage:
        yield _meta(generation)


def _envelope(chunk: Event, usage: Event, *, finish: str | None = None) -> Event:
    state: Event = {"generationId": chunk["id"], "tools": [], "usage": usage}
    if finish is not None:
        state["finishReason"] = finish
    return {"event": chunk, "state": state}


def _openai(generation: Generation) -> Iterator[Event]:
    head = {
        "id": generation.id,
        "object": "chat.completion.chunk",
        "created": int(generation.now()),
        "model": generation.model,
    }
    pending = [
        {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        for index, delta, finish in _openai_steps(generation)
    ]
    usage = openai_usage(generation.usage) if generation.include_usage else None
    for number, choice in enumerate(pending):
        chunk = head | {"choices": [choice], "usage": None}
        if number == len(pending) - 1 and usage is None:
            chunk |= _meta(generation)
        yield _decorated(generation, chunk, number)
    if usage is not None:
        chunk = head | {"choices": [], "usage": usage} | _meta(generation)
        yield _decorated(generation, chunk, len(pending))


def _openai_steps(generation: Generation) -> Iterator[tuple[int, Event, str | None]]:
    for index, answer in enumerate(generation.answers):
        opening: Event = {"role": "assistant", "content": "", "refusal": None}
        if answer.reasoning and generation.reasoning_as == "reasoning_content":
            opening |= {"content": None, "reasoning_content": ""}
        yield index, opening, None
    for index, delta in _interleaved(generation):
        yield index, delta, None
    for index, answer in enumerate(generation.answers):
        yield index, {}, finish_in_stream(answer.finish)


def _decorated(generation: Generation, chunk: Event, number: int) -> Event:
    """Add what only OpenAI's own models send; a client has to let it pass."""
    if generation.kin != "gpt":
        return chunk
    noise = blake2b(f"{generation.id}/{number}".encode(), digest_size=8).hexdigest()
    return chunk | {
        "service_tier": "default",
        "system_fingerprint": "fp_emulator",
        "obfuscation": noise[: 2 + number % 14],
    }
