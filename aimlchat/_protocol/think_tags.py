"""Reasoning that comes inside the answer's text, between ``<think>`` and ``</think>``.

Only a tag at the very start of the text counts. Inside the tags the text is stripped, after them
it is left-stripped, and where the tag is never closed all of it is reasoning. A lone ``</think>``
at the very end of an answer (seen from GLM 4.5) is dropped.
"""

from __future__ import annotations

import functools
import re

__all__ = ["InlineTags", "may_use_tags"]

_OPEN = "<think>"
_CLOSE = "</think>"
# These never think aloud in tags: there a <think> is the answer's own text.
_NEVER = re.compile(r"claude|gpt|gemini|grok|\bo[134]\b", re.IGNORECASE)

_UNDECIDED, _REASONING, _GAP, _ANSWER = range(4)


@functools.lru_cache(maxsize=256)
def may_use_tags(model: str) -> bool:
    """Return whether the model of this name may put its reasoning between tags."""
    return not _NEVER.search(model)


class InlineTags:
    """Tell reasoning from answer in one choice's text, wherever the text is cut.

    `feed` and `close` return a pair: what is reasoning and what is answer, either may be ``""``.
    What could still become a tag, or white space that may have to go, is held back.
    """

    __slots__ = ("_begun", "_held", "_space", "_state")

    def __init__(self) -> None:
        self._state = _UNDECIDED
        self._held = ""  # what may be the beginning of a tag
        self._space: list[str] = []  # white space before it whose fate is open
        self._begun = False  # whether any reasoning was handed out

    def feed(self, text: str) -> tuple[str, str]:
        """Take the next piece of the text."""
        if self._held:
            text, self._held = self._held + text, ""
        elif self._state == _ANSWER and "<" not in text:
            return "", text
        reasoning = ""
        if self._state == _UNDECIDED:
            text = self._decide(text)
        if self._state == _REASONING:
            reasoning, text = self._reason(text)
        if self._state == _GAP:
            text = text.lstrip()
            if text:
                self._state = _ANSWER
        if self._state == _ANSWER:
            text = self._hold_tag(text)
        return reasoning, text

    def close(self) -> tuple[str, str]:
        """Say what is left at the end of the text."""
        rest, self._held = self._held, ""
        if self._state == _REASONING:
            return (self._strip_between(rest) if rest else ""), ""
        if self._state == _UNDECIDED:
            # Nothing but white space, or the beginning of a tag that never came: answer.
            self._state = _ANSWER
            return "", self._take_space() + rest
        return "", "" if rest == _CLOSE else rest

    def _decide(self, text: str) -> str:
        """Look for the opening tag; return what is to be read next, or ``""`` while undecided."""
        start = text.lstrip()
        self._space.append(text[: len(text) - len(start)])
        if start.startswith(_OPEN):
            self._state = _REASONING
            self._space.clear()
            return start[len(_OPEN) :]
        if _OPEN.startswith(start):
            self._held = start
            return ""
        self._state = _ANSWER
        return self._take_space() + start

    def _reason(self, text: str) -> tuple[str, str]:
        """Split at the closing tag, if it is there, into reasoning and what follows it."""
        end = text.find(_CLOSE)
        if end < 0:
            return self._strip_between(self._hold_tag(text)), ""
        reasoning = self._strip_between(text[:end])
        self._space.clear()
        self._state = _GAP
        return reasoning, text[end + len(_CLOSE) :]

    def _strip_between(self, text: str) -> str:
        """Drop white space at the start, and hold it back at the end, where it may have to go."""
        core = text.rstrip()
        if not core:
            if self._begun:
                self._space.append(text)
            return ""
        before = self._take_space()
        self._space.append(text[len(core) :])
        if self._begun:
            return before + core
        self._begun = True
        return core.lstrip()

    def _hold_tag(self, text: str) -> str:
        """Hold back a beginning of the closing tag at the end of the text; return the rest."""
        place = _possible_tag(text, _CLOSE)
        self._held = text[place:]
        return text[:place]

    def _take_space(self) -> str:
        space = "".join(self._space)
        self._space.clear()
        return space


def _possible_tag(text: str, tag: str) -> int:
    """Return where a beginning of the tag stands at the end of the text, or its length."""
    for place in range(max(len(text) - len(tag), 0), len(text)):
        if tag.startswith(text[place:]):
            return place
    return len(text)
