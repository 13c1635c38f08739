"""Claude's own message format: the body of a whole message, and the events of its stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .generation import cut_text
from .wire_fields import to_claude_finish_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .generation import GeneratedChoice, Generation, Usage
    from .signatures import Signer

__all__ = ["build_message", "build_message_events"]

_Json = dict[str, Any]


def build_message(
    generation: Generation, signer: Signer, *, service_tier: str = "standard"
) -> _Json:
    """Build the body of a response that is not streamed."""
    choice = generation.choices[0]
    body: _Json = {
        "model": generation.model,
        "id": generation.id,
        "type": "message",
        "role": "assistant",
        "content": signer.sign_turn(_build_blocks(choice)),
        "stop_reason": to_claude_finish_reason(choice.finish),
        "stop_sequence": choice.stop_sequence,
        "stop_details": None,
        "usage": _build_usage(generation.usage, service_tier),
    }
    if generation.meta_usage:
        body["meta"] = {"usage": dict(generation.meta_usage)}
    return body


def build_message_events(message: _Json, choice: GeneratedChoice) -> Iterator[_Json]:
    """Yield the events of a stream; the last one carries the cost.

    Args:
        message: the body of the same response, if it were whole.
        choice: what the message was built from, with the exact pieces of its text.
    """
    usage = message["usage"]
    unfinished: _Json = {"stop_reason": None, "stop_sequence": None, "content": []}
    opening = {name: value for name, value in message.items() if name != "meta"} | unfinished
    if usage is not None:
        # The first event counts the tokens that are written so far.
        opening["usage"] = usage | {"output_tokens": min(1, usage.get("output_tokens", 0))}
    yield {"type": "message_start", "message": opening}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        yield {
            "type": "content_block_start",
            "index": index,
            "content_block": block | _empty_fields_of(block),
        }
        for delta in _build_deltas(block, choice):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    yield {"type": "message_delta", "delta": delta, "usage": usage}
    yield {"type": "message_stop"} | {k: v for k, v in message.items() if k == "meta"}


def _empty_fields_of(block: _Json) -> _Json:
    """Return what a block starts with in a stream, where its deltas bring the rest."""
    match block["type"]:
        case "text" if block.get("citations"):
            return {"text": "", "citations": []}
        case "text":
            return {"text": ""}
        case "thinking":
            return {"thinking": "", "signature": ""}
        case "tool_use":
            return {"input": {}}
    return {}


def _build_deltas(block: _Json, choice: GeneratedChoice) -> Iterator[_Json]:
    match block["type"]:
        case "text":
            is_answer = block["text"] == choice.text
            for piece in choice.cut_answer() if is_answer else cut_text(block["text"]):
                yield {"type": "text_delta", "text": piece}
            for citation in block.get("citations") or ():
                yield {"type": "citations_delta", "citation": citation}
        case "thinking":
            for piece in cut_text(block["thinking"]):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "tool_use":
            # The first fragment is always empty; without arguments it is the only one.
            yield {"type": "input_json_delta", "partial_json": ""}
            arguments = next(call.arguments for call in choice.calls if call.id == block["id"])
            for piece in cut_text(arguments if arguments != "{}" else ""):
                yield {"type": "input_json_delta", "partial_json": piece}


def _build_blocks(choice: GeneratedChoice) -> Iterator[_Json]:
    """Yield the blocks that a script gives, or those of reasoning, answer, refusal and calls."""
    if choice.blocks:
        yield from choice.blocks
        return
    if choice.reasoning or choice.hidden_reasoning:
        # Hidden reasoning leaves a block with only a signature.
        yield {"type": "thinking", "thinking": choice.reasoning}
    for text in (choice.text, choice.refusal):
        if text:
            yield {"type": "text", "text": text}
    for call in choice.calls:
        yield {
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": _parse_arguments(call.arguments),
        }


def _parse_arguments(arguments: str) -> _Json:
    """Parse the arguments of a call; text of a script that is not an object becomes {}."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _build_usage(usage: Usage, service_tier: str) -> _Json | None:
    if usage.verbatim is not None:
        return dict(usage.verbatim) or None
    cache = usage.cache
    return {
        # Unlike elsewhere, this counts only the tokens that the cache neither read nor wrote.
        "input_tokens": usage.prompt - cache.read - cache.written,
        "cache_creation_input_tokens": cache.written,
        "cache_read_input_tokens": cache.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cache.written_5m,
            "ephemeral_1h_input_tokens": cache.written_1h,
        },
        "output_tokens": usage.completion,
        "service_tier": service_tier,
        "inference_geo": "not_available",
    }
