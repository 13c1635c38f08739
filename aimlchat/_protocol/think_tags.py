"""Reasoning inside the answer's text, between ``<think>`` and ``</think>``.

MiniMax, QwQ and Qwen3 were seen to send it like this. Only a tag at the very start of the text
counts; white space before it is dropped. The reasoning is stripped, the answer after it is
left-stripped, and if the tag is never closed, all of the text is reasoning. A lone ``</think>`` at
the very end of an answer (seen from GLM 4.5) is dropped.
"""

from __future__ import annotations

import re

from .kept_size import TextPieces

__all__ = ["ThinkTagSplitter", "may_use_tags"]

_OPENING = "<think>"
_CLOSING = "</think>"
# These models never use tags: a <think> in their text is part of the answer.
_uses_no_tags = re.compile(r"claude|gpt|gemini|grok|\bo[134]\b", re.IGNORECASE).search
_MAX_NAME = 256  # how many characters of a name are searched, since a server may send any name

# What the splitter is reading: the start of the text, reasoning, white space after it, the answer.
_START, _REASONING, _GAP, _ANSWER = range(4)


def may_use_tags(model: str) -> bool:
    """Return whether a model of this name may put its reasoning between tags."""
    return not _uses_no_tags(model, 0, _MAX_NAME)


class ThinkTagSplitter:
    """Splits the text of one choice, in pieces of any size, into reasoning and answer.

    `feed` and `close` return a pair of the next reasoning and the next answer, both of which may be
    empty. The beginning of a possible tag, and white space that may have to be dropped, are
    buffered.
    """

    __slots__ = ("_has_reasoning", "_space", "_state", "_tag")

    def __init__(self) -> None:
        self._state = _START
        self._tag = ""  # what may be the beginning of a tag
        self._space = TextPieces()  # the white space before it, which is dropped or returned
        self._has_reasoning = False  # whether any reasoning has been returned

    def feed(self, text: str) -> tuple[str, str]:
        """Take the next piece of the text."""
        if self._tag:
            text, self._tag = self._tag + text, ""
        elif self._state == _ANSWER and "<" not in text:
            return "", text
        reasoning = ""
        if self._state == _START:
            text = self._read_start(text)
        if self._state == _REASONING:
            reasoning, text = self._read_reasoning(text)
        if self._state == _GAP:
            text = text.lstrip()
            if text:
                self._state = _ANSWER
        if self._state == _ANSWER:
            text = self._buffer_tag(text)
        return reasoning, text

    def close(self) -> tuple[str, str]:
        """Return the text that is still buffered; no more may follow."""
        rest, self._tag = self._tag, ""
        if self._state == _REASONING:
            return (self._strip_reasoning(rest) if rest else ""), ""
        if self._state == _START:
            # There was only white space, or the beginning of a tag that was never completed.
            self._state = _ANSWER
            return "", self._take_space() + rest
        return "", "" if rest == _CLOSING else rest

    def measure(self) -> int:
        """Return the size of the white space that is buffered, in bytes."""
        return self._space.measure()

    def _read_start(self, text: str) -> str:
        """Look for the opening tag; return the text still to be read, ``""`` while undecided."""
        start = text.lstrip()
        self._space.append(text[: len(text) - len(start)])
        if start.startswith(_OPENING):
            self._state = _REASONING
            self._space = TextPieces()
            return start[len(_OPENING) :]
        if _OPENING.startswith(start):
            self._tag = start
            return ""
        self._state = _ANSWER
        return self._take_space() + start

    def _read_reasoning(self, text: str) -> tuple[str, str]:
        """Split at the closing tag, if there is one, into reasoning and the text after it."""
        end = text.find(_CLOSING)
        if end < 0:
            return self._strip_reasoning(self._buffer_tag(text)), ""
        reasoning = self._strip_reasoning(text[:end])
        self._space = TextPieces()
        self._state = _GAP
        return reasoning, text[end + len(_CLOSING) :]

    def _strip_reasoning(self, text: str) -> str:
        """Drop white space at the start; buffer it at the end, where it may be dropped later."""
        core = text.rstrip()
        if not core:
            if self._has_reasoning:
                self._space.append(text)
            return ""
        space = self._take_space()
        self._space.append(text[len(core) :])
        if self._has_reasoning:
            return space + core
        self._has_reasoning = True
        return core.lstrip()

    def _buffer_tag(self, text: str) -> str:
        """Buffer a partial closing tag at the end of the text; return the rest."""
        start = _find_partial_tag(text, _CLOSING)
        self._tag = text[start:]
        return text[:start]

    def _take_space(self) -> str:
        space, self._space = "".join(self._space), TextPieces()
        return space


def _find_partial_tag(text: str, tag: str) -> int:
    """Return where a partial tag at the end of the text begins, else the text's length."""
    for start in range(max(len(text) - len(tag), 0), len(text)):
        if tag.startswith(text[start:]):
            return start
    return len(text)
