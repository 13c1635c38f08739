"""From chunks to deltas, and to the completion that they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimlchat.completions import (
    AnswerDelta,
    Choice,
    Completion,
    ReasoningDelta,
    RefusalDelta,
    Usage,
)

from . import chunks as wire
from .surrogates import SurrogateMender, mend_surrogates
from .think_tags import InlineTags, may_use_tags
from .tool_calls import ToolCalls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aimlchat.completions import Cost, Delta

__all__ = ["Accumulator"]

_MENDED = ("content", "reasoning_content", "refusal")
_IN_PIECES = ("data", "transcript")  # of audio


class _ChoiceState:
    """One choice, as far as it has come."""

    __slots__ = (
        "annotations",
        "answer",
        "audio",
        "audio_pieces",
        "finish",
        "index",
        "logprobs",
        "reasoning",
        "refusal",
        "tags",
        "tools",
    )

    def __init__(self, index: int, tags: InlineTags | None) -> None:
        self.index = index
        self.tags = tags
        self.answer: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.tools: ToolCalls | None = None
        self.finish: str | None = None
        self.logprobs: dict[str, Any] | None = None
        self.audio: dict[str, Any] | None = None
        self.audio_pieces: dict[str, list[str]] = {}
        self.annotations: list[Any] = []

    def made(self, *, complete: bool) -> Choice:
        return Choice(
            index=self.index,
            text="".join(self.answer),
            reasoning="".join(self.reasoning),
            refusal="".join(self.refusal) or None,
            tool_calls=self.tools.made(complete=complete) if self.tools else (),
            finish_reason=wire.finish_reason_of(self.finish),
            native_finish_reason=self.finish,
            logprobs=self.logprobs and {k: _copied(v) for k, v in self.logprobs.items()},
            audio=self._audio(),
            annotations=list(self.annotations),
        )

    def _audio(self) -> dict[str, Any] | None:
        if self.audio is None:
            return None
        joined = {
            key: mend_surrogates("".join(pieces)) for key, pieces in self.audio_pieces.items()
        }
        return self.audio | joined


def _copied(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


class Accumulator:
    """Take chunks, hand out their deltas, and make a completion of all that came."""

    def __init__(self, model: str = "") -> None:
        self._asked_for = model
        self._choices: dict[int, _ChoiceState] = {}
        self._unfinished = 0
        self._mender = SurrogateMender()
        self._id = ""
        self._model = ""
        self._created: int | None = None
        self._usage: Usage | None = None
        self._cost: Cost | None = None
        self._prompt_tokens = 0  # as the envelope of Claude's older streams counts them
        self._completion_tokens = 0
        self._has_head = False
        self.finished_choices = 0
        """How many choices have finished; 0 while one that began has not."""
        self.has_chunk = False
        """Whether a chunk has come: an object with choices, even if there are none in it."""

    def take(self, chunk: wire.Chunk, deltas: list[Delta], *, odd: bool = False) -> None:
        """Add a chunk, and its deltas to the list.

        ``odd`` is for chunks that the typed decoder refused: only those can hold half characters.
        """
        if chunk.event is not None:
            self._note_state(chunk.state or {})
            chunk.event.meta = chunk.event.meta or chunk.meta
            chunk = chunk.event
        if odd or self._mender.held:
            self._mend(chunk)
        if not self._has_head:
            self._note_head(chunk)
        if chunk.usage is not None or chunk.meta is not None:
            self._usage = wire.usage_of(chunk.usage) or self._usage
            self._cost = wire.cost_of(chunk.meta) or self._cost
        if chunk.choices is None:
            return
        self.has_chunk = True
        position = 0
        for choice in chunk.choices:
            index = position if choice.index is None else choice.index
            position += 1  # noqa: SIM113 - cheaper than enumerate() for the usual single choice
            state = self._choices.get(index) or self._begin(index)
            if choice.delta is not None:
                self._take_message(choice.delta, state, deltas)
            if choice.logprobs is not None:
                _extend(state, choice.logprobs)
            if choice.finish_reason and state.finish is None:
                # Text may still follow, so nothing that is held back is judged yet.
                state.finish = choice.finish_reason
                self._unfinished -= 1
                self.finished_choices = 0 if self._unfinished else len(self._choices)

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to learn from a plain chunk but its text, and maybe a time."""
        return bool(self._id and self._model) and not self._mender.held

    def take_plain(self, chunk: wire.PlainChunk, deltas: list[Delta]) -> bool:
        """Add the text of a chunk that has nothing else; False if its choice has not begun yet.

        What `take` would do, at a third of the cost. For an accumulator that `is_settled`.
        """
        (choice,) = chunk.choices
        state = self._choices.get(choice.index)
        if state is None:
            return False
        if not self._created and chunk.created is not None:
            self._created = chunk.created
        message = choice.delta
        if text := message.reasoning_content:
            state.reasoning.append(text)
            deltas.append(ReasoningDelta(text, state.index))
        if text := message.content:
            if state.tags is None:
                state.answer.append(text)
                deltas.append(AnswerDelta(text, state.index))
            else:
                self._take_split(state, state.tags.feed(text), deltas)
        return True

    def close(self, deltas: list[Delta]) -> None:
        """Hand out what was held back; nothing more will come."""
        for (index, field), text in self._mender.give_up().items():
            message = wire.Message()
            if field in _MENDED:
                setattr(message, field, text)
            self._take_message(message, self._choices[index], deltas)
        for state in self._choices.values():
            if state.tags is not None:
                self._take_split(state, state.tags.close(), deltas)

    def made(self, *, complete: bool, raw: Any, **facts: Any) -> Completion:
        """Return the completion so far; ``complete`` is whether it had reached its end.

        ``facts`` are its fields that only the HTTP layer knows; their headers may hold its cost.
        """
        return Completion(
            choices=tuple(
                self._choices[index].made(complete=complete) for index in sorted(self._choices)
            ),
            usage=self._usage or self._state_usage(),
            cost=self._cost or wire.cost_of(None, facts.get("headers")),
            id=self._id,
            model=self._model,
            created=self._created,
            raw=raw,
            **facts,
        )

    def _begin(self, index: int) -> _ChoiceState:
        tagged = may_use_tags(self._asked_for or self._model)
        state = self._choices[index] = _ChoiceState(index, InlineTags() if tagged else None)
        self._unfinished += 1
        self.finished_choices = 0
        return state

    def _take_message(
        self, message: wire.Message, state: _ChoiceState, deltas: list[Delta]
    ) -> None:
        # Reasoning comes first where one chunk carries both.
        if (
            message.reasoning_content
            or message.reasoning
            or message.reasoning_details
            or message.thinking
        ) and (thought := wire.reasoning_of(message)):
            state.reasoning.append(thought)
            deltas.append(ReasoningDelta(thought, state.index))
        if text := message.content:
            if state.tags is None:
                state.answer.append(text)
                deltas.append(AnswerDelta(text, state.index))
            else:
                self._take_split(state, state.tags.feed(text), deltas)
        if text := message.refusal:
            state.refusal.append(text)
            deltas.append(RefusalDelta(text, state.index))
        if message.tool_calls or message.function_call:
            self._take_calls(message, state, deltas)
        if message.audio or message.annotations:
            _add_media(state, message)

    def _take_split(
        self, state: _ChoiceState, pieces: tuple[str, str], deltas: list[Delta]
    ) -> None:
        reasoning, answer = pieces
        if reasoning:
            state.reasoning.append(reasoning)
            deltas.append(ReasoningDelta(reasoning, state.index))
        if answer:
            state.answer.append(answer)
            deltas.append(AnswerDelta(answer, state.index))

    def _take_calls(self, message: wire.Message, state: _ChoiceState, deltas: list[Delta]) -> None:
        if state.tools is None:
            state.tools = ToolCalls()
        fragments = list(message.tool_calls or ())
        if message.function_call is not None:  # the name of a single tool call before 2023-11
            fragments.append(wire.ToolFragment(function=message.function_call))
        taken = (state.tools.take(fragment, state.index) for fragment in fragments)
        deltas.extend(delta for delta in taken if delta is not None)

    def _mend(self, chunk: wire.Chunk) -> None:
        for position, choice in enumerate(chunk.choices or ()):
            index = position if choice.index is None else choice.index
            message = choice.delta
            if message is None:
                continue
            # One text, whichever of its names a chunk gives it.
            message.reasoning_content = wire.reasoning_of(message)
            message.reasoning = message.thinking = message.reasoning_details = None
            for field in _MENDED:
                if text := getattr(message, field):
                    setattr(message, field, self._mender.mend((index, field), text))
            for fragment in message.tool_calls or ():
                self._mend_arguments((index, f"arguments of {fragment.index}"), fragment.function)
            self._mend_arguments((index, "function_call"), message.function_call)

    def _mend_arguments(self, key: tuple[int, str], function: wire.Function | None) -> None:
        if function is not None and function.arguments:
            function.arguments = self._mender.mend(key, function.arguments)

    def _note_head(self, chunk: wire.Chunk) -> None:
        """Keep the first id, model and time.

        Claude's chunks have an empty id after the first, and Azure's first has 0 for the time.
        """
        self._id = self._id or chunk.id or ""
        self._model = self._model or chunk.model or ""
        if not self._created and chunk.created is not None:
            self._created = chunk.created
        self._has_head = bool(self._id and self._model and self._created)

    def _note_state(self, state: Mapping[str, Any]) -> None:
        """Count from the envelope: input from its first event, output from its last but one."""
        usage = wire.usage_of(state.get("usage"))
        if usage is not None:
            self._prompt_tokens = self._prompt_tokens or usage.prompt_tokens or 0
            self._completion_tokens = usage.completion_tokens or self._completion_tokens

    def _state_usage(self) -> Usage | None:
        prompt, completion = self._prompt_tokens, self._completion_tokens
        if not prompt and not completion:
            return None
        total = prompt + completion
        raw = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
        return Usage(prompt, completion, total, raw=raw)


def _extend(state: _ChoiceState, logprobs: dict[str, Any]) -> None:
    """Add the log probabilities of a chunk: lists grow, anything else is replaced."""
    if state.logprobs is None:
        state.logprobs = {}
    for key, value in logprobs.items():
        known = state.logprobs.get(key)
        if isinstance(known, list) and isinstance(value, list):
            known.extend(value)
        elif value is not None or key not in state.logprobs:
            state.logprobs[key] = _copied(value)


def _add_media(state: _ChoiceState, message: wire.Message) -> None:
    """Add audio, whose data and transcript come in pieces, and annotations."""
    if message.audio:
        if state.audio is None:
            state.audio = {}
        for key, value in message.audio.items():
            if key in _IN_PIECES and isinstance(value, str):
                state.audio_pieces.setdefault(key, []).append(value)
            elif value is not None or key not in state.audio:
                state.audio[key] = value
    state.annotations.extend(message.annotations or ())
