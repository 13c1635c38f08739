"""The body of a whole completion, in the shape of each family of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .wire_fields import (
    build_claude_usage,
    build_openai_usage,
    build_reasoning_detail,
    build_thinking_part,
    to_claude_finish_reason,
    to_openai_finish_reason,
    wrap_in_think_tags,
)

if TYPE_CHECKING:
    from .generation import GeneratedCall, GeneratedChoice, Generation

__all__ = ["build_completion_body"]


def build_completion_body(generation: Generation) -> dict[str, Any]:
    """Build the body of a response that is not streamed."""
    if generation.family == "claude":
        build_choice, build_usage = _build_claude_choice, build_claude_usage
    else:
        build_choice, build_usage = _build_openai_choice, build_openai_usage
    body: dict[str, Any] = {
        "id": generation.id,
        "object": "chat.completion",
        "created": int(generation.clock()),
        "model": generation.model,
        "choices": [
            build_choice(index, choice, generation)
            for index, choice in enumerate(generation.choices)
        ],
        "usage": build_usage(generation.usage),
    }
    if generation.family == "gpt":
        body["system_fingerprint"] = "fp_emulator"
    if generation.meta_usage:
        body["meta"] = {"usage": dict(generation.meta_usage)}
    return body


def _build_claude_choice(
    index: int, choice: GeneratedChoice, generation: Generation
) -> dict[str, Any]:
    message = {"reasoning_content": "", "content": ""} | _build_message(choice, generation)
    if message["content"] is None:
        message["content"] = ""
    return {
        "index": index,
        "message": message,
        "finish_reason": to_claude_finish_reason(choice.finish),
        "logprobs": None,
    }


def _build_openai_choice(
    index: int, choice: GeneratedChoice, generation: Generation
) -> dict[str, Any]:
    message = _build_message(choice, generation)
    finish_reason = to_openai_finish_reason(choice.finish)
    body = {"index": index, "message": message, "finish_reason": finish_reason, "logprobs": None}
    if generation.family == "gpt":
        message |= {"refusal": choice.refusal, "annotations": []}
    if generation.family == "gemini":
        body["native_finish_reason"] = finish_reason.upper()
    return body


def _build_message(choice: GeneratedChoice, generation: Generation) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.text}
    if choice.reasoning:
        message |= _build_reasoning_fields(choice, generation)
    if choice.refusal is not None:
        message["refusal"] = choice.refusal
    if choice.calls:
        message["tool_calls"] = [_build_call(call) for call in choice.calls]
    if not message["content"] and (choice.calls or choice.refusal is not None):
        message["content"] = None
    return message


def _build_reasoning_fields(choice: GeneratedChoice, generation: Generation) -> dict[str, Any]:
    text = choice.reasoning
    match generation.reasoning_as:
        case "reasoning":
            return {"reasoning": text, "reasoning_details": [build_reasoning_detail(text)]}
        case "reasoning_details":
            return {"reasoning": None, "reasoning_details": [build_reasoning_detail(text)]}
        case "thinking":
            parts: list[dict[str, str]] = [build_thinking_part(text)]
            if choice.text:
                parts.append({"type": "text", "text": choice.text})
            return {"content": parts}
        case "inline":
            return {"content": wrap_in_think_tags(text) + choice.text}
        case "reasoning_content":
            return {"reasoning_content": text}


def _build_call(call: GeneratedCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function, **call.extra}
