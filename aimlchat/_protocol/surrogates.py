"""The repair of lone surrogates: a gateway that counts in UTF-16 may cut an emoji in two.

Text with a lone surrogate cannot be encoded as UTF-8, so a caller could not even print it.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["SurrogateMender", "mend_json", "mend_surrogates"]

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_FIRST_HALVES = ("\ud800", "\udbff")
_MAX_PENDING = 10_000  # texts; a stream may have as many choices, and tool calls
_REPLACEMENT = "\ufffd"
_Key = tuple[int, str]  # the index of the choice, and which of its texts


def mend_surrogates(text: str) -> str:
    """Join each pair of surrogates into its character, and replace lone ones with U+FFFD."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def mend_json(value: Any) -> Any:
    """Return a copy of a JSON value, with `mend_surrogates` applied to each text."""
    if isinstance(value, str):
        return mend_surrogates(value)
    if isinstance(value, dict):
        return {mend_surrogates(key): mend_json(item) for key, item in value.items()}
    return [mend_json(item) for item in value] if isinstance(value, list) else value


class SurrogateMender:
    """Joins surrogates across the pieces of several texts, and replaces those that remain alone."""

    __slots__ = ("pending",)

    def __init__(self) -> None:
        self.pending: dict[_Key, str] = {}
        """The first halves whose second half is still missing, by the key of their text."""

    def mend(self, key: _Key, text: str) -> str:
        """Return the next piece of a text without lone surrogates."""
        first = self.pending.pop(key, "")
        if not first and not _SURROGATE.search(text):
            return text
        text = first + text
        low, high = _FIRST_HALVES
        if text and low <= text[-1] <= high and len(self.pending) < _MAX_PENDING:
            self.pending[key] = text[-1]
            text = text[:-1]
        return mend_surrogates(text)

    def close(self) -> dict[_Key, str]:
        """Return the replacement of each first half that is still alone, by the key of its text."""
        alone = dict.fromkeys(self.pending, _REPLACEMENT)
        self.pending.clear()
        return alone
