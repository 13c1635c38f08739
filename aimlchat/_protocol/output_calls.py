"""Answers that a model gives by calling a tool, read as if it had written them as text.

The arguments of the call are the text. Text that the model writes around the call is left out,
since it is not part of the answer. If the model has not called the tool, its text is the answer. If
it has called the tool more than once, each answer that differs from the earlier ones is a line of
the text: such a text is not an answer, and none of them is chosen.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from aimlchat.completions import AnswerDelta, ToolCallDelta

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aimlchat.completions import Choice, Completion, Delta
    from aimlchat.tool_types import ToolCall

__all__ = ["OutputTranslator", "count_answers", "take_output_call"]

_BLOCKS = "content_blocks"
_THINKING = ("thinking", "redacted_thinking")
_NO_ARGUMENTS = "{}"


def take_output_call(completion: Completion, tool_name: str) -> Completion:
    """Return a completion whose text is the arguments of the call of a tool.

    Args:
        completion: a whole or partial completion.
        tool_name: the name of the tool. A call that repeats the arguments of an earlier one is left
            out; calls of other tools stay. A choice that does not call it stays as it is. Of a
            completion that still grows, only the first call is used.
    """
    choices = tuple(
        _take_calls(choice, tool_name, is_whole=completion.is_complete)
        for choice in completion.choices
    )
    return attrs.evolve(completion, choices=choices)


def count_answers(completion: Completion, tool_name: str) -> int:
    """Return how many different answers choice 0 has given by calls of the tool."""
    calls = [call for call in completion.tool_calls if call.name == tool_name]
    return len(_find_different(map(_read_text, calls)))


def _find_different(texts: Iterable[str]) -> list[str]:
    """Return the texts of answers without those that are the same JSON as an earlier one."""
    different: dict[str, str] = {}
    for text in texts:
        try:
            key = json.dumps(json.loads(text, strict=False), sort_keys=True)
        except (ValueError, RecursionError):
            key = text
        different.setdefault(key, text)
    return list(different.values())


def _take_calls(choice: Choice, tool_name: str, *, is_whole: bool) -> Choice:
    texts = [_read_text(call) for call in choice.tool_calls if call.name == tool_name]
    if not texts:
        has_ended = choice.finish_reason == "tool_calls" and not choice.tool_calls
        return attrs.evolve(choice, finish_reason="stop") if has_ended else choice
    text = "\n".join(_find_different(texts)) if is_whole and len(texts) > 1 else texts[0]
    others = tuple(other for other in choice.tool_calls if other.name != tool_name)
    reason = choice.finish_reason
    turn = choice.turn
    if turn is not None and isinstance(turn.get(_BLOCKS), list):
        turn = turn | {_BLOCKS: _replace_blocks(turn[_BLOCKS], tool_name, text)}
    return attrs.evolve(
        choice,
        text=text,
        tool_calls=others,
        finish_reason="stop" if reason == "tool_calls" and not others else reason,
        turn=turn,
    )


def _read_text(call: ToolCall) -> str:
    """Return the arguments of a call; a call that ended without any has an empty object."""
    is_empty = call.complete and not call.raw_arguments.strip()
    return _NO_ARGUMENTS if is_empty else call.raw_arguments


def _replace_blocks(blocks: list[Any], tool_name: str, text: str) -> list[Any]:
    """Return the blocks of a turn with a text instead of its calls of the tool.

    Other texts are left out, as in the completion. Thinking stays, unless a text is left out in the
    middle of it and no other call needs it: Claude accepts its thinking back only in the order in
    which it sent it.
    """
    replaced: list[Any] = []
    is_taken = has_gap = is_broken = False
    for block in blocks:
        kind = block.get("type")
        if kind == "text":
            has_gap = has_gap or bool(str(block.get("text", "")).strip())
            continue
        is_broken = is_broken or (has_gap and kind in _THINKING)
        if kind != "tool_use" or block.get("name") != tool_name:
            replaced.append(block)
        elif not is_taken:
            is_taken = True
            replaced.append({"type": "text", "text": text})
    if is_broken and not any(block.get("type") == "tool_use" for block in replaced):
        return [block for block in replaced if block.get("type") not in _THINKING]
    return replaced


class _ChoiceTranslator:
    """The state of one choice.

    Attributes:
        output: the index of the call whose arguments are the answer; None before it has begun.
            Those of further calls of the tool are read when all of them are known.
    """

    def __init__(self, tool_name: str) -> None:
        self.output: int | None = None
        self._tool_name = tool_name
        self._choice = 0
        # The fragments of the arguments of each call of the tool, by index.
        self._answers: dict[int, list[str]] = {}
        self._answer: list[AnswerDelta] = []
        # The fragments of calls whose name is not known yet, by index.
        self._unnamed: dict[int, list[ToolCallDelta]] = {}

    def translate(self, delta: Delta) -> list[Delta]:
        if isinstance(delta, AnswerDelta):
            if self.output is None:
                self._answer.append(delta)
            return []
        return self._translate_call(delta) if isinstance(delta, ToolCallDelta) else [delta]

    def _translate_call(self, delta: ToolCallDelta) -> list[Delta]:
        name, index = delta.name or "", delta.index
        if index in self._answers:
            return self._read(delta)
        if name != self._tool_name:
            if self._tool_name.startswith(name):  # not known, or a piece of it
                self._unnamed.setdefault(index, []).append(delta)
                return []
            buffered = self._unnamed.pop(index, [])
            return [self._renumber(call) for call in (*buffered, delta)]
        self._answers[index] = []
        if self.output is None:
            self.output, self._choice = index, delta.choice
            self._answer.clear()
        buffered = self._unnamed.pop(index, [])
        return [text for call in (*buffered, delta) for text in self._read(call)]

    def _read(self, delta: ToolCallDelta) -> list[Delta]:
        if not delta.text:
            return []
        self._answers[delta.index].append(delta.text)
        return [AnswerDelta(delta.text, delta.choice)] if delta.index == self.output else []

    def _renumber(self, delta: ToolCallDelta) -> ToolCallDelta:
        before = sum(index < delta.index for index in self._answers)
        if not before:
            return delta
        return ToolCallDelta(delta.text, delta.choice, delta.index - before, delta.id, delta.name)

    def close(self) -> list[Delta]:
        deltas: list[Delta] = [*self._answer]
        for buffered in self._unnamed.values():
            deltas += map(self._renumber, buffered)
        deltas += [AnswerDelta(text, self._choice) for text in self._find_rest()]
        self._answer, self._unnamed, self._answers, self.output = [], {}, {}, None
        return deltas

    def _find_rest(self) -> Iterator[str]:
        """Yield the text after the arguments of the first call."""
        texts = ["".join(pieces) for pieces in self._answers.values()]
        if texts and not texts[0].strip():
            yield _NO_ARGUMENTS
        whole = [text if text.strip() else _NO_ARGUMENTS for text in texts]
        yield from (f"\n{text}" for text in _find_different(whole)[1:])


class OutputTranslator:
    """Turns the deltas of a stream into those of an answer in text.

    The text of a choice is held back until its call begins, and then left out; without a call it is
    returned at the end. The texts of the answer add up to the text of `take_output_call`.

    Args:
        tool_name: the name of the tool.
    """

    def __init__(self, tool_name: str) -> None:
        self._tool_name = tool_name
        self._choices: dict[int, _ChoiceTranslator] = {}

    def translate(self, deltas: Iterable[Delta]) -> list[Delta]:
        """Return the deltas that replace these."""
        translated: list[Delta] = []
        for delta in deltas:
            choice = self._choices.get(delta.choice)
            if choice is None:
                choice = self._choices[delta.choice] = _ChoiceTranslator(self._tool_name)
            translated += choice.translate(delta)
        return translated

    def close(self) -> list[Delta]:
        """Return the deltas that were held back; call it once, when the stream is complete."""
        return [delta for choice in self._choices.values() for delta in choice.close()]
