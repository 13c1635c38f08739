"""Which existing models have names similar to one that does not exist."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["rank_models"]

# 2024-08-06, 20250929, and the 2507 and 0324 of other vendors; a version has at most three digits.
_DATE = re.compile(r"(?<!\d)20\d\d-\d\d-\d\d(?!\d)|\d{4,}")
# What Bedrock and gateways put around a name: us.anthropic.claude-3-haiku-v1:0, llama-3:free.
_PREFIX = re.compile(r"^(?:[a-z][a-z-]*\.)+(?=[a-z])")
_SUFFIX = re.compile(r"(?:-v\d+)?:[^:]*$")
# The size of a model or of its context, such as 8x7b, a22b and 32k: a word, not a version.
_TOKEN = re.compile(r"(?:\d+x)?\d+(?:\.\d+)?[bk](?![^\W_])|[^\W\d_]+|\d+")
# These words do not tell one line of models from another.
_MINOR_WORDS = frozenset(("latest", "preview", "exp", "v"))
_LATEST = 10_000  # the version of a name such as claude-opus-latest; no other has five digits
_VERSION_PARTS = 4
_MIN_WORD_LENGTH = 3  # of a misspelled word
_WORD_RATIO = 0.65  # "sonet" is a misspelled "sonnet", while "opus" is another word
_NAME_RATIO = 0.7
_MAX_LENGTH = 100  # of a name: comparing two takes time that grows with the square of it


class _Name(NamedTuple):
    vendor: str
    words: tuple[str, ...]
    version: tuple[int, ...]
    letters: str


def rank_models(model: str, ids: Iterable[str]) -> list[str]:
    """Return the ids that are similar to a model's name, the most similar first, without the name.

    The order is: the same name in another notation; a name with misspelled words; a name of the
    same family, those that share most words first, and of these the newest version; a name with a
    similar spelling, or of the same vendor. Any other id is left out.
    """
    if len(model) > _MAX_LENGTH:
        return []
    wanted = _parse(model)
    ranked = [
        (rank, len(name), name)
        for name in {*ids} - {model}
        if len(name) <= _MAX_LENGTH and (rank := _rank(wanted, _parse(name))) is not None
    ]
    return [name for _, _, name in sorted(ranked)]


def _parse(model: str) -> _Name:
    vendor, _, name = _SUFFIX.sub("", model.lower()).rpartition("/")
    if prefix := _PREFIX.match(name):
        vendor, name = prefix[0].split(".")[-2], name[prefix.end() :]
    name = name.replace("chatgpt", "gpt")
    tokens = _TOKEN.findall(_DATE.sub("-", name))
    words = tuple(token for token in tokens if not token.isdecimal() and token not in _MINOR_WORDS)
    version = tuple(int(token) for token in tokens if token.isdecimal())[:_VERSION_PARTS]
    if "latest" in tokens and not version:
        version = (_LATEST,)
    return _Name(vendor, words, version, "".join(tokens))


def _rank(wanted: _Name, other: _Name) -> tuple[float, ...] | None:
    """Return a sort key, lower for a more similar name; None if the name is not similar."""
    padding = (0,) * (_VERSION_PARTS - len(other.version))
    newest = tuple(-part for part in (*other.version, *padding))
    same_version = wanted.version == other.version
    if wanted.letters == other.letters or (
        same_version and sorted(wanted.words) == sorted(other.words)
    ):
        return (0, 0, *newest)
    if same_version and _are_misspelled(wanted.words, other.words):
        return (1, 0, *newest)
    if _share_family(wanted.words, other.words):
        ours, theirs = {*wanted.words}, {*other.words}
        shared = sum(any(_is_same(word, found) for found in theirs) for word in ours)
        return (2, -shared / (len(ours) + len(theirs) - shared), *newest)
    is_of_vendor = other.vendor and other.vendor in (wanted.vendor, *wanted.words)
    if (likeness := _compare(wanted.letters, other.letters, _NAME_RATIO)) or is_of_vendor:
        return (3, -likeness, *newest)
    return None


def _are_misspelled(ours: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """Return whether two names have as many words, and words that differ are similar."""
    if len(ours) != len(theirs):
        return False
    left = sorted((Counter(ours) - Counter(theirs)).elements())
    right = sorted((Counter(theirs) - Counter(ours)).elements())
    return all(_is_same(*pair) for pair in zip(left, right, strict=True))


def _share_family(ours: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """Return whether the first word of one name, which is the family, is in the other one."""
    if not ours or not theirs:
        return False
    first, other = ours[0], theirs[0]
    if _is_same(first, other):
        return True
    # Some vendors put a word before it: Meta-Llama and Llama are one family. A single letter is not
    # a family: the "o" of o3 is not that of gpt-4o.
    return (first in theirs and len(first) > 1) or (other in ours and len(other) > 1)


def _is_same(ours: str, theirs: str) -> bool:
    """Return whether two words are the same, except perhaps for a misspelling."""
    if min(len(ours), len(theirs)) < _MIN_WORD_LENGTH:
        return ours == theirs
    return ours == theirs or _compare(ours, theirs, _WORD_RATIO) > 0


def _compare(ours: str, theirs: str, least: float) -> float:
    """Return how similar two texts are, from 0 to 1; 0 if less than ``least``."""
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    if matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
        return 0.0
    ratio = matcher.ratio()
    return ratio if ratio >= least else 0.0
