"""Halves of a character: a gateway that counts in UTF-16 may cut an emoji in two."""

from __future__ import annotations

import re

__all__ = ["SurrogateMender", "mend_surrogates"]

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_FIRST_HALVES = ("\ud800", "\udbff")
_REPLACEMENT = "\ufffd"
_Key = tuple[int, str]  # the choice, and which of its texts


def mend_surrogates(text: str) -> str:
    """Join the halves of characters that stand side by side, and replace those that are alone."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class SurrogateMender:
    """Join the halves of characters that were cut apart; replace a half that stays alone.

    Text with a lone surrogate cannot be encoded, so it would fail where the user prints it.
    """

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held: dict[_Key, str] = {}
        """The first halves that wait for their second, by the text that they belong to."""

    def mend(self, key: _Key, text: str) -> str:
        """Return the next piece of the text named ``key`` without lone surrogates."""
        first = self.held.pop(key, "")
        if not first and not _SURROGATE.search(text):
            return text
        text = first + text
        low, high = _FIRST_HALVES
        if text and low <= text[-1] <= high:
            self.held[key] = text[-1]
            text = text[:-1]
        return mend_surrogates(text)

    def give_up(self) -> dict[_Key, str]:
        """Return what stands for the halves that are still alone, by the text they belong to."""
        alone = dict.fromkeys(self.held, _REPLACEMENT)
        self.held.clear()
        return alone
