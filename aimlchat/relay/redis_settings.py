"""The settings of a `RedisStore`."""

from __future__ import annotations

import math
from typing import Any

import attrs

from aimlchat.errors import ConfigurationError

__all__ = ["RedisSettings"]


def _is_positive(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        msg = f"{attribute.name} is a number above 0, not {value!r}"
        raise ConfigurationError(msg)


@attrs.frozen
class RedisSettings:
    """The settings of a `RedisStore`, in seconds and bytes, checked."""

    ttl: float = attrs.field(validator=_is_positive)
    lease: float = attrs.field(validator=_is_positive)
    retry_for: float = attrs.field(validator=_is_positive)
    max_size: int = attrs.field(validator=_is_positive)

    @property
    def ttl_ms(self) -> int:
        """For how long Redis keeps an answer after the last change, in milliseconds.

        Not less than the lease, whose renewals keep an answer while its model is silent.
        """
        return max(1, round(max(self.ttl, self.lease) * 1000))

    @property
    def lease_ms(self) -> int:
        """For how long the key of the lease lives, in milliseconds."""
        return max(1, round(self.lease * 500))

    @property
    def doubt_ms(self) -> int:
        """How long the key of the lease has to be missing for its process to count as dead.

        In milliseconds. Redis itself may have been away while the lease ended; this is the time
        for the process to come back to it. The rest of the lease is for those who follow to notice.
        """
        return max(1, round(self.lease * 300))

    @property
    def renewal_seconds(self) -> float:
        """After how many seconds without a frame the lease is renewed: twice before it ends."""
        return self.lease * 0.2

    @property
    def followed_ms(self) -> int:
        """For how long an answer counts as followed after its followers checked it."""
        return max(1, round(self.lease * 2000))
