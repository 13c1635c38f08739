"""Ids that look like the API's and are the same on every run."""

from __future__ import annotations

import string
import uuid
from hashlib import blake2b

import attrs

__all__ = ["Identities"]

_ALPHABET = string.digits + string.ascii_letters


@attrs.frozen
class Identities:
    """All ids of one request, made of the emulator's seed and the request's number."""

    seed: int
    number: int

    def uuid(self, purpose: str) -> str:
        """Make an id in the form of a UUID."""
        return str(uuid.UUID(bytes=self._digest(purpose)[:16], version=4))

    def word(self, purpose: str, length: int) -> str:
        """Make an id of letters and digits."""
        value = int.from_bytes(self._digest(purpose), "big")
        letters = []
        for _ in range(length):
            value, letter = divmod(value, len(_ALPHABET))
            letters.append(_ALPHABET[letter])
        return "".join(letters)

    def _digest(self, purpose: str) -> bytes:
        return blake2b(f"{self.seed}/{self.number}/{purpose}".encode(), digest_size=32).digest()
