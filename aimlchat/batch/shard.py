"""A share of the requests of a file, so that several machines answer it without a coordinator."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from aimlchat._payload.json_values import describe
from aimlchat.errors import ConfigurationError

__all__ = ["Shard", "find_shard", "parse_shard", "read_shard"]

_TEXT = re.compile(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", re.ASCII)


class Shard(msgspec.Struct, frozen=True):
    """One of ``count`` shards, whose numbers are 1 to ``count``."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def has(self, key: int) -> bool:
        """Return whether the request with this key is one of this shard."""
        return find_shard(key, self.count) == self.number


def find_shard(key: int, count: int) -> int:
    """Return which of ``count`` shards the request with this key belongs to.

    It depends only on the id, so further rows move none. It uses the upper 32 bits of the key; the
    position of the key in a hash table depends on the lower ones.
    """
    return (key >> 32) % count + 1


def parse_shard(value: Any) -> Shard:
    """Return the shard of a text such as "3/16". Raises `TypeError` or `ConfigurationError`."""
    if not isinstance(value, str):
        msg = f"the shard is {describe(value)}; give a str such as '3/16'"
        raise TypeError(msg)
    match = _TEXT.fullmatch(value)
    if match is None:
        msg = f"{describe(value)} is no shard; give its number and how many there are, as in 3/16"
        raise ConfigurationError(msg)
    number, count = int(match[1]), int(match[2])
    if not 1 <= number <= count:
        numbers = f"1/{count} to {count}/{count}" if count else "1/1"
        msg = f"there is no shard {number}/{count}: shards are counted from 1; give {numbers}"
        raise ConfigurationError(msg)
    return Shard(number, count)


@lru_cache(maxsize=64)
def read_shard(text: str) -> Shard | None:
    """Return the shard of a line of results; None for a value that is empty or not a shard."""
    try:
        return parse_shard(text)
    except ConfigurationError:
        return None
