"""Turn deltas and results of tools into frames of the AI SDK's UI message stream. No I/O, no clock.

The frames follow the AI SDK's documentation ("Stream Protocols", section "Data Stream Protocol")
and ``uiMessageChunkSchema`` of the npm package ``ai``.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from aimlchat._protocol.kept_size import TextPieces
from aimlchat.completions import AnswerDelta, ReasoningDelta, RefusalDelta, ToolCallDelta
from aimlchat.errors import ProtocolError
from aimlchat.run_events import CallsBegin, RoundEnd, ToolResult

from .errors import describe_error
from .tool_output import render_error, render_output
from .turn_metadata import TURNS, keep_turn

if TYPE_CHECKING:
    from aimlchat.completions import Completion, Cost, Delta, Usage
    from aimlchat.tool_types import ToolCall

__all__ = [
    "DELTA_FIELDS",
    "HEARTBEAT",
    "MAX_JOINED_LENGTH",
    "Frame",
    "Framer",
    "build_metadata",
    "error_frames",
    "read_input",
]

Frame = dict[str, Any]

# For each type of delta frame: the field of its text, and the field that names its part.
DELTA_FIELDS = {
    "text-delta": ("delta", "id"),
    "reasoning-delta": ("delta", "id"),
    "tool-input-delta": ("inputTextDelta", "toolCallId"),
}
# The longest text of a joined delta, in characters. The Python package `websockets` refuses a
# message over 1 MiB, and a character takes up to four bytes.
MAX_JOINED_LENGTH = 200_000
# How many pieces of arguments are joined at a time: a string of its own costs about 50 bytes.
_BLOCK_LENGTH = 512

# The AI SDK ignores a transient data part that it does not know. A frame of an unknown type makes
# it fail.
HEARTBEAT: Frame = {"type": "data-heartbeat", "data": None, "transient": True}

_KINDS: dict[type, str] = {
    ReasoningDelta: "reasoning",
    AnswerDelta: "text",
    RefusalDelta: "refusal",
}
# The AI SDK has no frames for a refusal, so a refusal is sent as text.
_PART_TYPES = {"reasoning": "reasoning", "text": "text", "refusal": "text"}

# Some servers send no ids of calls, and some only count the calls of a response; a run appends a
# number to an id that is repeated.
_COUNTED_ID = re.compile("[A-Za-z]*[-_]?[0-9]{1,3}(_[0-9]{1,3})*")

# From `Completion.finish_reason` to the finish reasons of the AI SDK; all others are "other".
_FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool-calls",
    "content_filter": "content-filter",
}


def error_frames(error: Exception) -> list[Frame]:
    """Return the frames that describe an error: its code, then a sentence for people."""
    description = describe_error(error)
    data = _without_none({"code": description.code, "retryAfter": description.retry_after})
    # The AI SDK's `useChat` passes only the sentence of an `error` frame to its page and stops
    # reading there. A data part before it reaches the page's `onData`.
    return [
        {"type": "data-error", "data": data, "transient": True},
        {"type": "error", "errorText": description.sentence},
    ]


@attrs.define
class _AnnouncedCall:
    """A tool call as the page knows it, by the id with which it was announced."""

    id: str = ""  # empty until it is announced
    whole: ToolCall | None = None  # the whole call, once the page has been sent it
    pending_arguments: TextPieces = attrs.Factory(TextPieces)  # what arrived before the name
    unjoined_count: int = 0  # how many of these pieces have not been joined yet

    def keep(self, text: str) -> None:
        """Keep a piece of the arguments until the call is announced."""
        self.pending_arguments.append(text)
        self.unjoined_count += 1
        if self.unjoined_count == _BLOCK_LENGTH:
            self.pending_arguments.measure()  # which joins them
            self.unjoined_count = 0


class Framer:
    """Turns the deltas of one stream, or the events of one run of tools, into frames.

    Call `start`, then `feed` for each event, then one of `finish`, `stop` and `fail`. Of several
    choices (``n``) only the first becomes frames, since a page shows one answer. Each round of a
    run is a step of the AI SDK. ``message_id`` is the id of the page's message, if it is to have a
    certain one.
    """

    def __init__(self, message_id: str | None = None) -> None:
        self._message_id = message_id
        self._kind = ""  # of the open part; empty while no part is open
        self._part_id = ""
        self._delta_type = ""
        self._part_count = 0
        self._source_count = 0
        self._calls: dict[int, _AnnouncedCall] = {}  # of this step, by their indexes
        self._indexes: dict[str, int] = {}  # of the same calls, by the ids that the stream has
        self._turns: list[dict[str, Any] | None] = []  # one for each step, as the page keeps it
        self._has_round_ended = False  # results of tools may still come, which belong to its step
        self._result_count = 0  # of this step

    def start(self) -> list[Frame]:
        """Return the frames that open the stream, before any delta."""
        start: Frame = {"type": "start"}
        if self._message_id is not None:
            start["messageId"] = self._message_id
        # `useChat` looks for unanswered calls after the last `start-step`. Without the steps it
        # mistakes the calls of an earlier answer for new ones, and posts again forever.
        return [start, {"type": "start-step"}]

    def feed(self, event: Delta | CallsBegin | ToolResult | RoundEnd) -> list[Frame]:
        """Return the frames of a delta, or of another event of a run."""
        kind = _KINDS.get(type(event), "")
        if kind and kind == self._kind:  # nearly all events
            delta: Any = event  # has text; not checked for each
            if not delta.choice:
                return [{"type": self._delta_type, "id": self._part_id, "delta": delta.text}]
        if isinstance(event, CallsBegin | ToolResult | RoundEnd):
            return self._feed_event(event)
        if event.choice:
            return []
        frames = self._start_step() if self._has_round_ended else []
        if isinstance(event, ToolCallDelta):
            return [*frames, *self._feed_tool_call(event)]
        return [*frames, *self._start_part(kind), *self.feed(event)]

    def finish(
        self, completion: Completion, *, usage: Usage | None = None, cost: Cost | None = None
    ) -> list[Frame]:
        """Return the end of a whole answer: its tool calls, then usage, cost and other metadata.

        ``usage`` and ``cost`` are the sums over all rounds of a run, where there are several.
        """
        frames = [] if self._has_round_ended else self._end_round(completion)
        if self._result_count and self._result_count == len(completion.tool_calls):
            # The rounds are used up. `useChat` would post again if its last step had only results.
            frames += self._start_step()
        metadata = build_metadata(
            attrs.evolve(completion, usage=usage or completion.usage, cost=cost or completion.cost)
        )
        if any(self._turns):
            metadata[TURNS] = self._turns
        frames.append({"type": "finish-step"})
        frames.append(
            {
                "type": "finish",
                "finishReason": _name_finish_reason(completion),
                "messageMetadata": metadata,
            }
        )
        return frames

    def stop(self) -> list[Frame]:
        """Return the end of an answer that a page or the service stopped."""
        return [*self._end_part(), {"type": "abort", "reason": "stopped"}]

    def fail(self, error: Exception) -> list[Frame]:
        """Return the end of an answer that failed."""
        return [*self._end_part(), *error_frames(error)]

    def _start_part(self, kind: str) -> list[Frame]:
        frames = self._end_part()
        self._part_count += 1
        self._kind = kind
        self._delta_type = f"{_PART_TYPES[kind]}-delta"
        self._part_id = f"{kind}-{self._part_count}"
        start: Frame = {"type": f"{_PART_TYPES[kind]}-start", "id": self._part_id}
        if kind == "refusal":
            start["providerMetadata"] = {"aimlchat": {"refusal": True}}
        frames.append(start)
        return frames

    def _end_part(self) -> list[Frame]:
        if not self._kind:
            return []
        frames: list[Frame] = [{"type": f"{_PART_TYPES[self._kind]}-end", "id": self._part_id}]
        self._kind = ""
        return frames

    def _start_step(self) -> list[Frame]:
        self._calls, self._indexes = {}, {}
        self._has_round_ended, self._result_count = False, 0
        return [{"type": "finish-step"}, {"type": "start-step"}]

    def _end_round(self, completion: Completion) -> list[Frame]:
        """Return the end of the text of a round, its whole calls, and its sources."""
        frames = self._complete_tool_calls(completion)
        for url, title in _list_sources(completion).items():
            self._source_count += 1
            source = {"type": "source-url", "sourceId": f"source-{self._source_count}", "url": url}
            frames.append(source | ({"title": title} if isinstance(title, str) else {}))
        self._turns.append(self._keep_turn(completion))
        self._has_round_ended = True
        return frames

    def _feed_event(self, event: CallsBegin | ToolResult | RoundEnd) -> list[Frame]:
        if isinstance(event, ToolResult):
            return self._feed_result(event)
        if isinstance(event, RoundEnd):
            return self._end_round(event.completion)
        frames = self._complete_tool_calls(event.completion)
        if turn := self._keep_turn(event.completion):
            # If the answer is stopped or fails after the calls, no later frame has it.
            metadata = {TURNS: [*self._turns, turn]}
            frames.append({"type": "message-metadata", "messageMetadata": metadata})
        return frames

    def _keep_turn(self, completion: Completion) -> dict[str, Any] | None:
        page_ids = {call_id: self._calls[index].id for call_id, index in self._indexes.items()}
        return keep_turn(completion, page_ids)

    def _complete_tool_calls(self, completion: Completion) -> list[Frame]:
        frames = self._end_part()
        for index, call in enumerate(completion.tool_calls):
            frames += self._complete_tool_call(index, call)
        return frames

    def _feed_result(self, result: ToolResult) -> list[Frame]:
        self._result_count += 1
        index = self._indexes.get(result.call.id, len(self._calls))
        frames = self._end_part()
        known = self._calls.get(index)
        if known is None or known.whole != result.call:  # `on_tool` may have replaced it
            frames += self._send_tool_call(index, result.call)
        output: Frame = {"toolCallId": self._calls[index].id}
        if result.is_error:
            output |= {"type": "tool-output-error", "errorText": render_error(result)}
        else:
            output |= {"type": "tool-output-available", "output": render_output(result)}
        return [*frames, output]

    def _feed_tool_call(self, delta: ToolCallDelta) -> list[Frame]:
        frames = self._end_part()
        call = self._calls.setdefault(delta.index, _AnnouncedCall())
        if not call.id:
            # `tool-input-start` needs the name, which may arrive in pieces before the arguments.
            if delta.name is None or not delta.text:
                if delta.id:  # a call without arguments is announced by its result
                    self._indexes[delta.id] = delta.index
                call.keep(delta.text)
                return frames
            frames += self._announce_tool_call(call, delta.index, delta.id, delta.name)
        if delta.text:
            frames.append(_build_arguments_frame(call.id, delta.text))
        return frames

    def _announce_tool_call(
        self, call: _AnnouncedCall, index: int, call_id: str | None, name: str
    ) -> list[Frame]:
        if call_id:
            self._indexes[call_id] = index
        # The wire may send the id late or never; the page needs one now, and it must not change. It
        # must not be that of an earlier answer either: `addToolOutput` would change that one.
        call.id = call_id or f"call-{index}"
        if _COUNTED_ID.fullmatch(call.id):
            call.id += f"-{uuid.uuid4().hex}"
        frames: list[Frame] = [
            {"type": "tool-input-start", "toolCallId": call.id, "toolName": name}
        ]
        arguments = "".join(call.pending_arguments)
        call.pending_arguments = TextPieces()
        for start in range(0, len(arguments), MAX_JOINED_LENGTH):
            text = arguments[start : start + MAX_JOINED_LENGTH]
            frames.append(_build_arguments_frame(call.id, text))
        return frames

    def _complete_tool_call(self, index: int, tool_call: ToolCall) -> list[Frame]:
        known = self._calls.get(index)
        return [] if known is not None and known.whole else self._send_tool_call(index, tool_call)

    def _send_tool_call(self, index: int, tool_call: ToolCall) -> list[Frame]:
        call = self._calls.setdefault(index, _AnnouncedCall())
        frames = (
            [] if call.id else self._announce_tool_call(call, index, tool_call.id, tool_call.name)
        )
        call.whole = tool_call
        self._indexes[tool_call.id] = index
        end: Frame = {"toolCallId": call.id, "toolName": tool_call.name}
        try:
            end |= {"type": "tool-input-available", "input": read_input(tool_call)}
        except ProtocolError:
            # The page must not execute this call; the AI SDK has this frame for that.
            sentence = (
                "The arguments of this tool call are not valid JSON."
                if tool_call.complete
                else "This tool call was cut off."
            )
            raw_arguments = tool_call.raw_arguments
            end |= {"type": "tool-input-error", "input": raw_arguments, "errorText": sentence}
        frames.append(end)
        return frames


def read_input(call: ToolCall) -> Any:
    """Return the input of a call; raise `ProtocolError` if the page must not execute it."""
    if call.type == "custom" and call.complete:
        return call.raw_arguments
    return call.arguments


def _build_arguments_frame(call_id: str, text: str) -> Frame:
    return {"type": "tool-input-delta", "toolCallId": call_id, "inputTextDelta": text}


def build_metadata(completion: Completion) -> dict[str, Any]:
    """Return the metadata of an answer for the page."""
    usage, cost = completion.usage, completion.cost
    return _without_none(
        {
            "finishReason": completion.finish_reason and _name_finish_reason(completion),
            "usage": usage and _build_usage(usage),
            "cost": cost and {"usd": cost.usd, "credits": cost.credits},
            "model": completion.model or None,
            "inferenceId": completion.inference_id,
        }
    )


def _name_finish_reason(completion: Completion) -> str:
    return _FINISH_REASONS.get(completion.finish_reason or "", "other")


def _build_usage(usage: Usage) -> dict[str, Any]:
    """Return the tokens in the form of ``LanguageModelUsage`` of the AI SDK 6 and 7."""
    inputs = {
        "cacheReadTokens": usage.cached_tokens,
        "cacheWriteTokens": usage.cache_write_tokens,
    }
    outputs = {"reasoningTokens": usage.reasoning_tokens}
    return _without_none(
        {
            "inputTokens": usage.prompt_tokens,
            "inputTokenDetails": _without_none(inputs) or None,
            "outputTokens": usage.completion_tokens,
            "outputTokenDetails": _without_none(outputs) or None,
            "totalTokens": usage.total_tokens,
        }
    )


def _list_sources(completion: Completion) -> dict[str, Any]:
    """Return the title of each web page that the answer cites, by its URL."""
    titles: dict[str, Any] = {}
    for choice in completion.choices[:1]:
        for annotation in choice.annotations:
            citation = annotation.get("url_citation", annotation)
            url = citation.get("url") if isinstance(citation, Mapping) else None
            if isinstance(url, str) and url.startswith(("https://", "http://")):
                titles.setdefault(url, citation.get("title"))
    return titles


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
