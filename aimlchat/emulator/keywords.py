"""The words of a prompt that carry its meaning."""

from __future__ import annotations

import re

__all__ = ["find_keywords"]

_STOP_WORDS = frozenset(
    """
    about after again also and any are because been before being between both but can could did
    does doing each explain few for from give had has have how into just let like make many me more
    most much must not one only other our out over please say should show some such tell than that
    the their them then there these they this those through too under use very was were what when
    where which while who why will with would write you your
    """.split()  # noqa: SIM905 - as a list it would fill ninety lines
)


def find_keywords(text: str) -> list[str]:
    """Return the words of a text that are not stop words, each once."""
    words = dict.fromkeys(re.findall(r"\w[\w'-]+\w|\d+", text))
    return [word for word in words if word.lower() not in _STOP_WORDS]
