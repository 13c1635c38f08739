"""What is known about each custom id, in a few bytes per id."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DIGEST_SIZE",
    "FAILED",
    "IN_INPUT",
    "IN_OUTPUT",
    "ON_SERVER",
    "KnownIds",
    "hash_id",
    "normalize_id",
    "parse_digest",
]

DIGEST_SIZE = 16
"""The length of the digest of a request, in bytes: 8 of its model after 8 of all the rest."""

IN_OUTPUT = 1
"""The output has a result for the id."""
FAILED = 2
"""That result is a failure."""
IN_INPUT = 4
"""The input has a line for the id."""
ON_SERVER = 8
"""The request is part of a batch on the server."""
_FLAG_BITS = 4
_FLAGS = (1 << _FLAG_BITS) - 1
_MODEL_BITS = 20
_MODEL = (1 << _MODEL_BITS) - 1 << _FLAG_BITS
_CONTENT = ~(_MODEL | _FLAGS)

_MAX_EXACT_FLOAT = 2**53
# 640 digits, the lowest limit that Python's conversion of integers to text can be set to.
_MAX_ID_BITS = 2126
_INITIAL_SLOTS = 1024
_SLOT_BYTES = 8
_MAX_LOAD = 0.7


def hash_id(custom_id: str | int) -> int:
    """Return the key of a custom id: 64 bits, never 0. A number has the key of its digits."""
    return int.from_bytes(blake2b(str(custom_id).encode(), digest_size=8).digest(), "big") or 1


def normalize_id(value: Any) -> str | int | None:
    """Return a custom id; None for a value that is not one.

    A whole number that is written as a float is an integer: pandas writes 1.0 for 1 in a column
    that has gaps.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) <= _MAX_EXACT_FLOAT:
        return int(value)
    if isinstance(value, int):
        is_id = not isinstance(value, bool) and value.bit_length() <= _MAX_ID_BITS
        return value if is_id else None
    return value if isinstance(value, str) else None


def parse_digest(text: Any) -> bytes:
    """Return a digest from its hexadecimal form in a file; empty if it is missing or not valid.

    Files written by other tools have no digests; changes cannot be detected then.
    """
    try:
        digest = bytes.fromhex(text)
    except (TypeError, ValueError):
        return b""
    return digest if len(digest) == DIGEST_SIZE else b""


class KnownIds:
    """A hash table from ids to flags and digests, in two arrays of 64-bit integers.

    A slot of the first array has the hash of an id; the same slot of the second array has 60 bits
    of the digest of its request, 20 of them of its model, and 4 flags. That takes 23 to 46 bytes
    per id; a set of the ids would take hundreds. The chance that any two of a million ids share a
    hash is 1 in 37 million; the collision is reported as a duplicate id, and no result is lost.
    """

    def __init__(self) -> None:
        self._mask = _INITIAL_SLOTS - 1
        self._keys = array("Q", [0]) * _INITIAL_SLOTS
        self._values = array("Q", [0]) * _INITIAL_SLOTS
        self._count = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Return the ids with their flags, in no particular order."""
        return (
            (key, value & _FLAGS)
            for key, value in zip(self._keys, self._values, strict=True)
            if key
        )

    def get_flags(self, key: int) -> int:
        """Return the flags of an id; 0 if it is unknown."""
        return self._values[self._find_slot(key)] & _FLAGS

    def has_changed(self, key: int, digest: bytes) -> bool:
        """Return whether the digest of an id is known and differs in more than the model."""
        known = self._values[self._find_slot(key)] & ~_FLAGS
        return known != 0 and (known ^ _truncate(digest)) & _CONTENT != 0

    def has_other_model(self, key: int, digest: bytes) -> bool:
        """Return whether the digest of an id is known and differs in the model."""
        known = self._values[self._find_slot(key)] & ~_FLAGS
        return known != 0 and (known ^ _truncate(digest)) & _MODEL != 0

    def add(self, key: int, flags: int, digest: bytes = b"") -> None:
        """Set flags of an id, and the digest of its request if one is given."""
        slot = self._find_slot(key)
        if not self._keys[slot]:
            if self._count > self._mask * _MAX_LOAD:
                self._grow()
                slot = self._find_slot(key)
            self._keys[slot] = key
            self._count += 1
        self._values[slot] |= flags
        if digest:
            self._values[slot] = self._values[slot] & _FLAGS | _truncate(digest)

    def add_new(self, key: int, flags: int, digest: bytes) -> int:
        """Add an id that is unknown, and return 0; return the flags of a known one as they are."""
        slot = self._find_slot(key)
        if self._keys[slot]:
            return self._values[slot] & _FLAGS
        if self._count > self._mask * _MAX_LOAD:
            self._grow()
            slot = self._find_slot(key)
        self._keys[slot] = key
        self._values[slot] = flags | _truncate(digest)
        self._count += 1
        return 0

    def clear_flags(self, key: int, flags: int) -> None:
        """Clear flags of an id."""
        self._values[self._find_slot(key)] &= ~flags

    def _find_slot(self, key: int) -> int:
        """Return the slot of a key, or the empty slot in which it belongs."""
        keys, mask = self._keys, self._mask
        slot = key & mask
        while (occupant := keys[slot]) and occupant != key:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        size = len(keys) * 2
        self._mask = size - 1
        self._keys = array("Q", [0]) * size  # without a copy, as `bytes` would need
        self._values = array("Q", [0]) * size
        for key, value in zip(keys, values, strict=True):
            if key:
                slot = self._find_slot(key)
                self._keys[slot] = key
                self._values[slot] = value


def _truncate(digest: bytes) -> int:
    """Return the bits of a digest that fit next to the flags."""
    content = int.from_bytes(digest[:_SLOT_BYTES], "big") & _CONTENT
    return content | (int.from_bytes(digest[_SLOT_BYTES:], "big") << _FLAG_BITS) & _MODEL
