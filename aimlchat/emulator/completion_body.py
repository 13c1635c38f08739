"""Whole completions, as each kind of model words them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .deltas import thinking_part
from .wire_fields import claude_usage, finish_in_stream, finish_native, openai_usage

if TYPE_CHECKING:
    from .generation import Answer, Call, Generation

__all__ = ["whole"]


def whole(generation: Generation) -> dict[str, Any]:
    """Make the body of an answer that is not streamed."""
    claude = generation.kin == "claude"
    body: dict[str, Any] = {
        "id": generation.id,
        "object": "chat.completion",
        "created": int(generation.now()),
        "model": generation.model,
        "choices": [
            _claude_choice(index, answer, generation)
            if claude
            else _openai_choice(index, answer, generation)
            for index, answer in enumerate(generation.answers)
        ],
        "usage": (claude_usage if claude else openai_usage)(generation.usage),
    }
    if generation.kin == "gpt":
        body["system_fingerprint"] = "fp_emulator"
    if generation.meta_usage:
        body["meta"] = {"usage": dict(generation.meta_usage)}
    return body


def _claude_choice(index: int, answer: Answer, generation: Generation) -> dict[str, Any]:
    message = {"reasoning_content": "", "content": ""} | _message(answer, generation)
    if message["content"] is None:
        message["content"] = ""
    return {
        "index": index,
        "message": message,
        "finish_reason": finish_native(answer.finish),
        "logprobs": None,
    }


def _openai_choice(index: int, answer: Answer, generation: Generation) -> dict[str, Any]:
    message = _message(answer, generation)
    choice = {
        "index": index,
        "message": message,
        "finish_reason": finish_in_stream(answer.finish),
        "logprobs": None,
    }
    if generation.kin == "gpt":
        message |= {"refusal": answer.refusal, "annotations": []}
    if generation.kin == "gemini":
        choice["native_finish_reason"] = finish_in_stream(answer.finish).upper()
    return choice


def _message(answer: Answer, generation: Generation) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.reasoning:
        message |= _reasoning(answer, generation)
    if answer.refusal is not None:
        message["refusal"] = answer.refusal
    if answer.calls:
        message["tool_calls"] = [_call(call) for call in answer.calls]
    if not message["content"] and (answer.calls or answer.refusal is not None):
        message["content"] = None
    return message


def _reasoning(answer: Answer, generation: Generation) -> dict[str, Any]:
    text = answer.reasoning
    detail = {"type": "reasoning.text", "text": text, "format": None, "index": 0}
    match generation.reasoning_as:
        case "reasoning":
            return {"reasoning": text, "reasoning_details": [detail]}
        case "reasoning_details":
            return {"reasoning": None, "reasoning_details": [detail]}
        case "thinking":
            parts: list[dict[str, str]] = [thinking_part(text)]
            if answer.text:
                parts.append({"type": "text", "text": answer.text})
            return {"content": parts}
        case "inline":
            return {"content": f"<think>\n{text}\n</think>\n\n{answer.text}"}
        case "reasoning_content":
            return {"reasoning_content": text}


def _call(call: Call) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}
