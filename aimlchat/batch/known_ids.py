"""Which ids are known, in a few bytes each."""

from __future__ import annotations

from array import array
from hashlib import blake2b

__all__ = ["FAILED", "IN_INPUT", "IN_OUTPUT", "ON_SERVER", "TAKEN", "Ledger", "key_of"]

IN_OUTPUT = 1
"""A result stands in the output."""
FAILED = 2
"""It is a failure."""
IN_INPUT = 4
"""The input has a line for it."""
ON_SERVER = 8
"""A batch on the server has it."""
TAKEN = 16
"""It was sent in this run."""
_FLAGS = 31

_FIRST_SIZE = 1024
_BYTES = 8
_FULL = 0.7


def key_of(custom_id: str | int) -> int:
    """Return the id in 64 bits; a number is the same id as its digits."""
    return int.from_bytes(blake2b(str(custom_id).encode(), digest_size=8).digest(), "big") or 1


class Ledger:
    """A hash table in two arrays: 64 bits for an id, 59 for its request and 5 for what is known.

    That is 23 to 46 bytes an id, where a set of the ids would take hundreds. Among a million ids
    two share their 64 bits in one case of 37 million, which is then told as a duplicate id: no
    result is lost by it.
    """

    def __init__(self) -> None:
        self._mask = _FIRST_SIZE - 1
        self._keys = array("Q", bytes(_FIRST_SIZE * _BYTES))
        self._values = array("Q", bytes(_FIRST_SIZE * _BYTES))
        self._count = 0

    def flags(self, key: int) -> int:
        """Return what is known of an id; 0 is nothing."""
        return self._values[self._place(key)] & _FLAGS

    def is_changed(self, key: int, digest: bytes) -> bool:
        """Return whether another request was noted under this id; none noted is no other one."""
        noted = self._values[self._place(key)] & ~_FLAGS
        return noted not in (0, _bits(digest))

    def note(self, key: int, flags: int, digest: bytes = b"") -> None:
        """Add to what is known of an id; ``digest`` is that of its request."""
        place = self._place(key)
        if not self._keys[place]:
            if self._count > self._mask * _FULL:
                self._grow()
                place = self._place(key)
            self._keys[place] = key
            self._count += 1
        self._values[place] |= flags
        if digest:
            self._values[place] = self._values[place] & _FLAGS | _bits(digest)

    def take(self, key: int, digest: bytes) -> bool:
        """Take a request of the input; return False if it is another one, or was taken before."""
        place = self._place(key)
        value = self._values[place]
        if value & (IN_INPUT | TAKEN) != IN_INPUT or value & ~_FLAGS != _bits(digest):
            return False
        self._values[place] = value | TAKEN
        return True

    def clear(self, key: int, flags: int) -> None:
        """Take back some of what is known of an id."""
        self._values[self._place(key)] &= ~flags

    def _place(self, key: int) -> int:
        keys, mask = self._keys, self._mask
        place = key & mask
        while (there := keys[place]) and there != key:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        size = len(keys) * 2
        self._mask = size - 1
        self._keys = array("Q", bytes(size * _BYTES))
        self._values = array("Q", bytes(size * _BYTES))
        for key, value in zip(keys, values, strict=True):
            if key:
                place = self._place(key)
                self._keys[place] = key
                self._values[place] = value


def _bits(digest: bytes) -> int:
    return int.from_bytes(digest[:_BYTES], "big") & ~_FLAGS
