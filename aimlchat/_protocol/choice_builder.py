"""`ChoiceBuilder`, the part of one choice that has been received."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat._json import prune
from aimlchat.completions import Choice

from .kept_size import TextPieces, measure_json
from .message_chunks import MessageReader, find_message
from .metadata import normalize_finish_reason
from .surrogates import mend_json, mend_surrogates

if TYPE_CHECKING:
    from aimlchat.tool_types import ToolCall

    from .chunks import ChunkChoice, ChunkMessage
    from .reasoning_details import ReasoningDetails
    from .think_tags import ThinkTagSplitter
    from .tool_call_builder import ToolCallIds
    from .tool_calls import ToolCallAssembler

__all__ = ["ChoiceBuilder"]

_CUTS = ("length", "content_filter")
_MAX_FINISH_REASON = 256
_AUDIO_PIECES = ("data", "transcript")  # the keys of audio whose value arrives in pieces


class ChoiceBuilder:
    """The part of one choice that has been received."""

    __slots__ = (
        "annotations",
        "answer",
        "audio",
        "audio_pieces",
        "call_pieces",
        "details",
        "finish_reason",
        "images",
        "index",
        "json_size",
        "logprobs",
        "messages",
        "pieces_at_finish",
        "reasoning",
        "refusal",
        "tags",
        "tool_calls",
    )

    def __init__(self, index: int, tags: ThinkTagSplitter | None) -> None:
        self.index = index
        self.tags = tags  # None for a model that uses no tags
        self.answer = TextPieces()
        self.reasoning = TextPieces()
        self.refusal = TextPieces()
        self.tool_calls: ToolCallAssembler | None = None
        self.messages: MessageReader | None = None
        self.finish_reason: str | None = None
        self.pieces_at_finish = 0
        self.call_pieces = 0
        self.logprobs: dict[str, Any] | None = None
        self.audio: dict[str, Any] | None = None
        self.audio_pieces: dict[str, TextPieces] = {}
        self.annotations: list[Any] = []
        self.images: list[Any] = []
        self.details: ReasoningDetails | None = None
        self.json_size = 0  # of the log probabilities and media, except for pieces of audio

    @property
    def pieces(self) -> int:
        """How many pieces of text, and of tool calls, have arrived."""
        answer, reasoning, refusal = self.answer, self.reasoning, self.refusal
        items = len(answer) + len(reasoning) + len(refusal)
        return items + answer.joined + reasoning.joined + refusal.joined + self.call_pieces

    def measure(self) -> int:
        """Return the size of all that is kept, in bytes."""
        texts = (self.answer, self.reasoning, self.refusal, *self.audio_pieces.values())
        size = self.json_size + sum(text.measure() for text in texts)
        if self.tags is not None:
            size += self.tags.measure()
        if self.tool_calls is not None:
            size += self.tool_calls.measure()
        if self.details is not None:
            size += self.details.measure()
        return size

    @property
    def has_output(self) -> bool:
        """Whether there is text, a tool call, audio, an annotation or an image."""
        text = self.answer or self.reasoning or self.refusal
        return bool(text or self.tool_calls or self.audio or self.annotations or self.images)

    def build(self, ids: ToolCallIds | None, *, complete: bool) -> Choice:
        """Build the choice so far; ``ids`` is None if the completion has no tool call."""
        if self.logprobs or self.audio or self.annotations or self.images:
            prune([self.logprobs, self.audio, self.annotations, self.images])
        finish_reason = normalize_finish_reason(self.finish_reason)
        calls: tuple[ToolCall, ...] = ()
        if self.tool_calls is not None and ids is not None:
            calls = self.tool_calls.build(ids, complete=complete, finish_reason=finish_reason)
        return Choice(
            index=self.index,
            text="".join(self.answer),
            reasoning="".join(self.reasoning),
            refusal="".join(self.refusal) or None,
            tool_calls=calls,
            finish_reason=finish_reason,
            native_finish_reason=self.finish_reason,
            logprobs=self.logprobs and {k: _copy_list(v) for k, v in self.logprobs.items()},
            audio=self._build_audio(),
            annotations=list(self.annotations),
            images=list(self.images),
            turn=self._build_turn(self.details) if self.details and complete else None,
        )

    def _build_turn(self, details: ReasoningDetails) -> dict[str, Any]:
        turn = {"reasoning_details": details.build()}
        prune(turn)
        mended: dict[str, Any] = mend_json(turn)
        return mended

    def _build_audio(self) -> dict[str, Any] | None:
        if self.audio is None:
            return None
        joined = {
            key: mend_surrogates("".join(pieces)) for key, pieces in self.audio_pieces.items()
        }
        return self.audio | joined

    def finish(self, reason: str) -> bool:
        """Keep the first finish reason; return False for another one, and for one like "null".

        A later one that says that the answer was cut replaces one that does not: some gateways
        send "stop" in each chunk. More text may follow, so buffered text stays buffered.
        """
        normalized = normalize_finish_reason(reason)
        if self.finish_reason is None and normalized is not None:
            self.finish_reason = reason[:_MAX_FINISH_REASON]
            self.pieces_at_finish = self.pieces
            return True
        if normalized in _CUTS and normalize_finish_reason(self.finish_reason) not in _CUTS:
            self.finish_reason = reason[:_MAX_FINISH_REASON]
        return False

    def take_message(self, choice: ChunkChoice) -> None:
        """Use the new part of the message of a chunk as its delta."""
        message = find_message(choice)
        if message is None:
            return
        if self.messages is None:
            self.messages = MessageReader(
                {
                    # The tags are no longer in the answer.
                    "content": None if self.tags and self.answer else "".join(self.answer),
                    "reasoning_content": "".join(self.reasoning),
                    "refusal": "".join(self.refusal),
                },
                has_calls=self.tool_calls is not None,
            )
        is_last = normalize_finish_reason(choice.finish_reason) is not None
        self.messages.keep_new(message, is_last=is_last)
        if self.audio is not None:
            message.audio = None
        message.annotations = [a for a in message.annotations or () if a not in self.annotations]
        message.images = [image for image in message.images or () if image not in self.images]
        choice.delta = message

    def add_logprobs(self, logprobs: dict[str, Any]) -> None:
        """Add the log probabilities of a chunk: extend lists, replace other values."""
        if self.logprobs is None:
            self.logprobs = {}
        self.json_size += measure_json(logprobs)
        for key, value in logprobs.items():
            known = self.logprobs.get(key)
            if isinstance(known, list) and isinstance(value, list):
                known.extend(value)
            elif value is not None or key not in self.logprobs:
                self.logprobs[key] = _copy_list(value)

    def add_details(self, details: list[Any], *, is_whole: bool) -> None:
        """Keep the ``reasoning_details`` of a chunk, which are sent back to the model unchanged."""
        if self.details is None:
            from .reasoning_details import ReasoningDetails  # noqa: PLC0415 - few upstreams send it

            self.details = ReasoningDetails()
        self.details.add(details, is_whole=is_whole)

    def add_media(self, message: ChunkMessage) -> None:
        """Add audio, whose data and transcript arrive in pieces, annotations and images."""
        if message.audio:
            if self.audio is None:
                self.audio = {}
            for key, value in message.audio.items():
                if key in _AUDIO_PIECES and isinstance(value, str):
                    self.audio_pieces.setdefault(key, TextPieces()).append(value)
                elif value is not None or key not in self.audio:
                    if key not in self.audio or value != self.audio[key]:
                        self.json_size += measure_json({key: value})
                    self.audio[key] = value
        for known, items in (
            (self.annotations, message.annotations),
            (self.images, message.images),
        ):
            if items:
                self.json_size += measure_json(items)
                known.extend(items)


def _copy_list(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value
