"""From deltas to the frames of the AI SDK's UI message stream. No I/O, no clock.

The vocabulary is that of the AI SDK's documentation, "Stream Protocols" (section "Data Stream
Protocol"), and of ``uiMessageChunkSchema`` in the npm package ``ai``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from aimlchat._protocol.surrogates import mend_surrogates
from aimlchat.completions import AnswerDelta, ReasoningDelta, RefusalDelta, ToolCallDelta
from aimlchat.errors import ProtocolError

from .errors import problem_of

if TYPE_CHECKING:
    from aimlchat.completions import Completion, Delta
    from aimlchat.content import ToolCall

__all__ = ["HEARTBEAT", "Frame", "Framer", "encoded", "error_frames"]

Frame = dict[str, Any]

# The AI SDK passes over a transient data part that it does not know; an unknown type breaks it.
HEARTBEAT: Frame = {"type": "data-heartbeat", "data": None, "transient": True}

_KINDS: dict[type, str] = {
    ReasoningDelta: "reasoning",
    AnswerDelta: "text",
    RefusalDelta: "refusal",
}
# The AI SDK knows no refusals; they are what a page has to show in place of an answer.
_WORDS = {"reasoning": "reasoning", "text": "text", "refusal": "text"}

_FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool-calls",
    "content_filter": "content-filter",
}


def encoded(frame: Frame) -> bytes:
    """Return a frame as JSON in UTF-8."""
    try:
        return msgspec.json.encode(frame)
    except UnicodeEncodeError:  # half an emoji, written as an escape in a tool call's arguments
        return mend_surrogates(json.dumps(frame, ensure_ascii=False)).encode()


def error_frames(error: Exception) -> list[Frame]:
    """Return what a page is told of an error: its code, then a sentence for people."""
    problem = problem_of(error)
    data = _known({"code": problem.code, "retryAfter": problem.retry_after})
    # The AI SDK's `useChat` hands its page the sentence of an error and nothing else, and reads no
    # further; a data part before it reaches the page's `onData`.
    return [
        {"type": "data-error", "data": data, "transient": True},
        {"type": "error", "errorText": problem.sentence},
    ]


@attrs.define
class _Call:
    """A tool call as the page knows it: under the id that it was announced with."""

    id: str = ""
    unsaid: str = ""  # arguments that came before the name


class Framer:
    """Turn the deltas of one stream into frames: `start`, `feed`, and one of the three ends.

    A page shows one answer: of several choices it is given the first.
    """

    def __init__(self) -> None:
        self._kind = ""  # of the part that is open, if one is
        self._part = ""
        self._parts = 0
        self._calls: dict[int, _Call] = {}

    def start(self) -> list[Frame]:
        """Return what a page is told before the model has said anything."""
        return [{"type": "start"}]

    def feed(self, delta: Delta) -> list[Frame]:
        """Return the frames of a delta."""
        if delta.choice:
            return []
        if isinstance(delta, ToolCallDelta):
            return self._fragment(delta)
        kind = _KINDS[type(delta)]
        frames = [] if self._kind == kind else self._begin(kind)
        frames.append({"type": f"{_WORDS[kind]}-delta", "id": self._part, "delta": delta.text})
        return frames

    def finish(self, completion: Completion) -> list[Frame]:
        """Return the end of a whole answer: its tool calls, then usage, cost and the rest."""
        frames = self._end()
        for place, call in enumerate(completion.tool_calls):
            frames += self._whole_call(place, call)
        reason = completion.finish_reason or ""
        frames.append(
            {
                "type": "finish",
                "finishReason": _FINISH_REASONS.get(reason, "other"),
                "messageMetadata": _metadata(completion),
            }
        )
        return frames

    def stop(self) -> list[Frame]:
        """Return the end of an answer that somebody has stopped."""
        return [*self._end(), {"type": "abort", "reason": "stopped"}]

    def fail(self, error: Exception) -> list[Frame]:
        """Return the end of an answer that failed."""
        return [*self._end(), *error_frames(error)]

    def _begin(self, kind: str) -> list[Frame]:
        frames = self._end()
        self._parts += 1
        self._kind = kind
        self._part = f"{kind}-{self._parts}"
        begin: Frame = {"type": f"{_WORDS[kind]}-start", "id": self._part}
        if kind == "refusal":
            begin["providerMetadata"] = {"aimlchat": {"refusal": True}}
        frames.append(begin)
        return frames

    def _end(self) -> list[Frame]:
        if not self._kind:
            return []
        frames: list[Frame] = [{"type": f"{_WORDS[self._kind]}-end", "id": self._part}]
        self._kind = ""
        return frames

    def _fragment(self, delta: ToolCallDelta) -> list[Frame]:
        frames = self._end()
        call = self._calls.setdefault(delta.index, _Call())
        if not call.id:
            if delta.name is None:  # a page cannot show a call without a name
                call.unsaid += delta.text
                return frames
            frames += self._announce(call, delta.index, delta.id, delta.name)
        if delta.text:
            frames.append(_fragment(call.id, delta.text))
        return frames

    def _announce(self, call: _Call, place: int, id_: str | None, name: str) -> list[Frame]:
        # The id may come late or never; the page needs one that stays.
        call.id = id_ or f"call-{place}"
        frames: list[Frame] = [
            {"type": "tool-input-start", "toolCallId": call.id, "toolName": name}
        ]
        if call.unsaid:
            frames.append(_fragment(call.id, call.unsaid))
            call.unsaid = ""
        return frames

    def _whole_call(self, place: int, made: ToolCall) -> list[Frame]:
        call = self._calls.setdefault(place, _Call())
        frames = [] if call.id else self._announce(call, place, made.id, made.name)
        end: Frame = {"toolCallId": call.id, "toolName": made.name}
        try:
            end |= {"type": "tool-input-available", "input": made.arguments}
        except ProtocolError:
            # A page may not act on it, and the AI SDK has a frame that says so.
            sentence = "The model's call of this tool is not valid JSON."
            end |= {"type": "tool-input-error", "input": made.raw_arguments, "errorText": sentence}
        frames.append(end)
        return frames


def _fragment(call_id: str, text: str) -> Frame:
    return {"type": "tool-input-delta", "toolCallId": call_id, "inputTextDelta": text}


def _metadata(completion: Completion) -> dict[str, Any]:
    usage, cost = completion.usage, completion.cost
    return _known(
        {
            "finishReason": completion.finish_reason,
            "usage": usage
            and _known(
                {
                    "promptTokens": usage.prompt_tokens,
                    "completionTokens": usage.completion_tokens,
                    "totalTokens": usage.total_tokens,
                    "reasoningTokens": usage.reasoning_tokens,
                    "cachedTokens": usage.cached_tokens,
                }
            ),
            "cost": cost and {"usd": cost.usd, "credits": cost.credits},
            "model": completion.model or None,
            "inferenceId": completion.inference_id,
        }
    )


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if fact is not None}
